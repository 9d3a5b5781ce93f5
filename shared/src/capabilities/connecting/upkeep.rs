//! Keeping connections alive: tokens before they idle away, and the buffer of a connection that
//! does not work.
//!
//! One chain of due items per generation comes by each hour. The tokens of a connection that works
//! are renewed when they idled. A connection that does not work is tried again where an admin can
//! mend it without a login. After three days it lapses, and is purged when nobody reconnects.

mod inspect;

use std::time::Duration;

use super::{STALLED, StalledRun, UpkeepChain, UpkeepTask, catch_up};
use crate::capabilities::audit::Actor;
use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::leaving::Disconnect;
use crate::kernel::{
    CareMessage, Connection, ConnectionState, GrantState, Grantee, Occurrence, Scope, SeatId,
    Trouble,
};
use crate::ports::Ports;
use crate::store::field;
use crate::store::keys::connection as connection_slot;
use crate::store::{Commit, Edit, Next, Store, Stored};
use crate::work::{Done, WorkError};

/// Each connection is seen to this often.
pub(crate) const EACH: Duration = Duration::from_hours(1);

/// The wait when there were more idle seats than one step takes.
const SOON: Duration = Duration::from_mins(1);

/// One step renews this many seats' tokens: well within a function's time, and no burst of logins.
const MOST_SEATS: usize = 20;

/// Sees to connections.
#[derive(Clone)]
pub struct Upkeep {
    ports: Ports,
    store: Store,
    custody: Custody,
    grants: Grants,
    disconnect: Disconnect,
}

impl Upkeep {
    /// Upkeep through `app`; `disconnect` purges a lapsed connection.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp, disconnect: Disconnect) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let store = Store::new(ports.clone());
        Self { ports, store, custody, grants, disconnect }
    }

    /// Takes one step of the chain of a generation.
    pub(super) async fn step(&self, scope: Scope, step: u64) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let before = self.store.load(&opened.keys.upkeep()).await?;
        let Some(before) = before.filter(|chain| chain.step == step) else {
            return Ok(Done::Finished);
        };
        let now = self.ports.clock.now();
        let wait = match UpkeepTask::of(&opened.connection, now) {
            UpkeepTask::KeepAlive => self.keep_alive(&opened).await?,
            UpkeepTask::Mend(trouble) => self.mend(&opened, trouble).await?,
            UpkeepTask::Lapse(trouble) => self.lapse(&opened, trouble).await?,
            UpkeepTask::Wait => EACH,
            UpkeepTask::Purge => {
                let purged =
                    self.disconnect.disconnect(opened.connection.at, &Actor::Product).await;
                purged.map_err(|error| WorkError::retry("purge what lapsed", error))?;
                return Ok(Done::Finished);
            }
        };
        let stalled = self.stalled_run(&opened).await?;
        let mut commit = Commit::new();
        commit.replace(&before, &UpkeepChain { step: step + 1, stalled })?;
        commit.then(Next::after(wait, CareMessage::Upkeep { scope, step: step + 1 }));
        if let Some(StalledRun { run, last_beat }) = stalled.filter(|_| stalled != before.stalled) {
            tracing::warn!(run.id = %run, "a run gives no sign of life");
            let occurrence = Occurrence::ImportStalled { run, since: last_beat };
            commit.then(Next::publish(scope, self.ports.clock.now(), occurrence));
        }
        let winner = "another delivery of this message, which took the same step";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(Done::Finished)
    }

    /// The run under way, when it should give signs of life and does not.
    async fn stalled_run(&self, opened: &OpenGeneration) -> Result<Option<StalledRun>, WorkError> {
        let active = self.store.read(&opened.keys.active_run()).await?;
        let now = self.ports.clock.now();
        let active = active.filter(|a| !a.paused && a.beat_at + STALLED <= now);
        Ok(active.map(|a| StalledRun { run: a.run, last_beat: a.beat_at }))
    }

    /// Renews the tokens that have idled. Gives the wait before the next step.
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

    /// Renews one token. False when that failed: the next step tries again, or the grant is dead.
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
        let grants = self.store.all(&series).await?;
        let seat = |stored: Stored<GrantState>| {
            let seat = series.name(&stored).parse().ok()?;
            Some((seat, stored.into_inner()))
        };
        Ok(grants.into_iter().filter_map(seat).collect())
    }

    /// Tries whether a connection in its buffer works again.
    async fn mend(&self, opened: &OpenGeneration, trouble: Trouble) -> Result<Duration, WorkError> {
        let now = self.ports.clock.now();
        let state = self.grants.state(opened, Grantee::Admin).await?;
        if let Some(state) = state.filter(|state| state.alive)
            && self.renew(opened, Grantee::Admin, &state).await?
        {
            let works = [
                field!(Connection, state).set(&ConnectionState::Connected)?,
                field!(Connection, trouble).remove(),
            ];
            let next = catch_up(opened.keys.scope(), state.number + 1, trouble, now);
            self.end_trouble(opened, works, next).await?;
        }
        let left = Duration::try_from(trouble.lapses_at.duration_since(now)).unwrap_or_default();
        Ok(EACH.min(left))
    }

    /// Ends the buffer of a connection.
    async fn lapse(
        &self,
        opened: &OpenGeneration,
        trouble: Trouble,
    ) -> Result<Duration, WorkError> {
        let lapsed = field!(Connection, state).set(&ConnectionState::Lapsed)?;
        let occurrence = Occurrence::Lapsed { since: trouble.since };
        let next = Next::publish(opened.keys.scope(), self.ports.clock.now(), occurrence);
        self.end_trouble(opened, [lapsed], [next]).await?;
        Ok(EACH)
    }

    /// Edits a connection that still needs a reconnect.
    async fn end_trouble(
        &self,
        opened: &OpenGeneration,
        edits: impl IntoIterator<Item = Edit<Connection>>,
        next: impl IntoIterator<Item = Next>,
    ) -> Result<(), WorkError> {
        let connection = &opened.connection;
        let broken = field!(Connection, state).is(&ConnectionState::ReconnectRequired)?;
        let when = field!(Connection, generation).is(&connection.generation)?.and(broken);
        let mut commit = Commit::new();
        commit.edit(&connection_slot(connection.at), when, edits);
        for step in next {
            commit.then(step);
        }
        let winner = "an admin, who authorized again or disconnected meanwhile";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }
}
