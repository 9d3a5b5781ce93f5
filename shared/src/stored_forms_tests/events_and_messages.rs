//! What waits in queues and behind due items, and what others are told.

use matching::EntityKind;

use super::{Forms, activity, at, match_run, model, run, scope, seat, text, version};
use crate::kernel::{
    Envelope, Event, ImportTrigger, MatchTrigger, Message, Occurrence, Queue, ReconnectReason,
    SObject,
};
use crate::store::outbox::Due;

fn messages() -> Vec<Message> {
    let (scope, run, step) = (scope(), run(), 4);
    let mut all = vec![
        Message::ImportStart { scope, run, trigger: ImportTrigger::Scheduled },
        Message::ImportObject { scope, run, object: SObject::Contact, step },
        Message::ImportHandOver { scope, run, step },
        Message::Rematch { scope, run: match_run(), trigger: MatchTrigger::Directory, step },
        Message::MatchBatch {
            scope,
            run: match_run(),
            batch: 2,
            entity_kind: EntityKind::Person,
            shard: 3,
        },
        Message::Settle { scope, run: match_run(), batch: 2 },
        Message::Correct { scope, object: SObject::Lead, record: text("00Q1") },
        Message::TuneModel { scope, model: model(), step },
        Message::AutoSave { scope, accounts: vec![text("0011"), text("0012")] },
        Message::AutoSaveRecords { scope, object: SObject::Lead, records: vec![text("00Q1")] },
        Message::AutoSaveOwner { scope, user: text("0051") },
        Message::AutoSaveSeat { scope, seat: seat() },
    ];
    all.extend(later_messages());
    all
}

fn later_messages() -> Vec<Message> {
    let (scope, step) = (scope(), 4);
    let event = Event { scope, time: at(0), occurrence: Occurrence::Connected };
    vec![
        Message::Writeback { scope, activity: activity() },
        Message::Release { scope, seat: Some(seat()) },
        Message::Release { scope, seat: None },
        Message::Upkeep { scope, step },
        Message::Inspect { scope },
        Message::Revoke { scope, grant: 1, step: 2 },
        Message::Publish { event },
        Message::PreviewMapping { scope, asked_at: at(1) },
        Message::Purge { scope, step },
        Message::DirectoryCount { version: version() },
        Message::DirectoryShard { version: version(), entity_kind: EntityKind::Company, shard: 3 },
        Message::DirectoryFanOut { version: version(), after: Some(text("t#sandbox")) },
        Message::DirectoryFanOut { version: version(), after: None },
        Message::DirectoryRetire { version: version(), after: Some(text("t#sandbox")) },
        Message::DirectoryRetire { version: version(), after: None },
    ]
}

#[test]
fn every_message_is_pinned_with_its_queue_and_group() {
    let mut forms = Forms::default();
    let messages = messages();
    forms.all("message", &messages);
    for message in &messages {
        let way = format!("{} of {}", message.queue(), message.group());
        forms.line(&format!("way of {}", super::Variants::name(message)), way);
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
    let message = Message::Inspect { scope: scope() };
    forms.json("envelope", &Envelope::of(message.clone()));
    let envelope = Envelope { v: 1, due: Some(text("due")), hops: 3, message: message.clone() };
    forms.json("envelope with all", &envelope);
    assert_eq!(Envelope::parse(&serde_json::to_string(&envelope).unwrap()).unwrap(), envelope);
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
        let event = Event { scope: scope(), time: at(0), occurrence };
        forms.line("event id", event.id());
        forms.json("event", &event);
        forms.line("cloud event", event.to_cloud_event());
    }
    insta::assert_snapshot!("events", forms.0);
}
