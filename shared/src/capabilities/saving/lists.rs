//! A seller's system lists, page by page.

use crate::capabilities::custody::{Custody, LookupError, OpenGeneration};
use crate::capabilities::saving::{Saved, SavedList};
use crate::kernel::{SeatId, TenantEnvironment};
use crate::ports::Ports;
use crate::store::{Attempt, Commit, Store, Stored, attempts};
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

/// Shows system lists.
#[derive(Clone)]
pub struct SavedLists {
    store: Store,
    custody: Custody,
}

impl SavedLists {
    /// Lists over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        Self { store: Store::new(ports), custody }
    }

    /// A page of one list of a seat; the cursor is the last entity of the page before.
    pub async fn page(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: SavedList,
        cursor: Option<&str>,
    ) -> Result<SavedPage, LookupError> {
        let series = self.custody.keys(at).await?.saved_list(seat, list.as_str());
        let after = cursor.map(|entity| series.place(entity));
        let page = self.store.page(&series, after.as_deref(), PAGE).await?;
        let next = page.next.and(page.documents.last()).map(|saved| saved.entity.to_string());
        Ok(SavedPage { items: page.documents.into_iter().map(Stored::into_inner).collect(), next })
    }

    /// Takes over what another home of the product saved. Of two reasons the earlier one stays.
    /// False when that one is here.
    pub(crate) async fn take_over(
        &self,
        opened: &OpenGeneration,
        saved: Saved,
    ) -> Result<bool, WorkError> {
        let slot = opened.keys.saved(saved.seat, saved.list.as_str(), &saved.entity);
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            if before.as_ref().is_some_and(|before| before.saved_at <= saved.saved_at) {
                return Ok(Attempt::Done(false));
            }
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &saved)?;
            Ok(Attempt::of(&self.store.commit(commit).await?, true))
        })
        .await
    }
}
