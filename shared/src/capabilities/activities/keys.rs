//! The keys of activities.

use matching::EntityKind;

use super::{Activity, Lane};
use crate::kernel::{ActivityId, EntityId, entity_kind_name};
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

    /// The marker that an activity waits for the record of its entity.
    #[must_use]
    pub fn waiting(
        &self,
        kind: EntityKind,
        entity: &EntityId,
        activity: ActivityId,
    ) -> Slot<Marker> {
        let sk = format!("{}{activity}", waiting_for(kind, entity));
        Slot::at(self.by(Kind::Activity, entity.as_str(), sk))
    }

    /// The activities that wait for the record of an entity, by their ids.
    #[must_use]
    pub fn all_waiting(&self, kind: EntityKind, entity: &EntityId) -> Series<Marker> {
        let bucket = self.bucket(entity.as_str());
        Series::under(self.partition(Kind::Activity, bucket), waiting_for(kind, entity))
    }
}

fn waiting_for(kind: EntityKind, entity: &EntityId) -> String {
    format!("WAITING#{}#{entity}#", entity_kind_name(kind))
}
