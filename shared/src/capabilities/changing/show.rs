//! Changes as their seller sees them.

use std::collections::BTreeMap;

use super::{Change, ChangeError, ChangeValues, Changes};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{ChangeId, SeatId, TenantEnvironment};
use crate::store::Stored;
use crate::work::boxed;

/// How many changes a page has.
const PAGE: usize = 50;

/// A page of a seat's changes.
#[derive(Debug)]
pub struct ChangePage {
    /// The changes, each with its values.
    pub items: Vec<(Change, ChangeValues)>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

impl Changes {
    /// A change with its values, and the generation that it belongs to.
    ///
    /// # Errors
    /// When there is none.
    #[must_use]
    #[boxed]
    pub async fn get(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        id: ChangeId,
    ) -> Result<(OpenGeneration, Change, ChangeValues), ChangeError> {
        let opened = self.custody.shown(at).await?;
        let stored = self.load(&opened, seat, id).await?;
        let (change, values) = shown(&opened, stored)?;
        Ok((opened, change, values))
    }

    /// Some changes of a seat's with their values, and the generation that they belong to.
    ///
    /// # Errors
    /// When there is no connection.
    #[must_use]
    #[boxed]
    pub async fn some(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        ids: &[ChangeId],
    ) -> Result<(OpenGeneration, BTreeMap<ChangeId, (Change, ChangeValues)>), ChangeError> {
        let opened = self.custody.shown(at).await?;
        let changes = by_id(&opened, seat, ids).await?;
        Ok((opened, changes))
    }

    /// A page of a seat's changes, the newest first; the cursor names the last one of the page
    /// before. It costs the same reads however many changes there are.
    ///
    /// # Errors
    /// When there is no connection, or the cursor is none of this list's.
    #[must_use]
    #[boxed]
    pub async fn page(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        cursor: Option<&str>,
    ) -> Result<(OpenGeneration, ChangePage), ChangeError> {
        let opened = self.custody.shown(at).await?;
        let (series, now) = (opened.keys.asked_changes(seat), self.ports.clock.now());
        let of = format!("changes|{seat}");
        let listed = opened.listed::<_, ChangeError>(&series, &of, (cursor, PAGE), now);
        let (asked, next) = listed.await?;
        let named = asked.iter().filter_map(|entry| series.name(entry).rsplit('#').next());
        let ids: Vec<ChangeId> = named.filter_map(|id| id.parse().ok()).collect();
        let mut found = by_id(&opened, seat, &ids).await?;
        let items = ids.iter().filter_map(|id| found.remove(id)).collect();
        Ok((opened, ChangePage { items, next }))
    }
}

/// Some changes of a seat's, with their values.
pub(super) async fn by_id(
    opened: &OpenGeneration,
    seat: SeatId,
    ids: &[ChangeId],
) -> Result<BTreeMap<ChangeId, (Change, ChangeValues)>, ChangeError> {
    let slots = ids.iter().map(|id| opened.keys.change(seat, *id));
    let found = opened.store.load_many(slots).await?.into_iter();
    let shown = found.map(|change| {
        let (change, values) = shown(opened, change)?;
        Ok((change.id, (change, values)))
    });
    shown.collect()
}

fn shown(
    opened: &OpenGeneration,
    stored: Stored<Change>,
) -> Result<(Change, ChangeValues), ChangeError> {
    let values = opened.unsealed(&stored.slot(), stored.body().unwrap_or_default())?;
    Ok((stored.into_inner(), values))
}
