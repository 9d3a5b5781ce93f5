//! The keys of saved things.

use super::Saved;
use crate::kernel::{EntityId, SeatId};
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Series, Slot};

impl GenerationKeys {
    /// An entity saved for a seat.
    #[must_use]
    pub fn saved(&self, seat: SeatId, list: &str, entity: &EntityId) -> Slot<Saved> {
        Slot::at(self.by(Kind::Saved, &seat.to_string(), format!("{seat}#{list}#{entity}")))
    }

    /// What a bucket's seats have saved.
    #[must_use]
    pub(crate) fn all_saved(&self, bucket: u32) -> Series<Saved> {
        Series::whole(self.partition(Kind::Saved, bucket))
    }

    /// A seat's list.
    #[must_use]
    pub fn saved_list(&self, seat: SeatId, list: &str) -> Series<Saved> {
        let id = seat.to_string();
        Series::under(self.partition(Kind::Saved, self.bucket(&id)), format!("{seat}#{list}#"))
    }
}
