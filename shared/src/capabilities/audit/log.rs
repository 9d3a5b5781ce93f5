//! Writing to a tenant's audit log, and reading it.

use jiff::{SignedDuration, Timestamp};

use super::{Action, Actor, AuditEntry, AuditHead, Deed, HeadMark, keys};
use crate::kernel::{Environment, SeatId, TenantId};
use crate::ports::{Outcome, PortError, Ports};
use crate::store::{Attempt, Commit, Draft, Store, Stored, When, attempts};
use crate::work::{WorkError, boxed};

/// An entry is kept for so long: three years.
pub const KEPT: SignedDuration = SignedDuration::from_hours(3 * 365 * 24);

/// How many entries one read gives.
const PAGE: usize = 100;

/// How many reads a page of a filtered log takes at most.
const READS: usize = 5;

/// Why a log cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The cursor is made up.
    #[error("cursor is not one that this log gave")]
    Cursor,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for AuditError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Which entries are asked for; all where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those of this time or later.
    pub from: Option<Timestamp>,
    /// Those before this time.
    pub to: Option<Timestamp>,
    /// Those of this kind.
    pub action: Option<Action>,
    /// Those in this environment.
    pub environment: Option<Environment>,
    /// What this seat did, and what was done to it.
    pub seat: Option<SeatId>,
}

impl AuditFilter {
    fn takes(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: bool, found: bool| !wanted || found;
        let of_seat = |seat| entry.deed.seat == Some(seat) || entry.by == Actor::Seat { seat };
        self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
            && self.action.is_none_or(|action| entry.deed.action == action)
            && is(self.environment.is_some(), entry.deed.environment == self.environment)
            && self.seat.is_none_or(of_seat)
    }
}

/// Part of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The entries, the oldest first.
    pub entries: Vec<AuditEntry>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
    /// The last entry of the whole log, as it was before the page was read.
    pub head: HeadMark,
}

/// The audit logs of tenants.
#[derive(Clone)]
pub struct AuditLog {
    ports: Ports,
    store: Store,
}

impl AuditLog {
    /// The logs over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store }
    }

    /// The same logs, whose commits go through `store`: it writes what lies sealed.
    pub(crate) fn through(&self, store: &Store) -> Self {
        Self { store: store.clone(), ..self.clone() }
    }

    /// Does a commit together with the entry that tells of it, again whenever another entry was
    /// faster. Refused only by the commit's own conditions: then nothing is told.
    ///
    /// Each entry stands in one transaction with the head that it moves, so that any number of
    /// writers keep one chain.
    pub(crate) async fn commit(
        &self,
        commit: Commit,
        tenant: TenantId,
        by: &Actor,
        deed: &Deed,
    ) -> Result<Outcome, PortError> {
        let own = commit.next_place();
        let slot = keys::head(tenant);
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let head = before.as_deref().cloned();
            let head = head.unwrap_or_else(|| AuditHead::begin(self.salt()));
            let now = self.ports.clock.now();
            let (entry, after) = head.followed_by(tenant, now, by.clone(), deed.clone());
            let mut commit = commit.clone();
            commit.save(&slot, before.as_ref(), &after)?;
            let draft = Draft::new(&keys::entry(tenant, entry.number), &entry)?;
            commit.write(draft.until((entry.at + KEPT).as_second()).when(When::absent()))?;
            Ok(match self.store.commit(commit).await? {
                Outcome::Done => {
                    tell(&entry);
                    Attempt::Done(Outcome::Done)
                }
                Outcome::Refused(places) if places.iter().all(|place| *place >= own) => {
                    Attempt::Overtaken
                }
                Outcome::Refused(mut places) => {
                    places.retain(|place| *place < own);
                    Attempt::Done(Outcome::Refused(places))
                }
            })
        })
        .await
    }

    /// Tells of a deed that changes nothing.
    pub(crate) async fn record(
        &self,
        tenant: TenantId,
        by: &Actor,
        deed: &Deed,
    ) -> Result<(), PortError> {
        let winner = "nobody: the commit has no condition of its own";
        self.commit(Commit::new(), tenant, by, deed).await?.may_lose_to(winner);
        Ok(())
    }

    /// A page of a tenant's log, the oldest entries first. The cursor is the number of the last
    /// entry that was looked at.
    #[must_use]
    #[boxed]
    pub async fn page(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        cursor: Option<&str>,
    ) -> Result<AuditPage, AuditError> {
        let mut after = cursor.map(number_of).transpose()?;
        // Read before the entries: what it names is among them.
        let head = self.store.read(&keys::head(tenant)).await?;
        let head = head.unwrap_or_else(|| AuditHead::begin(String::new())).mark();
        let series = keys::entries(tenant);
        let mut entries = Vec::new();
        for _ in 0..READS {
            let place = after.map(|number| series.place(&keys::name(number)));
            let page = self.store.page(&series, place.as_deref(), PAGE).await?;
            let is_last = page.next.is_none();
            after = page.documents.last().map(|entry| entry.number).or(after);
            let taken = page.documents.into_iter().map(Stored::into_inner);
            entries.extend(taken.filter(|entry| filter.takes(entry)));
            if is_last {
                return Ok(AuditPage { entries, next: None, head });
            }
            if entries.len() >= PAGE {
                break;
            }
        }
        Ok(AuditPage { entries, next: after.map(|number| number.to_string()), head })
    }

    fn salt(&self) -> String {
        format!("{:032x}", self.ports.entropy.bits())
    }
}

/// Keeps the head elsewhere: the process's log lies in another store, under another role.
fn tell(entry: &AuditEntry) {
    tracing::info!(
        tenant.id = %entry.tenant,
        audit.number = entry.number,
        audit.hash = %entry.hash,
        "an audit entry is written"
    );
}

fn number_of(cursor: &str) -> Result<u64, AuditError> {
    let number: u64 = cursor.parse().map_err(|_| AuditError::Cursor)?;
    // One spelling only.
    if number.to_string() == cursor { Ok(number) } else { Err(AuditError::Cursor) }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use futures::future::join;

    use super::*;
    use crate::capabilities::audit::{Broken, check};
    use crate::kernel::TenantEnvironment;
    use crate::store::Marker;
    use crate::store::Slot;
    use crate::testing::{Fuse, Memory};

    fn tenant() -> TenantId {
        TenantId::derived("acme")
    }

    fn memory() -> Memory {
        Memory::new("2026-11-28T09:00:00Z".parse().unwrap(), 1)
    }

    async fn all(log: &AuditLog) -> Vec<AuditEntry> {
        let (mut entries, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let filter = AuditFilter::default();
            let page = log.page(tenant(), &filter, cursor.as_deref()).await.unwrap();
            entries.extend(page.entries);
            cursor = page.next;
            if cursor.is_none() {
                return entries;
            }
        }
    }

    fn state(n: u32) -> Slot<Marker> {
        Slot::at(crate::ports::Key::new("STATE#test".to_owned(), n.to_string()))
    }

    #[tokio::test]
    async fn ten_writers_at_once_keep_one_chain_and_each_has_its_state() {
        let memory = memory();
        let writer = |n: u32| {
            let log = AuditLog::new(memory.ports());
            tokio::spawn(async move {
                for round in 0..5 {
                    let mut commit = Commit::new();
                    commit.create(&state(n * 10 + round), &Marker {}).unwrap();
                    let deed = Deed::new(Action::SettingsChanged).detail("writer", n);
                    let done = log.commit(commit, tenant(), &Actor::Service, &deed).await;
                    assert!(done.unwrap().is_done());
                }
            })
        };
        let writers: Vec<_> = (0..10).map(writer).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let log = AuditLog::new(memory.ports());
        let entries = all(&log).await;
        let page = log.page(tenant(), &AuditFilter::default(), None).await.unwrap();
        let time = (memory.ports().clock.now(), KEPT);
        let checked = check(tenant(), entries, &[page.head], time).unwrap();
        assert_eq!((checked.entries, checked.first), (50, Some(1)));
        let states = memory.items().iter().filter(|item| item.key.pk() == "STATE#test").count();
        assert_eq!(states, 50);
    }

    #[tokio::test]
    async fn a_deed_that_is_refused_is_not_told_and_names_its_own_conditions_alone() {
        let memory = memory();
        let log = AuditLog::new(memory.ports());
        let deed = Deed::new(Action::SeatAdded);
        let twice = || {
            let mut commit = Commit::new();
            commit.put(&state(1), &Marker {}).unwrap();
            commit.create(&state(2), &Marker {}).unwrap();
            commit
        };
        let first = log.commit(twice(), tenant(), &Actor::Service, &deed).await.unwrap();
        let second = log.commit(twice(), tenant(), &Actor::Service, &deed).await.unwrap();
        assert_eq!((first, second), (Outcome::Done, Outcome::Refused(vec![1])));
        assert_eq!(all(&log).await.len(), 1);
    }

    /// The end of a deed at state 1, and its memory, where another writer's deed at the state
    /// `other` is done after the first one read the head and before it commits.
    async fn overtaken_by(other: u32) -> (Outcome, Memory) {
        let (memory, fuse, deed) = (memory(), Fuse::default(), Deed::new(Action::SeatAdded));
        let (slow, quick) =
            (AuditLog::new(fuse.guard(&memory.ports())), AuditLog::new(memory.ports()));
        let at = |n| {
            let mut commit = Commit::new();
            commit.create(&state(n), &Marker {}).unwrap();
            commit
        };
        let mut gates = fuse.gates();
        let first = slow.commit(at(1), tenant(), &Actor::Service, &deed);
        let second = async {
            drop(gates.next().await); // the head is read
            let commits = gates.next().await;
            let done = quick.commit(at(other), tenant(), &Actor::Service, &deed).await;
            assert!(done.unwrap().is_done());
            drop((commits, gates));
        };
        let (outcome, ()) = join(first, second).await;
        (outcome.unwrap(), memory)
    }

    #[tokio::test]
    async fn a_writer_whose_head_another_one_moved_writes_behind_that_entry() {
        let (outcome, memory) = overtaken_by(2).await;
        assert_eq!(outcome, Outcome::Done);
        let log = AuditLog::new(memory.ports());
        let time = (memory.ports().clock.now(), KEPT);
        assert_eq!(check(tenant(), all(&log).await, &[], time).unwrap().entries, 2);
        let states = memory.items().iter().filter(|item| item.key.pk() == "STATE#test").count();
        assert_eq!(states, 2);
    }

    #[tokio::test]
    async fn a_refusal_names_the_deeds_own_conditions_where_the_head_was_moved_too() {
        let (outcome, memory) = overtaken_by(1).await;
        assert_eq!(outcome, Outcome::Refused(vec![0]));
        assert_eq!(all(&AuditLog::new(memory.ports())).await.len(), 1);
    }

    #[tokio::test]
    async fn a_log_is_read_page_by_page_and_by_what_is_asked_for() {
        let memory = memory();
        let log = AuditLog::new(memory.ports());
        let (jane, joe) = (SeatId::derived("jane"), SeatId::derived("joe"));
        let at = TenantEnvironment { tenant: tenant(), environment: Environment::Sandbox };
        for n in 0..620 {
            memory.clock.advance(SignedDuration::from_secs(1));
            let deed = match n % 10 {
                0 => Deed::at(Action::Connected, at),
                1 => Deed::new(Action::SeatAdded).seat(jane),
                _ => Deed::new(Action::Exported),
            };
            let by = if n == 619 { Actor::Seat { seat: joe } } else { Actor::Service };
            log.record(tenant(), &by, &deed).await.unwrap();
        }
        assert_eq!(all(&log).await.len(), 620);
        let page = async |filter: AuditFilter| log.page(tenant(), &filter, None).await.unwrap();
        let first = page(AuditFilter::default()).await;
        assert_eq!((first.entries.len(), first.next.as_deref()), (PAGE, Some("100")));
        assert_eq!(first.head.number, 620);
        // A filter that takes little reads so far and no further.
        let of_joe = page(AuditFilter { seat: Some(joe), ..AuditFilter::default() }).await;
        assert_eq!((of_joe.entries.len(), of_joe.next.as_deref()), (0, Some("500")));
        let of_joe = AuditFilter { seat: Some(joe), ..AuditFilter::default() };
        let rest = log.page(tenant(), &of_joe, Some("500")).await.unwrap();
        assert_eq!((rest.entries.len(), rest.entries[0].number, rest.next), (1, 620, None));
        let of_jane = page(AuditFilter { seat: Some(jane), ..AuditFilter::default() }).await;
        assert!(of_jane.entries.iter().all(|entry| entry.number % 10 == 2));
        let environment = Some(Environment::Sandbox);
        let connected = page(AuditFilter { environment, ..AuditFilter::default() }).await;
        assert_eq!(connected.entries.len(), 50);
        let action = Some(Action::Connected);
        assert_eq!(page(AuditFilter { action, ..AuditFilter::default() }).await, connected);
        let (from, to) = (Some(first.entries[4].at), Some(first.entries[7].at));
        let span = page(AuditFilter { from, to, ..AuditFilter::default() }).await;
        let numbers: Vec<u64> = span.entries.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [5, 6, 7]);
    }

    #[tokio::test]
    async fn a_made_up_cursor_is_refused() {
        let log = AuditLog::new(memory().ports());
        for cursor in ["", "x", "-1", "+1", "01", "99999999999999999999"] {
            let page = log.page(tenant(), &AuditFilter::default(), Some(cursor)).await;
            assert!(matches!(page, Err(AuditError::Cursor)), "{cursor}");
        }
        let empty = log.page(tenant(), &AuditFilter::default(), None).await.unwrap();
        assert_eq!((empty.entries.len(), empty.next, empty.head.number), (0, None, 0));
    }

    #[tokio::test]
    async fn a_tail_that_is_deleted_from_the_table_is_found_by_the_head() {
        let memory = memory();
        let log = AuditLog::new(memory.ports());
        for _ in 0..3 {
            let deed = Deed::new(Action::Exported);
            log.record(tenant(), &Actor::Service, &deed).await.unwrap();
        }
        let last = keys::entry(tenant(), 3);
        memory.ports().table.delete_many(&[last.key().clone()]).await.unwrap();
        let page = log.page(tenant(), &AuditFilter::default(), None).await.unwrap();
        let now = (memory.ports().clock.now(), KEPT);
        let found = check(tenant(), page.entries, &[page.head], now);
        assert_eq!(found, Err(Broken::CutOff { found: 2, kept: 3 }));
    }

    #[tokio::test]
    async fn an_entry_may_go_after_three_years_and_not_before() {
        let memory = memory();
        let log = AuditLog::new(memory.ports());
        log.record(tenant(), &Actor::Service, &Deed::new(Action::Exported)).await.unwrap();
        let items = memory.items();
        let entry = items.iter().find(|item| item.key.sk().starts_with("ENTRY#")).unwrap();
        let three_years = 3 * 365 * 86_400;
        assert_eq!(entry.expires_at, Some(memory.ports().clock.now().as_second() + three_years));
        assert!(
            items.iter().filter(|item| item.key.sk() == "HEAD").all(|i| i.expires_at.is_none())
        );
    }
}
