//! The tenant's seats.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::capabilities::seats::{self, Role};
use shared::kernel::SeatId;
use utoipa::ToSchema;

use crate::callers::{Admin, AtTenant};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A licensed user of the product.
#[derive(Serialize, ToSchema)]
pub(crate) struct Seat {
    #[schema(value_type = wire::SeatId)]
    seat_id: SeatId,
    email: String,
    name: String,
    /// An IANA time zone.
    time_zone: String,
    /// The role, which decides on the user's rights.
    #[schema(value_type = Vec<wire::Role>)]
    roles: BTreeSet<Role>,
}

impl From<seats::Seat> for Seat {
    fn from(seat: seats::Seat) -> Self {
        let seats::Seat { id, email, name, time_zone, roles, .. } = seat;
        Self { seat_id: id, email, name, time_zone, roles }
    }
}

/// A tenant's seats.
#[derive(Serialize, ToSchema)]
pub(crate) struct Seats {
    items: Vec<Seat>,
}

/// The tenant's seats
#[utoipa::path(get, path = "/seats", tag = "tenants", operation_id = "listSeats",
    params(AtTenant), extensions(("x-roles" = json!(Admin::<AtTenant>::ROLES))),
    responses((status = 200, description = "The seats", body = Seats), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<AtTenant>,
) -> Result<Json<Seats>, Problem> {
    let seats = api.tenants.seats(place.tenant).await?;
    Ok(Json(Seats { items: seats.into_iter().map(Seat::from).collect() }))
}
