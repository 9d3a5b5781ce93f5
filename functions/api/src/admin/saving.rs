//! How full the lists of auto-save are, and undoing what it saved.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::saving::{self, UndoingError};
use shared::kernel::SeatId;
use utoipa::ToSchema;

use super::author::Author;
use crate::callers::{Acting, Admin, At};
use crate::extract::{Body, Place, Query};
use crate::problem::Problem;
use crate::seller::SavedList;
use crate::state::Api;
use crate::wire;

/// How full a list of a seat is.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListFill {
    #[schema(value_type = wire::SeatId)]
    seat_id: SeatId,
    #[schema(value_type = SavedList)]
    list: saving::SavedList,
    entries: u32,
    /// How many it has at most.
    most: u32,
    /// Since when something is left out for which it has no room; null when nothing is.
    #[schema(required = true)]
    full_since: Option<Timestamp>,
}

/// A page of lists.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListFillPage {
    items: Vec<ListFill>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// How full the sellers' lists are, by seat
///
/// A list to which auto-save never added anything is left out.
#[utoipa::path(get, path = "/saving/lists", tag = "connections", operation_id = "listSavedLists",
    params(At, Place), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "A page of it", body = ListFillPage), Problem))]
pub(crate) async fn lists(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Query(Place { cursor }): Query<Place>,
) -> Result<Json<ListFillPage>, Problem> {
    let page = api.saved_lists.fills(place.environment(), cursor.as_deref()).await?;
    let of = |fill: saving::Fill| ListFill {
        seat_id: fill.seat,
        list: fill.list,
        entries: fill.entries.unwrap_or_default(),
        most: fill.most,
        full_since: fill.full_since,
    };
    Ok(Json(ListFillPage { items: page.items.into_iter().map(of).collect(), next: page.next }))
}

/// What is to be undone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUndoing {
    /// The revision of the settings under whose rules it was saved: an entry's `revision`.
    revision: u64,
}

/// An undoing of what auto-save saved, as far as it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Undoing {
    /// Counts the undoings.
    undoing: u64,
    /// The revision of the settings under whose rules it was saved.
    revision: u64,
    asked_at: Timestamp,
    asked_by: Author,
    /// How many entries left the lists.
    removed: u64,
    /// How many stay, since the rules of today call for them.
    kept: u64,
    /// Null while it is under way.
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
}

impl From<saving::Undoing> for Undoing {
    fn from(undoing: saving::Undoing) -> Self {
        let saving::Undoing { pass, rules, asked, removed, kept, finished_at } = undoing;
        Self {
            undoing: pass.of,
            revision: rules,
            asked_at: asked.at,
            asked_by: asked.by.into(),
            removed,
            kept,
            finished_at,
        }
    }
}

/// Take out what auto-save saved under one revision of the settings
///
/// Change the rules first, or turn auto-save off. What the rules of today call for stays. An
/// undoing that is under way ends.
#[utoipa::path(post, path = "/saving/undo", tag = "connections", operation_id = "undoSaving",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = NewUndoing, example = json!({ "revision": 3 })),
    responses((status = 202, description = "It was asked for", body = Undoing), Problem))]
pub(crate) async fn undo(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(NewUndoing { revision }): Body<NewUndoing>,
) -> Result<(StatusCode, Json<Undoing>), Problem> {
    let asked = api.undo_saving.ask(place.environment(), revision, &by).await?;
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// Show the latest undoing of what auto-save saved
#[utoipa::path(get, path = "/saving/undo", tag = "connections", operation_id = "showSavingUndone",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "How far it is", body = Undoing), Problem))]
pub(crate) async fn undone(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<Undoing>, Problem> {
    Ok(Json(api.undo_saving.latest(place.environment()).await?.into()))
}

impl From<UndoingError> for Problem {
    fn from(error: UndoingError) -> Self {
        match error {
            UndoingError::Lookup(error) => error.into(),
            UndoingError::InForce(_) => Self::conflict("rules_in_force", error.to_string()),
            UndoingError::Unknown { .. } => {
                Self::invalid(error.to_string()).at("/revision".to_owned())
            }
        }
    }
}
