//! The CRM row that an activity becomes. Pure.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{Activity, ActivityKind, ActivityText};
use crate::kernel::SObject;
use crate::salesforce::SalesforceId;

/// A row to create in the CRM.
#[derive(Clone, PartialEq, Eq)]
pub struct CrmRow {
    /// `Task` or `Note`: activities become no other object.
    pub object: SObject,
    /// The fields.
    pub fields: Map<String, Value>,
}

/// `Task.Subject` holds 255 characters, `Note.Title` 80, long texts 32,000.
const SUBJECT_LEN: usize = 255;
const TITLE_LEN: usize = 80;
const TEXT_LEN: usize = 32_000;

/// The row that an activity becomes. `product` is the product's name in subjects, and `owner` the
/// seat's CRM user. A text that is too long is cut and ends in an ellipsis; the marker stays whole.
#[must_use]
pub fn crm_row(
    activity: &Activity,
    text: &ActivityText,
    record: SalesforceId,
    product: &str,
    owner: SalesforceId,
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
                "ParentId": record,
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
                "WhoId": record,
                "OwnerId": owner,
                "Status": "Completed",
                "ActivityDate": day(activity.occurred_at, time_zone).to_string(),
            })),
        },
    }
}

fn task_subject(kind: ActivityKind, text: &ActivityText, product: &str) -> String {
    match (kind, text.subject.as_deref().map(str::trim)) {
        // An en dash: the product's texts are written so.
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

#[cfg(test)]
mod tests {
    use matching::EntityKind;

    use super::*;
    use crate::capabilities::activities::ActivityState;
    use crate::kernel::{ActivityId, SeatId};
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
            state: ActivityState::Queued,
            tries: 0,
        }
    }

    fn record() -> SalesforceId {
        record_id("003", 1)
    }

    fn row(kind: ActivityKind, subject: Option<&str>, body: &str) -> CrmRow {
        let text = ActivityText { subject: subject.map(str::to_owned), body: body.into() };
        let zone = TimeZone::get("America/New_York").unwrap();
        let owner = "005000000000001AAA".parse().unwrap();
        crm_row(&activity(kind), &text, record(), "Sales Navigator", owner, &zone)
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
