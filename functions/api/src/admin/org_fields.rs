//! The fields that an org shows.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::importing;
use utoipa::ToSchema;

use crate::callers::{Admin, At, AtObject};
use crate::problem::Problem;
use crate::state::Api;

/// The fields of an object that the org was last found to show.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgFields {
    as_of: Timestamp,
    items: Vec<OrgField>,
    /// The record types that the integration user may give.
    record_types: Vec<OrgRecordType>,
}

/// A record type of an object.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgRecordType {
    record_type_id: String,
    name: String,
}

/// A value of a field's list.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgValue {
    /// Its API name, which records hold.
    value: String,
    label: String,
    /// Offered for new rows.
    active: bool,
}

/// A field as an org describes it to its integration user.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "a description answers these questions apart")]
pub(crate) struct OrgField {
    name: String,
    label: String,
    /// Salesforce's type.
    #[serde(rename = "type")]
    kind: String,
    custom: bool,
    /// A formula.
    calculated: bool,
    filterable: bool,
    importable: bool,
    /// The values of its list, in the org's order; none of a field without a list, or with one of
    /// more than 200 values.
    values: Vec<OrgValue>,
}

impl From<importing::OrgField> for OrgField {
    fn from(field: importing::OrgField) -> Self {
        Self {
            name: field.name,
            label: field.label,
            kind: field.kind,
            custom: field.custom,
            calculated: field.calculated,
            filterable: field.filterable,
            importable: field.importable,
            values: field.values.into_iter().map(OrgValue::from).collect(),
        }
    }
}

impl From<importing::OrgValue> for OrgValue {
    fn from(importing::OrgValue { value, label, active }: importing::OrgValue) -> Self {
        Self { value, label, active }
    }
}

/// The fields that the org was last found to show; what can be mapped and filtered by
#[utoipa::path(get, path = "/org-fields/{object}", tag = "runs", operation_id = "listOrgFields",
    params(AtObject), extensions(("x-roles" = json!(Admin::<AtObject>::ROLES))),
    responses((status = 200, description = "The fields", body = OrgFields), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<AtObject>,
) -> Result<Json<OrgFields>, Problem> {
    let shown = api.selections.fields(place.environment(), place.object).await?;
    let items = shown.fields.into_iter().map(OrgField::from).collect();
    let record_types = shown.record_types.into_iter();
    let record_types =
        record_types.map(|of| OrgRecordType { record_type_id: of.id, name: of.name });
    Ok(Json(OrgFields { as_of: shown.as_of, items, record_types: record_types.collect() }))
}

/// The stages of the org's opportunities, in pipeline order.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgStages {
    items: Vec<OrgStage>,
}

/// A stage.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgStage {
    /// Its API name: the setting `stage` takes it.
    name: String,
    label: String,
    /// Opportunities in it are closed.
    closed: bool,
    active: bool,
}

/// The stages of the org's opportunities as the last import read them, in pipeline order
#[utoipa::path(get, path = "/org-stages", tag = "runs", operation_id = "listOrgStages",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The stages", body = OrgStages), Problem))]
pub(crate) async fn stages(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<OrgStages>, Problem> {
    let pipeline = api.selections.stages(place.environment()).await?;
    let of = |importing::Stage { name, label, is_closed, is_active }: importing::Stage| OrgStage {
        name,
        label,
        closed: is_closed,
        active: is_active,
    };
    Ok(Json(OrgStages { items: pipeline.stages.into_iter().map(of).collect() }))
}
