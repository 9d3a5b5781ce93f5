//! The keys of changes.

use super::{Bulk, Change};
use crate::kernel::{BulkId, ChangeId, SeatId};
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Series, Slot};

impl GenerationKeys {
    /// A change of a seat's.
    #[must_use]
    pub fn change(&self, seat: SeatId, change: ChangeId) -> Slot<Change> {
        let sk = format!("{}{change}", of_seat(seat));
        Slot::at(self.by(Kind::Activity, &seat.to_string(), sk))
    }

    /// The changes of a seat.
    #[must_use]
    pub fn changes(&self, seat: SeatId) -> Series<Change> {
        let bucket = self.bucket(&seat.to_string());
        Series::under(self.partition(Kind::Activity, bucket), of_seat(seat))
    }

    /// Changes that a seat approved together.
    #[must_use]
    pub fn bulk(&self, seat: SeatId, bulk: BulkId) -> Slot<Bulk> {
        Slot::at(self.by(Kind::Activity, &seat.to_string(), format!("BULK#{seat}#{bulk}")))
    }

    /// The changes of every seat that is in a bucket.
    #[must_use]
    pub fn all_changes(&self, bucket: u32) -> Series<Change> {
        Series::under(self.partition(Kind::Activity, bucket), ALL.to_owned())
    }
}

const ALL: &str = "CHANGE#";

fn of_seat(seat: SeatId) -> String {
    format!("{ALL}{seat}#")
}
