//! Keeping connections alive: tokens before they idle away, and the buffer of a connection that does
//! not work.
//!
//! One chain of due items per generation comes by each hour. A connection that works has its idle
//! tokens renewed. One that does not is tried again where an admin can mend it without a login;
//! after three days it lapses, and what it kept is purged when nobody reconnects.

mod inspect;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::importing::ActiveRun;
use crate::capabilities::leaving::Disconnect;
use crate::kernel::{
    CareMessage, ConnectionState, GrantState, Grantee, ImportMessage, ImportRunId, ImportTrigger,
    LAPSED, Occurrence, Scope, SeatId, Trouble, WritebackMessage,
};
use crate::ports::{Change, Condition, Ports, Write};
use crate::store::{self, Next, Outbox, Store, Stored, keys};
use crate::work::{Done, WorkError};

/// How often each connection is seen to.
pub(crate) const EACH: Duration = Duration::from_hours(1);

/// The wait when there were more idle seats than one step takes.
const SOON: Duration = Duration::from_mins(1);

/// How many seats' tokens one step renews: well within a function's time, and no burst of logins.
const MOST_SEATS: usize = 20;

/// A run that gives a sign of life each few minutes and gave none for this long has stalled.
const STALLED: SignedDuration = SignedDuration::from_mins(45);

/// Sees to connections.
#[derive(Clone)]
pub struct Upkeep {
    ports: Ports,
    custody: Custody,
    grants: Grants,
    disconnect: Disconnect,
    outbox: Outbox,
}

/// How far the chain of a generation is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) step: u64,
    /// The sign of life of a run after which it was last told to have stalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stalled: Option<(ImportRunId, Timestamp)>,
}

impl Upkeep {
    /// Upkeep through `app`; `disconnect` purges what lapsed.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp, disconnect: Disconnect) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, grants, disconnect, outbox }
    }

    /// Takes one step of the chain of a generation.
    pub(super) async fn step(&self, scope: Scope, step: u64) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let key = opened.keys.upkeep();
        let progress: Option<Progress> = store::get(&*self.ports.table, &key).await?;
        let Some(progress) = progress.filter(|progress| progress.step == step) else {
            return Ok(Done::Finished);
        };
        let wait = match (opened.connection.state, opened.connection.trouble) {
            (ConnectionState::ReconnectRequired, Some(trouble)) => {
                self.mend(&opened, trouble).await?
            }
            (ConnectionState::Lapsed, Some(trouble)) => {
                if self.ports.clock.now() < trouble.lapses_at + LAPSED {
                    EACH
                } else {
                    let purged = self.disconnect.disconnect(opened.connection.at).await;
                    purged.map_err(|error| WorkError::retry("purge what lapsed", error))?;
                    return Ok(Done::Finished);
                }
            }
            _ => self.keep_alive(&opened).await?,
        };
        let mut next = vec![Next::after(wait, CareMessage::Upkeep { scope, step: step + 1 })];
        let stalled = self.stalled_run(&opened).await?;
        if let Some((run, since)) = stalled.filter(|_| stalled != progress.stalled) {
            tracing::warn!(run.id = %run, "a run gives no sign of life");
            let told = Occurrence::ImportStalled { run, since };
            next.push(Next::publish(scope, self.ports.clock.now(), told));
        }
        let same = Condition::Eq("step", json!(step));
        let write = store::put(key, &Progress { step: step + 1, stalled }, same)?;
        let _ = self.outbox.commit(vec![write], next).await?;
        Ok(Done::Finished)
    }

    /// The run under way, when it should give signs of life and does not, with its last one.
    async fn stalled_run(
        &self,
        opened: &OpenGeneration,
    ) -> Result<Option<(ImportRunId, Timestamp)>, WorkError> {
        let key = opened.keys.active_run();
        let active: Option<ActiveRun> = store::get(&*self.ports.table, &key).await?;
        let now = self.ports.clock.now();
        let active = active.filter(|a| !a.paused && a.beat_at + STALLED <= now);
        Ok(active.map(|a| (a.run, a.beat_at)))
    }

    /// Renews the tokens that have idled; says when to come again.
    async fn keep_alive(&self, opened: &OpenGeneration) -> Result<Duration, WorkError> {
        let now = self.ports.clock.now();
        let idles = |grantee, state: &GrantState| state.is_usable(grantee, now) && state.idles(now);
        let admin = self.grants.state(opened, Grantee::Admin).await?;
        if let Some(state) = admin.filter(|state| idles(Grantee::Admin, state)) {
            self.renew(opened, Grantee::Admin, &state).await?;
        }
        let mut seats = self.seats(opened).await?;
        seats.retain(|(seat, state)| idles(Grantee::Seat(*seat), state));
        for (seat, state) in seats.iter().take(MOST_SEATS) {
            self.renew(opened, Grantee::Seat(*seat), state).await?;
        }
        Ok(if seats.len() > MOST_SEATS { SOON } else { EACH })
    }

    /// Renews one token; false when that failed, which the next hour or the grant's state sees to.
    async fn renew(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        state: &GrantState,
    ) -> Result<bool, WorkError> {
        match self.grants.renew(opened, grantee, state.number).await {
            Ok(_) => Ok(true),
            Err(GrantError::Work(error)) => Err(error),
            Err(error) => {
                tracing::warn!(error = %error, "a token could not be renewed");
                Ok(false)
            }
        }
    }

    async fn seats(&self, opened: &OpenGeneration) -> Result<Vec<(SeatId, GrantState)>, WorkError> {
        let series = opened.keys.seat_grants();
        let grants = Store::new(self.ports.clone()).all(&series).await?;
        let seat = |stored: Stored<GrantState>| {
            let seat = series.name(&stored).parse().ok()?;
            Some((seat, stored.into_inner()))
        };
        Ok(grants.into_iter().filter_map(seat).collect())
    }

    /// Tries a connection that does not work, until its buffer ends.
    async fn mend(&self, opened: &OpenGeneration, trouble: Trouble) -> Result<Duration, WorkError> {
        let now = self.ports.clock.now();
        if now >= trouble.lapses_at {
            let lapsed = json!(ConnectionState::Lapsed);
            let told = Occurrence::Lapsed { since: trouble.since };
            let told = Next::publish(opened.keys.scope(), now, told);
            self.change(opened, vec![Change::Set("state", lapsed)], vec![told]).await?;
            return Ok(EACH);
        }
        let state = self.grants.state(opened, Grantee::Admin).await?;
        if let Some(state) = state.filter(|state| state.alive)
            && self.renew(opened, Grantee::Admin, &state).await?
        {
            let connected = json!(ConnectionState::Connected);
            let changes = vec![Change::Set("state", connected), Change::Remove("trouble")];
            let next = catch_up(opened.keys.scope(), state.number + 1, trouble, now);
            self.change(opened, changes, next).await?;
        }
        let left = Duration::try_from(trouble.lapses_at.duration_since(now)).unwrap_or_default();
        Ok(EACH.min(left))
    }

    /// Changes a connection that still needs a reconnect.
    async fn change(
        &self,
        opened: &OpenGeneration,
        changes: Vec<Change>,
        next: Vec<Next>,
    ) -> Result<(), WorkError> {
        let write = Write::Update {
            key: keys::connection(opened.connection.at).into(),
            changes,
            when: Condition::All(vec![
                Condition::Eq("generation", json!(opened.connection.generation)),
                Condition::Eq("state", json!(ConnectionState::ReconnectRequired)),
            ]),
        };
        let _ = self.outbox.commit(vec![write], next).await?;
        Ok(())
    }
}

/// What follows when a connection works again with the grant's token `number`: what was held is
/// logged, an import brings what was missed, and others are told.
pub(crate) fn catch_up(scope: Scope, number: u64, over: Trouble, now: Timestamp) -> Vec<Next> {
    let run = ImportRunId::derived(&format!("{scope}|reconnected|{number}"));
    vec![
        Next::now(ImportMessage::Start { scope, run, trigger: ImportTrigger::Requested }),
        Next::now(WritebackMessage::Release { scope, seat: None }),
        Next::publish(scope, now, Occurrence::Restored { since: over.since }),
    ]
}
