//! The switches and the stage of an environment.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::settings;
use utoipa::ToSchema;

use crate::callers::{Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;

/// The settings of an environment, which an admin may change.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Settings {
    /// Save accounts and contacts of open opportunities for their owners.
    #[schema(default = true)]
    auto_save: bool,
    /// Only opportunities at or after this stage count; null for every open one.
    stage: Option<String>,
    /// Log messages and InMails.
    #[schema(default = true)]
    log_messages: bool,
    /// Log notes.
    #[schema(default = true)]
    log_notes: bool,
    /// Report on won deals.
    #[schema(default = false)]
    roi: bool,
    /// Show profiles inside the CRM.
    #[schema(default = true)]
    embedded_profile: bool,
    /// Point out records whose person has left the company.
    #[schema(default = true)]
    data_validation: bool,
}

impl Default for Settings {
    fn default() -> Self {
        settings::Settings::default().into()
    }
}

impl From<settings::Settings> for Settings {
    fn from(settings: settings::Settings) -> Self {
        Self {
            auto_save: settings.auto_save,
            stage: settings.stage,
            log_messages: settings.log_messages,
            log_notes: settings.log_notes,
            roi: settings.roi,
            embedded_profile: settings.embedded_profile,
            data_validation: settings.data_validation,
        }
    }
}

impl From<Settings> for settings::Settings {
    fn from(settings: Settings) -> Self {
        Self {
            auto_save: settings.auto_save,
            stage: settings.stage,
            log_messages: settings.log_messages,
            log_notes: settings.log_notes,
            roi: settings.roi,
            embedded_profile: settings.embedded_profile,
            data_validation: settings.data_validation,
        }
    }
}

/// The switches and the stage
#[utoipa::path(get, path = "/settings", tag = "connections", operation_id = "showSettings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The settings", body = Settings), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<Settings>, Problem> {
    Ok(Json(api.settings.get(place.environment()).await?.into()))
}

/// Change them; what is left out gets its default
#[utoipa::path(put, path = "/settings", tag = "connections", operation_id = "changeSettings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = Settings, example = json!({ "stage": "Proposal" })),
    responses(
        (status = 200, description = "The settings as they are now", body = Settings),
        Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Body(settings): Body<Settings>,
) -> Result<Json<Settings>, Problem> {
    let settings = settings.into();
    api.settings.replace(place.environment(), &settings).await?;
    Ok(Json(settings.into()))
}
