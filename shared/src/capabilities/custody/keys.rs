//! The keys of grants.

use super::grants::Replaced;
use super::login::Login;
use crate::kernel::{GrantState, SeatId, TenantEnvironment};
use crate::ports::Key;
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Series, Slot};

/// The sort key of the connection's own grant, and what those of the others begin with.
pub(super) const ADMIN: &str = "ADMIN";
pub(super) const SEAT: &str = "SEAT#";
pub(super) const REPLACED: &str = "REPLACED#";

/// A login whose tokens are not a grant's yet.
#[must_use]
pub(crate) fn login(at: TenantEnvironment, id: &str) -> Slot<Login> {
    Slot::at(Key::new(format!("TEN#{}", at.tenant), format!("LOGIN#{}#{id}", at.environment)))
}

impl GenerationKeys {
    /// The state of the connection's own grant.
    #[must_use]
    pub fn admin_grant(&self) -> Slot<GrantState> {
        Slot::at(self.single(Kind::Grant, ADMIN.to_owned()))
    }

    /// A seat's grant.
    #[must_use]
    pub fn seat_grant(&self, seat: SeatId) -> Slot<GrantState> {
        Slot::at(self.single(Kind::Grant, format!("{SEAT}{seat}")))
    }

    /// All seats' grants.
    #[must_use]
    pub fn seat_grants(&self) -> Series<GrantState> {
        Series::under(self.partition(Kind::Grant, 0), SEAT.to_owned())
    }

    /// The connection's own grant that the one with this number replaced, until it is revoked.
    #[must_use]
    pub(crate) fn replaced_grant(&self, number: u64) -> Slot<Replaced> {
        Slot::at(self.single(Kind::Grant, format!("{REPLACED}{number:020}")))
    }
}
