//! Settings as a file: taken out of one environment, compared with another, taken in there.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::settings;
use utoipa::ToSchema;

use super::settings::{ChangedSetting, Settings, SettingsPatch};
use crate::callers::{Acting, Admin, At};
use crate::extract::{Body, IfMatch, Tagged};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// What a file of settings calls itself: its form is this one.
    SettingsFormat of Format { CrmSyncSettings1 }
}

/// The form of a file of settings.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Format {
    #[serde(rename = "crm-sync-settings-1")]
    CrmSyncSettings1,
}

/// The settings of an environment without its history, to be kept or taken elsewhere.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsFile {
    #[schema(value_type = SettingsFormat)]
    format: Format,
    /// Every setting by name.
    #[schema(value_type = SettingsPatch)]
    settings: settings::Settings,
}

/// A file of settings, as somebody kept it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptSettingsFile {
    #[schema(value_type = SettingsFormat)]
    #[serde(rename = "format")]
    _format: Format,
    /// Settings by name. What is left out stays as it is.
    #[schema(value_type = SettingsPatch)]
    settings: settings::SettingsPatch,
}

/// What a file of settings would change.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsDiff {
    /// The revision that the file was compared with.
    revision: u64,
    /// The settings that the file has otherwise: `before` as they are, `after` as the file has
    /// them. None when the file changes nothing.
    changes: Vec<ChangedSetting>,
}

/// The settings as a file
#[utoipa::path(get, path = "/settings/export", tag = "connections",
    operation_id = "exportSettings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The file", body = SettingsFile), Problem))]
pub(crate) async fn export(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<SettingsFile>, Problem> {
    let kept = api.settings.get(place.environment()).await?;
    Ok(Json(SettingsFile { format: Format::CrmSyncSettings1, settings: kept.settings }))
}

/// What a file of settings would change
///
/// Changes nothing. A file that would be refused is refused here too.
#[utoipa::path(post, path = "/settings/diff", tag = "connections", operation_id = "diffSettings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = KeptSettingsFile, example = json!({
        "format": "crm-sync-settings-1",
        "settings": { "auto_save": true, "stage": "Proposal" },
    })),
    responses((status = 200, description = "The differences", body = SettingsDiff), Problem))]
pub(crate) async fn diff(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Body(file): Body<KeptSettingsFile>,
) -> Result<Json<SettingsDiff>, Problem> {
    let (revision, changes) = api.settings.diff(place.environment(), &file.settings).await?;
    let changes = changes.into_iter().map(ChangedSetting::from).collect();
    Ok(Json(SettingsDiff { revision, changes }))
}

/// Take a file of settings in
///
/// Changes what the file has otherwise, all of it or nothing, and is remembered like any change.
#[utoipa::path(post, path = "/settings/import", tag = "connections",
    operation_id = "importSettings",
    params(At, ("If-Match" = Option<String>, Header, description =
        "Take it in only at this revision, as the `ETag` or a diff gave it; else 412")),
    extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = KeptSettingsFile, example = json!({
        "format": "crm-sync-settings-1",
        "settings": { "auto_save": true, "stage": "Proposal" },
    })),
    responses(
        (status = 200, description = "The settings as they are now", body = Settings,
            headers(("ETag" = String, description = "Their revision"))),
        Problem))]
pub(crate) async fn import(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    IfMatch(revisions): IfMatch,
    Body(file): Body<KeptSettingsFile>,
) -> Result<Tagged<Settings>, Problem> {
    let at = place.environment();
    Ok(api.settings.patch(at, &file.settings, revisions.as_ref(), &by).await?.into())
}
