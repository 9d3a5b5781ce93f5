//! The lists that are saved for a seat.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::saving::{self, SavedError};
use shared::kernel::{EntityId, SObject, SeatId};
use shared::salesforce::SalesforceId;
use utoipa::{IntoParams, ToSchema};

use crate::callers::{AtSeat, SeatOrAdmin};
use crate::extract::Query;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// A seat's system lists.
    SavedList of saving::SavedList { Accounts Leads }
}

/// Something that was saved for a seat.
#[derive(Serialize, ToSchema)]
pub(crate) struct Saved {
    #[schema(value_type = wire::SeatId)]
    seat: SeatId,
    #[schema(value_type = SavedList)]
    list: saving::SavedList,
    /// The directory's entity.
    #[schema(value_type = String)]
    entity: EntityId,
    /// The record that it is matched to.
    #[schema(value_type = String)]
    record: SalesforceId,
    #[schema(value_type = wire::SObject)]
    object: SObject,
    /// The open opportunity that was the reason.
    #[schema(value_type = String)]
    opportunity: SalesforceId,
    saved_at: Timestamp,
}

impl From<saving::Saved> for Saved {
    fn from(saved: saving::Saved) -> Self {
        Self {
            seat: saved.seat,
            list: saved.list,
            entity: saved.entity,
            record: saved.record,
            object: saved.object,
            opportunity: saved.opportunity,
            saved_at: saved.saved_at,
        }
    }
}

/// A page of what was saved.
#[derive(Serialize, ToSchema)]
pub(crate) struct SavedPage {
    items: Vec<Saved>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Which list, and where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SavedListing {
    #[param(value_type = SavedList)]
    kind: saving::SavedList,
    /// `next` of the page before
    #[param(nullable = false)]
    #[serde(default)]
    cursor: Option<String>,
}

/// List the items saved for a seat
#[utoipa::path(get, path = "/seats/{seat}/saved", tag = "matches", operation_id = "listSaved",
    params(AtSeat, SavedListing), extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses((status = 200, description = "A page of it", body = SavedPage), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
    Query(SavedListing { kind, cursor }): Query<SavedListing>,
) -> Result<Json<SavedPage>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let page = api.saved_lists.page(at, seat, kind, cursor.as_deref()).await?;
    Ok(Json(SavedPage {
        items: page.items.into_iter().map(Saved::from).collect(),
        next: page.next,
    }))
}

impl From<SavedError> for Problem {
    fn from(error: SavedError) -> Self {
        match error {
            SavedError::Lookup(error) => error.into(),
            SavedError::Cursor(error) => Self::bad_cursor(error.to_string()),
        }
    }
}
