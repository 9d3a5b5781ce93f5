//! The keys of activities.

use jiff::Timestamp;
use matching::EntityKind;

use super::{Activity, AtPlace, Conversation, Lane, SeatList, TakenRow};
use crate::kernel::{ActivityId, SeatId, entity_kind_name};
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

    /// Who rests at a place of a record's lane.
    #[must_use]
    pub fn place(&self, record: SalesforceId, place: u64) -> Slot<AtPlace> {
        let sk = format!("PLACE#{record}#{place}");
        Slot::at(self.by(Kind::Activity, record.as_str(), sk))
    }

    /// For which activity a row of the CRM was taken that somebody else had made.
    #[must_use]
    pub fn taken_row(&self, row: SalesforceId) -> Slot<TakenRow> {
        Slot::at(self.by(Kind::Activity, row.as_str(), format!("TAKEN#{row}")))
    }

    /// The entry of an activity in a list of its seat's. A list is in the order of the activities.
    #[must_use]
    pub fn seat_entry(
        &self,
        seat: SeatId,
        list: &SeatList,
        occurred_at: Timestamp,
        activity: ActivityId,
    ) -> Slot<Marker> {
        let time = occurred_at.strftime("%Y-%m-%dT%H:%M:%SZ");
        let sk = format!("SEAT#{seat}#{}{time}#{activity}", list.name());
        Slot::at(self.by(Kind::Activity, &seat.to_string(), sk))
    }

    /// A list of a seat's activities.
    #[must_use]
    pub fn seat_list(&self, seat: SeatId, list: &SeatList) -> Series<Marker> {
        let bucket = self.bucket(&seat.to_string());
        let prefix = format!("SEAT#{seat}#{}", list.name());
        Series::under(self.partition(Kind::Activity, bucket), prefix)
    }

    /// A seller's switch for the conversation that has this name under the data key.
    #[must_use]
    pub fn conversation(&self, seat: SeatId, name: &str) -> Slot<Conversation> {
        let sk = format!("CONVERSATION#{seat}#{name}");
        Slot::at(self.by(Kind::Activity, &seat.to_string(), sk))
    }

    /// A seller's switches for conversations.
    #[must_use]
    pub fn conversations_of(&self, seat: SeatId) -> Series<Conversation> {
        let bucket = self.bucket(&seat.to_string());
        Series::under(self.partition(Kind::Activity, bucket), format!("CONVERSATION#{seat}#"))
    }

    /// A bucket's switches for conversations.
    #[must_use]
    pub fn conversations(&self, bucket: u32) -> Series<Conversation> {
        Series::under(self.partition(Kind::Activity, bucket), "CONVERSATION#".to_owned())
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
