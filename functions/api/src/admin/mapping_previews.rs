//! A look at one record through a mapping that need not be made.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::importing;
use utoipa::ToSchema;

use super::field_mappings::FieldMapping;
use crate::callers::{Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;

/// A look that is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMappingPreview {
    mapping: FieldMapping,
    record_id: String,
}

/// A look at a record.
#[derive(Serialize, ToSchema)]
pub(crate) struct MappingPreview {
    mapping: FieldMapping,
    record_id: String,
    asked_at: Timestamp,
    state: PreviewState,
    /// Why Salesforce refused, by its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// The values of both fields, once the state is `ready`.
    #[schema(required = true)]
    values: Option<PreviewValues>,
}

/// Where a look stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PreviewState {
    Asked,
    Ready,
    Refused,
}

/// A record's values in both fields.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewValues {
    /// In the standard field; null for no value, or a field that is hidden.
    #[schema(required = true)]
    field: Option<String>,
    #[schema(required = true)]
    custom_field: Option<String>,
}

impl MappingPreview {
    fn of(preview: importing::MappingPreview, values: Option<importing::PreviewValues>) -> Self {
        let importing::MappingPreview { mapping, record, asked_at, state } = preview;
        let (state, reason) = match state {
            importing::PreviewState::Asked => (PreviewState::Asked, None),
            importing::PreviewState::Ready => (PreviewState::Ready, None),
            importing::PreviewState::Refused { reason } => (PreviewState::Refused, Some(reason)),
        };
        let values = values.map(|importing::PreviewValues { field, custom_field }| PreviewValues {
            field,
            custom_field,
        });
        Self {
            mapping: mapping.into(),
            record_id: record.to_string(),
            asked_at,
            state,
            reason,
            values,
        }
    }
}

/// The look at a record that was asked for last
#[utoipa::path(get, path = "/field-mappings/preview", tag = "runs",
    operation_id = "showMappingPreview",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 200, body = MappingPreview,
            description = "What both fields hold, once its state is `ready`"),
        Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<MappingPreview>, Problem> {
    let (preview, values) = api.selections.previewed(place.environment()).await?;
    Ok(Json(MappingPreview::of(preview, values)))
}

/// Have a record read through a mapping that need not be made; one look at a time
#[utoipa::path(post, path = "/field-mappings/preview", tag = "runs",
    operation_id = "previewFieldMapping",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = NewMappingPreview, example = json!({
        "mapping": { "object": "Contact", "field": "Email", "custom_field": "Work_Email__c" },
        "record_id": "003000000000001AAA",
    })),
    responses(
        (status = 202, description = "The org is being asked", body = MappingPreview),
        Problem))]
pub(crate) async fn ask(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Body(NewMappingPreview { mapping, record_id }): Body<NewMappingPreview>,
) -> Result<(StatusCode, Json<MappingPreview>), Problem> {
    let preview = api.selections.preview(place.environment(), mapping.into(), record_id).await?;
    Ok((StatusCode::ACCEPTED, Json(MappingPreview::of(preview, None))))
}
