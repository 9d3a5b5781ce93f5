//! Moving a tenant to another home of the product: handing it over, exporting and importing it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::moving::{self, LineError, MovingError};
use shared::kernel::Environment;
use utoipa::{IntoParams, ToSchema};

use crate::callers::{AtTenant, Service};
use crate::extract::{Body, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A tenant that was handed over.
#[derive(Serialize, ToSchema)]
pub(crate) struct HandOver {
    /// Its connections, which rest from now on.
    connections: Vec<HandedOverConnection>,
}

/// A connection that this home does nothing for any more.
#[derive(Serialize, ToSchema)]
pub(crate) struct HandedOverConnection {
    #[schema(value_type = wire::Environment)]
    environment: Environment,
    handed_over_at: Timestamp,
}

/// Where an export goes on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportFrom {
    /// `next` of the page before; none for the first page.
    cursor: Option<String>,
}

/// A page of an export.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExportPage {
    /// Lines of the file that the tenant moves in, each one JSON object.
    lines: Vec<String>,
    /// The cursor of the next page; none after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Lines that are to be taken in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLines {
    /// The file's first line, and behind it lines of the tenant, or the line of a connection with
    /// lines of its org.
    lines: Vec<String>,
}

/// What became of the lines.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportedLines {
    /// Lines that were written, by kind.
    taken: BTreeMap<&'static str, u64>,
    /// Lines whose content was here, by kind.
    known: BTreeMap<&'static str, u64>,
}

/// Hand a tenant over to another home
///
/// From now on this home sends, reads and takes in nothing for the tenant's connections. Work is
/// kept, in case the hand-over is taken back.
#[utoipa::path(put, path = "/hand-over", tag = "tenants", operation_id = "handTenantOver",
    params(AtTenant), extensions(("x-roles" = json!(Service::<AtTenant>::ROLES))),
    responses((status = 200, description = "It is handed over", body = HandOver), Problem))]
pub(crate) async fn hand_over(
    State(api): State<Api>,
    Service(place): Service<AtTenant>,
) -> Result<Json<HandOver>, Problem> {
    let handed_over = api.moving.hand_over(place.tenant).await?;
    let connections = handed_over.into_iter().map(|connection| HandedOverConnection {
        environment: connection.environment,
        handed_over_at: connection.at,
    });
    Ok(Json(HandOver { connections: connections.collect() }))
}

/// Take a tenant's hand-over back
///
/// Only for a tenant that no other home has taken in: otherwise both log its activities.
#[utoipa::path(delete, path = "/hand-over", tag = "tenants", operation_id = "takeTenantBack",
    params(AtTenant), extensions(("x-roles" = json!(Service::<AtTenant>::ROLES))),
    responses((status = 204, description = "Its work goes on within 15 minutes"), Problem))]
pub(crate) async fn take_back(
    State(api): State<Api>,
    Service(place): Service<AtTenant>,
) -> Result<StatusCode, Problem> {
    api.moving.take_back(place.tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of the file that a tenant moves in
///
/// The tenant is handed over before. `crm-sync tenant export` writes the file.
#[utoipa::path(get, path = "/export", tag = "tenants", operation_id = "exportTenant",
    params(AtTenant, ExportFrom), extensions(("x-roles" = json!(Service::<AtTenant>::ROLES))),
    responses((status = 200, description = "The page", body = ExportPage), Problem))]
pub(crate) async fn export(
    State(api): State<Api>,
    Service(place): Service<AtTenant>,
    Query(from): Query<ExportFrom>,
) -> Result<Json<ExportPage>, Problem> {
    let page = api.moving.export(place.tenant, from.cursor.as_deref()).await?;
    Ok(Json(ExportPage { lines: page.lines, next: page.next }))
}

/// Take lines of an export in
///
/// The tenant is made when there is none. What was taken in before changes nothing.
#[utoipa::path(post, path = "/import", tag = "tenants", operation_id = "importTenant",
    params(AtTenant), extensions(("x-roles" = json!(Service::<AtTenant>::ROLES))),
    request_body(content = NewLines, example = json!({ "lines": [
        "{\"kind\":\"tenant_export\",\"format\":1,\"tenant\":\"ten_01KB4WHE7T9M2J5V0XQ3RD8SCA\",\
         \"exported_at\":\"2026-11-28T09:00:00Z\"}",
    ] })),
    responses((status = 200, description = "They are taken in", body = ImportedLines), Problem))]
pub(crate) async fn import(
    State(api): State<Api>,
    Service(place): Service<AtTenant>,
    Body(NewLines { lines }): Body<NewLines>,
) -> Result<Json<ImportedLines>, Problem> {
    let moving::ImportedLines { taken, known } = api.moving.import(place.tenant, &lines).await?;
    Ok(Json(ImportedLines { taken, known }))
}

impl From<MovingError> for Problem {
    fn from(error: MovingError) -> Self {
        let because = error.to_string();
        match error {
            MovingError::Work(error) => error.into(),
            MovingError::NotFound => Self::not_found("tenant"),
            MovingError::NotHandedOver => Self::conflict("not_handed_over", because),
            MovingError::HandedOver => Self::conflict("handed_over", because),
            MovingError::NotConnected { .. } => Self::conflict("not_connected", because),
            MovingError::OtherOrg { .. } => Self::conflict("other_org", because),
            MovingError::Line {
                source: LineError::LaterForm(_) | LineError::LaterKind, ..
            } => Self::conflict("later_form", because),
            MovingError::Cursor | MovingError::Line { .. } => Self::invalid(because),
        }
    }
}
