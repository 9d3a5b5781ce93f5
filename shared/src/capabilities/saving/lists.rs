//! A seller's system lists, page by page.

use std::sync::Arc;

use crate::capabilities::custody::{CursorError, Custody, LookupError, OpenGeneration};
use crate::capabilities::saving::{Saved, SavedList};
use crate::kernel::{SeatId, TenantEnvironment};
use crate::ports::{Clock, PortError};
use crate::store::{Attempt, Commit, Stored, attempts};
use crate::work::WorkError;

/// How many entries a page has.
const PAGE: usize = 500;

/// A page of what was saved for a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedPage {
    /// The entries.
    pub items: Vec<Saved>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// Why a list cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// There is no such connection.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The cursor is made up, another list's, or too old.
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

impl From<WorkError> for SavedError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<PortError> for SavedError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

/// Shows system lists.
#[derive(Clone)]
pub struct SavedLists {
    clock: Arc<dyn Clock>,
    custody: Custody,
}

impl SavedLists {
    /// Lists of generations that `custody` opens.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, custody: Custody) -> Self {
        Self { clock, custody }
    }

    /// A page of one list of a seat; the cursor names the last entry of the page before.
    pub async fn page(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: SavedList,
        cursor: Option<&str>,
    ) -> Result<SavedPage, SavedError> {
        self.some(at, seat, list, cursor, PAGE).await
    }

    /// The same with at most so many entries.
    pub(crate) async fn some(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: SavedList,
        cursor: Option<&str>,
        most: usize,
    ) -> Result<SavedPage, SavedError> {
        let opened = self.custody.shown(at).await?;
        let (series, now) = (opened.keys.saved_list(seat, list.as_str()), self.clock.now());
        let of = format!("saved|{seat}|{}", list.as_str());
        let name = cursor.map(|cursor| opened.position(&of, cursor, now)).transpose()?;
        let after = name.map(|name| series.place(&name));
        let page = opened.store.page(&series, after.as_deref(), most).await?;
        let end = page.next.and(page.documents.last());
        let next = end.map(|saved| opened.cursor(&of, series.name(saved), now));
        Ok(SavedPage { items: page.documents.into_iter().map(Stored::into_inner).collect(), next })
    }

    /// Takes over what another home of the product saved, with its reasons beside those that are
    /// here. False when all that is here.
    pub(crate) async fn take_over(
        &self,
        opened: &OpenGeneration,
        saved: Saved,
    ) -> Result<bool, WorkError> {
        let slot = opened.keys.saved(saved.seat, saved.list.as_str(), &saved.entity);
        attempts(|| async {
            let before = opened.store.load(&slot).await?;
            let joined = match before.as_deref() {
                None => Some(saved.clone()),
                Some(before) if before.saved_at <= saved.saved_at => before.with(&saved.reasons),
                Some(before) => Some(saved.with(&before.reasons).unwrap_or_else(|| saved.clone())),
            };
            let Some(joined) = joined else { return Ok(Attempt::Done(false)) };
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &joined)?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, true))
        })
        .await
    }
}
