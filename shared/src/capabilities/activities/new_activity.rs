//! An activity as the product posts it, and whether it can be one. Pure.

use jiff::{SignedDuration, Timestamp};
use matching::EntityKind;
use serde_json::{Value, json};
use url::Url;

use super::{ActivityKind, ActivityText, CallSource, LogWish, earliest_activity};
use crate::capabilities::settings::Settings;
use crate::kernel::{EntityId, SeatId};
use crate::salesforce::SalesforceId;

/// A caller's clock may be ahead by this much.
const CLOCK_LEEWAY: SignedDuration = SignedDuration::from_mins(5);

/// The longest text taken in, in bytes. A Task's description holds less, so it is the CRM's limit
/// that cuts.
const LONGEST_TEXT: usize = 100_000;

/// The longest link taken in, in bytes: longer ones are cut by what stands between two servers.
const LONGEST_LINK: usize = 2_000;

/// The longest subject or place taken in, in bytes; a subject in the CRM holds less.
const LONGEST_LINE: usize = 2_000;

/// An activity as the product posts it.
#[derive(Debug, Clone)]
pub struct NewActivity {
    /// Who did it.
    pub seat: SeatId,
    /// The caller's key: the same key is the same activity.
    pub idempotency_key: String,
    /// The kind of thing it was.
    pub kind: ActivityKind,
    /// A person or a company.
    pub entity_kind: EntityKind,
    /// Which one.
    pub entity: EntityId,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// Its text.
    pub text: ActivityText,
    /// The opportunity that the seller chose for it.
    pub opportunity: Option<SalesforceId>,
    /// Where a call was begun.
    pub source: Option<CallSource>,
    /// What the seller says of logging it.
    pub wish: LogWish,
}

impl NewActivity {
    /// Why it cannot be taken in, in words that say what to change; none when it can.
    #[must_use]
    pub fn problem(&self, now: Timestamp, settings: &Settings) -> Option<&'static str> {
        self.problem_of_time(now)
            .or_else(|| self.problem_of_text())
            .or_else(|| self.problem_of_kind(settings))
    }

    fn problem_of_time(&self, now: Timestamp) -> Option<&'static str> {
        if self.occurred_at > now + CLOCK_LEEWAY {
            return Some("occurred_at is in the future");
        }
        (self.occurred_at < earliest_activity())
            .then_some("activities before 2021-06-23 cannot be logged")
    }

    fn problem_of_text(&self) -> Option<&'static str> {
        let ActivityText { subject, body, link, location } = &self.text;
        if self.kind.needs_text() && body.trim().is_empty() {
            return Some("body is empty");
        }
        if body.len() > LONGEST_TEXT {
            return Some("body is longer than 100,000 bytes");
        }
        let is_long = |line: &Option<String>| line.as_ref().is_some_and(|l| l.len() > LONGEST_LINE);
        if is_long(subject) {
            return Some("subject is longer than 2,000 bytes");
        }
        if is_long(location) {
            return Some("location is longer than 2,000 bytes");
        }
        if !link.as_deref().is_none_or(is_web_address) {
            return Some("link must be an address that begins with https:// or http://");
        }
        None
    }

    fn problem_of_kind(&self, settings: &Settings) -> Option<&'static str> {
        let (kind, text) = (self.kind, &self.text);
        if self.entity_kind == EntityKind::Company && kind != ActivityKind::Note {
            return Some("only notes can be logged on an account");
        }
        if kind == ActivityKind::SmartLinkView && text.link.is_none() {
            return Some("link is required for a Smart Link view");
        }
        if kind != ActivityKind::SmartLinkView && (text.link.is_some() || text.location.is_some()) {
            return Some("link and location belong to a Smart Link view alone");
        }
        if kind == ActivityKind::Note && self.opportunity.is_some() {
            return Some("a note has no opportunity: it is about its person or company");
        }
        if self.opportunity.is_some() && !settings.log_on_opportunities {
            return Some(
                "opportunity_id is taken once an admin turns on log_on_opportunities: leave it out",
            );
        }
        if kind != ActivityKind::Call && self.source.is_some() {
            return Some("source belongs to a call alone");
        }
        if kind == ActivityKind::Call
            && self.source != Some(CallSource::Mobile)
            && !settings.desktop_calls
        {
            return Some(
                "only calls begun on a phone are logged: say source mobile, or have an admin turn \
                 on desktop_calls",
            );
        }
        if kind != ActivityKind::Note && self.wish.private {
            return Some("only a note can be private");
        }
        let conversation = self.wish.conversation.as_deref();
        if !conversation.is_none_or(|name| (1..=LONGEST_CONVERSATION).contains(&name.len())) {
            return Some("conversation_id has 1 to 200 characters");
        }
        None
    }

    /// What tells a repetition from another activity under the same key. What callers could not say
    /// in earlier releases stands there only when it is said.
    pub(super) fn identity(&self) -> Value {
        let Self {
            kind, entity_kind, entity, occurred_at, text, opportunity, source, wish, ..
        } = self;
        let mut parts =
            vec![json!(kind), json!(entity_kind), json!(entity), json!(occurred_at), json!(text)];
        if opportunity.is_some() || source.is_some() || *wish != LogWish::default() {
            parts.extend([json!(opportunity), json!(source), json!(wish)]);
        }
        Value::Array(parts)
    }
}

/// The longest name of a conversation, in bytes.
const LONGEST_CONVERSATION: usize = 200;

fn is_web_address(text: &str) -> bool {
    let is_web = |url: Url| matches!(url.scheme(), "https" | "http") && url.has_host();
    text.len() <= LONGEST_LINK && Url::parse(text).is_ok_and(is_web)
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    fn new(kind: ActivityKind) -> NewActivity {
        let link = (kind == ActivityKind::SmartLinkView).then(|| "https://l.example/1".to_owned());
        NewActivity {
            seat: SeatId::derived("s"),
            idempotency_key: "1".to_owned(),
            kind,
            entity_kind: EntityKind::Person,
            entity: "pr_1".parse().unwrap(),
            occurred_at: "2026-11-20T15:00:00Z".parse().unwrap(),
            text: ActivityText { body: "Hello".to_owned(), link, ..ActivityText::default() },
            opportunity: None,
            source: (kind == ActivityKind::Call).then_some(CallSource::Mobile),
            wish: LogWish::default(),
        }
    }

    fn problem(new: &NewActivity) -> Option<&'static str> {
        new.problem("2026-11-21T15:00:00Z".parse().unwrap(), &Settings::default())
    }

    #[test]
    fn one_of_each_kind_can_be_taken_in() {
        for kind in ActivityKind::iter() {
            assert_eq!(problem(&new(kind)), None, "{kind:?}");
        }
    }

    #[test]
    fn i64_a_body_of_nothing_or_of_a_megabyte_is_refused_where_a_text_is_needed() {
        for kind in ActivityKind::iter() {
            let mut posted = new(kind);
            posted.text.body = " \n".to_owned();
            assert_eq!(problem(&posted).is_some(), kind.needs_text(), "{kind:?}");
            posted.text.body = "x".repeat(1 << 20);
            assert_eq!(problem(&posted), Some("body is longer than 100,000 bytes"), "{kind:?}");
        }
    }

    #[test]
    fn i66_only_a_note_is_taken_in_about_a_company() {
        for kind in ActivityKind::iter() {
            let posted = NewActivity { entity_kind: EntityKind::Company, ..new(kind) };
            let refused = Some("only notes can be logged on an account");
            let expected = refused.filter(|_| kind != ActivityKind::Note);
            assert_eq!(problem(&posted), expected, "{kind:?}");
        }
    }

    #[test]
    fn i67_a_call_from_a_desktop_is_taken_in_where_an_admin_allows_it() {
        let now = "2026-11-21T15:00:00Z".parse().unwrap();
        let open = Settings { desktop_calls: true, ..Settings::default() };
        for source in [None, Some(CallSource::Desktop)] {
            let call = NewActivity { source, ..new(ActivityKind::Call) };
            let told = problem(&call).unwrap();
            assert!(told.starts_with("only calls begun on a phone"), "{told}");
            assert_eq!(call.problem(now, &open), None);
        }
    }

    #[test]
    fn what_belongs_to_one_kind_is_refused_with_another() {
        let note = new(ActivityKind::Note);
        let opportunity = Some("006000000000001AAA".parse().unwrap());
        assert!(problem(&NewActivity { opportunity, ..note.clone() }).is_some());
        let source = Some(CallSource::Mobile);
        assert!(problem(&NewActivity { source, ..note }).is_some());
        let mut message = new(ActivityKind::Message);
        message.wish.private = true;
        assert_eq!(problem(&message), Some("only a note can be private"));
        let mut message = new(ActivityKind::Message);
        message.text.location = Some("Oslo".to_owned());
        assert!(problem(&message).is_some());
        for link in [None, Some("javascript:alert(1)"), Some("https://"), Some("l.example/1")] {
            let mut view = new(ActivityKind::SmartLinkView);
            view.text.link = link.map(str::to_owned);
            assert!(problem(&view).unwrap().starts_with("link"), "{link:?}");
        }
        let mut named = new(ActivityKind::Message);
        named.wish.conversation = Some(String::new());
        assert!(problem(&named).unwrap().starts_with("conversation_id"));
    }

    #[test]
    fn what_earlier_releases_could_say_is_told_apart_as_they_did() {
        let plain = new(ActivityKind::Message);
        assert_eq!(plain.identity().as_array().unwrap().len(), 5);
        let mut wished = plain.clone();
        wished.wish.log = Some(true);
        assert_ne!(plain.identity(), wished.identity());
    }
}
