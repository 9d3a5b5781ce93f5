//! Votes for other CRMs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::seats::{self, VoteError, Voted};
use utoipa::ToSchema;

use crate::callers::{Admin, AtTenant};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;

/// A vote that is to be taken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCrmVote {
    /// The CRM's name, such as hubspot.
    #[schema(min_length = 1, max_length = 40)]
    crm: String,
}

/// A vote for another CRM.
#[derive(Serialize, ToSchema)]
pub(crate) struct CrmVote {
    crm: String,
    /// When the tenant asked for it first.
    voted_at: Timestamp,
}

impl From<seats::CrmVote> for CrmVote {
    fn from(seats::CrmVote { crm, voted_at }: seats::CrmVote) -> Self {
        Self { crm, voted_at }
    }
}

/// A tenant's votes.
#[derive(Serialize, ToSchema)]
pub(crate) struct CrmVotes {
    items: Vec<CrmVote>,
}

/// Which other CRMs the tenant asked for
#[utoipa::path(get, path = "/crm-votes", tag = "tenants", operation_id = "listCrmVotes",
    params(AtTenant), extensions(("x-roles" = json!(Admin::<AtTenant>::ROLES))),
    responses((status = 200, description = "The votes", body = CrmVotes), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<AtTenant>,
) -> Result<Json<CrmVotes>, Problem> {
    let votes = api.crm_votes.list(place.tenant).await?;
    Ok(Json(CrmVotes { items: votes.into_iter().map(CrmVote::from).collect() }))
}

/// Use a different CRM? Vote for it
#[utoipa::path(post, path = "/crm-votes", tag = "tenants", operation_id = "voteForCrm",
    params(AtTenant), extensions(("x-roles" = json!(Admin::<AtTenant>::ROLES))),
    request_body(content = NewCrmVote, example = json!({ "crm": "hubspot" })),
    responses(
        (status = 201, description = "The first vote", body = CrmVote),
        (status = 200, description = "It was voted for before", body = CrmVote),
        Problem))]
pub(crate) async fn vote(
    State(api): State<Api>,
    Admin(place): Admin<AtTenant>,
    Body(NewCrmVote { crm }): Body<NewCrmVote>,
) -> Result<(StatusCode, Json<CrmVote>), Problem> {
    let Voted { vote, is_first } = api.crm_votes.vote(place.tenant, &crm).await?;
    let status = if is_first { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(vote.into())))
}

impl From<VoteError> for Problem {
    fn from(error: VoteError) -> Self {
        match error {
            VoteError::Name => Self::invalid(error.to_string()),
            VoteError::Work(error) => error.into(),
        }
    }
}
