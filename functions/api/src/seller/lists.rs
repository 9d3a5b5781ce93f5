//! The lists that sellers keep, alone or with colleagues.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::lists::{self, ListError};
use shared::kernel::{EntityId, ListId, SeatId};
use utoipa::ToSchema;

use super::opportunities::AccountColumns;
use crate::callers::{AtSeat, AtSeatList, OwnSeat};
use crate::extract::{Body, Place, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// What a list holds: companies or people.
    ListKind of lists::ListKind { Accounts Leads }
}

/// A list that a seller keeps.
#[derive(Serialize, ToSchema)]
pub(crate) struct List {
    #[schema(value_type = wire::ListId)]
    list_id: ListId,
    #[schema(value_type = ListKind)]
    kind: lists::ListKind,
    name: String,
    /// Whose it is: they name it, share it and remove it.
    #[schema(value_type = wire::SeatId)]
    owner: SeatId,
    /// Who works on it besides: they add entries and take them out.
    #[schema(value_type = Vec<wire::SeatId>)]
    collaborators: BTreeSet<SeatId>,
    entries: u32,
    created_at: Timestamp,
}

impl From<lists::List> for List {
    fn from(list: lists::List) -> Self {
        let lists::List { id: list_id, kind, name, owner, collaborators, entries, created_at } =
            list;
        Self { list_id, kind, name, owner, collaborators, entries, created_at }
    }
}

/// A page of lists.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListPage {
    items: Vec<List>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// The lists that a seat owns or works on, the eldest first
#[utoipa::path(get, path = "/seats/{seat}/lists", tag = "matches", operation_id = "listLists",
    params(AtSeat, Place), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    responses((status = 200, description = "A page of it", body = ListPage), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Query(Place { cursor }): Query<Place>,
) -> Result<Json<ListPage>, Problem> {
    let page = api.lists.of_seat(place.environment(), place.seat, cursor.as_deref()).await?;
    let items = page.items.into_iter().map(List::from).collect();
    Ok(Json(ListPage { items, next: page.next }))
}

/// A list to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewList {
    #[schema(value_type = ListKind)]
    kind: lists::ListKind,
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Other seats who are to work on it.
    #[serde(default)]
    #[schema(value_type = Vec<wire::SeatId>, max_items = 30)]
    collaborators: BTreeSet<SeatId>,
}

/// Make a list
#[utoipa::path(post, path = "/seats/{seat}/lists", tag = "matches", operation_id = "makeList",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = NewList, example = json!({ "kind": "accounts", "name": "Renewals" })),
    responses((status = 201, description = "The list", body = List), Problem))]
pub(crate) async fn make(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Body(NewList { kind, name, collaborators }): Body<NewList>,
) -> Result<(StatusCode, Json<List>), Problem> {
    let new = lists::NewList { kind, name, collaborators };
    let list = api.lists.make(place.environment(), place.seat, new).await?;
    Ok((StatusCode::CREATED, Json(list.into())))
}

/// Show a list
#[utoipa::path(get, path = "/seats/{seat}/lists/{list}", tag = "matches",
    operation_id = "showList",
    params(AtSeatList), extensions(("x-roles" = json!(OwnSeat::<AtSeatList>::ROLES))),
    responses((status = 200, description = "The list", body = List), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatList>,
) -> Result<Json<List>, Problem> {
    let list = api.lists.show(place.environment(), place.seat, place.list).await?;
    Ok(Json(list.into()))
}

/// What is to change of a list; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListChange {
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    name: Option<String>,
    /// All who are to work on it with its owner.
    #[serde(default)]
    #[schema(value_type = Option<Vec<wire::SeatId>>, max_items = 30, nullable = false)]
    collaborators: Option<BTreeSet<SeatId>>,
}

/// Name or share a list, as its owner
#[utoipa::path(patch, path = "/seats/{seat}/lists/{list}", tag = "matches",
    operation_id = "changeList",
    params(AtSeatList), extensions(("x-roles" = json!(OwnSeat::<AtSeatList>::ROLES))),
    request_body(content = ListChange, example = json!({ "name": "Renewals of the spring" })),
    responses((status = 200, description = "The list as it is now", body = List), Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatList>,
    Body(ListChange { name, collaborators }): Body<ListChange>,
) -> Result<Json<List>, Problem> {
    let change = lists::ListChange { name, collaborators };
    let list = api.lists.change(place.environment(), place.seat, place.list, &change).await?;
    Ok(Json(list.into()))
}

/// Remove a list, as its owner. May be repeated
#[utoipa::path(delete, path = "/seats/{seat}/lists/{list}", tag = "matches",
    operation_id = "removeList",
    params(AtSeatList), extensions(("x-roles" = json!(OwnSeat::<AtSeatList>::ROLES))),
    responses((status = 204, description = "It is removed"), Problem))]
pub(crate) async fn remove(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatList>,
) -> Result<StatusCode, Problem> {
    api.lists.remove(place.environment(), place.seat, place.list).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Something in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListEntry {
    #[schema(value_type = wire::EntityId)]
    entity_id: EntityId,
    #[schema(value_type = wire::SeatId)]
    added_by: SeatId,
    added_at: Timestamp,
    /// The columns of an account; null in a list of people, whose badges tell of their records.
    #[schema(required = true)]
    account: Option<AccountColumns>,
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListEntryPage {
    items: Vec<ListEntry>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Show what a list holds; an account with the opportunities of those who work on the list
#[utoipa::path(get, path = "/seats/{seat}/lists/{list}/entries", tag = "matches",
    operation_id = "listListEntries",
    params(AtSeatList, Place), extensions(("x-roles" = json!(OwnSeat::<AtSeatList>::ROLES))),
    responses((status = 200, description = "A page of it", body = ListEntryPage), Problem))]
pub(crate) async fn entries(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatList>,
    Query(Place { cursor }): Query<Place>,
) -> Result<Json<ListEntryPage>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let (list, page) = api.lists.entries(at, seat, place.list, cursor.as_deref()).await?;
    let mut columns = BTreeMap::new();
    if list.kind == lists::ListKind::Accounts {
        let companies: Vec<EntityId> =
            page.items.iter().map(|entry| entry.entity.clone()).collect();
        let members = list.members();
        let (opened, rows) = api.opportunities.rows(at, seat, &members, &companies).await?;
        let of = rows.into_iter().map(|row| (row.company.clone(), row));
        columns = of.map(|(company, row)| (company, AccountColumns::of(&opened, row))).collect();
    }
    let items = page.items.into_iter().map(|entry| ListEntry {
        account: columns.remove(&entry.entity),
        entity_id: entry.entity,
        added_by: entry.added_by,
        added_at: entry.added_at,
    });
    Ok(Json(ListEntryPage { items: items.collect(), next: page.next }))
}

/// Entities of the directory, of the list's kind.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListEntities {
    #[schema(value_type = Vec<wire::EntityId>, min_items = 1, max_items = 100)]
    entity_ids: Vec<EntityId>,
}

/// What became of entities that were to be added.
#[derive(Serialize, ToSchema)]
pub(crate) struct AddedToList {
    /// How many are new.
    added: usize,
    /// How many the list had already.
    had: usize,
    /// How many it has now.
    entries: u32,
}

/// Add entities to a list: all of them, or none where one is refused
#[utoipa::path(post, path = "/seats/{seat}/lists/{list}/entries", tag = "matches",
    operation_id = "addToList",
    params(AtSeatList), extensions(("x-roles" = json!(OwnSeat::<AtSeatList>::ROLES))),
    request_body(content = ListEntities, example = json!({ "entity_ids": ["co_1"] })),
    responses((status = 200, description = "What became of them", body = AddedToList), Problem))]
pub(crate) async fn add(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatList>,
    Body(ListEntities { entity_ids }): Body<ListEntities>,
) -> Result<Json<AddedToList>, Problem> {
    let lists = &api.lists;
    let added = lists.add(place.environment(), place.seat, place.list, &entity_ids).await?;
    let lists::Added { added, had, entries } = added;
    Ok(Json(AddedToList { added, had, entries }))
}

/// How much a list holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeftInList {
    entries: u32,
}

/// Take entities out of a list. May be repeated
#[utoipa::path(post, path = "/seats/{seat}/lists/{list}/entries/remove", tag = "matches",
    operation_id = "removeFromList",
    params(AtSeatList), extensions(("x-roles" = json!(OwnSeat::<AtSeatList>::ROLES))),
    request_body(content = ListEntities, example = json!({ "entity_ids": ["co_1"] })),
    responses((status = 200, description = "How much it holds now", body = LeftInList), Problem))]
pub(crate) async fn take_out(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatList>,
    Body(ListEntities { entity_ids }): Body<ListEntities>,
) -> Result<Json<LeftInList>, Problem> {
    let lists = &api.lists;
    let entries = lists.take_out(place.environment(), place.seat, place.list, &entity_ids).await?;
    Ok(Json(LeftInList { entries }))
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Lookup(error) => error.into(),
            ListError::Cursor(error) => Self::bad_cursor(error.to_string()),
            ListError::NotOwner => Self::conflict("not_owner", error.to_string()),
            ListError::Full(_) | ListError::TooMany(_) => Self::conflict("full", error.to_string()),
            ListError::Name => Self::invalid(error.to_string()).at("/name".to_owned()),
            ListError::Collaborators => {
                Self::invalid(error.to_string()).at("/collaborators".to_owned())
            }
            ListError::AtOnce | ListError::Unknown(_) => {
                Self::invalid(error.to_string()).at("/entity_ids".to_owned())
            }
        }
    }
}
