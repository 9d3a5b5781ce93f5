//! Votes for other CRMs: what customers would connect if they could.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::capabilities::seats;
use shared::capabilities::seats::CrmVote;
use shared::kernel::TenantId;
use shared::ports::Condition;
use shared::store;

use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// A CRM's name is no longer.
const LONGEST_NAME: usize = 40;

/// A vote.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVote {
    crm: String,
}

/// `POST /v1/tenants/{tenant}/crm-votes`: a tenant votes once for each CRM.
pub(crate) async fn vote(
    State(api): State<Api>,
    caller: Caller,
    Path(tenant): Path<TenantId>,
    Body(new): Body<NewVote>,
) -> Result<(StatusCode, Json<CrmVote>), Problem> {
    caller.admin(tenant)?;
    let name = new.crm.trim().to_lowercase().replace([' ', '-'], "_");
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() || name.len() > LONGEST_NAME || !plain {
        let why = "crm must be a name of 1 to 40 letters and digits, such as hubspot";
        return Err(Problem::invalid(why));
    }
    let key = seats::keys::crm_vote(tenant, &name);
    let vote = CrmVote { crm: name, voted_at: api.ports.clock.now() };
    let write = store::put(key.clone(), &vote, Condition::Absent)?;
    if api.ports.table.write(write).await?.is_done() {
        return Ok((StatusCode::CREATED, Json(vote)));
    }
    let before = store::get(&*api.ports.table, &key).await?.unwrap_or(vote);
    Ok((StatusCode::OK, Json(before)))
}

/// `GET /v1/tenants/{tenant}/crm-votes`
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(tenant): Path<TenantId>,
) -> Result<Json<Value>, Problem> {
    caller.admin(tenant)?;
    let votes: Vec<CrmVote> =
        store::query_all(&*api.ports.table, &seats::keys::crm_votes(tenant)).await?;
    Ok(Json(json!({ "items": votes })))
}
