//! Adding and removing a seat.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use shared::capabilities::audit::Actor;
use shared::capabilities::seats::{self, Role};
use utoipa::ToSchema;

use crate::admin::Seat;
use crate::callers::{AtSeatOfTenant, AtTenant, Service};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A seat that is to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSeat {
    /// The address by which the seat's CRM user is found.
    #[schema(max_length = 320)]
    email: String,
    /// The user's name.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// An IANA time zone.
    #[serde(default = "utc")]
    #[schema(default = "UTC")]
    time_zone: String,
    /// The role, which decides on the user's rights.
    #[serde(default = "seller")]
    #[schema(value_type = Vec<wire::Role>, default = json!(["seat"]))]
    roles: BTreeSet<Role>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn seller() -> BTreeSet<Role> {
    [Role::Seat].into()
}

/// Add a seat
#[utoipa::path(post, path = "/seats", tag = "tenants", operation_id = "addSeat",
    params(AtTenant), extensions(("x-roles" = json!(Service::<AtTenant>::ROLES))),
    request_body(content = NewSeat, example = json!({
        "email": "jane@acme.example", "name": "Jane Doe", "time_zone": "Europe/Berlin",
    })),
    responses((status = 201, description = "It was added", body = Seat), Problem))]
pub(crate) async fn add(
    State(api): State<Api>,
    Service(place): Service<AtTenant>,
    Body(NewSeat { email, name, time_zone, roles }): Body<NewSeat>,
) -> Result<(StatusCode, Json<Seat>), Problem> {
    let new = seats::NewSeat { email, name, time_zone, roles };
    let seat = api.tenants.add_seat(place.tenant, new, &Actor::Service).await?;
    Ok((StatusCode::CREATED, Json(seat.into())))
}

/// Remove a seat: its address is free again, its authorizations are revoked, what it did and was
/// not logged fails as `SEAT_REMOVED`, what was saved for it goes
#[utoipa::path(delete, path = "/seats/{seat}", tag = "tenants", operation_id = "removeSeat",
    params(AtSeatOfTenant), extensions(("x-roles" = json!(Service::<AtSeatOfTenant>::ROLES))),
    responses((status = 204, description = "It is not there any more"), Problem))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Service(place): Service<AtSeatOfTenant>,
) -> Result<StatusCode, Problem> {
    api.offboarding.remove_seat(place.tenant, place.seat, &Actor::Service).await?;
    Ok(StatusCode::NO_CONTENT)
}
