//! Limits: how often somebody may trigger work within a time.
//!
//! Each call adds one to a count of its window, under the condition that the count is below the
//! limit: one write, whoever asks and on however many instances. A count ends with its window.

pub mod keys;
mod model;

use jiff::Timestamp;

use crate::kernel::TenantId;
use crate::ports::{Outcome, Ports};
use crate::store::{Commit, Edit, Store, When, field};
use crate::work::{WorkError, boxed};

pub use self::model::{Payer, Trigger, Used};

/// Why a call is to come again.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// The window has no room left.
    #[error("{what}: at most {most} in {window} seconds; try again in {retry_after} seconds")]
    Reached {
        /// The work that was asked for.
        what: &'static str,
        /// How often it may be asked for in a window.
        most: u32,
        /// The window's length in seconds.
        window: i64,
        /// Seconds until the next window begins.
        retry_after: i64,
    },
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// Counts calls.
#[derive(Clone)]
pub struct Limits {
    ports: Ports,
    store: Store,
}

impl Limits {
    /// Limits that are counted in these ports' table.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store }
    }

    /// Counts a call of `payer`'s.
    ///
    /// # Errors
    /// When the window has no room left, or the table cannot be asked.
    #[must_use]
    #[boxed]
    pub async fn take(
        &self,
        tenant: TenantId,
        payer: Payer,
        trigger: Trigger,
    ) -> Result<(), LimitError> {
        let (limit, now) = (trigger.limit(), self.ports.clock.now());
        let (window, ends) = limit.window_at(now);
        let slot = keys::used(tenant, payer, trigger, window);
        let has_room =
            field!(Used, calls).is_below(&limit.most).map_err(WorkError::from)?.or(When::absent());
        let mut commit = Commit::new();
        commit.edit(&slot, has_room, [field!(Used, calls).add(1), Edit::until(ends)]);
        match self.store.commit(commit).await.map_err(WorkError::from)? {
            Outcome::Done => Ok(()),
            Outcome::Refused(_) => Err(reached(trigger, ends, now)),
        }
    }
}

fn reached(trigger: Trigger, ends: i64, now: Timestamp) -> LimitError {
    let (what, limit) = (trigger.as_str(), trigger.limit());
    tracing::info!(what, "a limit is reached");
    let retry_after = (ends - now.as_second()).max(1);
    LimitError::Reached { what, most: limit.most, window: limit.seconds, retry_after }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use jiff::SignedDuration;

    use super::*;
    use crate::kernel::SeatId;
    use crate::testing::{Fuse, Memory};

    fn begin() -> Timestamp {
        Timestamp::from_second(1_795_294_800).unwrap()
    }

    async fn let_in(limits: &Limits, tenant: &str, payer: Payer, calls: u32) -> u32 {
        let tenant = TenantId::derived(tenant);
        let taken = (0..calls).map(|_| limits.take(tenant, payer, Trigger::Activity));
        let taken = join_all(taken).await;
        u32::try_from(taken.iter().filter(|taken| taken.is_ok()).count()).unwrap()
    }

    #[tokio::test]
    async fn several_instances_together_let_in_as_many_as_the_limit_and_each_payer_has_its_own() {
        let memory = Memory::new(begin(), 1);
        let instances = [1, 2].map(|_| Limits::new(memory.ports()));
        let most = Trigger::Activity.limit().most;
        let jane = Payer::Seat(SeatId::derived("jane"));
        let mut passed = 0;
        for limits in instances.iter().cycle().take(10) {
            passed += let_in(limits, "acme", jane, most / 5).await;
        }
        assert_eq!(passed, most);
        let joe = Payer::Seat(SeatId::derived("joe"));
        assert_eq!(let_in(&instances[0], "acme", joe, 3).await, 3, "another seat");
        assert_eq!(let_in(&instances[0], "globex", jane, 3).await, 3, "another tenant");
        assert_eq!(let_in(&instances[0], "acme", Payer::Tenant, 3).await, 3, "the tenant's own");
    }

    #[tokio::test]
    async fn who_is_refused_is_told_when_to_come_again_and_is_let_in_then() {
        let memory = Memory::new(begin(), 1);
        let limits = Limits::new(memory.ports());
        let tenant = TenantId::derived("acme");
        let take = || limits.take(tenant, Payer::Tenant, Trigger::Tuning);
        for _ in 0..Trigger::Tuning.limit().most {
            take().await.unwrap();
        }
        memory.clock.advance(SignedDuration::from_secs(7));
        let Err(LimitError::Reached { retry_after, .. }) = take().await else { panic!("let in") };
        assert!((1..=Trigger::Tuning.limit().seconds).contains(&retry_after), "{retry_after}");
        memory.clock.advance(SignedDuration::from_secs(retry_after - 1));
        assert!(take().await.is_err(), "too early");
        memory.clock.advance(SignedDuration::from_secs(1));
        take().await.unwrap();
    }

    #[tokio::test]
    async fn a_call_is_one_write_and_its_count_ends() {
        let memory = Memory::new(begin(), 1);
        let fuse = Fuse::default();
        let limits = Limits::new(fuse.guard(&memory.ports()));
        for calls in 1..=2 {
            limits.take(TenantId::derived("acme"), Payer::Tenant, Trigger::Vote).await.unwrap();
            assert_eq!(fuse.calls(), calls, "calls of any port");
        }
        let items = memory.items();
        assert_eq!(items.len(), 1);
        let limit = Trigger::Vote.limit();
        let ends = items[0].expires_at.expect("an end");
        let left = ends - begin().as_second();
        assert!((1..=limit.seconds).contains(&left), "{left}");
    }
}
