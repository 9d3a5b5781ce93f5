//! `docs/seller-panel.md`, call by call: what the guide shows is what the product does.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use shared::kernel::SeatId;
use tests::world::World;

use super::Served;
use super::canary::{SELLER, imported, marked};
use crate::router;

/// A call of the guide, and the answer that it shows.
struct Example {
    method: String,
    path: String,
    key: Option<String>,
    body: Option<String>,
    answer: Option<(u16, String)>,
}

/// The names of the guide, and what each stands for.
type Names = BTreeMap<String, String>;

/// The code blocks of a page: what stands behind the three ticks, and what between them.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let inside: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind.to_owned(), inside.join("\n")));
        }
    }
    blocks
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for (kind, text) in blocks(page) {
        if kind == "http" {
            let (head, body) =
                text.split_once("\n\n").map_or((&*text, None), |(h, b)| (h, Some(b)));
            let mut lines = head.lines();
            let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
            let key = lines.next().map(|line| line.strip_prefix("Idempotency-Key: ").unwrap());
            examples.push(Example {
                method: method.to_owned(),
                path: path.to_owned(),
                key: key.map(str::to_owned),
                body: body.map(str::to_owned),
                answer: None,
            });
        } else if let Some(status) = kind.strip_prefix("json ") {
            let asked = examples.last_mut().expect("an answer stands behind its call");
            assert!(asked.answer.is_none(), "two answers: {text}");
            asked.answer = Some((status.parse().unwrap(), text));
        }
    }
    examples
}

fn filled(text: &str, names: &Names) -> String {
    names
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Holds an answer to what the guide shows of it. A name that stands for nothing yet takes what
/// stands in its place.
fn hold(shown: &Value, found: &Value, place: &str, names: &mut Names) {
    match (shown, found) {
        (Value::String(any), found) if any == "…" => {
            assert!(!found.is_null(), "{place} is null");
        }
        (Value::String(text), Value::String(found)) => {
            let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            match name.filter(|name| !names.contains_key(*name)) {
                Some(name) => drop(names.insert(name.to_owned(), found.clone())),
                None => assert_eq!(&filled(text, names), found, "{place}"),
            }
        }
        (Value::Object(shown), Value::Object(found)) => {
            for (key, shown) in shown {
                let found = found.get(key).unwrap_or(&Value::Null);
                hold(shown, found, &format!("{place}/{key}"), names);
            }
        }
        (Value::Array(shown), Value::Array(found)) => {
            assert!(shown.len() <= found.len(), "{place} has {} elements", found.len());
            for (n, (shown, found)) in shown.iter().zip(found).enumerate() {
                hold(shown, found, &format!("{place}/{n}"), names);
            }
        }
        _ => assert_eq!(shown, found, "{place}"),
    }
}

/// A person who is linked to a contact that is as they are.
async fn linked(served: &Served, token: &str) -> String {
    let filter = served.connection("/crm-filter?entity_kind=person&in_crm=true");
    let people = served.get(token, &filter).await.body["entity_ids"].clone();
    let some = &people.as_array().unwrap()[..people.as_array().unwrap().len().min(100)];
    let asked = json!({ "entity_kind": "person", "entity_ids": some });
    let path = served.connection(&format!("/seats/{}/badges", served.seat));
    let badges = served.post(token, &path, &asked).await.body;
    let fits =
        |badge: &&Value| badge["state"] == "in_crm" && badge["record"]["object"] == "Contact";
    let badge = badges["badges"].as_array().unwrap().iter().find(fits).unwrap();
    badge["entity_id"].as_str().unwrap().to_owned()
}

/// The first names: whom the guide is about.
async fn names(world: &World, served: &Served, token: &str, folder: &Path) -> Names {
    let person = linked(served, token).await;
    let filter = served.connection("/crm-filter?entity_kind=person&in_crm=false");
    let strangers = served.get(token, &filter).await.body;
    let strangers: Vec<_> = strangers["entity_ids"].as_array().unwrap().iter().collect();
    let people = std::fs::read_to_string(folder.join("people.jsonl")).unwrap();
    let people = people.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let is_employed = |who: &Value| who["company"]["name"].is_string();
    let stranger = people.filter(is_employed).find(|who| strangers.contains(&&who["id"])).unwrap();
    let own = |name: &Value| name.as_str().unwrap().to_owned();
    let accounts = world.control().records(&world.org, "Account", 0, 1).unwrap();
    let beginning = &accounts[0]["Name"].as_str().unwrap()[..3];
    let names = [
        ("tenant", served.tenant.to_string()),
        ("seat", served.seat.to_string()),
        ("person", person),
        ("stranger", own(&stranger["id"])),
        ("first", own(&stranger["first_name"])),
        ("last", own(&stranger["last_name"])),
        ("company", own(&stranger["company"]["name"])),
        ("beginning", beginning.replace(' ', "%20")),
    ];
    names.map(|(name, value)| (name.to_owned(), value)).into()
}

#[tokio::test]
async fn every_call_of_the_guide_is_answered_as_it_shows() {
    let page = tests::read("docs/seller-panel.md").unwrap();
    let examples = examples(&page);
    assert!(examples.len() > 15, "{}", examples.len());
    let folder = marked();
    let world = Box::pin(imported(folder.path())).await;
    world.set(&json!({ "create_leads": true, "update_leads": true })).await;
    let mut served = Served::over(world.memory.ports(), "crm-sync/").await;
    served.api.asking = world.functions.asking.clone();
    served.router = router::router(served.api.clone());
    served.seat = SeatId::derived(SELLER);
    let token = served.token("seat");
    let mut names = names(&world, &served, &token, folder.path()).await;
    for Example { method, path, key, body, answer } in examples {
        let (at, body) = (filled(&path, &names), body.map(|body| filled(&body, &names)));
        let found = served.call_keyed(&method, &at, Some(&token), body, key.as_deref()).await;
        world.run().await;
        match answer {
            None => assert!(found.status.is_success(), "{method} {path}: {}", found.body),
            Some((status, shown)) => {
                assert_eq!(found.status.as_u16(), status, "{method} {path}: {}", found.body);
                let shown: Value = serde_json::from_str(&shown).unwrap();
                hold(&shown, &found.body, &format!("{method} {path}"), &mut names);
            }
        }
    }
}

#[test]
#[should_panic(expected = "state")]
fn an_answer_that_is_not_as_shown_is_noticed() {
    let (shown, found) = (json!({ "state": "logged" }), json!({ "state": "queued" }));
    hold(&shown, &found, "", &mut Names::new());
}
