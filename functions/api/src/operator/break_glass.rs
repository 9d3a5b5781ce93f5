//! Breaking the glass: an operator looks at a tenant's record, with a reason, for a time.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::break_glass::{self, GlassError};
use shared::kernel::{GlassId, SObject};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use crate::callers::{At, AtGlass, Operator};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// Why an operator must look.
    GlassReason of shared::capabilities::break_glass::GlassReason { Support Incident Legal }
}

/// Why, and for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakingGlass {
    #[schema(value_type = GlassReason)]
    reason: break_glass::GlassReason,
    /// An id of the operator's own system, such as SUP-1234.
    #[schema(max_length = 64)]
    ticket: String,
    #[schema(minimum = 1, maximum = 60)]
    minutes: u32,
}

/// Broken glass.
#[derive(Serialize, ToSchema)]
pub(crate) struct BrokenGlass {
    #[schema(value_type = wire::GlassId)]
    glass_id: GlassId,
    /// When it is whole again.
    until: Timestamp,
}

/// A record as it is kept.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShownRecord {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    /// Salesforce's `SystemModstamp` of the state that is kept.
    modified_at: Timestamp,
    /// The imported fields that are not empty, by API name.
    fields: BTreeMap<String, String>,
}

/// Break the glass of a connection
///
/// From now on the operator may look at its records, for the minutes asked for. It stands in the
/// tenant's audit log, and an alarm sounds.
#[utoipa::path(post, path = "/break-glass", tag = "tenants", operation_id = "breakGlass",
    params(At), extensions(("x-roles" = json!(Operator::<At>::ROLES))),
    request_body(content = BreakingGlass,
        example = json!({ "reason": "support", "ticket": "SUP-1234", "minutes": 30 })),
    responses((status = 201, description = "It is broken", body = BrokenGlass), Problem))]
pub(crate) async fn smash(
    State(api): State<Api>,
    Operator(place, operator): Operator<At>,
    Body(BreakingGlass { reason, ticket, minutes }): Body<BreakingGlass>,
) -> Result<(StatusCode, Json<BrokenGlass>), Problem> {
    let why = (reason, ticket.as_str());
    let glass = api.break_glass.smash(place.environment(), operator, why, minutes).await?;
    Ok((StatusCode::CREATED, Json(BrokenGlass { glass_id: glass.id, until: glass.until })))
}

/// Look at a record through broken glass; each look stands in the tenant's audit log
#[utoipa::path(get, path = "/break-glass/{glass}/records/{object}/{record}", tag = "tenants",
    operation_id = "showRecordToOperator",
    params(AtGlass), extensions(("x-roles" = json!(Operator::<AtGlass>::ROLES))),
    responses((status = 200, description = "The record", body = ShownRecord), Problem))]
pub(crate) async fn look(
    State(api): State<Api>,
    Operator(place, operator): Operator<AtGlass>,
) -> Result<Json<ShownRecord>, Problem> {
    let (at, record) = (place.environment(), (place.object, place.record));
    let found = api.break_glass.look(at, operator, place.glass, record).await?;
    let fields = found.fields.into_iter().map(|(name, value)| (name.into_owned(), value));
    Ok(Json(ShownRecord {
        object: found.object,
        record_id: found.id,
        modified_at: found.stamp,
        fields: fields.collect(),
    }))
}

impl From<GlassError> for Problem {
    fn from(error: GlassError) -> Self {
        match error {
            GlassError::NotFound(what) => Self::not_found(what),
            GlassError::Minutes | GlassError::Ticket => Self::invalid(error.to_string()),
            GlassError::Closed => Self::conflict("glass_closed", error.to_string()),
            GlassError::Work(error) => error.into(),
        }
    }
}
