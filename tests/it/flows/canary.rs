//! A whole job with marked tokens and marked people, all kinds of faults included: no log line,
//! queue body, stored object, item, reply or error ever holds a mark.

use std::path::Path;

use salesforce_simulator::{Fault, FaultKind};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::capabilities::activities::{ActivityKind, ActivityText, LogWish, NewActivity};
use shared::capabilities::audit::Actor;
use shared::kernel::{EntityId, Environment, Grantee, SObject, SeatId};
use shared::matching::EntityKind;
use shared::work::chain;
use tests::canary::{Canary, mark_column};
use tests::world::World;
use tracing_subscriber::layer::SubscriberExt;

use super::main_job::import_again;
use super::observe::lists;
use super::org::{directory, json_of, tiny};

const ADMIN: &str = "crm.integration@acme.example";
const SELLER: &str = "noor.castellan@acme.example";

/// In every token and code.
const TOKEN: &str = "CanaryTok9";
/// In every e-mail address of a lead and a contact.
const EMAIL: &str = "canarymail9";
/// In the text of every activity.
const TEXT: &str = "Canarytext9";
/// In the texts in which Salesforce quotes a record.
const SURNAME: &str = "Canarysurname9";

#[test]
fn the_canary_sees_a_mark_in_any_disguise() {
    use base64::Engine as _;
    let seen = |bytes: &[u8]| {
        let canary = Canary::new(&[EMAIL]);
        canary.look("here", bytes);
        !canary.seen().is_empty()
    };
    assert!(!seen(b"canarymail and 9"));
    assert!(seen(b"\xff\xfe to: CANARYmail9.jane@globex.example"));
    assert!(seen(b"\x0063616e6172796d61696c39"));
    for before in ["", "a", "ab"] {
        let text = format!("{before}{EMAIL}@globex.example");
        assert!(seen(base64::engine::general_purpose::STANDARD.encode(text).as_bytes()));
    }
}

/// The tiny org, its people's addresses marked.
fn marked() -> tempfile::TempDir {
    let folder = tiny();
    for file in ["Contact.csv", "Lead.csv"] {
        mark_column(&folder.path().join(file), "Email", EMAIL);
    }
    folder
}

async fn post(world: &World, key: &str, kind: ActivityKind, entity: &str) {
    let new = NewActivity {
        seat: SeatId::derived(SELLER),
        idempotency_key: key.to_owned(),
        kind,
        entity_kind: EntityKind::Person,
        entity: entity.parse().unwrap(),
        occurred_at: "2026-11-20T15:00:00Z".parse().unwrap(),
        text: ActivityText {
            subject: Some(TEXT.to_owned()),
            body: format!("{TEXT} {EMAIL}@x.y"),
            ..ActivityText::default()
        },
        opportunity: None,
        source: None,
        wish: LogWish::default(),
    };
    world.functions.activities.post(world.at(), new).await.unwrap();
}

/// A refresh token as long as Salesforce's.
fn token() -> String {
    format!("5Aep861{TOKEN}{}", "aB3._".repeat(14))
}

/// A server that repeats what it was sent, as proxies and debug pages do.
fn echo(status: u16) -> FaultKind {
    let session = format!("00D000000000001!AQ{TOKEN}");
    let body = format!("<html>Bearer {session}; refresh_token={}; {EMAIL}@x.y</html>", token());
    FaultKind::Respond { status, body, content_type: None, retry_after: None }
}

/// An error in Salesforce's form whose text quotes the record.
fn quote(status: u16, code: &str) -> FaultKind {
    let message = match code {
        "STRING_TOO_LONG" => {
            format!("Last Name: data value too large: {SURNAME} {TEXT} (max length=80)")
        }
        "DUPLICATES_DETECTED" => format!("You are creating a duplicate of Ms {SURNAME}"),
        _ => format!("{EMAIL}@x.y of {SURNAME} is not welcome, nor is {}", token()),
    };
    let body = json!([{ "errorCode": code, "message": message, "fields": [] }]).to_string();
    FaultKind::Respond { status, body, content_type: None, retry_after: None }
}

fn plan_faults_of_an_import(world: &World) {
    let plan = |path: &str, kind: FaultKind, skip: u64| {
        world.control().add_fault(Fault::at(path, kind).skip(skip));
    };
    plan("*/describe", echo(500), 1);
    plan("*/describe", echo(200), 3);
    plan("*/jobs/query", echo(503), 0);
    plan("*/jobs/query", quote(500, "UNKNOWN_EXCEPTION"), 2);
    plan("*/jobs/query", quote(400, "MALFORMED_QUERY"), 5);
    plan("*/results", FaultKind::Truncate { bytes: 300 }, 0);
    plan("*/results", FaultKind::InvalidSession, 2);
    plan("*/results", quote(400, "InvalidSessionId"), 4);
    plan("*/results", FaultKind::CutRows { rows: 1 }, 6);
    plan("*/results", echo(200), 8);
    plan("/services/oauth2/token", echo(503), 0);
    plan("/deleted", FaultKind::DropAfter, 0);
}

fn plan_faults_of_a_writeback(world: &World) {
    let plan = |path: &str, kind: FaultKind, skip: u64| {
        world.control().add_fault(Fault::at(path, kind).method("POST").skip(skip));
    };
    plan("/sobjects/Task", FaultKind::DropAfter, 0);
    plan("/sobjects/Task", quote(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION"), 0);
    plan("/sobjects/Task", quote(400, "UNABLE_TO_LOCK_ROW"), 1);
    plan("/sobjects/Task", quote(400, "STRING_TOO_LONG"), 0);
    plan("/sobjects/Note", echo(500), 0);
    plan("/sobjects/Note", quote(400, "DUPLICATES_DETECTED"), 1);
}

/// Authorizations that end badly; what the person is shown and what is logged.
async fn authorize_in_vain(world: &World, canary: &Canary) {
    let description = format!("bad {} of {EMAIL}@x.y", token());
    let body = json!({ "error": "invalid_grant", "error_description": description });
    let refusal = FaultKind::Respond {
        status: 400,
        body: body.to_string(),
        content_type: None,
        retry_after: None,
    };
    let lie =
        |pointer: &str, value: Value| FaultKind::SetJson { pointer: pointer.to_owned(), value };
    let elsewhere = json!(format!("https://{TOKEN}.example"));
    let kinds =
        [echo(200), echo(500), refusal, lie("/instance_url", elsewhere), lie("/id", json!(TOKEN))];
    for kind in kinds {
        world.control().add_fault(Fault::at("/services/oauth2/token", kind));
        let error = world.authorize(Grantee::Admin, ADMIN).await.unwrap_err();
        canary.look("page", error.to_string().as_bytes());
        canary.look("log of the callback", chain(&error).as_bytes());
        canary.look("debug", format!("{error:?}").as_bytes());
    }
    let code = Ok(SecretString::from(format!("aPrx{TOKEN}")));
    let error = world.functions.connect.finish(Environment::Production, TOKEN, None, code).await;
    canary.look("page", error.unwrap_err().to_string().as_bytes());
}

async fn job(folder: &Path, canary: &Canary) {
    let world = World::new(folder).await;
    world.control().mark_tokens(TOKEN);
    let watcher = canary.clone();
    world.memory.watch(move |place, bytes| watcher.look(place, bytes));
    for seat in json_of(folder, "seats.json").as_array().unwrap() {
        world.seat(seat["email"].as_str().unwrap()).await;
    }
    world.publish(None, &directory(folder)).await;
    authorize_in_vain(&world, canary).await;
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    plan_faults_of_an_import(&world);
    world.run().await;
    world.authorize(Grantee::Seat(SeatId::derived(SELLER)), SELLER).await.unwrap();
    plan_faults_of_a_writeback(&world);
    let contacts = lists(&world, SObject::Contact).await;
    let persons: Vec<EntityId> = contacts.into_iter().filter_map(|list| list.matched).collect();
    assert!(persons.len() > 1, "marked people are matched");
    for (n, person) in persons.iter().take(2).enumerate() {
        for kind in [ActivityKind::Message, ActivityKind::Inmail, ActivityKind::Note] {
            post(&world, &format!("{n} {kind:?}"), kind, person.as_str()).await;
        }
    }
    world.run().await;
    world.control().end_sessions(&world.org).unwrap();
    world.control().advance(3600);
    import_again(&world, "second").await;
    let spared = world.control().faults().into_iter().filter(|fault| fault.hits == 0);
    assert_eq!(spared.map(|fault| fault.path).collect::<Vec<_>>(), [], "every fault was met");
    // The grant is lost: the org's administrator has revoked it.
    world.control().revoke_grants(&world.org).unwrap();
    import_again(&world, "third").await;
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    world.run().await;
}

#[tokio::test]
async fn no_mark_is_seen_anywhere_in_a_whole_job_full_of_faults() {
    let folder = marked();
    let canary = Canary::new(&[TOKEN, EMAIL, TEXT]);
    let log = tracing_subscriber::fmt::layer().json().with_writer(canary.clone());
    let logged = tracing::subscriber::set_default(tracing_subscriber::registry().with(log));
    job(folder.path(), &canary).await;
    drop(logged);
    assert!(canary.looked_at() > 5_000, "{} places", canary.looked_at());
    let seen = canary.seen();
    assert!(seen.is_empty(), "{} places: {:#?}", seen.len(), &seen[..seen.len().min(20)]);
}

#[tokio::test]
async fn m07_texts_in_which_salesforce_quotes_a_record_reach_no_log_and_no_item() {
    let folder = marked();
    let canary = Canary::new(&[SURNAME]);
    let log = tracing_subscriber::fmt::layer().json().with_writer(canary.clone());
    let logged = tracing::subscriber::set_default(tracing_subscriber::registry().with(log));
    job(folder.path(), &canary).await;
    drop(logged);
    let seen = canary.seen();
    assert!(seen.is_empty(), "{} places: {:#?}", seen.len(), &seen[..seen.len().min(20)]);
}
