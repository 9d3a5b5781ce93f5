//! The keys of activities.

use super::{Activity, Lane};
use crate::kernel::ActivityId;
use crate::store::Slot;
use crate::store::keys::{GenerationKeys, Kind};

impl GenerationKeys {
    /// An activity.
    #[must_use]
    pub fn activity(&self, activity: ActivityId) -> Slot<Activity> {
        Slot::at(self.by(Kind::Activity, &activity.to_string(), format!("ACT#{activity}")))
    }

    /// The lane that keeps the order of the activities about one record.
    #[must_use]
    pub fn lane(&self, record: &str) -> Slot<Lane> {
        Slot::at(self.by(Kind::Activity, record, format!("LANE#{record}")))
    }
}
