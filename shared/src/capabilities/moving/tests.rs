//! Moves over the ports in memory: whose word goes, and what stops.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::capabilities::custody::{OpenGeneration, StoredGrant};
use crate::capabilities::linking::CandidateList;
use crate::capabilities::{seats, settings};
use crate::kernel::{Generation, ListId, SObject, SeatId};
use crate::ports::Disposition;
use crate::store::keys::connection as connection_slot;
use crate::store::{Commit, Slot};
use crate::testing::{Memory, product, record_id};

const ORG: &str = "00D000000000001EAA";

struct Home {
    memory: Memory,
    ports: Ports,
    custody: Custody,
    moving: Moving,
    tenant: TenantId,
}

impl Home {
    fn new() -> Self {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let ports = memory.ports();
        let product = product(ports.clone(), "test/");
        let (custody, moving) = (product.custody(), product.moving().unwrap());
        Self { memory, ports, custody, moving, tenant: TenantId::derived("acme") }
    }

    async fn put<T: serde::Serialize>(&self, slot: &Slot<T>, document: &T) {
        Store::new(self.ports.clone()).put(slot, document).await.unwrap();
    }

    /// Connects the org as production.
    async fn connect(&self) -> OpenGeneration {
        let at = TenantEnvironment { tenant: self.tenant, environment: Environment::Production };
        let connection = Connection { at, generation: Generation(3), ..Connection::sample() };
        let scope = connection.scope();
        let grant = StoredGrant {
            access_token: String::new().into(),
            refresh_token: String::new().into(),
            instance_url: connection.instance_url.clone(),
        };
        self.custody.make_secret(scope, &grant, "1").await.unwrap();
        self.put(&connection_slot(at), &connection).await;
        self.custody.open(scope).await.unwrap().unwrap()
    }

    async fn import(&self, lines: &[Value]) -> Result<ImportedLines, MovingError> {
        let head = Header::new(TenantId::derived("elsewhere"), Timestamp::UNIX_EPOCH);
        let head = Line::TenantExport(head).to_json().unwrap();
        let lines: Vec<String> =
            std::iter::once(head).chain(lines.iter().map(Value::to_string)).collect();
        self.moving.import(self.tenant, &lines).await
    }

    async fn settings(&self) -> Option<settings::KeptSettings> {
        let at = TenantEnvironment { tenant: self.tenant, environment: Environment::Production };
        let store = Store::new(self.ports.clone());
        store.read(&settings::keys::settings(at)).await.unwrap()
    }
}

fn contract(name: &str) -> Value {
    let made = "2026-11-01T09:00:00Z";
    json!({ "kind": "tenant", "name": name, "entitled": true, "created_at": made })
}

fn switches(roi: bool) -> Value {
    json!({
        "kind": "settings", "environment": "production", "auto_save": true, "stage": null,
        "log_messages": true, "log_notes": true, "roi": roi, "embedded_profile": true,
        "data_validation": true, "changes": 2, "rules": 1, "signed": null,
    })
}

fn org(id: &str) -> Value {
    json!({ "kind": "connection", "environment": "production", "org_id": id, "org_name": "Acme" })
}

fn activity(state: &Value, place: u64) -> Value {
    json!({
        "kind": "activity", "activity": crate::kernel::ActivityId::derived(&state.to_string()),
        "seat": SeatId::derived("ada"), "activity_kind": "note", "entity_kind": "person",
        "entity": "pr_1", "occurred_at": "2026-11-20T15:00:00Z", "digest": "d",
        "target": {
            "object": "Contact", "record": record_id("003", 1), "lane": record_id("001", 1),
            "place": place,
        },
        "state": state, "tries": 2, "subject": null, "body": "Call Ada back",
    })
}

#[tokio::test]
async fn the_files_word_goes_until_an_org_is_connected_and_the_homes_own_from_then_on() {
    let home = Home::new();
    let lines = [contract("Acme"), switches(true)];
    let taken = home.import(&lines).await.unwrap().taken;
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), [("settings", 1), ("tenant", 1)]);
    let again = home.import(&lines).await.unwrap();
    assert!(again.taken.is_empty() && again.known.len() == 2, "{again:?}");
    home.import(&[contract("Acme Europe"), switches(false)]).await.unwrap();
    assert!(!home.settings().await.unwrap().settings.roi, "the file's");

    home.connect().await;
    let seat = json!({
        "kind": "seat", "seat": SeatId::derived("ada"), "email": "ada@acme.example",
        "name": "Ada Lovell", "time_zone": "UTC", "roles": ["seat"],
    });
    let taken = home.import(&[contract("Acme"), switches(true), seat]).await.unwrap().taken;
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), [("seat", 1)], "what was missing");
    assert!(!home.settings().await.unwrap().settings.roi, "the home's own");
    let found = Store::new(home.ports.clone()).read(&seats::keys::tenant(home.tenant)).await;
    assert_eq!(found.unwrap().unwrap().name, "Acme Europe");
}

#[tokio::test]
async fn nothing_is_opened_or_committed_after_a_hand_over_and_all_of_it_after_it_is_taken_back() {
    let home = Home::new();
    home.import(&[contract("Acme")]).await.unwrap();
    let opened = home.connect().await;
    let scope = opened.keys.scope();
    let commit = async || {
        let mut commit = Commit::new();
        opened.check_at_home(&mut commit).unwrap();
        Store::new(home.ports.clone()).commit(commit).await.unwrap().is_done()
    };
    assert!(commit().await);
    let handed_over = home.moving.hand_over(home.tenant).await.unwrap();
    assert_eq!(handed_over.len(), 1);
    assert!(!commit().await, "what was opened before claims nothing");
    let error = home.custody.open(scope).await.err().unwrap();
    assert_eq!(error.disposition, Disposition::Pause, "the work is kept");
    let back = home.import(&[contract("Acme")]).await.unwrap_err();
    assert!(matches!(back, MovingError::HandedOver));
    home.memory.clock.advance(jiff::SignedDuration::from_mins(1));
    let again = home.moving.hand_over(home.tenant).await.unwrap();
    assert_eq!(again, handed_over, "a second call finds the first one's");

    home.moving.take_back(home.tenant).await.unwrap();
    assert!(commit().await);
    assert!(home.custody.open(scope).await.unwrap().is_some());
    let nobody = home.moving.hand_over(TenantId::derived("nobody")).await;
    assert!(matches!(nobody, Err(MovingError::NotFound)));
}

#[tokio::test]
async fn an_activity_goes_on_at_the_end_of_its_lane_or_outside_it() {
    let home = Home::new();
    home.import(&[contract("Acme")]).await.unwrap();
    let opened = home.connect().await;
    let logged = json!({ "state": "logged", "salesforce_id": record_id("00T", 1) });
    let held = json!({ "state": "held", "reason": "crm_login_required" });
    let claimed = json!({
        "state": "claimed", "server_time": "2026-11-20T15:00:00Z", "at": "2026-11-20T15:00:00Z",
        "lookups": 2,
    });
    let queued = json!({ "state": "queued" });
    let lines = [
        org(ORG),
        activity(&logged, 6),
        activity(&held, 4),
        activity(&claimed, 7),
        activity(&queued, 8),
    ];
    assert_eq!(home.import(&lines).await.unwrap().taken["activity"], 4);
    let sent = home.memory.receive().len();
    assert_eq!(sent, 2, "what was logged is not sent, and the one behind the claimed rests");
    let store = &opened.store;
    let mut places = Vec::new();
    for state in [&logged, &held, &claimed, &queued] {
        let id = crate::kernel::ActivityId::derived(&state.to_string());
        let stored = store.load(&opened.keys.activity(id)).await.unwrap().unwrap();
        assert_eq!(serde_json::to_value(&stored.state).unwrap(), *state);
        let text: crate::capabilities::activities::ActivityText =
            opened.unsealed(&stored.slot(), stored.body().unwrap()).unwrap();
        assert_eq!(text.body, "Call Ada back");
        places.push(stored.target.as_ref().unwrap().place);
    }
    assert_eq!(places, [6, 0, 1, 2]);
    let again = home.import(&lines).await.unwrap();
    assert!(again.taken.is_empty(), "{again:?}");
    assert!(home.memory.receive().is_empty(), "nothing is sent twice");
}

#[tokio::test]
async fn a_correction_waits_for_a_record_that_is_not_here() {
    let home = Home::new();
    home.import(&[contract("Acme")]).await.unwrap();
    let opened = home.connect().await;
    let record = record_id("00Q", 1);
    let correction = json!({
        "kind": "correction", "object": "Lead", "record": record, "always": "pr_1", "never": [],
        "source": "manual",
        "history": [{ "action": "match", "entity_id": "pr_1", "at": "2026-11-20T15:00:00Z" }],
    });
    let lines = [org(ORG), correction];
    assert_eq!(home.import(&lines).await.unwrap().taken["correction"], 1);
    let slot = opened.keys.candidates(SObject::Lead, record);
    let list = opened.store.read(&slot).await.unwrap();
    assert_eq!(list, Some(CandidateList::awaited(SObject::Lead, record)), "it links nothing yet");
    assert!(home.import(&lines).await.unwrap().taken.is_empty());
}

#[tokio::test]
async fn the_entries_of_a_list_come_behind_it_wherever_they_stand_in_a_batch() {
    let home = Home::new();
    home.import(&[contract("Acme")]).await.unwrap();
    let opened = home.connect().await;
    let (list, seat, made) = (ListId::derived("1"), SeatId::derived("ada"), "2026-11-20T15:00:00Z");
    let entry = |person: &str| {
        let entry = json!({ "list": list, "entity": person, "added_by": seat, "added_at": made });
        json!({ "kind": "list_entry", "entry": entry })
    };
    let kept = json!({
        "id": list, "kind": "leads", "name": "Renewals", "owner": seat, "collaborators": [],
        "entries": 2, "created_at": made,
    });
    let lines = [org(ORG), entry("pr_1"), entry("pr_2"), json!({ "kind": "list", "list": kept })];
    let taken = home.import(&lines).await.unwrap().taken;
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), [("list", 1), ("list_entry", 2)]);
    assert_eq!(opened.store.read(&opened.keys.list(list)).await.unwrap().unwrap().entries, 2);
    assert!(home.import(&lines).await.unwrap().taken.is_empty());
}

#[tokio::test]
async fn an_orgs_lines_are_refused_without_it_and_never_quoted() {
    let home = Home::new();
    let held = activity(&json!({ "state": "queued" }), 1);
    let unconnected = home.import(&[org(ORG), held.clone()]).await.unwrap_err();
    assert!(unconnected.to_string().contains(ORG), "{unconnected}");
    home.connect().await;
    let other = home.import(&[org("00D000000000009EAA"), held.clone()]).await.unwrap_err();
    assert!(matches!(other, MovingError::OtherOrg { .. }), "{other}");
    let mut damaged = held;
    damaged["occurred_at"] = json!("yesterday");
    let before = home.memory.items().len();
    let error = home.import(&[org(ORG), damaged]).await.unwrap_err();
    assert_eq!(error.to_string(), "line 3 is damaged");
    let never = json!({
        "kind": "import_settings", "environment": "production", "every_minutes": 0,
        "schedule_paused": false, "api_percent": 70, "api_reserve": 1, "formula_refresh_hours": 24,
    });
    assert_eq!(home.import(&[never]).await.unwrap_err().to_string(), "line 2 is damaged");
    assert_eq!(home.memory.items().len(), before);
}

#[tokio::test]
async fn what_sellers_said_of_logging_is_taken_along_and_a_word_said_here_stays() {
    let home = Home::new();
    let seat = SeatId::derived("ada");
    let line = |on: bool| {
        json!({
            "kind": "seat_logging", "environment": "production", "seat": seat, "switch": null,
            "choices": { "types": { "notes": on } },
        })
    };
    let at = TenantEnvironment { tenant: home.tenant, environment: Environment::Production };
    let store = Store::new(home.ports.clone());
    let notes = async || {
        let slot = settings::keys::seat_choices(at, seat);
        let choices = store.read(&slot).await.unwrap().unwrap();
        choices.types[&settings::LogType::Notes]
    };
    for on in [true, false] {
        home.import(&[contract("Acme"), line(on)]).await.unwrap();
        assert_eq!(notes().await, on, "the file's, until an org is connected");
    }
    let opened = home.connect().await;
    home.import(&[contract("Acme"), line(true)]).await.unwrap();
    assert!(!notes().await, "the home's own");

    let said = |log: bool| {
        let thread = "thread-1";
        json!({ "kind": "conversation", "seat": seat, "conversation": thread, "log": log })
    };
    for log in [false, true] {
        home.import(&[contract("Acme"), org(ORG), said(log)]).await.unwrap();
        let series = opened.keys.conversations_of(seat);
        let found = opened.store.all(&series).await.unwrap();
        assert_eq!((found.len(), found[0].log), (1, false), "what was said first stays");
    }
}
