//! The users of the org, and seats for them.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::seats::{self, MOST_ASSIGNED, OrgUserQuery};
use shared::kernel::SeatId;
use shared::salesforce::SalesforceId;
use utoipa::{IntoParams, ToSchema};

use crate::callers::{Acting, Admin, At};
use crate::extract::{Body, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// Which users to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichUsers {
    /// A role: those in it and in the roles below it
    #[param(value_type = Option<wire::SalesforceId>, nullable = false)]
    #[serde(default)]
    role: Option<SalesforceId>,
    /// Words that are all in the name or the address
    #[param(nullable = false, max_length = 200)]
    #[serde(default)]
    words: Option<String>,
    /// `next` of the page before
    #[param(nullable = false)]
    #[serde(default)]
    cursor: Option<String>,
}

/// A user of the org.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgUser {
    #[schema(value_type = wire::SalesforceId)]
    user_id: SalesforceId,
    #[schema(required = true)]
    name: Option<String>,
    /// As the org has it.
    #[schema(required = true)]
    email: Option<String>,
    /// False for who may not log in to the CRM any more.
    active: bool,
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    role_id: Option<SalesforceId>,
    /// The seat that the user is.
    #[schema(value_type = Option<wire::SeatId>, required = true)]
    seat_id: Option<SeatId>,
}

/// A page of users, by name within the page. There may be none while more pages follow.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgUsers {
    items: Vec<OrgUser>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// A role of the org.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgRole {
    #[schema(value_type = wire::SalesforceId)]
    role_id: SalesforceId,
    #[schema(required = true)]
    name: Option<String>,
    /// The role above it; null at the top.
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    parent_id: Option<SalesforceId>,
}

/// The roles of the org, by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgRoles {
    items: Vec<OrgRole>,
}

/// CRM users who are to get seats.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsersToSeat {
    #[schema(value_type = Vec<wire::SalesforceId>, min_items = 1, max_items = 100)]
    user_ids: Vec<SalesforceId>,
}

/// What became of each.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeatedUsers {
    /// In the order in which they were named.
    items: Vec<SeatedUser>,
}

/// What became of a user who was to get a seat.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeatedUser {
    #[schema(value_type = wire::SalesforceId)]
    user_id: SalesforceId,
    outcome: Seating,
    /// Their seat, new or not; null where they have none.
    #[schema(value_type = Option<wire::SeatId>, required = true)]
    seat_id: Option<SeatId>,
}

/// Whether a user has a seat now. `seated`: a new one. `had_one`: one from before. Else none:
/// `unknown` (no import brought the user), `inactive` (they may not log in to the CRM), `no_email`,
/// `shared_email` (several active users have the address: add the seat, and choose its CRM user by
/// hand), `no_licence` (all seats of the contract are taken).
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Seating {
    Seated,
    HadOne,
    Unknown,
    Inactive,
    NoEmail,
    SharedEmail,
    NoLicence,
}

impl From<seats::OrgUser> for OrgUser {
    fn from(found: seats::OrgUser) -> Self {
        let seats::OrgUser { user, email, role: role_id, seat: seat_id } = found;
        let seats::CrmUser { id: user_id, name, is_active: active } = user;
        Self { user_id, name, email, active, role_id, seat_id }
    }
}

impl From<(SalesforceId, seats::Assigned)> for SeatedUser {
    fn from((user_id, assigned): (SalesforceId, seats::Assigned)) -> Self {
        let (outcome, seat_id) = match assigned {
            seats::Assigned::Seat(seat) => (Seating::Seated, Some(seat)),
            seats::Assigned::Already(seat) => (Seating::HadOne, Some(seat)),
            seats::Assigned::Unknown => (Seating::Unknown, None),
            seats::Assigned::Inactive => (Seating::Inactive, None),
            seats::Assigned::NoEmail => (Seating::NoEmail, None),
            seats::Assigned::SharedEmail => (Seating::SharedEmail, None),
            seats::Assigned::NoLicence => (Seating::NoLicence, None),
        };
        Self { user_id, outcome, seat_id }
    }
}

/// List the org's users, those of a role and the roles below it, or those with some words
#[utoipa::path(get, path = "/crm-users", tag = "connections", operation_id = "listOrgUsers",
    params(At, WhichUsers), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The users", body = OrgUsers), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Query(WhichUsers { role, words, cursor }): Query<WhichUsers>,
) -> Result<Json<OrgUsers>, Problem> {
    let query = OrgUserQuery { role, words, cursor };
    let page = api.crm_users.page(place.environment(), &query).await?;
    Ok(Json(OrgUsers {
        items: page.items.into_iter().map(OrgUser::from).collect(),
        next: page.next,
    }))
}

/// List the org's roles, to choose users by
#[utoipa::path(get, path = "/crm-roles", tag = "connections", operation_id = "listOrgRoles",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The roles", body = OrgRoles), Problem))]
pub(crate) async fn roles(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<OrgRoles>, Problem> {
    let roles = api.crm_users.roles(place.environment()).await?.into_iter();
    let items =
        roles.map(|role| OrgRole { role_id: role.id, name: role.name, parent_id: role.parent });
    Ok(Json(OrgRoles { items: items.collect() }))
}

/// Give up to 100 CRM users seats as sellers, as far as the contract has some
///
/// Whoever has a seat keeps it, so the same may be asked for again.
#[utoipa::path(post, path = "/crm-users/seats", tag = "connections", operation_id = "seatOrgUsers",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = UsersToSeat, example = json!({ "user_ids": ["005000000000001AAA"] })),
    responses((status = 200, description = "What became of each", body = SeatedUsers), Problem))]
pub(crate) async fn assign(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(UsersToSeat { user_ids }): Body<UsersToSeat>,
) -> Result<Json<SeatedUsers>, Problem> {
    if !(1..=MOST_ASSIGNED).contains(&user_ids.len()) {
        let detail = format!("from 1 to {MOST_ASSIGNED} users get seats at once");
        return Err(Problem::invalid(detail).at("/user_ids".to_owned()));
    }
    let done = api.tenants.assign(place.environment(), &user_ids, &by).await?;
    Ok(Json(SeatedUsers { items: done.into_iter().map(SeatedUser::from).collect() }))
}
