//! The messages in queues and behind due items, and the events for others.

use std::collections::BTreeSet;

use matching::EntityKind;

use super::{
    Forms, Variants, activity, assert_covers, at, match_run, model, run, scope, seat, text, version,
};
use crate::kernel::{
    AutoSaveMessage, CareMessage, ChangeId, DirectoryMessage, Envelope, Event, ExportMessage,
    Generation, ImportMessage, ImportTrigger, MatchMessage, MatchTrigger, Message, Occurrence,
    PurgeMessage, Queue, ReconnectReason, SObject, TellingMessage, WritebackMessage,
};
use crate::store::due::Due;
use crate::testing::{entity_id, record_id};

fn messages() -> Vec<Message> {
    let (scope, run, step) = (scope(), run(), 4);
    let batch = 2;
    let entity_kind = EntityKind::Person;
    let mut all = each([
        ImportMessage::Start { scope, run, trigger: ImportTrigger::Scheduled },
        ImportMessage::Object { scope, run, object: SObject::Contact, step },
        ImportMessage::HandOver { scope, run, step },
        ImportMessage::Clear { scope, run },
    ]);
    let (run, trigger) = (match_run(), MatchTrigger::Directory);
    all.extend(each([
        MatchMessage::Rematch { scope, run, trigger, step },
        MatchMessage::Batch { scope, run, batch, entity_kind, shard: 3 },
        MatchMessage::Spread { scope, run, batch, entity_kind, from: 90 },
        MatchMessage::Settle { scope, run, batch },
        MatchMessage::Clear { scope, run },
        MatchMessage::Correct { scope, object: SObject::Lead, record: record_id("00Q", 1) },
        MatchMessage::TryRules { scope, trial: 2, step },
        MatchMessage::TuneModel { scope, model: model(), step },
    ]));
    let export = super::export();
    all.extend(each([
        ExportMessage::Step { scope, export, step },
        ExportMessage::Clear { scope, export },
    ]));
    all.extend(each([
        AutoSaveMessage::Opportunities {
            scope,
            opportunities: vec![record_id("006", 1), record_id("006", 2)],
        },
        AutoSaveMessage::Records {
            scope,
            object: SObject::Lead,
            records: vec![record_id("00Q", 1)],
        },
        AutoSaveMessage::Owner { scope, user: record_id("005", 1) },
        AutoSaveMessage::Seat { scope, seat: seat() },
        AutoSaveMessage::Everything { scope, rules: 3, step },
        AutoSaveMessage::DryRun { scope, run: 2, step },
        AutoSaveMessage::Directory { scope, run: match_run(), step },
        AutoSaveMessage::Unsave { scope, run: super::run(), step },
        AutoSaveMessage::Undo { scope, undoing: 4, step },
    ]));
    all.extend(later_messages());
    all
}

fn later_messages() -> Vec<Message> {
    let (scope, step) = (scope(), 4);
    let event = Event { scope, time: at(0), occurrence: Occurrence::Connected };
    let mut all = each([
        WritebackMessage::Activity { scope, activity: activity() },
        WritebackMessage::Change { scope, seat: seat(), change: ChangeId::derived("change") },
        WritebackMessage::Release { scope, seat: Some(seat()) },
        WritebackMessage::Release { scope, seat: None },
        WritebackMessage::Linked {
            scope,
            entity_kind: EntityKind::Person,
            entity: entity_id("pe_1"),
        },
    ]);
    all.extend(each([
        CareMessage::Upkeep { scope, step },
        CareMessage::Inspect { scope },
        CareMessage::PreviewMapping { scope, asked_at: at(1) },
    ]));
    all.extend(each([
        PurgeMessage::Revoke { scope, grant: 1, step: 2 },
        PurgeMessage::Purge { scope, step },
        PurgeMessage::EndGrant { scope, seat: seat(), authorized_at: at(1) },
        PurgeMessage::RemoveTenant { tenant: scope.tenant },
        PurgeMessage::GiveBack { at: super::environment(), login: text("0a1b"), step: 2 },
        PurgeMessage::Unborn { at: super::environment(), first: Generation(4), end: Generation(7) },
    ]));
    all.extend(each([TellingMessage::Publish { event }]));
    let version = version();
    all.extend(each([
        DirectoryMessage::Count { version },
        DirectoryMessage::Shard { version, entity_kind: EntityKind::Company, shard: 3 },
        DirectoryMessage::Spread { version, from: 90 },
        DirectoryMessage::FanOut { version, after: Some(text("t#sandbox")) },
        DirectoryMessage::FanOut { version, after: None },
        DirectoryMessage::Retire { version, after: Some(text("t#sandbox")) },
        DirectoryMessage::Retire { version, after: None },
    ]));
    all
}

/// Samples of every variant of one capability's messages.
fn each<M: Variants + Into<Message>, const N: usize>(samples: [M; N]) -> Vec<Message> {
    assert_covers(&samples);
    samples.into_iter().map(Into::into).collect()
}

#[test]
fn every_message_is_pinned_with_its_queue_and_group() {
    let mut forms = Forms::default();
    let messages = messages();
    for message in &messages {
        forms.json(&format!("message {}", message.kind()), message);
    }
    for message in &messages {
        let way = format!("{} of {}", message.queue(), message.group());
        forms.line(&format!("way of {}", message.kind()), way);
    }
    forms.all("queue", &Queue::ALL);
    forms.all(
        "import trigger",
        &[
            ImportTrigger::Connected,
            ImportTrigger::Scheduled,
            ImportTrigger::Requested,
            ImportTrigger::Full,
        ],
    );
    forms.all(
        "match trigger",
        &[
            MatchTrigger::Import,
            MatchTrigger::Directory,
            MatchTrigger::Settings,
            MatchTrigger::Model,
        ],
    );
    let message = Message::from(CareMessage::Inspect { scope: scope() });
    forms.json("envelope", &Envelope::of(message.clone()));
    let envelope = Envelope { v: 1, due: Some(text("due")), hops: 3, message: message.clone() };
    forms.json("envelope with all", &envelope);
    assert_eq!(
        Envelope::<Message>::parse(&serde_json::to_string(&envelope).unwrap()).unwrap(),
        envelope
    );
    forms.json("due item", &Due { message, sent_at: 1_795_294_800, sends: 2 });
    insta::assert_snapshot!("messages", forms.0);
}

fn occurrences() -> Vec<Occurrence> {
    let (run, since) = (run(), at(60));
    let reason = ReconnectReason::GrantDead;
    vec![
        Occurrence::Connected,
        Occurrence::ReconnectRequired { reason, since, lapses_at: at(3_600) },
        Occurrence::Restored { since },
        Occurrence::Lapsed { since },
        Occurrence::Paused { since },
        Occurrence::Resumed { since },
        Occurrence::Disconnected,
        Occurrence::Purged,
        Occurrence::ImportStarted { run, trigger: ImportTrigger::Requested },
        Occurrence::ImportCompleted { run },
        Occurrence::ImportFailed { run },
        Occurrence::ImportCancelled { run },
        Occurrence::ImportStalled { run, since },
        Occurrence::ImportStoodBack { run, until: at(120) },
    ]
}

#[test]
fn every_event_is_pinned() {
    let mut forms = Forms::default();
    forms.all("occurrence", &occurrences());
    for occurrence in occurrences() {
        let stored = serde_json::to_value(&occurrence).unwrap();
        assert_eq!(stored["type"], occurrence.name());
        let event = Event { scope: scope(), time: at(0), occurrence };
        forms.line("event id", event.id());
        forms.json("event", &event);
        let mut cloud_event = event.to_cloud_event();
        cloud_event.sort_all_objects();
        forms.line("cloud event", cloud_event);
    }
    insta::assert_snapshot!("events", forms.0);
}

/// While functions are replaced, and after a release, messages of the version before wait in the
/// queues and behind due items: `earlier/messages.jsonl` holds one of each kind as it wrote them.
#[test]
fn messages_that_an_earlier_version_sent_are_understood() {
    let earlier = include_str!("earlier/messages.jsonl");
    let mut kinds = BTreeSet::new();
    for line in earlier.lines() {
        let message: Message = serde_json::from_str(line).unwrap_or_else(|error| {
            panic!("{error}: a step of the version before would be a dead letter: {line}")
        });
        kinds.insert(message.kind());
    }
    let now: BTreeSet<&str> = messages().iter().map(Message::kind).collect();
    assert!(kinds.len() > 40, "most kinds have a sample");
    assert!(kinds.is_subset(&now), "a kind that nobody sends any more has a sample here");
}

/// What a later version sends is no message of this one's: it waits in its queue, and is told.
#[test]
fn a_message_of_a_later_version_is_not_taken_for_one_of_ours() {
    let known = serde_json::to_value(Envelope::of(messages().remove(0))).unwrap();
    let parse = |body: &serde_json::Value| Envelope::<Message>::parse(&body.to_string());
    assert!(parse(&known).is_ok());
    let mut unknown = known.clone();
    unknown["message"]["kind"] = "import_of_next_year".into();
    assert!(parse(&unknown).is_err());
    let mut later = known;
    later["v"] = 2.into();
    assert!(parse(&later).is_err());
}
