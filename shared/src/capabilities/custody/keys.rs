//! The keys of grants.

use super::grants::Replaced;
use crate::kernel::{GrantState, SeatId};
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Series, Slot};

impl GenerationKeys {
    /// The state of the connection's own grant.
    #[must_use]
    pub fn admin_grant(&self) -> Slot<GrantState> {
        Slot::at(self.single(Kind::Grant, "ADMIN".to_owned()))
    }

    /// A seat's grant.
    #[must_use]
    pub fn seat_grant(&self, seat: SeatId) -> Slot<GrantState> {
        Slot::at(self.single(Kind::Grant, format!("SEAT#{seat}")))
    }

    /// All seats' grants.
    #[must_use]
    pub fn seat_grants(&self) -> Series<GrantState> {
        Series::under(self.partition(Kind::Grant, 0), "SEAT#".to_owned())
    }

    /// The connection's own grant that the one with this number replaced, until it is revoked.
    #[must_use]
    pub(crate) fn replaced_grant(&self, number: u64) -> Slot<Replaced> {
        Slot::at(self.single(Kind::Grant, format!("REPLACED#{number:020}")))
    }

    /// All replaced grants that are to be revoked.
    #[must_use]
    pub(crate) fn replaced_grants(&self) -> Series<Replaced> {
        Series::under(self.partition(Kind::Grant, 0), "REPLACED#".to_owned())
    }
}
