//! Two tenants of one org: the same Salesforce ids, and what the one does changes no answer to the
//! other.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::kernel::{Environment, Grantee, SeatId, TenantEnvironment, TenantId};

use super::Served;
use super::canary::{ADMIN, SELLER, imported, marked};
use super::guards::path_of;

/// What differs with the moment, or counts what the asking itself needed.
const FLEETING: [&str; 3] = ["as_of", "checked_at", "generated_at"];

/// A matched contact, its person, and the latest runs.
#[derive(Clone)]
struct Ids {
    record: String,
    entity: String,
    run: String,
    match_run: String,
}

async fn ids(served: &Served) -> Ids {
    let admin = served.token("admin");
    let get = async |path: &str| served.get(&admin, &served.connection(path)).await.body;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let contacts = get("/matches?object=Contact").await;
    let mut lists = contacts["items"].as_array().unwrap().iter();
    let matched = lists.find(|list| list["entity_id"].is_string()).unwrap();
    Ids {
        record: text(&matched["record_id"]),
        entity: text(&matched["entity_id"]),
        run: text(&get("/runs").await["items"][0]["run_id"]),
        match_run: text(&get("/match-runs").await["items"][0]["match_run_id"]),
    }
}

fn without_the_fleeting(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !FLEETING.contains(&name.as_str()));
            fields.values_mut().for_each(without_the_fleeting);
        }
        Value::Array(items) => items.iter_mut().for_each(without_the_fleeting),
        _ => (),
    }
}

/// What every route of a tenant that reads answers to its admin or its seller.
async fn answers(served: &Served, ids: &Ids) -> BTreeMap<String, Value> {
    let mut answers = BTreeMap::new();
    for operation in served.description.operations() {
        let roles = operation.roles();
        let role = ["admin", "seat"].into_iter().find(|role| roles.contains(role));
        let of_a_tenant = operation.path.contains("{tenant}");
        let (Some(role), "get", true) = (role, operation.method.as_str(), of_a_tenant) else {
            continue;
        };
        let path = path_of(served, &operation)
            .replace("mrun_00000000000000000000000001", &ids.match_run)
            .replace("run_00000000000000000000000001", &ids.run)
            .replace("Lead/00Q000000000001EAA", &format!("Contact/{}", ids.record))
            .replace("pr_1", &ids.entity);
        let answer = served.get(&served.token(role), &path).await;
        let mut body = json!({ "status": answer.status.as_u16(), "body": answer.body });
        without_the_fleeting(&mut body);
        answers.insert(operation.path.clone(), body);
    }
    answers
}

/// An admin corrects a match, changes settings, and disconnects.
async fn change_and_disconnect(served: &Served, ids: &Ids) {
    let admin = served.token("admin");
    let at = |path: &str| served.connection(path);
    let correction = json!({ "action": "unmatch", "entity_id": ids.entity });
    let path = at(&format!("/matches/Contact/{}/corrections", ids.record));
    let answer = served.post(&admin, &path, &correction).await;
    assert!(answer.status.is_success(), "{}", answer.body);
    for (method, path, body) in [
        ("PATCH", "/settings", json!({ "auto_save": false })),
        ("PUT", "/import-settings", json!({ "every_minutes": 60 })),
    ] {
        let answer = served.call(method, &at(path), Some(&admin), Some(body.to_string())).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
    }
    let disconnected = served.call("DELETE", &at(""), Some(&admin), None).await;
    assert!(disconnected.status.is_success(), "{}", disconnected.body);
}

#[tokio::test]
async fn two_tenants_of_one_org_read_the_same_ids_and_nothing_of_each_other() {
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    let other = world.tenant("globex").await;
    let there = TenantEnvironment { tenant: other, environment: Environment::Production };
    Box::pin(world.authorize_at(there, Grantee::Admin, ADMIN)).await.unwrap();
    world.run().await;

    let seat = SeatId::derived(SELLER);
    let of = async |tenant: TenantId| {
        let served = Served::over(world.memory.ports(), "crm-sync/").await;
        Served { tenant, seat, ..served }
    };
    let (acme, globex) = (of(TenantId::derived("acme")).await, of(other).await);
    let (ours, theirs) = (ids(&acme).await, ids(&globex).await);
    let record = "/v1/tenants/{tenant}/connections/{environment}/matches/{object}/{record}";
    let asked = Ids { record: theirs.record.clone(), ..ours.clone() };
    let of_acme = answers(&acme, &asked).await;
    let before = answers(&globex, &theirs).await;
    assert!(before.len() > 25, "{} routes", before.len());
    assert_eq!(of_acme[record]["status"], 200, "the same ids: {}", of_acme[record]);
    assert_eq!(before[record]["status"], 200, "{}", before[record]);
    for (id, answers) in [(acme.tenant, &before), (globex.tenant, &of_acme)] {
        for (path, answer) in answers {
            assert!(!answer.to_string().contains(&id.to_string()), "{path}: {answer}");
        }
    }

    change_and_disconnect(&acme, &ours).await;
    // What follows at once; in hours, each would be imported again.
    for _ in 0..100 {
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
    }
    assert_ne!(answers(&acme, &asked).await, of_acme, "it was changed");
    let after = answers(&globex, &theirs).await;
    let changed: Vec<_> = before.iter().filter(|(path, told)| after[*path] != **told).collect();
    assert!(changed.is_empty(), "{changed:#?}");
}
