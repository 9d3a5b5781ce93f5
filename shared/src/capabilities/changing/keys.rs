//! The keys of changes.

use jiff::Timestamp;

use super::{Bulk, Change};
use crate::kernel::{BulkId, ChangeId, SeatId};
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Marker, Series, Slot};

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

    /// The entry of a change in its seat's list.
    #[must_use]
    pub fn asked_change(
        &self,
        seat: SeatId,
        asked_at: Timestamp,
        change: ChangeId,
    ) -> Slot<Marker> {
        // The list is read forwards, and the newest is to come first.
        let until = LATEST - asked_at.as_millisecond();
        let sk = format!("{}{until:015}#{change}", asked_by(seat));
        Slot::at(self.by(Kind::Activity, &seat.to_string(), sk))
    }

    /// The changes of a seat as a list, the newest first.
    #[must_use]
    pub fn asked_changes(&self, seat: SeatId) -> Series<Marker> {
        let bucket = self.bucket(&seat.to_string());
        Series::under(self.partition(Kind::Activity, bucket), asked_by(seat))
    }

    /// Changes that a seat approved together.
    #[must_use]
    pub fn bulk(&self, seat: SeatId, bulk: BulkId) -> Slot<Bulk> {
        Slot::at(self.by(Kind::Activity, &seat.to_string(), format!("BULK#{seat}#{bulk}")))
    }

    /// What the seats of a bucket approved together.
    #[must_use]
    pub fn bulks(&self, bucket: u32) -> Series<Bulk> {
        Series::under(self.partition(Kind::Activity, bucket), "BULK#".to_owned())
    }

    /// The changes of every seat that is in a bucket.
    #[must_use]
    pub fn all_changes(&self, bucket: u32) -> Series<Change> {
        Series::under(self.partition(Kind::Activity, bucket), ALL.to_owned())
    }
}

const ALL: &str = "CHANGE#";

/// No change is asked for later, in milliseconds since 1970.
const LATEST: i64 = 999_999_999_999_999;

fn asked_by(seat: SeatId) -> String {
    format!("ASKED#{seat}#")
}

fn of_seat(seat: SeatId) -> String {
    format!("{ALL}{seat}#")
}
