//! The keys of lists.

use super::{List, ListEntry};
use crate::kernel::{EntityId, ListId, SeatId};
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Marker, Series, Slot};

impl GenerationKeys {
    /// A list.
    #[must_use]
    pub fn list(&self, list: ListId) -> Slot<List> {
        Slot::at(self.by(Kind::List, &list.to_string(), format!("LIST#{list}")))
    }

    /// A bucket's lists.
    #[must_use]
    pub fn lists(&self, bucket: u32) -> Series<List> {
        Series::under(self.partition(Kind::List, bucket), "LIST#".to_owned())
    }

    /// The mark that a seat owns a list, or works on it.
    #[must_use]
    pub fn list_of(&self, seat: SeatId, list: ListId) -> Slot<Marker> {
        Slot::at(self.by(Kind::List, &seat.to_string(), format!("OF#{seat}#{list}")))
    }

    /// The lists that a seat owns or works on, the eldest first.
    #[must_use]
    pub fn lists_of(&self, seat: SeatId) -> Series<Marker> {
        let bucket = self.bucket(&seat.to_string());
        Series::under(self.partition(Kind::List, bucket), format!("OF#{seat}#"))
    }

    /// Something in a list.
    #[must_use]
    pub fn list_entry(&self, list: ListId, entity: &EntityId) -> Slot<ListEntry> {
        Slot::at(self.by(Kind::List, &list.to_string(), format!("ENTRY#{list}#{entity}")))
    }

    /// Everything in a list.
    #[must_use]
    pub fn list_entries(&self, list: ListId) -> Series<ListEntry> {
        let bucket = self.bucket(&list.to_string());
        Series::under(self.partition(Kind::List, bucket), format!("ENTRY#{list}#"))
    }

    /// Everything in a bucket's lists.
    #[must_use]
    pub fn all_list_entries(&self, bucket: u32) -> Series<ListEntry> {
        Series::under(self.partition(Kind::List, bucket), "ENTRY#".to_owned())
    }
}
