//! The lines that belong to an org, behind the line of its connection. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use matching::EntityKind;
use serde::{Deserialize, Serialize};

use crate::capabilities::activities::{
    Activity, ActivityKind, ActivityState, ActivityTarget, ActivityText, Conversation,
};
use crate::capabilities::changing::{Bulk, Change, ChangeValues};
use crate::capabilities::linking::{
    Correction, MatchSource, ModelChoice, ModelState, Ruling, Said, ShadowCounts, ShadowCursor,
    TunedModel,
};
use crate::capabilities::lists::{List, ListEntry};
use crate::capabilities::saving::{Saved, SavedList, SavedReason};
use crate::kernel::{ActivityId, EntityId, Environment, ModelId, SObject, SeatId};
use crate::salesforce::SalesforceId;

/// The org to which the lines behind it belong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedConnection {
    /// The environment.
    pub environment: Environment,
    /// The org's 18-character id.
    pub org_id: SalesforceId,
    /// The org's name, for the person who connects it anew.
    pub org_name: String,
}

/// A model that is ready.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedModel {
    /// Its id.
    pub model: ModelId,
    /// The model in whose shadow it ran.
    pub beside: ModelChoice,
    /// Corrected records that it learnt from, by object.
    pub labels: BTreeMap<SObject, u64>,
    /// The decisions that it would change, by object.
    pub shadow: BTreeMap<SObject, ShadowCounts>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its shadow run was over.
    pub finished_at: Option<Timestamp>,
    /// The model itself, as the engine writes it.
    pub content: String,
}

/// The model in use.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedChoice {
    /// Which of the tenant's own.
    pub model: ModelId,
}

/// A record's corrections.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedCorrection {
    /// The record's object.
    pub object: SObject,
    /// The record.
    pub record: SalesforceId,
    /// The entity that it is.
    pub always: Option<EntityId>,
    /// The entities that it is not.
    pub never: Vec<EntityId>,
    /// The source of the link.
    pub source: MatchSource,
    /// When it was linked.
    pub since: Option<Timestamp>,
    /// Who said what, the last one last.
    pub history: Vec<Said>,
}

/// Something saved for a seat.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedSaved {
    /// For whom.
    pub seat: SeatId,
    /// In which list.
    pub list: SavedList,
    /// The directory entity.
    pub entity: EntityId,
    /// The record's object.
    pub object: SObject,
    /// The record that it was matched to.
    pub record: SalesforceId,
    /// Why.
    pub reasons: Vec<SavedReason>,
    /// When.
    pub saved_at: Timestamp,
    /// Under which revision of the settings.
    #[serde(default)]
    pub rules: u64,
}

/// A seller's switch for a conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedConversation {
    /// Whose.
    pub seat: SeatId,
    /// The product's own name of the conversation.
    pub conversation: String,
    /// True if it is logged.
    pub log: bool,
}

/// An activity, with its text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedActivity {
    /// Its id, by which its row in the CRM is recognised.
    pub activity: ActivityId,
    /// Who did it.
    pub seat: SeatId,
    /// The kind of thing it was.
    pub activity_kind: ActivityKind,
    /// A person or a company.
    pub entity_kind: EntityKind,
    /// Which one.
    pub entity: EntityId,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// The digest of the request.
    pub digest: String,
    /// The CRM record that it is about.
    pub target: Option<ActivityTarget>,
    /// Where its logging stands.
    pub state: ActivityState,
    /// Counts the steps of its logging.
    pub tries: u32,
    /// The subject (InMail).
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// Where a Smart Link leads. Lines of earlier releases have none of what follows.
    #[serde(default)]
    pub link: Option<String>,
    /// From where it was viewed.
    #[serde(default)]
    pub location: Option<String>,
    /// The opportunity that the seller chose.
    #[serde(default)]
    pub opportunity: Option<SalesforceId>,
}

impl MovedModel {
    /// A model as a line has it; none while it is being made, or if it came to nothing.
    #[must_use]
    pub fn of(model: TunedModel, content: String) -> Option<Self> {
        let TunedModel { id, state, beside, labels, shadow, created_at, finished_at, .. } = model;
        (state == ModelState::Ready).then_some(Self {
            model: id,
            beside,
            labels,
            shadow,
            created_at,
            finished_at,
            content,
        })
    }

    /// The model that the line tells of, and its content.
    #[must_use]
    pub fn into_model(self) -> (TunedModel, String) {
        let model = TunedModel {
            id: self.model,
            state: ModelState::Ready,
            beside: self.beside,
            step: 0,
            labels: self.labels,
            cursor: ShadowCursor::default(),
            shadow: self.shadow,
            created_at: self.created_at,
            finished_at: self.finished_at,
        };
        (model, self.content)
    }
}

impl MovedSaved {
    /// Something saved, as a line has it.
    #[must_use]
    pub fn of(saved: Saved) -> Self {
        let Saved { seat, list, entity, object, record, reasons, saved_at, rules, uncalled: _ } =
            saved;
        Self { seat, list, entity, object, record, reasons, saved_at, rules }
    }

    /// What the line tells of.
    #[must_use]
    pub fn into_saved(self) -> Saved {
        let Self { seat, list, entity, object, record, reasons, saved_at, rules } = self;
        let uncalled = None; // its days begin anew in its new home
        Saved { seat, list, entity, record, object, reasons, saved_at, rules, uncalled }
    }
}

impl MovedCorrection {
    /// The corrections as a line has them.
    #[must_use]
    pub fn of(correction: Correction) -> Self {
        let Correction { object, id, ruling: Ruling { always, never, source, since }, history } =
            correction;
        Self { object, record: id, always, never, source, since, history }
    }

    /// The corrections that the line tells of.
    #[must_use]
    pub fn into_correction(self) -> Correction {
        let Self { object, record, always, never, source, since, history } = self;
        let ruling = Ruling { always, never, source, since };
        Correction { object, id: record, ruling, history }
    }
}

impl MovedConversation {
    /// The switch as a line has it.
    #[must_use]
    pub fn of(said: Conversation) -> Self {
        let Conversation { seat, name: conversation, log } = said;
        Self { seat, conversation, log }
    }

    /// The switch that the line tells of.
    #[must_use]
    pub fn into_conversation(self) -> Conversation {
        let Self { seat, conversation: name, log } = self;
        Conversation { seat, name, log }
    }
}

/// A change that a seller wants in the CRM, with its values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedChange {
    /// The change, with where it stands.
    pub change: Change,
    /// Its values, those that were there before, and why it was refused.
    pub values: ChangeValues,
}

/// Which changes a seller approved together.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedBulk {
    /// Their ids.
    pub bulk: Bulk,
}

/// A list that a seller keeps.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedList {
    /// As it is kept.
    pub list: List,
}

/// Something in a list that a seller keeps.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedListEntry {
    /// As it is kept.
    pub entry: ListEntry,
}

impl MovedActivity {
    /// The activity as a line has it.
    #[must_use]
    pub fn of(activity: Activity, text: ActivityText) -> Self {
        let Activity {
            id,
            seat,
            kind,
            entity_kind,
            entity,
            occurred_at,
            digest,
            target,
            opportunity,
            state,
            tries,
        } = activity;
        let ActivityText { subject, body, link, location } = text;
        Self {
            activity: id,
            seat,
            activity_kind: kind,
            entity_kind,
            entity,
            occurred_at,
            digest,
            target,
            state,
            tries,
            subject,
            body,
            link,
            location,
            opportunity,
        }
    }

    /// The activity that the line tells of, and its text.
    #[must_use]
    pub fn into_activity(self) -> (Activity, ActivityText) {
        let Self { subject, body, link, location, .. } = self;
        let text = ActivityText { subject, body, link, location };
        let activity = Activity {
            id: self.activity,
            seat: self.seat,
            kind: self.activity_kind,
            entity_kind: self.entity_kind,
            entity: self.entity,
            occurred_at: self.occurred_at,
            digest: self.digest,
            target: self.target,
            opportunity: self.opportunity,
            state: self.state,
            tries: self.tries,
        };
        (activity, text)
    }
}
