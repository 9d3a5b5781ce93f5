//! The keys of saved things.

use super::{DryRun, Pass, Saved, SavedList, Tally, Undoing};
use crate::kernel::{EntityId, ImportRunId, MatchRunId, SeatId};
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

    /// The latest undoing of what auto-save saved.
    #[must_use]
    pub fn saving_undone(&self) -> Slot<Undoing> {
        Slot::at(self.single(Kind::Run, "SAVINGUNDONE".to_owned()))
    }

    /// How far the pass is that lets go what no rule calls for, after an import run.
    #[must_use]
    pub fn unsaving_pass(&self) -> Slot<Pass<ImportRunId>> {
        Slot::at(self.single(Kind::Run, "UNSAVING".to_owned()))
    }

    /// How much a list of a seat holds.
    #[must_use]
    pub fn tally(&self, seat: SeatId, list: SavedList) -> Slot<Tally> {
        Slot::at(self.single(Kind::Run, format!("TALLY#{seat}#{}", list.as_str())))
    }

    /// How much each list holds, by seat.
    #[must_use]
    pub fn tallies(&self) -> Series<Tally> {
        Series::under(self.partition(Kind::Run, 0), "TALLY#".to_owned())
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
