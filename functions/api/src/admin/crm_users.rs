//! Which CRM user each seat is, and choosing one by hand.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::seats::{self, CrmUserError};
use shared::kernel::SeatId;
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use crate::callers::{Acting, Admin, At, AtSeat};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// How a seat and its CRM user were found for each other. `matched`: one active user has the
    /// seat's e-mail address. `mapped_by_hand`: an admin chose. `not_matched`: nobody has the
    /// address. `ambiguous`: several active users have it, and nothing is saved for the seat until
    /// one is chosen. `inactive`: the user may not log in any more.
    CrmUserStatus of shared::capabilities::seats::CrmUserStatus {
        Matched MappedByHand NotMatched Ambiguous Inactive
    }
}

/// A seat and the CRM user that it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct CrmUserLink {
    #[schema(value_type = wire::SeatId)]
    seat_id: SeatId,
    #[schema(value_type = CrmUserStatus)]
    status: seats::CrmUserStatus,
    /// The CRM user; null unless the seat is one user's, who is active.
    #[schema(required = true)]
    user_id: Option<String>,
    /// The users who have the seat's e-mail address.
    candidates: Vec<CrmUser>,
}

/// A CRM user who has a seat's e-mail address.
#[derive(Serialize, ToSchema)]
pub(crate) struct CrmUser {
    user_id: String,
    #[schema(required = true)]
    name: Option<String>,
    active: bool,
}

/// The seats and the CRM users that they are.
#[derive(Serialize, ToSchema)]
pub(crate) struct CrmUserLinks {
    items: Vec<CrmUserLink>,
}

/// The CRM user that a seat is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChosenCrmUser {
    /// The 18-character id of an active user whom the imports brought.
    #[schema(value_type = wire::SalesforceId)]
    user_id: SalesforceId,
}

impl From<seats::CrmUserLink> for CrmUserLink {
    fn from(link: seats::CrmUserLink) -> Self {
        let seats::CrmUserLink { seat, status, user, candidates } = link;
        let candidates = candidates.into_iter().map(|user| CrmUser {
            user_id: user.id.to_string(),
            name: user.name,
            active: user.is_active,
        });
        Self {
            seat_id: seat,
            status,
            user_id: user.map(|user| user.to_string()),
            candidates: candidates.collect(),
        }
    }
}

/// The seats and the CRM users that they are
#[utoipa::path(get, path = "/seats", tag = "connections", operation_id = "listCrmUsers",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The seats", body = CrmUserLinks), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<CrmUserLinks>, Problem> {
    let links = api.crm_users.links(place.environment()).await?;
    Ok(Json(CrmUserLinks { items: links.into_iter().map(CrmUserLink::from).collect() }))
}

/// The CRM user that a seat is
#[utoipa::path(get, path = "/seats/{seat}/crm-user", tag = "connections",
    operation_id = "showCrmUser",
    params(AtSeat), extensions(("x-roles" = json!(Admin::<AtSeat>::ROLES))),
    responses((status = 200, description = "The CRM user", body = CrmUserLink), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<AtSeat>,
) -> Result<Json<CrmUserLink>, Problem> {
    Ok(Json(api.crm_users.link(place.environment(), place.seat).await?.into()))
}

/// Choose the CRM user that a seat is, whatever the e-mail addresses say
#[utoipa::path(put, path = "/seats/{seat}/crm-user", tag = "connections",
    operation_id = "chooseCrmUser",
    params(AtSeat), extensions(("x-roles" = json!(Admin::<AtSeat>::ROLES))),
    request_body(content = ChosenCrmUser, example = json!({ "user_id": "005000000000001AAA" })),
    responses((status = 200, description = "The CRM user", body = CrmUserLink), Problem))]
pub(crate) async fn choose(
    State(api): State<Api>,
    Admin(place): Admin<AtSeat>,
    Acting(by): Acting,
    Body(ChosenCrmUser { user_id }): Body<ChosenCrmUser>,
) -> Result<Json<CrmUserLink>, Problem> {
    let at = place.environment();
    Ok(Json(api.crm_users.choose(at, place.seat, user_id, by).await?.into()))
}

/// Leave a seat's CRM user to the e-mail addresses again
#[utoipa::path(delete, path = "/seats/{seat}/crm-user", tag = "connections",
    operation_id = "forgetCrmUser",
    params(AtSeat), extensions(("x-roles" = json!(Admin::<AtSeat>::ROLES))),
    responses((status = 200, description = "The CRM user", body = CrmUserLink), Problem))]
pub(crate) async fn forget(
    State(api): State<Api>,
    Admin(place): Admin<AtSeat>,
    Acting(by): Acting,
) -> Result<Json<CrmUserLink>, Problem> {
    Ok(Json(api.crm_users.forget(place.environment(), place.seat, &by).await?.into()))
}

impl From<CrmUserError> for Problem {
    fn from(error: CrmUserError) -> Self {
        match error {
            CrmUserError::NotFound(what) => Self::not_found(what),
            CrmUserError::UnknownUser | CrmUserError::InactiveUser | CrmUserError::Words => {
                Self::invalid(error.to_string())
            }
            CrmUserError::Cursor(error) => Self::bad_cursor(error.to_string()),
            CrmUserError::Taken(_) => Self::conflict("user_taken", error.to_string()),
            CrmUserError::Work(error) => error.into(),
        }
    }
}
