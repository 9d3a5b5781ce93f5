//! How often an org is imported, and how much of its API that may take.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::importing;
use utoipa::ToSchema;

use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;

/// How a connection's imports are set up.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ImportSettings {
    /// Minutes from one scheduled import to the next.
    #[schema(minimum = 15, maximum = 1440, default = 720)]
    every_minutes: u32,
    /// Imports that a person asks for still run.
    #[schema(default = false)]
    schedule_paused: bool,
    /// Imports stand back at this share of the org's daily calls.
    #[schema(minimum = 25, maximum = 95, default = 70)]
    api_percent: u8,
    /// Calls that are kept for sellers.
    #[schema(maximum = 10_000_000, default = 1000)]
    api_reserve: u64,
    /// Objects with a formula among their mapped fields are read whole after so many hours, since a
    /// formula changes without a stamp.
    #[schema(minimum = 24, maximum = 720, default = 168)]
    formula_refresh_hours: u16,
}

impl Default for ImportSettings {
    fn default() -> Self {
        importing::ImportSettings::default().into()
    }
}

impl From<importing::ImportSettings> for ImportSettings {
    fn from(settings: importing::ImportSettings) -> Self {
        Self {
            every_minutes: settings.every_minutes,
            schedule_paused: settings.schedule_paused,
            api_percent: settings.api_percent,
            api_reserve: settings.api_reserve,
            formula_refresh_hours: settings.formula_refresh_hours,
        }
    }
}

impl From<ImportSettings> for importing::ImportSettings {
    fn from(settings: ImportSettings) -> Self {
        Self {
            every_minutes: settings.every_minutes,
            schedule_paused: settings.schedule_paused,
            api_percent: settings.api_percent,
            api_reserve: settings.api_reserve,
            formula_refresh_hours: settings.formula_refresh_hours,
        }
    }
}

/// How imports are set up
#[utoipa::path(get, path = "/import-settings", tag = "runs", operation_id = "showImportSettings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The settings", body = ImportSettings), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<ImportSettings>, Problem> {
    Ok(Json(api.runs.settings(place.environment()).await?.into()))
}

/// Change how imports are set up; what is left out gets its default
#[utoipa::path(put, path = "/import-settings", tag = "runs", operation_id = "changeImportSettings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = ImportSettings, example = json!({ "every_minutes": 60 })),
    responses(
        (status = 200, description = "The settings as they are now", body = ImportSettings),
        Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(settings): Body<ImportSettings>,
) -> Result<Json<ImportSettings>, Problem> {
    let settings = settings.into();
    api.import.change_settings(place.environment(), &settings, &(&by).into()).await?;
    Ok(Json(settings.into()))
}
