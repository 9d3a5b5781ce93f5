//! The keys of activities.

use matching::EntityKind;

use super::{Activity, Lane};
use crate::kernel::{ActivityId, entity_kind_name};
use crate::salesforce::SalesforceId;
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Marker, Series, Slot};

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

    /// The marker that an activity waits for the record of its entity, which has this name under
    /// the data key.
    #[must_use]
    pub fn waiting(&self, kind: EntityKind, name: &str, activity: ActivityId) -> Slot<Marker> {
        let sk = format!("{}{activity}", waiting_for(kind, name));
        Slot::at(self.by(Kind::Activity, name, sk))
    }

    /// The activities that wait for the record of the entity of a name, by their ids.
    #[must_use]
    pub fn all_waiting(&self, kind: EntityKind, name: &str) -> Series<Marker> {
        let bucket = self.bucket(name);
        Series::under(self.partition(Kind::Activity, bucket), waiting_for(kind, name))
    }
}

fn waiting_for(kind: EntityKind, name: &str) -> String {
    format!("WAITING#{}#{name}#", entity_kind_name(kind))
}
