//! Large answers as files.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::exporting::{self, ExportAddress, ExportJob, ExportOrder};
use shared::kernel::{DirectoryVersionId, ExportId};
use utoipa::ToSchema;

use crate::callers::{Acting, Admin, At, AtExport};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// What is exported: the records that are linked to an entity, or those that are not; or the
    /// set of the people or of the companies that are in the CRM.
    ExportKind of exporting::ExportKind { Matched Unmatched InCrmPeople InCrmCompanies }

    /// The form of the files: for records CSV whose cells no spreadsheet runs, or a JSON object a
    /// line; for sets the portable form of Roaring Bitmaps.
    ExportFormat of exporting::ExportFormat { Csv Jsonl Roaring }

    /// Where an export stands.
    ExportState of exporting::ExportState { Running Ready Expired }
}

/// The only size of a sample: that of the report that customers know.
const COMPATIBLE: u32 = 1_000;

/// What to export.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewExport {
    #[schema(value_type = ExportKind)]
    kind: exporting::ExportKind,
    #[schema(value_type = ExportFormat)]
    format: exporting::ExportFormat,
    /// 1000 for a sample of at most so many rows of each object; all rows without it.
    #[serde(default)]
    #[schema(minimum = 1000, maximum = 1000)]
    compat: Option<u32>,
}

/// A large answer that is written as files.
#[derive(Serialize, ToSchema)]
pub(crate) struct Export {
    #[schema(value_type = wire::ExportId)]
    export_id: ExportId,
    #[schema(value_type = ExportKind)]
    kind: exporting::ExportKind,
    #[schema(value_type = ExportFormat)]
    format: exporting::ExportFormat,
    #[schema(required = true)]
    compat: Option<u32>,
    #[schema(value_type = ExportState)]
    state: exporting::ExportState,
    /// How much of it is written.
    #[schema(maximum = 100)]
    percent: u32,
    /// Rows written so far; of a set that is ready, how many it holds.
    rows: u64,
    /// The files, while they can be had: together they hold every row, each once.
    files: Vec<ExportFile>,
    /// The directory version whose ordinals a set has, once it is made.
    #[schema(value_type = Option<wire::DirectoryVersionId>, required = true)]
    directory_version: Option<DirectoryVersionId>,
    asked_at: Timestamp,
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
    /// When the files go.
    #[schema(required = true)]
    files_end_at: Option<Timestamp>,
}

/// A finished file.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportFile {
    name: String,
    rows: u64,
    bytes: u64,
    /// Where anyone may get it who has the address: hand it to nobody else. A later call gives
    /// another one.
    url: String,
    url_valid_until: Timestamp,
}

impl Export {
    fn of(job: &ExportJob, files: Vec<ExportAddress>) -> Self {
        let (percent, rows, files_end_at) = (job.percent(), job.rows(), job.files_end());
        let files = files.into_iter().map(|ExportAddress { file, url, valid_until }| ExportFile {
            name: file.name,
            rows: file.rows,
            bytes: file.bytes,
            url,
            url_valid_until: valid_until,
        });
        Self {
            export_id: job.id,
            kind: job.order.kind,
            format: job.order.format,
            compat: job.order.sample,
            state: job.state,
            percent,
            rows,
            files: files.collect(),
            directory_version: job.directory,
            asked_at: job.asked_at,
            finished_at: job.finished_at,
            files_end_at,
        }
    }
}

/// Have a large answer written as files
#[utoipa::path(post, path = "/exports", tag = "exports", operation_id = "export",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = NewExport, example = json!({ "kind": "unmatched", "format": "csv" })),
    responses((status = 202, description = "It is being written", body = Export), Problem))]
pub(crate) async fn ask(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(NewExport { kind, format, compat }): Body<NewExport>,
) -> Result<(StatusCode, Json<Export>), Problem> {
    if compat.is_some_and(|sample| sample != COMPATIBLE) {
        let told = format!("compat is {COMPATIBLE}, or left out");
        return Err(Problem::invalid(told).at("/compat".to_owned()));
    }
    let order = ExportOrder { kind, format, sample: compat };
    if !order.is_possible() {
        let told = "records are exported as csv or jsonl, and sets as roaring, whole";
        return Err(Problem::invalid(told).at("/format".to_owned()));
    }
    let job = api.exports.ask(place.environment(), order, &by).await?;
    Ok((StatusCode::ACCEPTED, Json(Export::of(&job, Vec::new()))))
}

/// An export, and where its files are
#[utoipa::path(get, path = "/exports/{export}", tag = "exports", operation_id = "showExport",
    params(AtExport), extensions(("x-roles" = json!(Admin::<AtExport>::ROLES))),
    responses((status = 200, description = "The export", body = Export), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<AtExport>,
) -> Result<Json<Export>, Problem> {
    let (job, files) = api.exports.get(place.environment(), place.export).await?;
    Ok(Json(Export::of(&job, files)))
}
