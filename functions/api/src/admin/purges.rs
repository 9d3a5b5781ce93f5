//! Purges, and their certificates.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::leaving;
use shared::kernel::{Environment, Generation, Scope, TenantEnvironment, TenantId};
use utoipa::ToSchema;

use crate::callers::{Admin, AtPurge};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// Where a purge stands.
    PurgeState of leaving::PurgePhase { Shred Sweep Verify Revoke Complete }

    /// What is kept elsewhere when nothing is left here: of what was sealed nothing can be read.
    KeptElsewhere of leaving::KeptElsewhere { PointInTimeCopies DeadLetters Logs AuditLog }
}

/// What a purge waits for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WaitingFor {
    /// Functions that were at work when the org was disconnected.
    Functions,
    /// Salesforce, to be told that grants end.
    Salesforce,
}

/// What became of the grants, the admin's and the sellers'.
#[derive(Serialize, ToSchema)]
pub(crate) struct Grants {
    /// Those that are still to be revoked; the purge keeps their tokens under a key of its own.
    open: u64,
    revoked: u64,
    /// Those that Salesforce no longer knew.
    already_dead: u64,
    /// Those that could not be read, or of which Salesforce did not answer for three days. Their
    /// tokens are destroyed on our side.
    unconfirmed: u64,
}

impl From<leaving::GrantCounts> for Grants {
    fn from(counts: leaving::GrantCounts) -> Self {
        let leaving::GrantCounts { open, revoked, already_dead, unconfirmed } = counts;
        Self { open, revoked, already_dead, unconfirmed }
    }
}

/// A purge of what a connection brought in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Purge {
    purge_id: String,
    #[schema(value_type = PurgeState)]
    state: leaving::PurgePhase,
    requested_at: Timestamp,
    /// When it must be complete.
    deadline: Timestamp,
    /// Whether every copy of the data is unreadable, backups too.
    data_key_destroyed: bool,
    /// Null while it is at work, and once it is complete.
    #[schema(required = true)]
    waiting_for: Option<WaitingFor>,
    /// Until when at the longest.
    #[schema(required = true)]
    waiting_until: Option<Timestamp>,
    grants: Grants,
    /// The proof, once nothing is left.
    #[schema(required = true)]
    certificate: Option<Certificate>,
}

/// Something that is kept elsewhere.
#[derive(Serialize, ToSchema)]
pub(crate) struct Kept {
    #[schema(value_type = KeptElsewhere)]
    what: leaving::KeptElsewhere,
    /// Until when at the longest.
    until: Timestamp,
}

/// The proof that nothing is left.
#[derive(Serialize, ToSchema)]
pub(crate) struct Certificate {
    #[schema(value_type = wire::TenantId)]
    tenant: TenantId,
    #[schema(value_type = wire::Environment)]
    environment: Environment,
    #[schema(value_type = wire::Generation)]
    generation: Generation,
    org_id: String,
    requested_at: Timestamp,
    #[schema(required = true)]
    completed_at: Option<Timestamp>,
    /// How many things there were, by store and kind.
    found: BTreeMap<String, u64>,
    /// How many are left: none.
    remaining: BTreeMap<String, u64>,
    data_key_destroyed: bool,
    grants: Grants,
    /// Copies that end by themselves, and the audit log.
    kept_elsewhere: Vec<Kept>,
}

impl From<leaving::Purge> for Purge {
    fn from(purge: leaving::Purge) -> Self {
        let (waiting_for, waiting_until) = match purge.awaited() {
            leaving::Awaited::Nothing => (None, None),
            leaving::Awaited::Functions(until) => (Some(WaitingFor::Functions), Some(until)),
            leaving::Awaited::Salesforce(until) => (Some(WaitingFor::Salesforce), Some(until)),
        };
        Self {
            purge_id: name(purge.scope),
            state: purge.phase,
            requested_at: purge.requested_at,
            deadline: purge.deadline(),
            data_key_destroyed: purge.data_key_destroyed,
            waiting_for,
            waiting_until,
            grants: purge.grants.into(),
            certificate: (purge.phase == leaving::PurgePhase::Complete).then(|| purge.into()),
        }
    }
}

impl From<leaving::Purge> for Certificate {
    fn from(purge: leaving::Purge) -> Self {
        let kept = purge.kept_elsewhere().map(|(what, until)| Kept { what, until });
        Self {
            kept_elsewhere: kept.collect(),
            tenant: purge.scope.tenant,
            environment: purge.scope.environment,
            generation: purge.scope.generation,
            org_id: purge.connection.org_id,
            requested_at: purge.requested_at,
            completed_at: purge.completed_at,
            found: purge.found,
            remaining: purge.remaining,
            data_key_destroyed: purge.data_key_destroyed,
            grants: purge.grants.into(),
        }
    }
}

/// A purge is named by what it purges.
pub(super) fn name(scope: Scope) -> String {
    format!("{}-{}", scope.environment, scope.generation)
}

/// The generation that a purge of this name purges.
fn named(tenant: TenantId, name: &str) -> Option<Scope> {
    let (environment, generation) = name.rsplit_once('-')?;
    let environment = environment.parse().ok()?;
    let generation = Generation(generation.parse().ok()?);
    Some(TenantEnvironment { tenant, environment }.generation(generation))
}

/// A purge, and its certificate when it is complete
#[utoipa::path(get, path = "/purges/{purge}", tag = "connections", operation_id = "showPurge",
    params(AtPurge), extensions(("x-roles" = json!(Admin::<AtPurge>::ROLES))),
    responses((status = 200, description = "The purge", body = Purge), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<AtPurge>,
) -> Result<Json<Purge>, Problem> {
    let missing = || Problem::not_found("purge");
    let scope = named(place.tenant, &place.purge).ok_or_else(missing)?;
    Ok(Json(api.disconnect.get(scope).await?.ok_or_else(missing)?.into()))
}
