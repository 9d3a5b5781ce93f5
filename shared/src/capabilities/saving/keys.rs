//! The keys of saved things.

use super::{DryRun, Pass, Saved};
use crate::kernel::{EntityId, MatchRunId, SeatId};
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Series, Slot};

impl GenerationKeys {
    /// How far the pass of auto-save over everything is.
    #[must_use]
    pub fn saving_pass(&self) -> Slot<Pass<u64>> {
        Slot::at(self.single(Kind::Run, "SAVING".to_owned()))
    }

    /// The latest dry run of the rules.
    #[must_use]
    pub fn saving_dry_run(&self) -> Slot<DryRun> {
        Slot::at(self.single(Kind::Run, "SAVINGDRY".to_owned()))
    }

    /// How far what is saved has followed its entities into a directory version.
    #[must_use]
    pub fn following_pass(&self) -> Slot<Pass<MatchRunId>> {
        Slot::at(self.single(Kind::Run, "FOLLOWING".to_owned()))
    }

    /// Everything that a bucket holds saved, of any seat.
    #[must_use]
    pub fn all_saved(&self, bucket: u32) -> Series<Saved> {
        Series::whole(self.partition(Kind::Saved, bucket))
    }

    /// An entity saved for a seat.
    #[must_use]
    pub fn saved(&self, seat: SeatId, list: &str, entity: &EntityId) -> Slot<Saved> {
        Slot::at(self.by(Kind::Saved, &seat.to_string(), format!("{seat}#{list}#{entity}")))
    }

    /// A seat's list.
    #[must_use]
    pub fn saved_list(&self, seat: SeatId, list: &str) -> Series<Saved> {
        let id = seat.to_string();
        Series::under(self.partition(Kind::Saved, self.bucket(&id)), format!("{seat}#{list}#"))
    }
}
