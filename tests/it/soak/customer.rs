//! A customer of the process that soaks: who logs in, imports, and posts until it is accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use reqwest::{Method, RequestBuilder};
use salesforce_simulator::Control;
use serde_json::{Value, json};
use shared::kernel::{Environment, TenantEnvironment};

use super::super::flows::org::{directory, json_of};
use super::served::{Served, all_items, answer, open, upload};

const ADMIN: &str = "crm.integration@acme.example";
const SELLER: &str = "noor.castellan@acme.example";

/// How long anything is waited for. A request whose outcome a kill left unknown is made again after
/// eleven minutes, and what waits behind it comes then.
const PATIENCE: Duration = Duration::from_mins(25);

/// Activities are about so many people or more: one whose outcome is unknown holds up those about
/// the same account.
const PERSONS: usize = 20;

/// Between two looks, and before a refused request is sent again.
const STEP: Duration = Duration::from_millis(100);

/// Between two imports that are asked for, be it before an end or not. Sixty an hour may be, and
/// the end needs some of them.
pub(super) const IMPORTS: Duration = Duration::from_secs(150);

/// The states of a run that nothing is done for any more.
const ENDED: [&str; 4] = ["complete", "failed", "cancelled", "stepped_aside"];

/// A tenant with seats and a directory, connected and imported once.
pub(super) struct Customer<'a> {
    served: &'a Served,
    control: &'a Control,
    service: String,
    seller: String,
    tenant: String,
    /// The seats' ids by e-mail.
    pub(super) seats: BTreeMap<String, String>,
    persons: Vec<String>,
}

impl<'a> Customer<'a> {
    /// Becomes a customer. Nothing is killed so far.
    pub(super) async fn arrive(served: &'a Served, control: &'a Control, folder: &Path) -> Self {
        let service = served.token(&["--role", "service"]);
        let (seller, tenant, seats, persons) = Default::default();
        let mut own = Self { served, control, service, seller, tenant, seats, persons };
        own.tenant = text(&own.post("/v1/tenants", &json!({ "name": "Acme" })).await, "tenant_id");
        for seat in json_of(folder, "seats.json").as_array().unwrap() {
            let new = json!({ "email": seat["email"], "name": "A seller" });
            let made = own.post(&format!("/v1/tenants/{}/seats", own.tenant), &new).await;
            own.seats.insert(text(seat, "email"), text(&made, "seat_id"));
        }
        let words = ["--role", "seat", "--tenant", &own.tenant, "--seat", &own.seats[SELLER]];
        own.seller = served.token(&words);
        own.publish(folder).await;
        own.log_in().await.unwrap();
        own.answer_the_wizard().await;
        own.log_in_seller().await.unwrap();
        own.until("the first import", async || {
            own.runs().await.get("complete").is_some_and(|n| *n > 0)
        })
        .await;
        own.await_persons().await;
        own
    }

    /// Whose data it is.
    pub(super) fn at(&self) -> TenantEnvironment {
        let tenant = self.tenant.parse().unwrap();
        TenantEnvironment { tenant, environment: Environment::Production }
    }

    async fn publish(&self, folder: &Path) {
        let parts = json!({ "parts": [{ "kind": "people" }, { "kind": "companies" }] });
        let begun = self.post("/v1/directory/versions", &parts).await;
        for (part, (_, file)) in begun["uploads"].as_array().unwrap().iter().zip(directory(folder))
        {
            let body = std::fs::read(file).unwrap();
            upload(self.served.client(), &text(part, "url"), body).await;
        }
        let version = format!("/v1/directory/versions/{}", text(&begun, "version"));
        self.post(&format!("{version}/publish"), &json!({})).await;
        self.until("the directory", async || {
            self.get(&version).await.is_ok_and(|found| found["state"] == "published")
        })
        .await;
    }

    /// The admin turns on what is off until they say so.
    async fn answer_the_wizard(&self) {
        let said = json!({
            "step": "sync", "auto_save": true, "stage": null, "log_messages": true,
            "log_notes": true,
        });
        answer(self.as_service(Method::PUT, &self.connection("/wizard")).json(&said))
            .await
            .unwrap();
    }

    /// Waits until people are matched whom activities can be about.
    async fn await_persons(&mut self) {
        let begun = Instant::now();
        while self.persons.len() < PERSONS {
            assert!(begun.elapsed() < PATIENCE, "nobody is matched:\n{}", self.served.shown_log());
            tokio::time::sleep(STEP).await;
            let path = self.connection("/matches?object=Contact");
            if self.get(&path).await.is_err() {
                continue;
            }
            let decided = self.all(&path).await;
            let matched = decided.iter().filter(|item| item["decision"] == "match");
            self.persons = matched.map(|item| text(item, "entity_id")).collect();
        }
    }

    fn connection(&self, rest: &str) -> String {
        format!("/v1/tenants/{}/connections/production{rest}", self.tenant)
    }

    fn as_service(&self, method: Method, path: &str) -> RequestBuilder {
        self.served.request(method, path).bearer_auth(&self.service)
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        answer(self.as_service(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        answer(self.as_service(Method::POST, path).json(body)).await.unwrap()
    }

    /// The admin connects the org.
    async fn log_in(&self) -> Result<(), String> {
        self.authorize(&self.connection("/authorize"), ADMIN).await
    }

    async fn log_in_seller(&self) -> Result<(), String> {
        let path = self.connection(&format!("/seats/{}/authorize", self.seats[SELLER]));
        self.authorize(&path, SELLER).await
    }

    async fn authorize(&self, path: &str, username: &str) -> Result<(), String> {
        let request = self.as_service(Method::POST, path).json(&json!({}));
        let begun = request.send().await.map_err(|error| error.to_string())?;
        let cookie = begun.headers().get("set-cookie").ok_or("no cookie")?;
        let cookie = cookie.to_str().unwrap().split(';').next().unwrap_or_default().to_owned();
        let begun: Value = begun.json().await.map_err(|error| error.to_string())?;
        let back = self.control.approve(&text(&begun, "authorize_url"), username);
        let back = back.map_err(|error| error.to_string())?;
        open(self.served.client(), &back, &cookie).await
    }

    /// Logs activities, each with a key of its own, again and again until it is taken in. Gives
    /// their ids.
    pub(super) async fn post_until(&self, end: Instant) -> Vec<String> {
        let mut random = Rng::with_seed(34);
        let mut posted = Vec::new();
        while Instant::now() < end {
            let key = format!("soak {}", posted.len());
            let kind = ["message", "inmail", "note"][random.usize(..3)];
            let body = json!({
                "kind": kind,
                "entity_kind": "person",
                "entity_id": self.persons[random.usize(..self.persons.len())],
                "subject": if kind == "inmail" { json!("A question") } else { Value::Null },
                "body": format!("Written by the soak, {key}."),
                "occurred_at": "2026-11-20T09:30:00Z",
            });
            posted.push(self.post_once(&key, &body).await);
            tokio::time::sleep(Duration::from_millis(random.u64(100..900))).await;
        }
        posted
    }

    async fn post_once(&self, key: &str, body: &Value) -> String {
        let begun = Instant::now();
        loop {
            let path = self.connection("/activities");
            let request = self.served.request(Method::POST, &path).bearer_auth(&self.seller);
            match answer(request.header("idempotency-key", key).json(body)).await {
                Ok(taken) => return text(&taken, "activity_id"),
                Err(error) => {
                    assert!(!error.starts_with('4'), "refused: {error}");
                    assert!(begun.elapsed() < PATIENCE, "{key} is not taken in: {error}");
                }
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Asks for imports, and logs in again where a kill between a token's rotation and its storing
    /// lost the login; how many imports were asked for.
    pub(super) async fn import_until(&self, end: Instant) -> u32 {
        let mut asked = 0;
        while Instant::now() < end {
            tokio::time::sleep(IMPORTS.min(end.saturating_duration_since(Instant::now()))).await;
            self.reconnect().await;
            asked += u32::from(self.ask_import().await.is_ok());
        }
        asked
    }

    /// Asks for an import once. Gives its run's id.
    pub(super) async fn ask_import(&self) -> Result<String, String> {
        let path = self.connection("/runs");
        let run = answer(self.as_service(Method::POST, &path).json(&json!({}))).await?;
        Ok(text(&run, "run_id"))
    }

    /// Logs in again if the connection is not connected. A kill may undo that: it is tried again.
    async fn reconnect(&self) {
        let found = self.get(&self.connection("")).await;
        if found.is_ok_and(|connection| connection["state"] != "connected") {
            let tried = self.log_in().await;
            println!("the admin logs in again: {tried:?}");
        }
    }

    /// Waits, with nothing killed any more, until every activity is logged, and until one more
    /// import has gone through.
    pub(super) async fn settle(&self, posted: &[String]) {
        let begun = Instant::now();
        for activity in posted {
            let path = self.connection(&format!("/activities/{activity}"));
            loop {
                let found = self.get(&path).await.unwrap();
                if found["state"] == "logged" {
                    break;
                }
                if found["state"] == "held" {
                    self.reconnect().await;
                    println!("the seller logs in again: {:?}", self.log_in_seller().await);
                }
                assert!(begun.elapsed() < PATIENCE, "not logged in time: {found}");
                tokio::time::sleep(STEP).await;
            }
        }
        println!("all activities are logged {:?} after the last kill", begun.elapsed());
        self.until("an import of the end", async || self.import_once().await).await;
    }

    /// Asks for an import once none is under way; true once it has gone through, false where one
    /// began meanwhile. One that is asked for beside another steps aside, and is one of the sixty
    /// that an hour may have.
    async fn import_once(&self) -> bool {
        self.reconnect().await;
        if self.runs().await.keys().any(|state| !ENDED.contains(&state.as_str())) {
            return false;
        }
        let run = self.ask_import().await.unwrap();
        let path = self.connection(&format!("/runs/{run}"));
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            tokio::time::sleep(STEP).await;
            // Until its first message is worked on there is no run.
            let Ok(found) = self.get(&path).await else { continue };
            match found["state"].as_str().unwrap_or_default() {
                "complete" => return true,
                "failed" | "cancelled" | "stepped_aside" => return false,
                _ => {}
            }
        }
        panic!("the import does not end:\n{}", self.served.shown_log());
    }

    /// How many runs there are in each state.
    pub(super) async fn runs(&self) -> BTreeMap<String, u32> {
        let mut states = BTreeMap::new();
        let listed = self.get(&self.connection("/runs")).await.unwrap_or_default();
        for run in listed["items"].as_array().into_iter().flatten() {
            *states.entry(text(run, "state")).or_default() += 1;
        }
        states
    }

    /// The ids of an object's records that are matched.
    pub(super) async fn matched(&self, object: &str) -> BTreeSet<String> {
        let decided = self.all(&self.connection(&format!("/matches?object={object}"))).await;
        let matched = decided.iter().filter(|item| item["decision"] == "match");
        matched.map(|item| text(item, "record_id")).collect()
    }

    /// The records in a list of a seat, in their order; twice if it holds them twice.
    pub(super) async fn saved(&self, seat: &str, list: &str) -> Vec<String> {
        let path = self.connection(&format!("/seats/{seat}/saved?kind={list}"));
        let mut saved: Vec<_> = self.all(&path).await.iter().map(|s| text(s, "record")).collect();
        saved.sort();
        saved
    }

    /// The items of all pages.
    async fn all(&self, path: &str) -> Vec<Value> {
        all_items(path, async |path| self.get(&path).await).await
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !holds().await {
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} does not come:\n{}",
                self.served.shown_log()
            );
            tokio::time::sleep(STEP).await;
        }
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}
