//! Whether a row of the CRM says what an activity would. Pure.

use jiff::civil::Date;

use super::row::{description, subject_begins};
use super::{Activity, ActivityText};
use crate::kernel::SObject;
use crate::salesforce::FieldValues;

/// An activity, to be compared with rows about its record.
pub(super) struct PastActivity<'a> {
    pub(super) activity: &'a Activity,
    pub(super) text: &'a ActivityText,
    /// The day on which it was done, where its seller is.
    pub(super) day: Date,
}

impl PastActivity<'_> {
    /// The fields of a row that are compared.
    pub(super) fn fields_to_compare(object: SObject) -> &'static [&'static str] {
        match object {
            SObject::Note => &["Id", "Body"],
            _ => &["Id", "Subject", "Description", "ActivityDate"],
        }
    }

    /// True if a row is this very activity. A row with a marker is the activity of that marker and
    /// no other, however alike their texts are. A row without one was made by somebody else: it
    /// says the same if its words are the same and, but for a note, its day. Of an activity without
    /// words the beginning of the subject must be the same.
    pub(super) fn is_said_by(&self, object: SObject, row: &impl FieldValues) -> bool {
        let Self { activity, text, day } = self;
        let said = row.text(if object == SObject::Note { "Body" } else { "Description" });
        let said = said.unwrap_or_default();
        if let Some(marker) = marker_of(&said) {
            return marker == activity.marker();
        }
        if object != SObject::Note && row.text("ActivityDate").as_deref() != Some(&day.to_string())
        {
            return false;
        }
        let own = description(activity.kind, text);
        if !said.split_whitespace().eq(own.split_whitespace()) {
            return false;
        }
        let begins = |subject: &str| subject.starts_with(subject_begins(activity.kind));
        !own.trim().is_empty() || row.text("Subject").is_some_and(|subject| begins(&subject))
    }
}

/// The marker at the end of a text, if it has one.
fn marker_of(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let begin = text.rfind("[ref ").filter(|_| text.ends_with(']'))?;
    Some(&text[begin..])
}

#[cfg(test)]
mod tests {
    use matching::EntityKind;

    use super::*;
    use crate::capabilities::activities::{ActivityKind, ActivityState};
    use crate::kernel::{ActivityId, Fields, SeatId};

    fn is_said_by(kind: ActivityKind, body: &str, object: SObject, row: &[(&str, &str)]) -> bool {
        let activity = &Activity {
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
        };
        let text = &ActivityText { body: body.to_owned(), ..ActivityText::default() };
        let day = "2026-02-28".parse().unwrap();
        let row: Fields =
            row.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        PastActivity { activity, text, day }.is_said_by(object, &Row(row))
    }

    struct Row(Fields);

    impl FieldValues for Row {
        fn text(&self, field: &str) -> Option<std::borrow::Cow<'_, str>> {
            self.0.get(field).map(Into::into)
        }
    }

    #[test]
    fn the_same_words_on_the_same_day_are_the_same_deed_however_they_are_spaced() {
        let day = ("ActivityDate", "2026-02-28");
        let is =
            |object, row: &[_]| is_said_by(ActivityKind::Message, "Shall we\n talk?", object, row);
        let said = ("Description", "  Shall we talk? ");
        assert!(is(SObject::Task, &[said, day]));
        assert!(is(SObject::Event, &[said, day]));
        assert!(!is(SObject::Task, &[said, ("ActivityDate", "2026-03-01")]), "another day");
        assert!(!is(SObject::Task, &[said]), "no day");
        assert!(!is(SObject::Task, &[("Description", "Shall we?"), day]), "other words");
        assert!(!is(SObject::Task, &[day]), "no words");
    }

    #[test]
    fn a_note_is_the_same_on_any_day_and_a_call_without_words_by_its_subject() {
        assert!(is_said_by(ActivityKind::Note, "Met", SObject::Note, &[("Body", "Met")]));
        assert!(!is_said_by(ActivityKind::Note, "Met", SObject::Note, &[("Body", "Met again")]));
        let day = ("ActivityDate", "2026-02-28");
        let call = |subject| {
            is_said_by(ActivityKind::Call, "", SObject::Task, &[("Subject", subject), day])
        };
        assert!(call("Phone Call from Sales Navigator"));
        assert!(!call("Lunch"), "another activity without words");
        let with_words = [("Subject", "Phone Call from X"), ("Description", "Asked"), day];
        assert!(!is_said_by(ActivityKind::Call, "", SObject::Task, &with_words));
    }

    #[test]
    fn a_row_with_a_marker_is_the_activity_of_that_marker_alone() {
        let own = ActivityId::derived("a").to_string();
        let own = format!("Anything\n\n[ref {}]", own.trim_start_matches("act_"));
        let of = |said: &str| {
            let row = [("Description", said), ("ActivityDate", "2026-02-28")];
            is_said_by(ActivityKind::Message, "Thanks!", SObject::Task, &row)
        };
        assert!(of(&own), "as it was logged before the org was connected anew");
        assert!(!of("Thanks!\n\n[ref 01ABC]"), "another message with the same words");
        assert!(of("Thanks!"));
    }
}
