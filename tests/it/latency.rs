//! How soon what sellers do is in Salesforce: when nothing else happens, when fifty of them are at
//! work and rows are locked, and beside a tenant that logs years of the past. `make latency` runs
//! it on `crm-sync serve`.

#![expect(clippy::print_stdout, reason = "it tells what it measured")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use salesforce_simulator::{Control, Fault, FaultKind, Simulator};
use serde_json::{Value, json};
use shared::host::SystemClock;
use shared::ports::Clock;

use super::flows::org::small;
use super::neighbours::tenant::{Seller, Tenant, message, publish};
use super::neighbours::without_orgs;
use super::soak::program;
use super::soak::served::Served;

/// When what is of the past was done.
const A_YEAR_AGO: &str = "2025-11-20T09:30:00Z";

/// The end of a load is waited for no longer than this, and nothing is posted after it.
const PATIENCE: Duration = Duration::from_mins(2);

/// Messages that are posted one after the other.
const AT_REST: usize = 200;

/// Between two of them: a seat may post 300 in a minute.
const PAUSE: Duration = Duration::from_millis(220);

/// So many sellers post so many messages each.
const SELLERS: usize = 50;
const EACH: usize = 20;

/// Leads that are created one after the other, and then updated, by so many of the sellers: a seat
/// may want 120 changes in a minute.
const LEADS: usize = 200;
const BY: usize = 10;

/// One in so many rows is locked.
const LOCKED: u64 = 10;

/// The activities of the past: so many calls of a hundred by each seller.
const CALLS: usize = 20;
const OF_ONE_CALL: usize = 100;

/// The calls that are under way at once.
const AT_ONCE: usize = 8;

/// One process, and the orgs that it reaches.
struct Scene {
    simulator: Simulator,
    served: Served,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let simulator = without_orgs().await;
        let served = Served::new(&program(), &simulator);
        served.start().await;
        let folder = small();
        publish(&served, folder.path()).await;
        Self { simulator, served, folder }
    }

    async fn tenant<'a>(&'a self, control: &'a Control, n: usize) -> Tenant<'a, Served> {
        Tenant::arrive(&self.served, control, self.folder.path(), n).await
    }
}

/// When each message was posted, by its text, in milliseconds of the simulator's clock.
type Posted = BTreeMap<String, i64>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes and measures: make latency"]
async fn at_rest_a_message_is_in_salesforce_within_a_third_of_a_second() {
    let scene = Scene::new().await;
    let control = scene.simulator.control();
    let tenant = scene.tenant(&control, 0).await;
    let seller = tenant.hire(0).await;
    let posted = one_by_one(&control, &tenant, &seller, "rest").await;
    let lags = awaited(&control, &tenant, &posted).await;
    tell("at rest", &lags);
    assert!(part(&lags, 50) <= 300 && part(&lags, 99) <= 2_000, "{lags:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes and measures: make latency"]
async fn at_rest_a_lead_is_created_and_updated_as_soon() {
    let scene = Scene::new().await;
    let control = scene.simulator.control();
    let tenant = scene.tenant(&control, 0).await;
    tenant.set(&json!({ "create_leads": true, "update_leads": true })).await;
    let mut sellers = Vec::new();
    for n in 0..BY {
        sellers.push(tenant.hire(n).await);
    }
    let created = wanted(&control, &tenant, &sellers, "created", |name| {
        let fields = json!({ "LastName": name, "Company": format!("{name} Ltd") });
        json!({ "kind": "create", "object": "Lead", "fields": fields })
    });
    let created = created.await;
    let created = awaited_rows(&control, &tenant, &created, ("Lead", "LastName")).await;
    tell("leads created", &created);

    let leads = control.records(&tenant.org, "Lead", 0, 100_000).unwrap();
    let id_of = |name: &Value| leads.iter().find(|lead| lead["LastName"] == *name).unwrap();
    let updated = wanted(&control, &tenant, &sellers, "updated", |name| {
        let lead = id_of(&json!(name.replace("updated", "created")));
        let title = json!({ "Title": { "from": null, "to": name } });
        json!({ "kind": "update", "object": "Lead", "record_id": lead["Id"], "fields": title })
    });
    let updated = updated.await;
    let updated = awaited_rows(&control, &tenant, &updated, ("Lead", "Title")).await;
    tell("leads updated", &updated);
    for lags in [&created, &updated] {
        assert!(part(lags, 50) <= 300 && part(lags, 99) <= 2_000, "{lags:?}");
    }
}

/// Posts changes, one after the other, by the sellers in turn. `change` makes one for its name.
async fn wanted(
    control: &Control,
    tenant: &Tenant<'_, Served>,
    sellers: &[Seller],
    name: &str,
    change: impl Fn(&str) -> Value,
) -> Posted {
    let mut posted = Posted::new();
    for (n, seller) in (0..LEADS).zip(sellers.iter().cycle()) {
        let name = format!("{name} {n}");
        posted.insert(name.clone(), control.now());
        tenant.want(seller, &name, &change(&name)).await;
        tokio::time::sleep(PAUSE / 4).await;
    }
    posted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes and measures: make latency"]
async fn fifty_sellers_log_a_thousand_messages_in_order_though_rows_are_locked() {
    let scene = Scene::new().await;
    let control = scene.simulator.control();
    let tenant = scene.tenant(&control, 0).await;
    let mut sellers = Vec::new();
    for n in 0..SELLERS {
        sellers.push(tenant.hire(n).await);
    }
    let locked = FaultKind::Respond {
        status: 400,
        body: json!([{ "errorCode": "UNABLE_TO_LOCK_ROW", "message": "planned" }]).to_string(),
        content_type: None,
        retry_after: None,
    };
    let locked = Fault::at("/sobjects/Task", locked).method("POST").times(0).every(LOCKED);
    control.add_fault(locked);
    let posts = sellers.iter().enumerate().map(async |(s, seller)| {
        let mut posted = Posted::new();
        for n in 0..EACH {
            // Each seller writes to each of a few people, so that the people of an account wait.
            let person = &tenant.persons[(s + n) % tenant.persons.len()];
            let key = format!("{} to {person}: {n:02}.", seller.name);
            posted.insert(key.clone(), control.now());
            tenant.send(seller, "", &key, &message(person, &key, &now())).await;
        }
        posted
    });
    let posted: Posted = join_all(posts).await.into_iter().flatten().collect();
    let lags = awaited(&control, &tenant, &posted).await;
    let met: u64 = control.faults().iter().map(|fault| fault.hits).sum();
    tell("fifty sellers", &lags);
    println!("{met} rows were locked");
    assert!(met >= 100, "{met} rows were locked");
    assert_each_account_is_in_order(&control, &tenant.org);
    assert!(part(&lags, 99) <= 60_000, "{lags:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes and measures: make latency"]
async fn a_hundred_thousand_of_the_past_delay_nobody_elses_message() {
    let scene = Scene::new().await;
    let control = scene.simulator.control();
    let (quiet, noisy) = (scene.tenant(&control, 0).await, scene.tenant(&control, 1).await);
    let seller = quiet.hire(0).await;
    let mut sellers = Vec::new();
    for n in 0..SELLERS {
        sellers.push(noisy.hire(n).await);
    }
    let before = one_by_one(&control, &quiet, &seller, "before").await;
    let before = awaited(&control, &quiet, &before).await;
    let begun = Instant::now();
    let calls = (0..CALLS).flat_map(|call| sellers.iter().map(move |seller| (call, seller)));
    let past = stream::iter(calls).map(async |(call, seller)| {
        if begun.elapsed() > PATIENCE {
            return 0;
        }
        past(&noisy, seller, call).await
    });
    let past = async {
        let taken: usize = past.buffer_unordered(AT_ONCE).fold(0, async |all, n| all + n).await;
        (taken, begun.elapsed())
    };
    let meanwhile = async {
        let posted = one_by_one(&control, &quiet, &seller, "meanwhile").await;
        (awaited(&control, &quiet, &posted).await, control.writes(&noisy.org).unwrap().len())
    };
    let ((taken, took), (during, logged)) = tokio::join!(past, meanwhile);
    // What was taken in is not logged yet for the most part.
    let behind = one_by_one(&control, &quiet, &seller, "behind").await;
    let behind = awaited(&control, &quiet, &behind).await;
    tell("before", &before);
    tell("while a tenant's past is taken in", &during);
    tell("while it is logged", &behind);
    println!("{taken} of the past were taken in within {took:?}");
    println!("{logged} rows were written for the other tenant while this was watched");
    assert!(logged > 0);
    for lags in [&during, &behind] {
        assert!(part(lags, 99) <= part(&before, 99) + 1_000, "{before:?}\n{lags:?}");
    }
}

/// Posts a hundred messages that a seller sent a year ago. Gives the number of those taken in.
async fn past(tenant: &Tenant<'_, Served>, seller: &Seller, call: usize) -> usize {
    let activities = (0..OF_ONE_CALL).map(|n| {
        let person = &tenant.persons[(call + n) % tenant.persons.len()];
        let key = format!("{} said {call} {n}.", seller.name);
        let activity = message(person, &key, A_YEAR_AGO);
        json!({ "idempotency_key": key, "activity": activity })
    });
    let body = json!({ "activities": activities.collect::<Vec<_>>() });
    let answer = tenant.send(seller, "/retroactive", &call.to_string(), &body).await;
    let items = answer["items"].as_array().unwrap().iter();
    items.filter(|item| item["activity"].is_object()).count()
}

/// Posts messages of one seller, one after the other.
async fn one_by_one(
    control: &Control,
    tenant: &Tenant<'_, Served>,
    seller: &Seller,
    name: &str,
) -> Posted {
    let mut posted = Posted::new();
    for n in 0..AT_REST {
        let person = &tenant.persons[n % tenant.persons.len()];
        let key = format!("{name} {n}.");
        posted.insert(key.clone(), control.now());
        tenant.send(seller, "", &key, &message(person, &key, &now())).await;
        tokio::time::sleep(PAUSE).await;
    }
    posted
}

/// Waits until each message is one row.
async fn awaited(control: &Control, tenant: &Tenant<'_, Served>, posted: &Posted) -> Vec<i64> {
    awaited_rows(control, tenant, posted, ("Task", "Description")).await
}

/// Waits until each of what was posted is one write of an object, known by a field. Gives the
/// milliseconds from each call's begin to its write, the shortest first.
async fn awaited_rows(
    control: &Control,
    tenant: &Tenant<'_, Served>,
    posted: &Posted,
    of: (&str, &str),
) -> Vec<i64> {
    let begun = Instant::now();
    loop {
        let mut lags = BTreeMap::new();
        for (key, at) in rows(control, &tenant.org, of) {
            let Some(posted) = posted.get(&key) else { continue };
            let twice = lags.insert(key, at - posted);
            assert_eq!(twice, None, "each is one row");
        }
        if lags.len() == posted.len() {
            let mut lags: Vec<i64> = lags.into_values().collect();
            lags.sort_unstable();
            return lags;
        }
        let (there, all) = (lags.len(), posted.len());
        let is_patient = begun.elapsed() < PATIENCE;
        assert!(is_patient, "{there} of {all} rows:\n{}", tenant.shown_log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Now, for what a seller has just done: what is older is looked for among imported rows first.
fn now() -> String {
    SystemClock.now().to_string()
}

/// The first line of a field of each row of an object that was written, and when, the first first.
fn rows(control: &Control, org: &str, (object, field): (&str, &str)) -> Vec<(String, i64)> {
    let writes = control.writes(org).unwrap();
    let written = writes.iter().filter(|write| write.object == object);
    let row = |fields: &Value| fields[field].as_str()?.lines().next().map(str::to_owned);
    let of = written.filter_map(|write| {
        let at: Timestamp = write.at.parse().unwrap();
        Some((row(&write.fields)?, at.as_millisecond()))
    });
    of.collect()
}

/// What a seller did with the people of an account is there in the order of their calls.
fn assert_each_account_is_in_order(control: &Control, org: &str) {
    let contacts = control.records(org, "Contact", 0, 100_000).unwrap();
    let account: BTreeMap<&str, &str> = contacts
        .iter()
        .filter_map(|contact| Some((contact["Id"].as_str()?, contact["AccountId"].as_str()?)))
        .collect();
    let mut last: BTreeMap<(String, String), String> = BTreeMap::new();
    let writes = control.writes(org).unwrap();
    for write in writes.iter().filter(|write| write.object == "Task") {
        let who = write.fields["WhoId"].as_str().unwrap();
        let lane = account.get(who).copied().unwrap_or(who).to_owned();
        let text = write.fields["Description"].as_str().unwrap();
        let n = text.lines().next().unwrap().rsplit(": ").next().unwrap().to_owned();
        let before = last.insert((write.username.clone(), lane), n.clone());
        assert!(before.is_none_or(|before| before < n), "{text} is late");
    }
    println!("{} pairs of a seller and an account, each in order", last.len());
}

/// Of so many hundredths of the waits none was longer.
fn part(lags: &[i64], hundredths: usize) -> i64 {
    lags[(lags.len() * hundredths / 100).min(lags.len() - 1)]
}

fn tell(what: &str, lags: &[i64]) {
    let of = |hundredths| part(lags, hundredths);
    println!(
        "{what}: {} in all, p50 {} ms, p99 {} ms, the longest {} ms",
        lags.len(),
        of(50),
        of(99),
        of(100)
    );
}
