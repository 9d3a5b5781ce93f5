//! Custom fields in the place of standard ones.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::importing::{self, Selection, SelectionPart};
use shared::kernel::SObject;
use utoipa::ToSchema;

use super::selection::SelectionChange;
use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A custom field that is read in the place of a standard one.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldMapping {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    /// A standard field that is imported.
    field: String,
    /// The custom field that is read in its place.
    custom_field: String,
}

impl From<importing::FieldMapping> for FieldMapping {
    fn from(mapping: importing::FieldMapping) -> Self {
        let importing::FieldMapping { object, field, custom_field } = mapping;
        Self { object, field, custom_field }
    }
}

impl From<FieldMapping> for importing::FieldMapping {
    fn from(FieldMapping { object, field, custom_field }: FieldMapping) -> Self {
        Self { object, field, custom_field }
    }
}

/// All mappings; one that is not in the list is no more. What is shown can be put back as it is.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewFieldMappings {
    items: Vec<FieldMapping>,
}

/// All mappings, and who changed them.
#[derive(Serialize, ToSchema)]
pub(crate) struct FieldMappings {
    items: Vec<FieldMapping>,
    /// Who changed them and when, the newest last; the last hundred changes of what is imported are
    /// remembered.
    changes: Vec<SelectionChange>,
}

impl From<Selection> for FieldMappings {
    fn from(chosen: Selection) -> Self {
        let changes = SelectionChange::of(&chosen, SelectionPart::Mappings);
        Self { items: chosen.mappings.into_iter().map(FieldMapping::from).collect(), changes }
    }
}

/// Custom fields in the place of standard ones
#[utoipa::path(get, path = "/field-mappings", tag = "runs", operation_id = "listFieldMappings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The mappings", body = FieldMappings), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<FieldMappings>, Problem> {
    Ok(Json(api.selections.get(place.environment()).await?.into()))
}

/// Change the mappings, the whole list; the objects concerned are read again
#[utoipa::path(put, path = "/field-mappings", tag = "runs", operation_id = "changeFieldMappings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = NewFieldMappings, example = json!({
        "items": [{ "object": "Contact", "field": "Email", "custom_field": "Work_Email__c" }],
    })),
    responses(
        (status = 200, description = "The mappings as they are now", body = FieldMappings),
        Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(NewFieldMappings { items }): Body<NewFieldMappings>,
) -> Result<Json<FieldMappings>, Problem> {
    let mappings = items.into_iter().map(Into::into).collect();
    Ok(Json(api.selections.map(place.environment(), mappings, &by).await?.into()))
}

/// Take the mappings of the tenant's other environment, held to what this org shows
#[utoipa::path(post, path = "/field-mappings/copy", tag = "runs",
    operation_id = "copyFieldMappings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 200, description = "The mappings as they are now", body = FieldMappings),
        Problem))]
pub(crate) async fn copy(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
) -> Result<Json<FieldMappings>, Problem> {
    Ok(Json(api.selections.copy_mappings(place.environment(), &by).await?.into()))
}
