//! A tenant beside others: who connects an org, posts, changes a record and has it imported, and
//! notes how long each took to arrive.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use salesforce_simulator::Control;
use serde_json::{Value, json};
use shared::kernel::{Environment, TenantEnvironment};
use shared::testing::record_id;

use super::super::flows::org::{directory, json_of};
use super::super::soak::served::{all_items, answer, open, upload};
use super::place::Place;

const ADMIN: &str = "crm.integration@acme.example";
const SELLER: &str = "noor.castellan@acme.example";

/// How long anything but the burst is waited for.
const PATIENCE: Duration = Duration::from_mins(3);

/// Between two looks.
const STEP: Duration = Duration::from_millis(100);

/// Between two activities of a tenant.
const POSTS: Duration = Duration::from_secs(2);

/// Of so many activities one is followed by an import.
const ONE_IS_FOLLOWED: usize = 5;

/// A wait that is longer than this, and longer than ten times what it was before, is not fair.
const FAIR: Duration = Duration::from_secs(30);

/// How long things took to arrive, in milliseconds.
#[derive(Default)]
pub(super) struct Lags {
    write_back: Vec<u128>,
    import: Vec<u128>,
}

impl Lags {
    pub(super) fn add(&mut self, other: Self) {
        self.write_back.extend(other.write_back);
        self.import.extend(other.import);
    }

    pub(super) fn posted(&self) -> usize {
        self.write_back.len()
    }

    /// Half of all, nineteen of twenty, and the longest.
    pub(super) fn told(&self) -> Value {
        let of = |lags: &[u128]| {
            let mut lags = lags.to_vec();
            lags.sort_unstable();
            let at =
                |part: usize| lags.get((lags.len() * part / 100).min(lags.len().saturating_sub(1)));
            let (p50, p95) = (at(50).copied(), at(95).copied());
            json!({ "n": lags.len(), "p50": p50, "p95": p95, "max": lags.last() })
        };
        json!({ "write_back": of(&self.write_back), "import": of(&self.import) })
    }

    /// True if half of what these tenants waited for came in time, or not ten times later than
    /// before.
    pub(super) fn is_fair_beside(&self, before: &Self) -> bool {
        let half = |lags: &[u128]| {
            let mut lags = lags.to_vec();
            lags.sort_unstable();
            lags[lags.len() / 2]
        };
        [(&self.write_back, &before.write_back), (&self.import, &before.import)]
            .into_iter()
            .all(|(now, then)| half(now) < FAIR.as_millis().max(10 * half(then)))
    }
}

/// A seat whose CRM user has logged in.
pub(crate) struct Seller {
    /// For calls of the API.
    token: String,
    seat: String,
    /// One in all of Salesforce.
    pub(crate) name: String,
}

/// A tenant that was connected, imported and matched.
pub(crate) struct Tenant<'a, P> {
    place: &'a P,
    control: &'a Control,
    service: String,
    admin: String,
    seller: Seller,
    id: String,
    /// The org's My Domain.
    pub(crate) org: String,
    /// Whom activities can be about.
    pub(crate) persons: Vec<String>,
    posted: Mutex<Vec<String>>,
}

/// Publishes the directory, which is everybody's.
pub(crate) async fn publish(place: &impl Place, folder: &Path) {
    let service = place.service();
    let call = async |method: Method, path: &str, body: &Value| {
        let request = place.request(method, path).bearer_auth(&service);
        answer(request.json(body)).await.unwrap()
    };
    let parts = json!({ "parts": [{ "kind": "people" }, { "kind": "companies" }] });
    let begun = call(Method::POST, "/v1/directory/versions", &parts).await;
    let uploads = begun["uploads"].as_array().unwrap().iter();
    for (part, (_, file)) in uploads.zip(directory(folder)) {
        let body = std::fs::read(file).unwrap();
        upload(place.client(), &text(part, "url"), body).await;
    }
    let version = format!("/v1/directory/versions/{}", text(&begun, "version"));
    call(Method::POST, &format!("{version}/publish"), &json!({})).await;
    let begun = Instant::now();
    while call(Method::GET, &version, &json!({})).await["state"] != "published" {
        assert!(begun.elapsed() < PATIENCE, "the directory:\n{}", place.shown_log());
        tokio::time::sleep(STEP).await;
    }
}

impl<'a, P: Place> Tenant<'a, P> {
    /// Becomes the `n`th tenant, with an org of its own.
    pub(crate) async fn arrive(
        place: &'a P,
        control: &'a Control,
        folder: &Path,
        n: usize,
    ) -> Self {
        let id = record_id("00D", u64::try_from(n).unwrap() + 100);
        let source = json!({ "folder": folder, "my_domain": format!("tenant{n}"), "id": id });
        let org = control.load_org(source).unwrap();
        let mut own = Self {
            place,
            control,
            service: place.service(),
            admin: String::new(),
            seller: Seller { token: String::new(), seat: String::new(), name: String::new() },
            id: String::new(),
            org,
            persons: Vec::new(),
            posted: Mutex::default(),
        };
        let named = json!({ "name": format!("Tenant {n}") });
        own.id = text(&own.post("/v1/tenants", &named).await, "tenant_id");
        let mut seats = Vec::new();
        for seat in json_of(folder, "seats.json").as_array().unwrap() {
            let new = json!({ "email": seat["email"], "name": "A seller" });
            let made = own.post(&format!("/v1/tenants/{}/seats", own.id), &new).await;
            seats.extend((seat["email"] == SELLER).then(|| text(&made, "seat_id")));
        }
        let seat = seats.pop().unwrap();
        own.admin = own.own_name(ADMIN, n);
        let seller = own.own_name(SELLER, n);
        own.seller = Seller { token: place.seat(&own.id, &seat), seat: seat.clone(), name: seller };
        own.connect().await;
        own.await_persons().await;
        let (token, name) = (&own.seller.token, &own.seller.name);
        own.log_in(&format!("/seats/{seat}/authorize"), token, name).await;
        own
    }

    /// The admin connects the org, and its first import goes through.
    pub(super) async fn connect(&self) {
        self.log_in("/authorize", &self.service, &self.admin).await;
        let begun = Instant::now();
        while !self.is_at_rest().await {
            assert!(begun.elapsed() < PATIENCE, "no end:\n{}", self.place.shown_log());
            tokio::time::sleep(STEP).await;
        }
    }

    /// The same tenant at another home of the product.
    pub(super) fn at_home<Q: Place>(&self, place: &'a Q) -> Tenant<'a, Q> {
        let (seat, name) = (self.seller.seat.clone(), self.seller.name.clone());
        Tenant {
            place,
            control: self.control,
            service: place.service(),
            admin: self.admin.clone(),
            seller: Seller { token: place.seat(&self.id, &seat), seat, name },
            id: self.id.clone(),
            org: self.org.clone(),
            persons: Vec::new(),
            posted: Mutex::default(),
        }
    }

    /// The admin turns on what is off until they say so.
    pub(super) async fn answer_the_wizard(&self) {
        let said = json!({
            "step": "sync", "auto_save": true, "stage": null, "log_messages": true,
            "log_notes": true,
        });
        let path = self.connection("/wizard");
        answer(self.as_service(Method::PUT, &path).json(&said)).await.unwrap();
    }

    /// Every list that is saved for a seat, by the seat's address and the list's kind.
    pub(super) async fn saved(&self) -> BTreeMap<(String, &'static str), Vec<Value>> {
        let mut saved = BTreeMap::new();
        for seat in self.all(&format!("/v1/tenants/{}/seats", self.id)).await {
            for kind in ["accounts", "leads"] {
                let path = format!("/seats/{}/saved?kind={kind}", text(&seat, "seat_id"));
                let mut items = self.all(&self.connection(&path)).await;
                items.sort_by_key(|item| text(item, "record"));
                saved.insert((text(&seat, "email"), kind), items);
            }
        }
        saved
    }

    /// How many records of each object were decided on.
    pub(super) async fn decided(&self) -> BTreeMap<String, usize> {
        let counts = self.get(&self.connection("/matches/summary")).await.unwrap();
        let kinds = ["matched", "duplicate", "review", "unmatched"];
        let of = |counts: &Value| -> u64 {
            kinds.iter().map(|kind| counts[kind].as_u64().unwrap()).sum()
        };
        let counts = counts.as_object().unwrap().iter();
        let counts = counts.map(|(object, counts)| (object.clone(), of(counts)));
        counts.map(|(object, all)| (object, usize::try_from(all).unwrap())).collect()
    }

    /// The entity that each of an object's records is matched to.
    pub(super) async fn matched(&self, object: &str) -> BTreeMap<String, String> {
        let path = self.connection(&format!("/matches?object={object}"));
        let decided = self.all(&path).await.into_iter();
        let matched = decided.filter(|item| item["decision"] == "match");
        matched.map(|item| (text(&item, "record_id"), text(&item, "entity_id"))).collect()
    }

    /// The items of all pages.
    async fn all(&self, path: &str) -> Vec<Value> {
        all_items(path, async |path| self.get(&path).await).await
    }

    /// Whose data it is.
    pub(super) fn at(&self) -> TenantEnvironment {
        let tenant = self.id.parse().unwrap();
        TenantEnvironment { tenant, environment: Environment::Production }
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The id of its first seller's seat.
    pub(crate) fn seat(&self) -> &str {
        &self.seller.seat
    }

    fn connection(&self, rest: &str) -> String {
        format!("/v1/tenants/{}/connections/production{rest}", self.id)
    }

    fn as_service(&self, method: Method, path: &str) -> RequestBuilder {
        self.place.request(method, path).bearer_auth(&self.service)
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        answer(self.as_service(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        answer(self.as_service(Method::POST, path).json(body)).await.unwrap()
    }

    /// A user's name is one in all of Salesforce: each org's get its own.
    fn own_name(&self, username: &str, n: usize) -> String {
        let users = self.control.records(&self.org, "User", 0, 1_000).unwrap();
        let user = users.iter().find(|user| user["Username"] == username).unwrap();
        let own = format!("t{n}.{username}");
        let fields = json!({ "Username": own });
        self.control.update(&self.org, user["Id"].as_str().unwrap(), &fields).unwrap();
        own
    }

    async fn log_in(&self, path: &str, token: &str, username: &str) {
        let request = self.place.request(Method::POST, &self.connection(path)).bearer_auth(token);
        let begun = request.json(&json!({})).send().await.unwrap();
        let cookie = begun.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let begun: Value = begun.json().await.unwrap();
        let back = self.control.approve(&text(&begun, "authorize_url"), username).unwrap();
        open(self.place.client(), &back, &cookie).await.unwrap();
    }

    /// The end of the log of the place, or where it lies.
    pub(crate) fn shown_log(&self) -> String {
        self.place.shown_log()
    }

    /// Has the org employ the `n`th further seller, who gets a seat and logs in.
    pub(crate) async fn hire(&self, n: usize) -> Seller {
        let name = format!("seller{n}@{}.example", self.org);
        let users = self.control.records(&self.org, "User", 0, 1_000).unwrap();
        let email = |user: &&Value| user["Email"] == SELLER;
        let profile = &users.iter().find(email).unwrap()["ProfileId"];
        let user = json!({ "Username": name, "Email": name, "FirstName": "A",
            "LastName": format!("Seller {n}"), "IsActive": true, "ProfileId": profile });
        self.control.create(&self.org, "User", &user).unwrap();
        let new = json!({ "email": name, "name": "A seller" });
        let made = self.post(&format!("/v1/tenants/{}/seats", self.id), &new).await;
        let seat = text(&made, "seat_id");
        let token = self.place.seat(&self.id, &seat);
        self.log_in(&format!("/seats/{seat}/authorize"), &token, &name).await;
        Seller { token, seat, name }
    }

    /// Turns on what an admin turns on.
    pub(crate) async fn set(&self, settings: &Value) {
        let path = self.connection("/settings");
        answer(self.as_service(Method::PATCH, &path).json(settings)).await.unwrap();
    }

    /// Posts a change that a seller wants in the CRM.
    pub(crate) async fn want(&self, seller: &Seller, key: &str, change: &Value) {
        let path = self.connection(&format!("/seats/{}/changes", seller.seat));
        let request = self.place.request(Method::POST, &path).bearer_auth(&seller.token);
        answer(request.header("idempotency-key", key).json(change)).await.unwrap();
    }

    /// Posts what a seller did, to a route below that of activities.
    pub(crate) async fn send(&self, seller: &Seller, rest: &str, key: &str, body: &Value) -> Value {
        let path = self.connection(&format!("/activities{rest}"));
        let request = self.place.request(Method::POST, &path).bearer_auth(&seller.token);
        answer(request.header("idempotency-key", key).json(body)).await.unwrap()
    }

    /// Waits until there are people whom activities can be about.
    async fn await_persons(&mut self) {
        let begun = Instant::now();
        while self.persons.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "nobody:\n{}", self.place.shown_log());
            tokio::time::sleep(STEP).await;
            let found = self.get(&self.connection("/matches?object=Contact")).await;
            let Ok(page) = found else { continue };
            let items = page["items"].as_array().unwrap().iter();
            let matched = items.filter(|item| item["decision"] == "match");
            self.persons = matched.map(|item| text(item, "entity_id")).collect();
        }
    }

    async fn is_at_rest(&self) -> bool {
        let runs = self.get(&self.connection("/runs")).await.unwrap_or_default();
        let runs = runs["items"].as_array().cloned().unwrap_or_default();
        !runs.is_empty() && runs.iter().all(|run| run["state"] == "complete")
    }

    /// Posts, and now and then changes a record and has it imported, while `goes_on` says so.
    pub(super) async fn live(&self, goes_on: &impl Fn() -> bool) -> Lags {
        let mut lags = Lags::default();
        for n in 0.. {
            if !goes_on() {
                break;
            }
            lags.write_back.push(self.log().await.as_millis());
            if n % ONE_IS_FOLLOWED == 0 {
                self.change(1).await;
                lags.import.extend(self.import(PATIENCE).await.map(|lag| lag.as_millis()));
            }
            tokio::time::sleep(POSTS).await;
        }
        lags
    }

    /// Logs an activity. Gives the time from its being taken in to its row in Salesforce.
    async fn log(&self) -> Duration {
        let (key, person) = {
            let mut posted = self.posted.lock().unwrap();
            let n = posted.len();
            let key = format!("{} says {n}.", self.org);
            posted.push(key.clone());
            (key, &self.persons[n % self.persons.len()])
        };
        let body = message(person, &key, "2026-11-20T09:30:00Z");
        let begun = Instant::now();
        self.send(&self.seller, "", &key, &body).await;
        while !self.is_logged(&key) {
            assert!(begun.elapsed() < PATIENCE, "{key}:\n{}", self.place.shown_log());
            tokio::time::sleep(STEP).await;
        }
        begun.elapsed()
    }

    fn is_logged(&self, key: &str) -> bool {
        let writes = self.control.writes(&self.org).unwrap();
        let says = |fields: &Value| fields["Description"].as_str().is_some_and(|t| t.contains(key));
        writes.iter().rev().any(|write| says(&write.fields))
    }

    /// Changes so many records: a lead that is there, and leads that are new.
    pub(super) async fn change(&self, records: usize) {
        let (control, org) = (self.control.clone(), self.org.clone());
        let changing = move || {
            let leads = control.records(&org, "Lead", 0, 1).unwrap();
            let stamp = control.now();
            let fields = json!({ "Company": format!("Renamed at {stamp}") });
            control.update(&org, leads[0]["Id"].as_str().unwrap(), &fields).unwrap();
            for n in 1..records {
                let lead = json!({ "FirstName": format!("Given{}", n % 997),
                    "LastName": format!("Family{n}"), "Company": format!("Company {}", n % 4_999),
                    "Email": format!("given.family{n}@company{}.example", n % 4_999),
                    "City": "Köln", "Country": "Germany" });
                control.create(&org, "Lead", &lead).unwrap();
            }
        };
        tokio::task::spawn_blocking(changing).await.unwrap();
    }

    /// Has what changed imported. Gives the time from the asking to the end of the run; none when
    /// it does not end in time.
    pub(super) async fn import(&self, most: Duration) -> Option<Duration> {
        let begun = Instant::now();
        let run = text(&self.post(&self.connection("/runs"), &json!({})).await, "run_id");
        let path = self.connection(&format!("/runs/{run}"));
        while begun.elapsed() < most {
            tokio::time::sleep(STEP).await;
            // Until its first message is worked on there is no run.
            let Ok(found) = self.get(&path).await else { continue };
            match found["state"].as_str().unwrap_or_default() {
                "complete" => return Some(begun.elapsed()),
                "failed" | "cancelled" | "stepped_aside" => panic!("{found}"),
                _ => {}
            }
        }
        None
    }

    /// Has the last changes imported.
    pub(super) async fn settle(&self) {
        let end = self.import(PATIENCE).await;
        assert!(end.is_some(), "no end of {}:\n{}", self.org, self.place.shown_log());
    }
}

/// A message to a person.
pub(crate) fn message(person: &str, body: &str, at: &str) -> Value {
    json!({ "kind": "message", "entity_kind": "person", "entity_id": person, "body": body,
        "occurred_at": at })
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}
