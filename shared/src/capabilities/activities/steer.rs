//! What a seller does to an activity that is not logged: takes it back, or has it tried again.

use futures::{StreamExt, TryStreamExt, stream};

use super::edges::enlist;
use super::{Activities, Activity, ActivityState, ActivityText, SeatEntry, SeatList};
use crate::capabilities::custody::{LookupError, OpenGeneration};
use crate::kernel::{ActivityId, SeatId, TenantEnvironment, WritebackMessage};
use crate::ports::PortError;
use crate::store::{Attempt, Commit, Draft, attempts};
use crate::work::{WorkError, boxed};

/// How many are tried again by one call.
const MOST_RETRIED: usize = 100;

/// How many of them at once.
const BESIDE: usize = 8;

/// Why an activity is not steered.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// There is no such thing.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// It may be in the CRM by now, or is.
    #[error("{0}")]
    TooLate(&'static str),
    /// It did not fail, or cannot be logged any more.
    #[error("{0}")]
    NothingToRetry(&'static str),
}

impl From<PortError> for SteerError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<WorkError> for SteerError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

/// What a call had tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retried {
    /// How many.
    pub count: usize,
    /// There are more: call again.
    pub more: bool,
}

impl Activities {
    /// Takes an activity back that was not claimed yet. Its text goes. One that was taken back
    /// stays so.
    #[must_use]
    #[boxed]
    pub async fn withdraw(
        &self,
        at: TenantEnvironment,
        id: ActivityId,
    ) -> Result<Activity, SteerError> {
        let opened = self.custody.open_live(at).await?;
        attempts(|| async {
            let slot = opened.keys.activity(id);
            let before = opened.store.load(&slot).await?;
            let before = before.ok_or(LookupError::NotFound("activity"))?;
            if before.state == ActivityState::Withdrawn {
                return Ok(Attempt::Done(before.into_inner()));
            }
            if !before.can_be_withdrawn() {
                return Err(SteerError::TooLate(too_late(&before.state)));
            }
            let mut commit = Commit::new();
            opened.check_at_home(&mut commit)?;
            let after = before.moved_to(ActivityState::Withdrawn);
            enlist(&mut commit, &opened.keys, Some(&before), &after)?;
            if before.waits_for_record() {
                let name = opened.sealer.name(before.entity.as_str());
                commit.delete(&opened.keys.waiting(before.entity_kind, &name, id));
            }
            // It keeps its place until its turn comes: who stands behind it waits for those before.
            let body = opened.sealed(&self.ports, &slot, &ActivityText::default())?;
            commit.write(Draft::after(&before, &after)?.body(body))?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, after))
        })
        .await
    }

    /// Has an activity tried again that failed.
    #[must_use]
    #[boxed]
    pub async fn retry(
        &self,
        at: TenantEnvironment,
        id: ActivityId,
    ) -> Result<Activity, SteerError> {
        let opened = self.custody.open_live(at).await?;
        let retried = self.retry_one(&opened, id).await?;
        retried.ok_or(SteerError::NothingToRetry(
            "only what failed is tried again, and nothing of a seat that was removed: post it anew",
        ))
    }

    /// Has everything of a seat tried again that failed with a code, the earliest first.
    #[must_use]
    #[boxed]
    pub async fn retry_all(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        code: &str,
    ) -> Result<Retried, SteerError> {
        let opened = self.custody.open_live(at).await?;
        let list = SeatList::FailedWith(code.to_owned());
        let series = opened.keys.seat_list(seat, &list);
        let page = opened.store.page(&series, None, MOST_RETRIED).await?;
        let entries = page.documents.iter().filter_map(|m| SeatEntry::parse(&list, series.name(m)));
        let entries: Vec<SeatEntry> = entries.collect();
        let opened = &opened;
        let done: Vec<bool> = stream::iter(entries)
            .map(|entry| async move {
                let retried = self.retry_one(opened, entry.activity).await;
                retried.map(|retried| retried.is_some())
            })
            .buffer_unordered(BESIDE)
            .try_collect()
            .await?;
        let count = done.into_iter().filter(|done| *done).count();
        // What cannot be tried again stays in the list, and is no reason to call again.
        Ok(Retried { count, more: count > 0 && page.next.is_some() })
    }

    /// None when there is nothing to try again.
    async fn retry_one(
        &self,
        opened: &OpenGeneration,
        id: ActivityId,
    ) -> Result<Option<Activity>, SteerError> {
        attempts(|| async {
            let before = opened.store.load(&opened.keys.activity(id)).await?;
            let before = before.ok_or(LookupError::NotFound("activity"))?;
            if !before.can_be_retried() {
                return Ok(Attempt::Done(None));
            }
            let after = before.retried();
            let mut commit = Commit::new();
            opened.check_at_home(&mut commit)?;
            enlist(&mut commit, &opened.keys, Some(&before), &after)?;
            let mut draft = Draft::after(&before, &after)?;
            if let Some(text) = before.body() {
                draft = draft.body(text.to_vec());
            }
            commit.write(draft)?;
            commit.now(WritebackMessage::Activity { scope: opened.keys.scope(), activity: id });
            Ok(Attempt::of(&opened.store.commit(commit).await?, Some(after)))
        })
        .await
    }
}

fn too_late(state: &ActivityState) -> &'static str {
    match state {
        ActivityState::Logged { .. } | ActivityState::LoggedBefore { .. } => {
            "it is in the CRM: delete it there"
        }
        ActivityState::NotLogged { .. } => "it is not to be logged: there is nothing to take back",
        _ => "it is on its way into the CRM: look again in a minute, and delete it there",
    }
}
