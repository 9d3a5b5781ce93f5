//! The fields that an org shows.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::importing;
use utoipa::ToSchema;

use crate::callers::{Admin, AtObject};
use crate::problem::Problem;
use crate::state::Api;

/// The fields of an object that the org was last found to show.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgFields {
    as_of: Timestamp,
    items: Vec<OrgField>,
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
        }
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
    Ok(Json(OrgFields { as_of: shown.as_of, items }))
}
