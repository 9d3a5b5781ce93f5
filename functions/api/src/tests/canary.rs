//! Nothing that the API answers about a marked org holds a token of its or an e-mail address of
//! its people.

use std::path::Path;

use org_generator::{Base, Options, Org};
use salesforce_simulator::{Fault, FaultKind};
use serde_json::json;
use shared::capabilities::activities::{ActivityKind, ActivityText, LogWish, NewActivity};
use shared::kernel::{Grantee, SeatId};
use shared::matching::EntityKind;
use tempfile::TempDir;
use tests::canary::{Canary, mark_column};
use tests::world::World;

use super::Served;

pub(super) const ADMIN: &str = "crm.integration@acme.example";
pub(super) const SELLER: &str = "noor.castellan@acme.example";
/// In every token and code.
const TOKEN: &str = "CanaryTok9";
/// In every e-mail address of a lead and a contact.
const EMAIL: &str = "canarymail9";

/// The small org, its people's addresses marked.
pub(super) fn marked() -> TempDir {
    let folder = TempDir::new().unwrap();
    let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/dev"));
    let options = Options { small: true, ..Options::default() };
    Org::generate(&Base::read(base).unwrap(), options).unwrap().write(folder.path()).unwrap();
    for file in ["Contact.csv", "Lead.csv"] {
        mark_column(&folder.path().join(file), "Email", EMAIL);
    }
    folder
}

/// A world that has imported and matched the org, with a seller who may write.
pub(super) async fn imported(folder: &Path) -> World {
    let world = World::new(folder).await;
    world.control().mark_tokens(TOKEN);
    world.seat(SELLER).await;
    let files = [
        (EntityKind::Person, folder.join("people.jsonl")),
        (EntityKind::Company, folder.join("companies.jsonl")),
    ];
    world.publish(None, &files).await;
    world.authorize(Grantee::Admin, ADMIN).await.unwrap();
    world.authorize(Grantee::Seat(SeatId::derived(SELLER)), SELLER).await.unwrap();
    world.run().await;
    world
}

/// An activity that Salesforce refuses in words that quote an address and a token; its id.
async fn refused(world: &World, entity: &str) -> String {
    let token = format!("5Aep861{TOKEN}{}", "aB3._".repeat(14));
    let message = format!("{EMAIL}@x.y is not welcome, nor is {token}");
    let code = "FIELD_CUSTOM_VALIDATION_EXCEPTION";
    let body = json!([{ "errorCode": code, "message": message, "fields": [] }]).to_string();
    let kind = FaultKind::Respond { status: 400, body, content_type: None, retry_after: None };
    world.control().add_fault(Fault::at("/sobjects/Task", kind).method("POST"));
    let new = NewActivity {
        seat: SeatId::derived(SELLER),
        idempotency_key: "1".to_owned(),
        kind: ActivityKind::Message,
        entity_kind: EntityKind::Person,
        entity: entity.parse().unwrap(),
        occurred_at: "2026-11-20T15:00:00Z".parse().unwrap(),
        text: ActivityText { body: "Hello".to_owned(), ..ActivityText::default() },
        opportunity: None,
        source: None,
        wish: LogWish::default(),
    };
    let posted = world.functions.activities.post(world.at(), new).await.unwrap();
    world.run().await;
    posted.id.to_string()
}

#[tokio::test]
async fn no_answer_holds_a_token_or_an_address_of_the_crm() {
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    let served = Served::over(world.memory.ports(), "crm-sync/").await;
    let canary = Canary::new(&[TOKEN, EMAIL]);
    let admin = served.token("admin");
    let get = async |path: &str| {
        let answer = served.get(&admin, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        canary.look(path, answer.body.to_string().as_bytes());
        answer
    };
    let at = |path: &str| served.connection(path);
    for path in ["", "/settings", "/import-settings", "/models", "/model", "/matches/summary"] {
        get(&at(path)).await;
    }
    get(&format!("/v1/tenants/{}/seats", served.tenant)).await;
    for (list, id) in [("/runs", "run_id"), ("/match-runs", "match_run_id")] {
        let runs = get(&at(list)).await.body;
        let id = runs["items"][0][id].as_str().unwrap();
        get(&at(&format!("{list}/{id}"))).await;
    }
    let contacts = get(&at("/matches?object=Contact")).await.body;
    let mut lists = contacts["items"].as_array().unwrap().iter();
    let matched = lists.find(|list| list["entity_id"].is_string()).unwrap();
    let text = |field: &str| matched[field].as_str().unwrap();
    let (record, entity) = (text("record_id"), text("entity_id"));
    for path in [
        format!("/matches/Contact/{record}"),
        format!("/matches/Contact/{record}/corrections"),
        format!("/entities/person/{entity}"),
        format!("/seats/{}/saved?kind=leads", SeatId::derived(SELLER)),
        format!("/activities/{}", refused(&world, entity).await),
    ] {
        get(&at(&path)).await;
    }
    let seen = canary.seen();
    assert!(seen.is_empty(), "{seen:#?}");
}
