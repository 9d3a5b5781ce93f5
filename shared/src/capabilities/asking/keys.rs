//! The key of a test note.

use super::TestNote;
use crate::kernel::SeatId;
use crate::store::Slot;
use crate::store::keys::{GenerationKeys, Kind};

impl GenerationKeys {
    /// The test note that a seat writes, until it is gone from the CRM.
    #[must_use]
    pub fn test_note(&self, seat: SeatId) -> Slot<TestNote> {
        Slot::at(self.by(Kind::Activity, &seat.to_string(), format!("TESTNOTE#{seat}")))
    }
}
