//! The team of an account.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::kernel::SeatId;
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use crate::callers::{AtSeatRecord, OwnSeat};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// Who works on an account together, as the last import has it. An org without account teams has
/// nobody there.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountTeam {
    /// By name.
    items: Vec<TeamMember>,
    /// The team has more than were looked at.
    more: bool,
}

/// A member of an account's team.
#[derive(Serialize, ToSchema)]
pub(crate) struct TeamMember {
    /// The CRM user.
    #[schema(value_type = wire::SalesforceId)]
    user_id: SalesforceId,
    #[schema(required = true)]
    name: Option<String>,
    /// False for who may not log in to the CRM any more.
    active: bool,
    /// The role on the team, by the org's own list.
    #[schema(required = true)]
    role: Option<String>,
    /// The seat that the user is.
    #[schema(value_type = Option<wire::SeatId>, required = true)]
    seat_id: Option<SeatId>,
}

/// List who is on the team of an account: a group of the product that follows the import
#[utoipa::path(get, path = "/seats/{seat}/accounts/{record}/team", tag = "matches",
    operation_id = "listAccountTeam",
    params(AtSeatRecord), extensions(("x-roles" = json!(OwnSeat::<AtSeatRecord>::ROLES))),
    responses((status = 200, description = "The team", body = AccountTeam), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatRecord>,
) -> Result<Json<AccountTeam>, Problem> {
    let team = api.crm_users.team(place.environment(), place.record).await?;
    let items = team.members.into_iter().map(|member| TeamMember {
        user_id: member.user.id,
        name: member.user.name,
        active: member.user.is_active,
        role: member.role,
        seat_id: member.seat,
    });
    Ok(Json(AccountTeam { items: items.collect(), more: team.more }))
}
