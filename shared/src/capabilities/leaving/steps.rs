//! The steps of a purge: each does what its invocation has time for, and notes how far it came.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, Grants, SalesforceApp};
use crate::capabilities::leaving::{Purge, PurgePhase, keys};
use crate::kernel::{Occurrence, PurgeMessage, Scope};
use crate::ports::{PortError, Ports};
use crate::store::keys::connection as connection_slot;
use crate::store::{Commit, Next, Slot, Store, Stored, When};
use crate::work::{self, Done, WorkError, boxed};

/// No round of a step begins with less of the invocation left: a round deletes some thousands of
/// items, or asks Salesforce, which may take its whole timeout.
const LEAST_TIME: SignedDuration = SignedDuration::from_secs(35);

/// When to come again while another delivery takes the same step. It may die, so this one stays.
const OVERTAKEN: Duration = Duration::from_mins(1);

/// Takes the steps of purges, and gives replaced grants back.
#[derive(Clone)]
pub struct PurgeSteps {
    pub(super) ports: Ports,
    pub(super) store: Store,
    pub(super) custody: Custody,
    pub(super) grants: Grants,
    audit: AuditLog,
    grace: Duration,
}

/// Why a step goes no further.
pub(super) enum Stop {
    /// Another delivery of the message takes the same step.
    Overtaken,
    /// A port failed.
    Work(WorkError),
}

impl From<WorkError> for Stop {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// A purge in the hands of a step.
pub(super) struct Turn {
    stored: Stored<Purge>,
    /// The purge as it is to be noted next.
    pub(super) purge: Purge,
}

impl PurgeSteps {
    /// The longest timeout of all functions: a function that was at work when the fence went up may
    /// still be at work for so long.
    pub const GRACE: Duration = Duration::from_mins(15);

    /// Purging, with the wait that suits this product's functions.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, grants, audit, grace: Self::GRACE }
    }

    /// The same, with another wait for the functions that were at work when the fence went up.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Does one message's work.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: PurgeMessage) -> Result<Done, WorkError> {
        match message {
            PurgeMessage::Purge { scope, step } => self.step(scope, step).await,
            PurgeMessage::Revoke { scope, grant, step } => {
                self.revoke_replaced(scope, grant, step).await
            }
            PurgeMessage::EndGrant { scope, seat, authorized_at } => {
                let opened = self.custody.open(scope).await?;
                // Behind the fence it is the purge's to give back.
                let Some(opened) = opened else { return Ok(Done::Finished) };
                self.grants.give_seat_grant_back(&opened, seat, authorized_at).await
            }
            PurgeMessage::RemoveTenant { tenant } => self.sweep_tenant(tenant).await,
            PurgeMessage::GiveBack { at, login, step } => {
                self.give_back_login(at, login, step).await
            }
            PurgeMessage::Unborn { at, first, end } => self.destroy_unborn(at, first, end).await,
        }
    }

    async fn step(&self, scope: Scope, step: u64) -> Result<Done, WorkError> {
        let stored = self.store.load(&keys::purge(scope)).await?;
        let Some(stored) = stored.filter(|purge| purge.awaits(step)) else {
            return Ok(Done::Finished);
        };
        let purge = (*stored).clone();
        match self.advance(&mut Turn { stored, purge }).await {
            Ok(()) => Ok(Done::Finished),
            Err(Stop::Overtaken) => Ok(Done::Later(OVERTAKEN)),
            Err(Stop::Work(error)) => Err(error),
        }
    }

    /// Goes on with the purge, and has the next step follow.
    async fn advance(&self, turn: &mut Turn) -> Result<(), Stop> {
        let next_at = self.work(turn).await?;
        let now = self.ports.clock.now();
        let purge = &mut turn.purge;
        if purge.grants.open == 0 && purge.phase != PurgePhase::Shred && purge.grants_key.is_some()
        {
            self.custody.destroy_purge_secret(purge.scope).await?;
            purge.grants_key = None;
        }
        purge.end(now);
        purge.step += 1;
        let mut commit = Commit::new();
        commit.then(match purge.completed_at {
            None => {
                let wait = Duration::try_from(next_at.duration_since(now)).unwrap_or_default();
                Next::after(wait, PurgeMessage::Purge { scope: purge.scope, step: purge.step })
            }
            Some(at) => Next::publish(purge.scope, at, Occurrence::Purged),
        });
        if purge.completed_at.is_some() {
            self.end(turn, commit).await
        } else {
            self.note(turn, commit).await
        }
    }

    /// Does what there is time for. Gives the time of the next step.
    async fn work(&self, turn: &mut Turn) -> Result<Timestamp, Stop> {
        let now = self.ports.clock.now();
        if turn.purge.phase == PurgePhase::Shred && !self.shred(turn).await? {
            return Ok(now);
        }
        let asks_again = self.give_back(turn).await?;
        let look_at = now + SignedDuration::try_from(self.grace).unwrap_or_default();
        let is_due = match turn.purge.phase {
            PurgePhase::Sweep => true,
            PurgePhase::Verify => turn.purge.look_at.is_none_or(|at| at <= now),
            PurgePhase::Shred | PurgePhase::Revoke | PurgePhase::Complete => false,
        };
        if is_due {
            if !self.sweep(turn).await? {
                return Ok(now);
            }
            turn.purge.looked(look_at);
        }
        Ok([turn.purge.look_at, asks_again].into_iter().flatten().min().unwrap_or(now))
    }

    /// Notes how far the purge has come, together with `commit`.
    pub(super) async fn note(&self, turn: &mut Turn, mut commit: Commit) -> Result<(), Stop> {
        commit.replace(&turn.stored, &turn.purge)?;
        if !self.store.commit(commit).await?.is_done() {
            return Err(Stop::Overtaken);
        }
        turn.stored = turn.stored.followed_by(turn.purge.clone());
        Ok(())
    }

    /// Notes that the purge has come to its end, and tells of it. The connection goes: what it says
    /// of the org and its user is kept for nobody. A connection that began meanwhile stays.
    async fn end(&self, turn: &mut Turn, mut commit: Commit) -> Result<(), Stop> {
        let scope = turn.purge.scope;
        commit.replace(&turn.stored, &turn.purge)?;
        // Read as it lies there: a form that this version refuses holds up nothing.
        let slot = Slot::<Value>::at(connection_slot(scope.tenant_environment()).into());
        let connection = self.store.load(&slot).await?;
        let is_own = |found: &Stored<Value>| found["generation"] == scope.generation.0;
        if let Some(connection) = connection.filter(is_own) {
            commit.delete_when(&slot, When::unchanged(&connection));
        }
        let deed = Deed::of(Action::Purged, scope);
        let done = self.audit.commit(commit, scope.tenant, &Actor::Product, &deed).await?;
        if done.is_done() { Ok(()) } else { Err(Stop::Overtaken) }
    }

    /// True if too little of the invocation is left for another round.
    pub(super) fn is_late(&self) -> bool {
        work::time_left(self.ports.clock.now()).is_some_and(|left| left < LEAST_TIME)
    }
}
