//! An activity, and its way into the CRM. Pure.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use matching::EntityKind;
use serde::{Deserialize, Serialize};

use super::{ActivityKind, CrmObject};
use crate::kernel::{ActivityId, EntityId, RecordRef, SObject, SeatId};
use crate::salesforce::SalesforceId;

/// The reason for which an activity waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The person or company is not linked to a CRM record.
    NoCrmRecord,
    /// The seat has not authorized the product in the CRM, or must do it again.
    CrmLoginRequired,
    /// The connection does not work until an admin acts.
    ReconnectRequired,
}

/// The reason for which an activity is not logged, and never was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotLogged {
    /// It is a note for its author alone.
    PrivateNote,
    /// The seller turned logging off, for this one or for all of its type.
    SellerChoice,
    /// The seller turned logging off for the conversation.
    ConversationOff,
}

/// Where an activity's logging stands. The activity itself was delivered long before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ActivityState {
    /// It waits for its turn.
    Queued,
    /// It waits for a person.
    Held {
        /// For what.
        reason: HoldReason,
    },
    /// A request was claimed. It is not known yet whether Salesforce has the row.
    Claimed {
        /// When, by Salesforce's clock. A row made before cannot be this activity.
        server_time: Timestamp,
        /// When, by ours.
        at: Timestamp,
        /// Counts the looks for the row in the CRM.
        lookups: u32,
        /// The object that the row is to be of; in claims of earlier releases, the kind's classic
        /// one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object: Option<CrmObject>,
    },
    /// It is in the CRM.
    Logged {
        /// The row's id.
        salesforce_id: SalesforceId,
    },
    /// The CRM had it already: somebody logged it there, or the product did before it was connected
    /// anew. Nothing was written.
    LoggedBefore {
        /// The id of the row that says it.
        salesforce_id: SalesforceId,
    },
    /// It cannot be logged.
    Failed {
        /// Salesforce's error code, or ours.
        code: String,
        /// Salesforce's words.
        message: String,
    },
    /// It is not to be logged. Its text is not kept.
    NotLogged {
        /// Who said so.
        reason: NotLogged,
    },
    /// Somebody took it back before it was claimed. Its text is not kept.
    Withdrawn,
}

impl ActivityState {
    /// True if it has its turn in a lane before it, or is at it: others wait behind it.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        matches!(self, Self::Queued | Self::Claimed { .. })
    }

    /// True if it came to no end yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_under_way() || matches!(self, Self::Held { .. })
    }
}

/// The place of an activity that waits outside its lane: it is always its turn.
pub const OUTSIDE_ITS_LANE: u64 = 0;

/// The CRM record that an activity is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityTarget {
    /// The record's object: Lead, Contact or Account.
    pub object: SObject,
    /// The record's id.
    pub record: SalesforceId,
    /// The record whose activities keep their order: the account where there is one.
    pub lane: SalesforceId,
    /// This activity's place in the lane, from 1; [`OUTSIDE_ITS_LANE`] where it has none.
    pub place: u64,
}

/// An activity, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Its id, derived from the seat and the caller's idempotency key.
    pub id: ActivityId,
    /// Who did it.
    pub seat: SeatId,
    /// The kind of thing it was.
    pub kind: ActivityKind,
    /// A person or a company.
    pub entity_kind: EntityKind,
    /// Which one.
    pub entity: EntityId,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// The digest of the request, to tell a repetition from a reused key.
    pub digest: String,
    /// The record that it is to be logged on, or was, as of the last look: which one it is is asked
    /// anew whenever something is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ActivityTarget>,
    /// The opportunity that the seller chose for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opportunity: Option<SalesforceId>,
    /// Where its logging stands.
    #[serde(flatten)]
    pub state: ActivityState,
    /// Counts the steps of its logging; each try is one or two of them.
    #[serde(default)]
    pub tries: u32,
}

impl ActivityTarget {
    /// The record.
    #[must_use]
    pub fn record(&self) -> RecordRef {
        RecordRef { object: self.object, id: self.record }
    }

    /// True if the activity has a place in its lane.
    #[must_use]
    pub fn has_place(&self) -> bool {
        self.place != OUTSIDE_ITS_LANE
    }
}

impl Activity {
    /// The opaque text by which the row is recognised in the CRM.
    #[must_use]
    pub fn marker(&self) -> String {
        format!("[ref {}]", self.id.to_string().trim_start_matches("act_"))
    }
}

/// A request to Salesforce may commit for ten minutes. What is not there after these eleven never
/// comes.
pub const NEVER_COMES_AFTER: SignedDuration = SignedDuration::from_mins(11);

/// When a claim of unknown outcome is looked up: after so long since it was made.
const LOOKUPS: [SignedDuration; 3] =
    [SignedDuration::from_secs(10), SignedDuration::from_mins(1), NEVER_COMES_AFTER];

/// The waits between tries that Salesforce refused for a passing reason, a locked row most often.
/// It has waited for the lock itself before it refuses, and a lane waits with its first: so the
/// first wait is short.
const BACKOFF: [u64; 6] = [1, 5, 20, 60, 300, 900];

/// The next thing to do about a claim of unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLookup {
    /// It is too early to look.
    Wait(Duration),
    /// The CRM is to be asked for the row.
    Look,
    /// Every look found nothing: Salesforce does not have the row and never will.
    Over,
}

impl NextLookup {
    /// The next thing at `now`, when `lookups` looks found nothing since the claim was made at
    /// `at`.
    #[must_use]
    pub fn of(at: Timestamp, lookups: u32, now: Timestamp) -> Self {
        let wait = usize::try_from(lookups).ok().and_then(|n| LOOKUPS.get(n));
        let Some(&wait) = wait else { return Self::Over };
        let left = (at + wait).duration_since(now);
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => Self::Wait(left),
            _ => Self::Look,
        }
    }
}

/// The wait before an activity is tried again that was refused after so many steps. Each try is two
/// of them: its claim, and its way back into the queue.
#[must_use]
pub fn backoff(tries: u32) -> Duration {
    let last = BACKOFF.len() - 1;
    let step = (tries / 2).saturating_sub(1);
    let step = usize::try_from(step).unwrap_or(last).min(last);
    Duration::from_secs(BACKOFF[step])
}

impl Activity {
    /// True if it waits for the record of its entity.
    #[must_use]
    pub fn waits_for_record(&self) -> bool {
        self.state == ActivityState::Held { reason: HoldReason::NoCrmRecord }
    }

    /// The activity with its record as it is now. It keeps its place in its lane; without one it
    /// waits outside.
    #[must_use]
    pub fn about(&self, record: RecordRef) -> Self {
        let before = self.target.as_ref();
        let target = ActivityTarget {
            object: record.object,
            record: record.id,
            lane: before.map_or(record.id, |target| target.lane),
            place: before.map_or(OUTSIDE_ITS_LANE, |target| target.place),
        };
        Self { target: Some(target), ..self.clone() }
    }

    /// The activity one step on, in another state.
    #[must_use]
    pub fn moved_to(&self, state: ActivityState) -> Self {
        Self { state, tries: self.tries + 1, ..self.clone() }
    }

    /// The activity back in the queue, where it failed: it waits outside its lane, whose order went
    /// on without it.
    #[must_use]
    pub fn retried(&self) -> Self {
        let target = self.target.clone();
        let target = target.map(|target| ActivityTarget { place: OUTSIDE_ITS_LANE, ..target });
        Self { state: ActivityState::Queued, target, tries: 0, ..self.clone() }
    }

    /// True if trying it again may log it, and can never log it twice. Of one whose seller left it
    /// may be unknown whether it was logged.
    #[must_use]
    pub fn can_be_retried(&self) -> bool {
        matches!(&self.state, ActivityState::Failed { code, .. } if code != SEAT_REMOVED)
    }

    /// True if it can be taken back: nothing was asked of the CRM whose outcome is unknown, and
    /// nothing is there.
    #[must_use]
    pub fn can_be_withdrawn(&self) -> bool {
        match self.state {
            ActivityState::Queued | ActivityState::Held { .. } | ActivityState::Failed { .. } => {
                true
            }
            ActivityState::Claimed { .. }
            | ActivityState::Logged { .. }
            | ActivityState::LoggedBefore { .. }
            | ActivityState::NotLogged { .. }
            | ActivityState::Withdrawn => false,
        }
    }

    /// True if it waits for somebody to authorize: it is on hold for that, or its claim could not
    /// be looked up.
    #[must_use]
    pub fn waits_for_grant(&self) -> bool {
        match self.state {
            ActivityState::Held { reason } => reason != HoldReason::NoCrmRecord,
            ActivityState::Claimed { .. } => true,
            ActivityState::Queued
            | ActivityState::Logged { .. }
            | ActivityState::LoggedBefore { .. }
            | ActivityState::Failed { .. }
            | ActivityState::NotLogged { .. }
            | ActivityState::Withdrawn => false,
        }
    }
}

/// Our code for an activity whose seller left before it was logged.
pub const SEAT_REMOVED: &str = "SEAT_REMOVED";

/// Our code for an activity about a lead that was converted, where an admin has these refused.
pub const LEAD_CONVERTED: &str = "LEAD_CONVERTED";

/// The order of the activities about one record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// The last place given out.
    pub given: u64,
    /// The last place that came to an end, all before it too.
    pub done: u64,
}

impl Lane {
    /// Gives out the next place.
    pub fn take_place(&mut self) -> u64 {
        self.given += 1;
        self.given
    }

    /// True if everybody before `place` came to an end.
    #[must_use]
    pub fn is_turn_of(self, place: u64) -> bool {
        self.done + 1 >= place
    }

    /// The lane once `place` came to an end; none when it already had.
    #[must_use]
    pub fn without(self, place: u64) -> Option<Self> {
        (self.done < place).then_some(Self { done: place, ..self })
    }
}

/// Who rests at a place of a lane until the place before is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtPlace {
    /// The activity.
    pub activity: ActivityId,
}

/// A row of the CRM that was taken for an activity: it stands for no other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenRow {
    /// The activity.
    pub activity: ActivityId,
}

/// An activity's text.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityText {
    /// The subject of an `InMail`, or the title of a Smart Link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The body.
    pub body: String,
    /// Where a Smart Link leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// From where a Smart Link was viewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl fmt::Debug for ActivityText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivityText([redacted])")
    }
}

/// The earliest time of an activity that may be logged: 2021-06-23, when the product began to log.
#[must_use]
pub fn earliest_activity() -> Timestamp {
    Timestamp::from_second(1_624_406_400).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record_id;

    fn activity(kind: ActivityKind) -> Activity {
        Activity {
            id: ActivityId::derived("a"),
            seat: SeatId::derived("s"),
            kind,
            entity_kind: EntityKind::Person,
            entity: "pr_1".parse().unwrap(),
            occurred_at: "2026-03-01T02:30:00Z".parse().unwrap(),
            digest: String::new(),
            target: None,
            opportunity: None,
            state: ActivityState::Queued,
            tries: 0,
        }
    }

    #[test]
    fn a_lane_gives_places_in_turn_and_moves_forward_only() {
        let mut lane = Lane::default();
        assert_eq!((lane.take_place(), lane.take_place()), (1, 2));
        assert!(lane.is_turn_of(1) && !lane.is_turn_of(2));
        let lane = lane.without(1).unwrap();
        assert!(lane.is_turn_of(2));
        assert!(Lane { given: 5, done: 0 }.is_turn_of(OUTSIDE_ITS_LANE));
        assert_eq!(lane.without(OUTSIDE_ITS_LANE), None, "nobody's turn comes by it");
        assert_eq!(lane.without(1), None, "it ended before");
        assert_eq!(lane.without(2).unwrap(), Lane { given: 2, done: 2 });
    }

    #[test]
    fn a_claim_is_looked_up_three_times_in_eleven_minutes() {
        let claimed = Timestamp::UNIX_EPOCH;
        let after = |seconds| claimed + SignedDuration::from_secs(seconds);
        let wait = |seconds| NextLookup::Wait(Duration::from_secs(seconds));
        assert_eq!(NextLookup::of(claimed, 0, after(4)), wait(6));
        assert_eq!(NextLookup::of(claimed, 0, after(10)), NextLookup::Look);
        assert_eq!(NextLookup::of(claimed, 1, after(10)), wait(50));
        assert_eq!(NextLookup::of(claimed, 2, after(659)), wait(1));
        assert_eq!(NextLookup::of(claimed, 2, after(9_999)), NextLookup::Look);
        assert_eq!(NextLookup::of(claimed, 3, after(0)), NextLookup::Over);
    }

    #[test]
    fn refusals_are_tried_again_after_longer_and_longer() {
        let waits: Vec<u64> = (2..16).step_by(2).map(|tries| backoff(tries).as_secs()).collect();
        assert_eq!(waits, [1, 5, 20, 60, 300, 900, 900]);
        assert_eq!(backoff(u32::MAX), Duration::from_mins(15));
    }

    #[test]
    fn only_those_who_need_a_login_wait_for_a_grant() {
        let waits = |state| Activity { state, ..activity(ActivityKind::Note) }.waits_for_grant();
        let held = |reason| ActivityState::Held { reason };
        let server_time = Timestamp::UNIX_EPOCH;
        assert!(waits(held(HoldReason::CrmLoginRequired)));
        assert!(waits(held(HoldReason::ReconnectRequired)));
        assert!(!waits(held(HoldReason::NoCrmRecord)));
        assert!(waits(ActivityState::Claimed {
            server_time,
            at: server_time,
            lookups: 0,
            object: None
        }));
        assert!(!waits(ActivityState::Queued));
    }

    #[test]
    fn an_activity_that_gets_another_record_keeps_its_place() {
        let record = |n| RecordRef { object: SObject::Contact, id: record_id("003", n) };
        let waiting = activity(ActivityKind::Note).about(record(1));
        let target = waiting.target.clone().unwrap();
        assert_eq!((target.lane, target.place), (record(1).id, OUTSIDE_ITS_LANE));
        let (lane, place) = (record_id("001", 1), 3);
        let placed = Activity { target: Some(ActivityTarget { lane, place, ..target }), ..waiting };
        let target = placed.about(record(2)).target.unwrap();
        assert_eq!((target.record(), target.lane, target.place), (record(2), lane, place));
    }

    #[test]
    fn what_failed_is_tried_again_outside_its_lane_unless_its_seller_left() {
        let failed = |code: &str| ActivityState::Failed { code: code.into(), message: "m".into() };
        let of = |state| Activity { state, tries: 9, ..activity(ActivityKind::Note) };
        assert!(
            of(failed("REFUSED")).can_be_retried() && !of(failed(SEAT_REMOVED)).can_be_retried()
        );
        assert!(!of(ActivityState::Queued).can_be_retried());
        let record = RecordRef { object: SObject::Contact, id: record_id("003", 1) };
        let mut placed = of(failed("REFUSED")).about(record);
        placed.target.as_mut().unwrap().place = 7;
        let again = placed.retried();
        assert_eq!((again.tries, again.target.unwrap().place), (0, OUTSIDE_ITS_LANE));
    }

    #[test]
    fn what_was_claimed_cannot_be_taken_back() {
        let (server_time, at) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        let claimed = ActivityState::Claimed { server_time, at, lookups: 0, object: None };
        let can = |state| Activity { state, ..activity(ActivityKind::Note) }.can_be_withdrawn();
        assert!(can(ActivityState::Queued));
        assert!(can(ActivityState::Held { reason: HoldReason::NoCrmRecord }));
        assert!(!can(claimed) && !can(ActivityState::Withdrawn));
    }

    #[test]
    fn a_step_counts_as_a_try() {
        let claimed = activity(ActivityKind::Note).moved_to(ActivityState::Queued);
        assert_eq!((claimed.tries, claimed.state), (1, ActivityState::Queued));
    }
}
