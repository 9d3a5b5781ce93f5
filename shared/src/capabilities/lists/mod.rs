//! The lists that sellers keep themselves, and share with colleagues.
//!
//! Owner and collaborators see a list, and add and take out its entries; its owner names it, shares
//! it and removes it. A list goes with its last member. Lists lie with the connection's generation,
//! sealed, and go with it.

mod change;
pub mod keys;
mod model;

use jiff::Timestamp;

use crate::capabilities::custody::{CursorError, Custody, LookupError, OpenGeneration};
use crate::capabilities::directory::Entities;
use crate::kernel::{EntityId, ListId, SeatId, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::{Store, Stored};
use crate::work::{WorkError, boxed};

pub use change::{Added, ListChange, NewList};
pub use model::*;

/// How many lists or entries a page has.
const PAGE: usize = 50;

/// Why a list cannot be shown or changed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is no such connection, or no such list for this seat.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The cursor is made up, another list's, or too old.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// Only its owner may do this.
    #[error("only the owner of a list names it, shares it and removes it")]
    NotOwner,
    /// The name is empty or too long.
    #[error("a list has a name of 1 to {LONGEST_NAME} characters")]
    Name,
    /// There are too many collaborators, or somebody is no seat.
    #[error("up to {MOST_COLLABORATORS} other seats work on a list with its owner")]
    Collaborators,
    /// A seat has too many lists.
    #[error("{0} owns or works on {MOST_LISTS} lists already")]
    TooMany(SeatId),
    /// There is no room.
    #[error("a list has at most {MOST_ENTRIES} entries, and this one has {0}")]
    Full(u32),
    /// The call names too many entities.
    #[error("one call names 1 to {MOST_AT_ONCE} entities")]
    AtOnce,
    /// The directory does not have an entity.
    #[error("the directory has no {0}")]
    Unknown(EntityId),
}

impl From<WorkError> for ListError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<PortError> for ListError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

/// Some documents, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage<T> {
    /// The documents.
    pub items: Vec<T>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// Shows and changes sellers' lists.
#[derive(Clone)]
pub struct Lists {
    ports: Ports,
    custody: Custody,
    tenants: Store,
    entities: Entities,
}

impl Lists {
    /// Lists in generations that `custody` opens.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (tenants, entities) = (Store::new(ports.clone()), Entities::new(ports.clone()));
        Self { ports, custody, tenants, entities }
    }

    /// The lists that a seat owns or works on, the eldest first.
    ///
    /// # Errors
    /// When no org is connected, or the cursor is another list's.
    #[must_use]
    #[boxed]
    pub async fn of_seat(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        cursor: Option<&str>,
    ) -> Result<ListPage<List>, ListError> {
        let (opened, now) = (self.custody.shown(at).await?, self.ports.clock.now());
        let (series, of) = (opened.keys.lists_of(seat), format!("lists|{seat}"));
        let listed = opened.listed::<_, ListError>(&series, &of, (cursor, PAGE), now);
        let (markers, next) = listed.await?;
        let ids = markers.iter().filter_map(|marker| series.name(marker).parse().ok());
        let slots: Vec<_> = ids.map(|list: ListId| opened.keys.list(list)).collect();
        let lists = opened.store.load_many(slots).await?.into_iter();
        let mut items: Vec<List> =
            lists.map(Stored::into_inner).filter(|list| list.is_open_to(seat)).collect();
        items.sort_by_key(|list| list.id);
        Ok(ListPage { items, next })
    }

    /// A list, as a seat that owns it or works on it sees it.
    ///
    /// # Errors
    /// When there is no such list for this seat.
    #[must_use]
    #[boxed]
    pub async fn show(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: ListId,
    ) -> Result<List, ListError> {
        let opened = self.custody.shown(at).await?;
        Ok(open_to(&opened, seat, list).await?.into_inner())
    }

    /// A page of what a list holds.
    ///
    /// # Errors
    /// When there is no such list for this seat, or the cursor is another list's.
    #[must_use]
    #[boxed]
    pub async fn entries(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        list: ListId,
        cursor: Option<&str>,
    ) -> Result<(List, ListPage<ListEntry>), ListError> {
        let (opened, now) = (self.custody.shown(at).await?, self.ports.clock.now());
        let found = open_to(&opened, seat, list).await?.into_inner();
        let (series, of) = (opened.keys.list_entries(list), format!("list|{list}"));
        let listed = opened.listed::<_, ListError>(&series, &of, (cursor, PAGE), now);
        let (entries, next) = listed.await?;
        let items = entries.into_iter().map(Stored::into_inner).collect();
        Ok((found, ListPage { items, next }))
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }
}

/// A list that is open to a seat. Another's is not there.
async fn open_to(
    opened: &OpenGeneration,
    seat: SeatId,
    list: ListId,
) -> Result<Stored<List>, ListError> {
    let found = opened.store.load(&opened.keys.list(list)).await?;
    let found = found.filter(|found| found.is_open_to(seat));
    Ok(found.ok_or(LookupError::NotFound("list"))?)
}
