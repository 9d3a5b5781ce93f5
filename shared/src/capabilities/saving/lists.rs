//! A seller's system lists, page by page.

use std::sync::Arc;

use jiff::Timestamp;

use crate::capabilities::custody::{CursorError, Custody, LookupError, OpenGeneration};
use crate::capabilities::saving::tally::{count_in, tally_of};
use crate::capabilities::saving::{Saved, SavedList, Tally};
use crate::capabilities::settings::{self, Settings};
use crate::kernel::{SeatId, TenantEnvironment};
use crate::ports::{Clock, PortError};
use crate::store::{Attempt, Commit, Stored, attempts};
use crate::work::{WorkError, boxed};

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

/// How full a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// Whose list.
    pub seat: SeatId,
    /// Which.
    pub list: SavedList,
    /// How many entries it has; none if nothing came to it since lists are counted.
    pub entries: Option<u32>,
    /// How many it has at most.
    pub most: u32,
    /// Since when something is left out; none when nothing is.
    pub full_since: Option<Timestamp>,
}

impl Fill {
    fn of(tally: &Tally, settings: &Settings) -> Self {
        let &Tally { seat, list, entries, full_since } = tally;
        let most = list.most(settings);
        // Once an admin allows more, or something went, what was left out is looked at again.
        let full_since = full_since.filter(|_| entries >= most);
        Self { seat, list, entries: Some(entries), most, full_since }
    }
}

/// A page of how full lists are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillPage {
    /// By seat.
    pub items: Vec<Fill>,
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
    #[must_use]
    #[boxed]
    pub async fn page(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: SavedList,
        cursor: Option<&str>,
    ) -> Result<SavedPage, SavedError> {
        self.some(at, seat, list, cursor, PAGE).await
    }

    /// How full the lists are to which something came, by seat.
    #[must_use]
    #[boxed]
    pub async fn fills(
        &self,
        at: TenantEnvironment,
        cursor: Option<&str>,
    ) -> Result<FillPage, SavedError> {
        let opened = self.custody.shown(at).await?;
        let (series, now) = (opened.keys.tallies(), self.clock.now());
        let listed = opened.listed::<_, SavedError>(&series, "fills", (cursor, PAGE), now);
        let (tallies, next) = listed.await?;
        let kept = opened.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        let of = |tally: Stored<Tally>| Fill::of(&tally, &kept.settings);
        Ok(FillPage { items: tallies.into_iter().map(of).collect(), next })
    }

    /// How full a list of a seat is.
    #[must_use]
    #[boxed]
    pub async fn fill(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: SavedList,
    ) -> Result<Fill, SavedError> {
        let opened = self.custody.shown(at).await?;
        let slots = (&opened.keys.tally(seat, list), &settings::keys::settings(at));
        let (tally, kept) = opened.store.load_both(slots).await?;
        let settings = kept.as_deref().cloned().unwrap_or_default().settings;
        let nothing =
            Fill { seat, list, entries: None, most: list.most(&settings), full_since: None };
        Ok(tally.map_or(nothing, |tally| Fill::of(&tally, &settings)))
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
        let listed = opened.listed::<_, SavedError>(&series, &of, (cursor, most), now);
        let (saved, next) = listed.await?;
        Ok(SavedPage { items: saved.into_iter().map(Stored::into_inner).collect(), next })
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
            if before.is_none() {
                // What somebody had stays, however many there may be now.
                tally_of(opened, saved.seat, saved.list).await?;
                count_in(&mut commit, opened, (saved.seat, saved.list), 1, u32::MAX)?;
            }
            Ok(Attempt::of(&opened.store.commit(commit).await?, true))
        })
        .await
    }
}
