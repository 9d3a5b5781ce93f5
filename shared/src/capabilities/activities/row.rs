//! The CRM row that an activity becomes. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{Activity, ActivityKind, ActivityText, CrmObject};
use crate::kernel::{RecordRef, SObject};
use crate::salesforce::SalesforceId;

/// A row to create in the CRM.
#[derive(Clone, PartialEq, Eq)]
pub struct CrmRow {
    /// The object: activities become no other one.
    pub object: CrmObject,
    /// The fields.
    pub fields: Map<String, Value>,
    /// The record to which a link of its own attaches it; the other objects name it in a field.
    pub attached_to: Option<SalesforceId>,
}

/// What a row is made with, beside the activity.
#[derive(Debug, Clone)]
pub struct RowMaking<'a> {
    /// The record that it is about.
    pub record: RecordRef,
    /// The seat's CRM user.
    pub owner: SalesforceId,
    /// The object that it is to be.
    pub object: CrmObject,
    /// The record type that an admin chose.
    pub record_type: Option<SalesforceId>,
    /// The product's name in subjects.
    pub product: &'a str,
    /// The seller's time zone: it says on which day the activity was.
    pub time_zone: &'a TimeZone,
}

/// `Task.Subject` holds 255 characters, `Note.Title` 80, long texts 32,000.
const SUBJECT_LEN: usize = 255;
const TITLE_LEN: usize = 80;
const TEXT_LEN: usize = 32_000;

/// The row that an activity becomes. A text that is too long is cut and ends in an ellipsis; the
/// marker stays whole.
#[must_use]
pub fn crm_row(activity: &Activity, text: &ActivityText, making: &RowMaking<'_>) -> CrmRow {
    let marker = activity.marker();
    let title = cut(&task_subject(ActivityKind::Note, text, making.product), TITLE_LEN);
    let record = making.record.id;
    let enhanced = match making.object {
        CrmObject::Note => false,
        CrmObject::ContentNote => true,
        CrmObject::Task => {
            let fields = object(task(activity, text, making, &marker));
            return CrmRow { object: CrmObject::Task, fields, attached_to: None };
        }
    };
    note_row(&title, &with_marker(&text.body, &marker), record, making.owner, enhanced)
}

/// A note at a record: classic, or enhanced.
pub(crate) fn note_row(
    title: &str,
    body: &str,
    record: SalesforceId,
    owner: SalesforceId,
    enhanced: bool,
) -> CrmRow {
    if enhanced {
        // Who makes an enhanced note owns it, and the call is made as the seller.
        let fields = json!({ "Title": title, "Content": STANDARD.encode(html(body)) });
        let attached_to = Some(record);
        return CrmRow { object: CrmObject::ContentNote, fields: object(fields), attached_to };
    }
    let fields = json!({ "ParentId": record, "Title": title, "Body": body, "OwnerId": owner });
    CrmRow { object: CrmObject::Note, fields: object(fields), attached_to: None }
}

fn task(activity: &Activity, text: &ActivityText, making: &RowMaking<'_>, marker: &str) -> Value {
    let subject = task_subject(activity.kind, text, making.product);
    let mut fields = json!({
        "Subject": cut(&subject, SUBJECT_LEN),
        "Description": with_marker(&description(activity.kind, text), marker),
        "WhoId": making.record.id,
        "OwnerId": making.owner,
        "Status": "Completed",
        "ActivityDate": day(activity.occurred_at, making.time_zone).to_string(),
    });
    if let Some(record_type) = making.record_type {
        fields["RecordTypeId"] = json!(record_type);
    }
    // Salesforce refuses a task that is related to both a lead and something else.
    let opportunity = activity.opportunity.filter(|_| making.record.object != SObject::Lead);
    if let Some(opportunity) = opportunity {
        fields["WhatId"] = json!(opportunity);
    }
    fields
}

/// How the subject of every row of a kind begins, whatever the product is called.
pub(super) fn subject_begins(kind: ActivityKind) -> &'static str {
    match kind {
        ActivityKind::Message => "Message sent from",
        ActivityKind::Inmail => "InMail sent from",
        ActivityKind::Call => "Phone Call from",
        ActivityKind::SmartLinkView => "Smart Link View from",
        ActivityKind::ConnectionRequest => "Connection Request sent from",
        ActivityKind::Note => "Notes from",
    }
}

/// A task's subject: its beginning, and its end where the kind has one. An en dash stands between:
/// the product's texts are written so.
fn task_subject(kind: ActivityKind, text: &ActivityText, product: &str) -> String {
    let begin = subject_begins(kind);
    let end = match kind {
        ActivityKind::Inmail | ActivityKind::SmartLinkView => text.subject.as_deref(),
        ActivityKind::ConnectionRequest => Some(text.body.as_str()),
        ActivityKind::Message | ActivityKind::Call | ActivityKind::Note => None,
    };
    // A subject is one line.
    let end = end.map(|end| end.split_whitespace().collect::<Vec<_>>().join(" "));
    match end.filter(|end| !end.is_empty()) {
        Some(end) => format!("{begin} {product} – {end}"),
        None => format!("{begin} {product}"),
    }
}

/// What a task says beside its subject.
pub(super) fn description(kind: ActivityKind, text: &ActivityText) -> String {
    if kind != ActivityKind::SmartLinkView {
        return text.body.clone();
    }
    let link = text.link.as_ref().map(|link| format!("Link: {link}"));
    let place = text.location.as_ref().map(|place| format!("Location: {place}"));
    let body = Some(text.body.clone()).filter(|body| !body.trim().is_empty());
    [link, place, body].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A long text with the activity's marker at its end, however long it is.
fn with_marker(body: &str, marker: &str) -> String {
    if body.trim().is_empty() {
        return marker.to_owned();
    }
    format!("{}\n\n{marker}", cut(body, TEXT_LEN - marker.len() - 2))
}

/// A text as HTML that shows it as it is, line by line.
fn html(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    format!("<p>{}</p>", escaped.replace("\r\n", "\n").replace('\n', "<br>"))
}

/// The day of the activity in the seller's time zone.
pub(super) fn day(at: Timestamp, time_zone: &TimeZone) -> Date {
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
    use strum::IntoEnumIterator;

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
            opportunity: None,
            state: ActivityState::Queued,
            tries: 0,
        }
    }

    fn made(activity: &Activity, text: &ActivityText, object: CrmObject) -> CrmRow {
        about(
            RecordRef { object: SObject::Contact, id: record_id("003", 1) },
            activity,
            text,
            object,
        )
    }

    fn about(
        record: RecordRef,
        activity: &Activity,
        text: &ActivityText,
        object: CrmObject,
    ) -> CrmRow {
        let making = RowMaking {
            record,
            owner: "005000000000001AAA".parse().unwrap(),
            object,
            record_type: None,
            product: "Sales Navigator",
            time_zone: &TimeZone::get("America/New_York").unwrap(),
        };
        crm_row(activity, text, &making)
    }

    fn text(subject: Option<&str>, body: &str) -> ActivityText {
        let subject = subject.map(str::to_owned);
        ActivityText { subject, body: body.to_owned(), ..ActivityText::default() }
    }

    fn row(kind: ActivityKind, subject: Option<&str>, body: &str) -> CrmRow {
        made(&activity(kind), &text(subject, body), kind.classic_object())
    }

    fn note_html(body: &str) -> String {
        let note = activity(ActivityKind::Note);
        let row = made(&note, &text(None, body), CrmObject::ContentNote);
        let html = STANDARD.decode(row.fields["Content"].as_str().unwrap()).unwrap();
        String::from_utf8(html).unwrap()
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
            (CrmObject::Note, &json!("Notes from Sales Navigator"))
        );
        assert_eq!(subject(ActivityKind::Call, Some("x")), "Phone Call from Sales Navigator");
        assert_eq!(
            subject(ActivityKind::SmartLinkView, Some("Our offer")),
            "Smart Link View from Sales Navigator – Our offer"
        );
        assert_eq!(
            subject(ActivityKind::ConnectionRequest, None),
            "Connection Request sent from Sales Navigator – hi"
        );
    }

    #[test]
    fn a_subject_is_one_line_and_ends_where_there_is_nothing_to_add() {
        let request = |body| row(ActivityKind::ConnectionRequest, None, body).fields;
        let several = request("Dear Ada,\r\n\tshall we?\n");
        let subject = "Connection Request sent from Sales Navigator – Dear Ada, shall we?";
        assert_eq!(several["Subject"], subject);
        assert_eq!(several["Description"].as_str().unwrap().lines().count(), 5, "as written");
        let silent = request(" ");
        assert_eq!(silent["Subject"], "Connection Request sent from Sales Navigator");
        let marker = activity(ActivityKind::ConnectionRequest).marker();
        assert_eq!(silent["Description"], marker.as_str());
    }

    #[test]
    fn a_smart_link_view_tells_its_link_and_its_place() {
        let view = activity(ActivityKind::SmartLinkView);
        let text = ActivityText {
            link: Some("https://l.example/1".to_owned()),
            location: Some("Oslo, Norway".to_owned()),
            ..text(Some("Our offer"), "")
        };
        let told = made(&view, &text, CrmObject::Task).fields["Description"].clone();
        let expected = "Link: https://l.example/1\nLocation: Oslo, Norway";
        assert_eq!(told, format!("{expected}\n\n{}", view.marker()));
    }

    #[test]
    fn i33_a_text_longer_than_its_field_is_cut_with_an_ellipsis_in_every_kind() {
        for kind in ActivityKind::iter() {
            let long = "x".repeat(40_000);
            let row = row(kind, Some(&long), &long).fields;
            for (field, most) in [("Subject", 255), ("Title", 80), ("Description", 32_000)] {
                let Some(value) = row.get(field).and_then(Value::as_str) else { continue };
                let length = value.encode_utf16().count();
                assert!(length <= most, "{kind:?} {field}: {length}");
                assert!(length < 200 || value.contains('…'), "{kind:?} {field}");
            }
        }
    }

    #[test]
    fn i34_markup_is_escaped_in_an_enhanced_note_and_stays_as_it_is_elsewhere() {
        let markup = "<script>alert(\"1\")</script> & 'x'\nnext";
        let html = note_html(markup);
        let shown =
            "<p>&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39;<br>next";
        assert!(html.starts_with(shown), "{html}");
        assert!(html.ends_with(&format!("{}</p>", activity(ActivityKind::Note).marker())));
        let raw = row(ActivityKind::Message, None, markup).fields;
        assert!(raw["Description"].as_str().unwrap().starts_with(markup));
        let note = row(ActivityKind::Note, None, markup).fields;
        assert!(note["Body"].as_str().unwrap().starts_with(markup));
    }

    #[test]
    fn an_enhanced_note_is_attached_to_its_record_and_names_none_itself() {
        let note = activity(ActivityKind::Note);
        let row = made(&note, &text(None, "hi"), CrmObject::ContentNote);
        assert_eq!(row.attached_to, Some(record_id("003", 1)));
        let names: Vec<&str> = row.fields.keys().map(String::as_str).collect();
        assert_eq!(names, ["Title", "Content"]);
        let classic = made(&note, &text(None, "hi"), CrmObject::Note);
        assert_eq!(classic.attached_to, None);
    }

    #[test]
    fn an_opportunity_stands_in_a_contacts_task_and_never_in_a_leads() {
        let opportunity = record_id("006", 1);
        let call = Activity { opportunity: Some(opportunity), ..activity(ActivityKind::Call) };
        let text = text(None, "hi");
        let row = made(&call, &text, CrmObject::Task);
        assert_eq!(row.fields["WhatId"], json!(opportunity));
        let lead = RecordRef { object: SObject::Lead, id: record_id("00Q", 1) };
        let row = about(lead, &call, &text, CrmObject::Task);
        assert!(!row.fields.contains_key("WhatId"));
        assert!(!row.fields.contains_key("RecordTypeId"), "nobody chose one");
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
