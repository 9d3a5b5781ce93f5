//! What a seller did, and the row that it becomes in the CRM.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use matching::EntityKind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::kernel::{ActivityId, SObject, SeatId};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// A message to a connection.
    Message,
    /// A message to somebody who is none.
    Inmail,
    /// A note about a person or a company.
    Note,
}

/// Why an activity waits.
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
    /// A request was claimed; whether Salesforce has it is not known yet.
    Claimed {
        /// When, by Salesforce's clock: rows made before cannot be this activity.
        server_time: Timestamp,
        /// When, by ours.
        at: Timestamp,
        /// How often Salesforce was asked whether it has the row.
        lookups: u32,
    },
    /// It is in the CRM.
    Logged {
        /// The row's id.
        salesforce_id: String,
    },
    /// It cannot be logged.
    Failed {
        /// Salesforce's error code, or ours.
        code: String,
        /// What it said.
        message: String,
    },
}

/// The CRM record that an activity is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityTarget {
    /// The record's object: Lead, Contact or Account.
    pub object: SObject,
    /// The record's id.
    pub record: String,
    /// The record whose activities keep their order among each other: the account where there is one.
    pub lane: String,
    /// This activity's place in the lane, from 1.
    pub place: u64,
}

/// An activity, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Its id, derived from the seat and the caller's idempotency key.
    pub id: ActivityId,
    /// Who did it.
    pub seat: SeatId,
    /// What it was.
    pub kind: ActivityKind,
    /// A person or a company.
    pub entity_kind: EntityKind,
    /// Which one.
    pub entity: String,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// The digest of the request, to tell a repetition from a reused key.
    pub digest: String,
    /// What it is about in the CRM, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<ActivityTarget>,
    /// Where its logging stands.
    #[serde(flatten)]
    pub state: ActivityState,
    /// How often logging was tried and put off.
    #[serde(default)]
    pub tries: u32,
}

impl Activity {
    /// The opaque text by which the row is recognised in the CRM.
    #[must_use]
    pub fn marker(&self) -> String {
        format!("[ref {}]", self.id.to_string().trim_start_matches("act_"))
    }
}

/// The order of the activities about one record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// The last place given out.
    pub given: u64,
    /// The last place that came to an end, all before it too.
    pub done: u64,
}

/// An activity's text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityText {
    /// The subject (InMail).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The body.
    pub body: String,
}

impl fmt::Debug for ActivityText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivityText([redacted])")
    }
}

/// A row to create in the CRM.
#[derive(Clone, PartialEq, Eq)]
pub struct CrmRow {
    /// `Task` or `Note`: the write allow-list for activities (product decisions 1).
    pub object: SObject,
    /// The fields.
    pub fields: Map<String, Value>,
}

/// `Task.Subject` holds 255 characters, `Note.Title` 80, long texts 32,000.
const SUBJECT_LEN: usize = 255;
const TITLE_LEN: usize = 80;
const TEXT_LEN: usize = 32_000;

/// The row that an activity becomes (specification 2.7, product decisions 11). `product` is the
/// product's name in subjects, `owner` the seat's CRM user. Texts that are too long are cut, with
/// an ellipsis; the marker always stays whole.
#[must_use]
pub fn crm_row(
    activity: &Activity,
    text: &ActivityText,
    target: &ActivityTarget,
    product: &str,
    owner: &str,
    time_zone: &TimeZone,
) -> CrmRow {
    let marker = activity.marker();
    let long = |body: &str| {
        let room = TEXT_LEN - marker.len() - 2;
        format!("{}\n\n{marker}", cut(body, room))
    };
    match activity.kind {
        ActivityKind::Note => CrmRow {
            object: SObject::Note,
            fields: object(json!({
                "ParentId": target.record,
                "Title": cut(&format!("Notes from {product}"), TITLE_LEN),
                "Body": long(&text.body),
                "OwnerId": owner,
            })),
        },
        ActivityKind::Message | ActivityKind::Inmail => CrmRow {
            object: SObject::Task,
            fields: object(json!({
                "Subject": cut(&task_subject(activity.kind, text, product), SUBJECT_LEN),
                "Description": long(&text.body),
                "WhoId": target.record,
                "OwnerId": owner,
                "Status": "Completed",
                "ActivityDate": day(activity.occurred_at, time_zone).to_string(),
            })),
        },
    }
}

fn task_subject(kind: ActivityKind, text: &ActivityText, product: &str) -> String {
    match (kind, text.subject.as_deref().map(str::trim)) {
        // An en dash, as in the documents.
        (ActivityKind::Inmail, Some(subject)) if !subject.is_empty() => {
            format!("InMail sent from {product} – {subject}")
        }
        (ActivityKind::Inmail, _) => format!("InMail sent from {product}"),
        _ => format!("Message sent from {product}"),
    }
}

/// The day of the activity in the seller's time zone.
fn day(at: Timestamp, time_zone: &TimeZone) -> Date {
    at.to_zoned(time_zone.clone()).date()
}

/// The text's first `max` UTF-16 units, as Salesforce counts, ending in an ellipsis when cut.
fn cut(text: &str, max: usize) -> String {
    if text.encode_utf16().count() <= max {
        return text.to_owned();
    }
    let mut used = 1; // the ellipsis
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += c.len_utf16();
            used <= max
        })
        .collect();
    kept + "…"
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The earliest time of an activity that may be logged (specification 2.7: 2021-06-23).
#[must_use]
pub fn earliest_activity() -> Timestamp {
    Timestamp::from_second(1_624_406_400).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(kind: ActivityKind) -> Activity {
        Activity {
            id: ActivityId::derived("a"),
            seat: SeatId::derived("s"),
            kind,
            entity_kind: EntityKind::Person,
            entity: "pr_1".into(),
            occurred_at: "2026-03-01T02:30:00Z".parse().unwrap(),
            digest: String::new(),
            target: None,
            state: ActivityState::Queued,
            tries: 0,
        }
    }

    fn target() -> ActivityTarget {
        ActivityTarget {
            object: SObject::Contact,
            record: "003A".into(),
            lane: "001A".into(),
            place: 1,
        }
    }

    fn row(kind: ActivityKind, subject: Option<&str>, body: &str) -> CrmRow {
        let text = ActivityText { subject: subject.map(str::to_owned), body: body.into() };
        let zone = TimeZone::get("America/New_York").unwrap();
        crm_row(&activity(kind), &text, &target(), "Sales Navigator", "005A", &zone)
    }

    #[test]
    fn subjects_are_those_of_the_documents() {
        let subject = |kind, s| row(kind, s, "hi").fields["Subject"].clone();
        assert_eq!(subject(ActivityKind::Message, None), "Message sent from Sales Navigator");
        assert_eq!(
            subject(ActivityKind::Inmail, Some("Hello")),
            "InMail sent from Sales Navigator – Hello"
        );
        assert_eq!(subject(ActivityKind::Inmail, Some(" ")), "InMail sent from Sales Navigator");
        let note = row(ActivityKind::Note, None, "hi");
        assert_eq!(
            (note.object, &note.fields["Title"]),
            (SObject::Note, &json!("Notes from Sales Navigator"))
        );
    }

    #[test]
    fn the_day_is_the_sellers() {
        assert_eq!(row(ActivityKind::Message, None, "hi").fields["ActivityDate"], "2026-02-28");
    }

    #[test]
    fn a_long_text_is_cut_and_keeps_its_marker() {
        let fields = row(ActivityKind::Inmail, Some(&"x".repeat(400)), &"😀".repeat(20_000)).fields;
        assert_eq!(fields["Subject"].as_str().unwrap().encode_utf16().count(), 255);
        let body = fields["Description"].as_str().unwrap();
        assert!(body.encode_utf16().count() <= 32_000);
        assert!(body.ends_with(&activity(ActivityKind::Inmail).marker()));
    }
}
