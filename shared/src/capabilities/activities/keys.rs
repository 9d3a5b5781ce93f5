//! The keys of activities.

use super::{Activity, Lane};
use crate::kernel::ActivityId;
use crate::salesforce::SalesforceId;
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Series, Slot};

impl GenerationKeys {
    /// An activity.
    #[must_use]
    pub fn activity(&self, activity: ActivityId) -> Slot<Activity> {
        Slot::at(self.by(Kind::Activity, &activity.to_string(), format!("ACT#{activity}")))
    }

    /// A bucket's activities.
    #[must_use]
    pub fn activities(&self, bucket: u32) -> Series<Activity> {
        Series::under(self.partition(Kind::Activity, bucket), "ACT#".to_owned())
    }

    /// The lane that keeps the order of the activities about one record.
    #[must_use]
    pub fn lane(&self, record: SalesforceId) -> Slot<Lane> {
        Slot::at(self.by(Kind::Activity, record.as_str(), format!("LANE#{record}")))
    }
}
