//! Match runs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::linking;
use shared::kernel::{self, DirectoryVersionId, MatchRunId, ModelId};
use utoipa::ToSchema;

use crate::callers::{Admin, At, AtMatchRun};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// Where a match run stands.
    MatchRunState of linking::MatchRunState { Planning Scoring Complete }

    /// The cause of a match run.
    MatchTrigger of kernel::MatchTrigger { Import Directory Settings Model }
}

/// One matching of records against a directory version.
#[derive(Serialize, ToSchema)]
pub(crate) struct MatchRun {
    #[schema(value_type = wire::MatchRunId)]
    match_run_id: MatchRunId,
    #[schema(value_type = MatchRunState)]
    state: linking::MatchRunState,
    #[schema(value_type = MatchTrigger)]
    trigger: kernel::MatchTrigger,
    #[schema(value_type = wire::DirectoryVersionId)]
    directory_version: DirectoryVersionId,
    /// The model weighed with; null for the shipped one.
    #[schema(value_type = Option<wire::ModelId>, required = true)]
    model: Option<ModelId>,
    batches_total: u32,
    batches_done: u32,
    records: u64,
    /// Matches that were made, changed or dropped.
    changed: u64,
    started_at: Timestamp,
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
}

impl From<linking::MatchRun> for MatchRun {
    fn from(run: linking::MatchRun) -> Self {
        Self {
            match_run_id: run.id,
            state: run.state,
            trigger: run.trigger,
            directory_version: run.directory,
            model: run.model.model,
            batches_total: run.batches,
            batches_done: run.settled,
            records: run.records,
            changed: run.changed,
            started_at: run.started_at,
            finished_at: run.finished_at,
        }
    }
}

/// A connection's match runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct MatchRuns {
    items: Vec<MatchRun>,
}

/// A match run that will begin.
#[derive(Serialize, ToSchema)]
pub(crate) struct AskedMatchRun {
    #[schema(value_type = wire::MatchRunId)]
    match_run_id: MatchRunId,
}

/// Match runs, newest first
#[utoipa::path(get, path = "/match-runs", tag = "runs", operation_id = "listMatchRuns",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The runs", body = MatchRuns), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<MatchRuns>, Problem> {
    let runs = api.rematch.list(place.environment()).await?;
    Ok(Json(MatchRuns { items: runs.into_iter().map(MatchRun::from).collect() }))
}

/// Have everything matched again
#[utoipa::path(post, path = "/match-runs", tag = "runs", operation_id = "rematch",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 202, description = "It will begin", body = AskedMatchRun), Problem))]
pub(crate) async fn start(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<(StatusCode, Json<AskedMatchRun>), Problem> {
    let match_run_id = api.rematch.ask(place.environment()).await?;
    Ok((StatusCode::ACCEPTED, Json(AskedMatchRun { match_run_id })))
}

/// A match run
#[utoipa::path(get, path = "/match-runs/{run}", tag = "runs", operation_id = "showMatchRun",
    params(AtMatchRun), extensions(("x-roles" = json!(Admin::<AtMatchRun>::ROLES))),
    responses((status = 200, description = "The run", body = MatchRun), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<AtMatchRun>,
) -> Result<Json<MatchRun>, Problem> {
    Ok(Json(api.rematch.get(place.environment(), place.run).await?.into()))
}
