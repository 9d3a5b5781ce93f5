//! The admin's switch for what seats do, for one or for many at once.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use shared::capabilities::settings::SwitchError;
use shared::kernel::SeatId;
use utoipa::ToSchema;

use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// The seats, and whether what they do is logged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeatSwitches {
    #[schema(value_type = Vec<wire::SeatId>, min_items = 1, max_items = 100)]
    seats: BTreeSet<SeatId>,
    write_back: bool,
}

/// Turn logging on or off for some seats
///
/// The seats' own choices come after it. Each switch is an entry of the audit log.
#[utoipa::path(put, path = "/seat-switches", tag = "connections", operation_id = "switchSeats",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = SeatSwitches, example = json!({
        "seats": ["seat_00000000000000000000000001"], "write_back": false,
    })),
    responses((status = 204, description = "It is so for all of them"), Problem))]
pub(crate) async fn switch(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(SeatSwitches { seats, write_back }): Body<SeatSwitches>,
) -> Result<StatusCode, Problem> {
    api.seat_logging.switch(place.environment(), &seats, write_back, &by).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<SwitchError> for Problem {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Work(error) => error.into(),
            SwitchError::Count | SwitchError::NoSeat(_) => Self::invalid(error.to_string()),
        }
    }
}
