//! Where a seat's activities stand: what is pending, what failed and with which codes, and the
//! switches of its conversations.

use std::collections::BTreeMap;

use super::{Activities, Activity, Conversation, SeatEntry, SeatList, SteerError};
use crate::capabilities::custody::{CursorError, LookupError, OpenGeneration};
use crate::kernel::{SeatId, TenantEnvironment};
use crate::ports::PortError;
use crate::store::{Attempt, Commit, Slot, Stored, attempts};
use crate::work::boxed;

/// How many activities a page has.
const PAGE: usize = 50;

/// How many failures are counted at most, a page at a time.
const COUNTED: usize = 5_000;
const COUNTED_PAGE: usize = 1_000;

/// A page of a seat's activities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityPage {
    /// The activities, by the time at which they were done.
    pub items: Vec<Activity>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// The activities of a seat that failed with one code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// The code.
    pub code: String,
    /// How many.
    pub count: u64,
}

/// What failed of a seat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failures {
    /// By code, the most frequent first.
    pub groups: Vec<FailureGroup>,
    /// There are more than were counted.
    pub more: bool,
}

/// Why a list cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is no such connection.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The cursor is made up, another list's, or too old.
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

impl From<PortError> for ListError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

impl Activities {
    /// A page of a list of a seat's activities.
    #[must_use]
    #[boxed]
    pub async fn listed(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: &SeatList,
        cursor: Option<&str>,
    ) -> Result<ActivityPage, ListError> {
        let opened = self.custody.shown(at).await?;
        let (series, now) = (opened.keys.seat_list(seat, list), self.ports.clock.now());
        let of = format!("activities|{seat}|{}", list.name());
        let listed = opened.listed::<_, ListError>(&series, &of, (cursor, PAGE), now);
        let (markers, next) = listed.await?;
        let entries = markers.iter().filter_map(|m| SeatEntry::parse(list, series.name(m)));
        let slots = entries.map(|entry| opened.keys.activity(entry.activity));
        let found = opened.store.load_many(slots).await?;
        let mut items: Vec<Activity> = found.into_iter().map(Stored::into_inner).collect();
        // One that moved on meanwhile is in another list by now.
        items.retain(|item: &Activity| match SeatList::of(&item.state) {
            Some(now) => now == *list || (*list == SeatList::Failed && now != SeatList::Pending),
            None => false,
        });
        items.sort_by_key(|item| (item.occurred_at, item.id));
        Ok(ActivityPage { items, next })
    }

    /// What failed of a seat, by code.
    #[must_use]
    #[boxed]
    pub async fn failures(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
    ) -> Result<Failures, ListError> {
        let opened = self.custody.shown(at).await?;
        let series = opened.keys.seat_list(seat, &SeatList::Failed);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let (mut after, mut counted) = (None, 0);
        loop {
            let page = opened.store.page(&series, after.as_deref(), COUNTED_PAGE).await?;
            counted += page.documents.len();
            for marker in &page.documents {
                let entry = SeatEntry::parse(&SeatList::Failed, series.name(marker));
                if let Some(code) = entry.and_then(|entry| entry.code) {
                    *counts.entry(code).or_default() += 1;
                }
            }
            after = page.next;
            if after.is_none() || counted >= COUNTED {
                break;
            }
        }
        let groups = counts.into_iter().map(|(code, count)| FailureGroup { code, count });
        let mut groups: Vec<FailureGroup> = groups.collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Ok(Failures { groups, more: after.is_some() })
    }

    /// A seller's switch for a conversation; none when they never said anything of it.
    #[must_use]
    #[boxed]
    pub async fn conversation_switch(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        name: &str,
    ) -> Result<Option<bool>, LookupError> {
        let opened = self.custody.shown(at).await?;
        let thread = self.conversation(&opened, seat, Some(name)).await?;
        Ok(thread.and_then(|(_, said)| said).map(|said| said.log))
    }

    /// Remembers whether a seller has a conversation logged.
    #[must_use]
    #[boxed]
    pub async fn switch_conversation(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        name: &str,
        log: bool,
    ) -> Result<(), SteerError> {
        let opened = self.custody.open_live(at).await?;
        attempts(|| async {
            let thread = self.conversation(&opened, seat, Some(name)).await?;
            let Some((slot, before)) = thread else { return Ok(Attempt::Done(())) };
            if before.as_ref().is_some_and(|said| said.log == log) {
                return Ok(Attempt::Done(()));
            }
            let mut commit = Commit::new();
            opened.check_at_home(&mut commit)?;
            let said = Conversation { seat, name: name.to_owned(), log };
            commit.save(&slot, before.as_ref(), &said)?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, ()))
        })
        .await
    }

    /// The switch of a conversation, and its place.
    pub(super) async fn conversation(
        &self,
        opened: &OpenGeneration,
        seat: SeatId,
        name: Option<&str>,
    ) -> Result<Option<(Slot<Conversation>, Option<Stored<Conversation>>)>, PortError> {
        let Some(name) = name else { return Ok(None) };
        let named = opened.sealer.name(&format!("conversation|{seat}|{name}"));
        let slot = opened.keys.conversation(seat, &named);
        let said = opened.store.load(&slot).await?;
        Ok(Some((slot, said)))
    }
}
