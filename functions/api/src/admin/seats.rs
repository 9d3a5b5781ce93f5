//! The tenant's seats.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::capabilities::audit::Actor;
use shared::capabilities::seats::{self, Role, SeatPatch};
use shared::kernel::SeatId;
use utoipa::ToSchema;

use crate::callers::{Acting, Admin, AtSeatOfTenant, AtTenant};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// How many seats are removed at once.
const MOST_REMOVED: usize = 100;

/// A licensed user of the product.
#[derive(Serialize, ToSchema)]
pub(crate) struct Seat {
    #[schema(value_type = wire::SeatId)]
    seat_id: SeatId,
    email: String,
    /// Other addresses under which the CRM may know the user.
    aliases: BTreeSet<String>,
    /// The id by which the user logs in everywhere: the CRM's `FederationIdentifier`.
    #[schema(required = true)]
    federation_id: Option<String>,
    name: String,
    /// An IANA time zone.
    time_zone: String,
    /// The role, which decides on the user's rights.
    #[schema(value_type = Vec<wire::Role>)]
    roles: BTreeSet<Role>,
}

impl From<seats::Seat> for Seat {
    fn from(seat: seats::Seat) -> Self {
        let seats::Seat { id, email, aliases, federation_id, name, time_zone, roles, .. } = seat;
        Self { seat_id: id, email, aliases, federation_id, name, time_zone, roles }
    }
}

/// A tenant's seats.
#[derive(Serialize, ToSchema)]
pub(crate) struct Seats {
    items: Vec<Seat>,
    /// How many seats the contract has; null for as many as are added.
    #[schema(required = true)]
    licences: Option<u32>,
}

/// What of a seat changes; what is left out, or null, stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeatChange {
    /// The address by which the seat's CRM user is found.
    #[serde(default)]
    #[schema(max_length = 320)]
    email: Option<String>,
    /// Other addresses under which the CRM may know the user, in the place of those before.
    #[serde(default)]
    #[schema(max_items = 5)]
    aliases: Option<BTreeSet<String>>,
    /// The id by which the user logs in everywhere, which goes before addresses; an empty text
    /// takes it away.
    #[serde(default)]
    #[schema(max_length = 512)]
    federation_id: Option<String>,
    /// The user's name.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// An IANA time zone.
    #[serde(default)]
    time_zone: Option<String>,
}

/// Seats that are to be removed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeatsToRemove {
    #[schema(value_type = Vec<wire::SeatId>, min_items = 1, max_items = 100)]
    seat_ids: Vec<SeatId>,
}

/// The tenant's seats
#[utoipa::path(get, path = "/seats", tag = "tenants", operation_id = "listSeats",
    params(AtTenant), extensions(("x-roles" = json!(Admin::<AtTenant>::ROLES))),
    responses((status = 200, description = "The seats", body = Seats), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<AtTenant>,
) -> Result<Json<Seats>, Problem> {
    let contract = api.tenants.get(place.tenant).await?;
    let seats = api.tenants.seats(place.tenant).await?;
    let items = seats.into_iter().map(Seat::from).collect();
    Ok(Json(Seats { items, licences: contract.licences }))
}

/// Change a seat's address, aliases, federation id, name or time zone
///
/// Its CRM user is found anew at once. Where that is another one, the authorization that the former
/// one gave ends.
#[utoipa::path(patch, path = "/seats/{seat}", tag = "tenants", operation_id = "changeSeat",
    params(AtSeatOfTenant), extensions(("x-roles" = json!(Admin::<AtSeatOfTenant>::ROLES))),
    request_body(content = SeatChange, example = json!({ "email": "jane.doe@acme.example" })),
    responses((status = 200, description = "The seat as it is now", body = Seat), Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Admin(place): Admin<AtSeatOfTenant>,
    Acting(by): Acting,
    Body(change): Body<SeatChange>,
) -> Result<Json<Seat>, Problem> {
    let SeatChange { email, aliases, federation_id, name, time_zone } = change;
    let patch = SeatPatch { email, aliases, federation_id, name, time_zone };
    Ok(Json(api.tenants.change_seat(place.tenant, place.seat, &patch, &by).await?.into()))
}

/// Remove up to 100 seats, as one is removed
///
/// A seat that is not there is removed, so the same may be asked for again.
#[utoipa::path(post, path = "/seats/remove", tag = "tenants", operation_id = "removeSeats",
    params(AtTenant), extensions(("x-roles" = json!(Admin::<AtTenant>::ROLES))),
    request_body(content = SeatsToRemove, example = json!({
        "seat_ids": ["seat_01KADVXPR7AMD1MM4A4F96DGG5"],
    })),
    responses((status = 204, description = "They are not there any more"), Problem))]
pub(crate) async fn remove_many(
    State(api): State<Api>,
    Admin(place): Admin<AtTenant>,
    Acting(by): Acting,
    Body(SeatsToRemove { seat_ids }): Body<SeatsToRemove>,
) -> Result<StatusCode, Problem> {
    if !(1..=MOST_REMOVED).contains(&seat_ids.len()) {
        let detail = format!("from 1 to {MOST_REMOVED} seats are removed at once");
        return Err(Problem::invalid(detail).at("/seat_ids".to_owned()));
    }
    for seat in seat_ids {
        api.offboarding.remove_seat(place.tenant, seat, &Actor::from(&by)).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
