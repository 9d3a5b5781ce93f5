//! The soak: `crm-sync serve` as a process that is killed every few seconds for as long as one
//! likes, while its org changes and sellers log activities. In the end our records are the org's,
//! each activity is one row, and what is saved is what the open deals order. `make soak` runs it.

#![expect(clippy::print_stdout, reason = "a soak tells what it did")]

mod changes;
mod customer;
mod ends;
pub(crate) mod served;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use embedded::keys::{MasterKey, SealedSecrets};
use embedded::table::SqliteTable;
use salesforce_simulator::{Control, Simulator, SimulatorOptions};
use serde_json::json;
use shared::ports::Ports;
use shared::testing::Memory;
use tests::root;

use self::changes::Org;
use self::customer::Customer;
use self::ends::Ends;
use self::served::Served;
use super::flows::main_job::open_deals_by_owner;
use super::flows::org::small;
use super::import::compare::Sides;

/// The longest soak, in minutes: a day.
const LONGEST: u64 = 24 * 60;

/// Between two changes of the org.
const CHANGES: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes as long as one likes: make soak"]
async fn a_soak_of_kills_loses_nothing_and_does_nothing_twice() {
    let folder = small();
    let options =
        SimulatorOptions { orgs: vec![folder.path().to_owned()], ..SimulatorOptions::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let control = simulator.control();
    let name = control.orgs().pop().unwrap();
    control.set(&name, &json!({ "bulk_latency_ms": 200 })).unwrap();
    let served = Served::new(&program(), &simulator);
    served.start().await;
    let customer = Customer::arrive(&served, &control, folder.path()).await;
    let end = Instant::now() + Duration::from_mins(number("SOAK_MINUTES", 30).min(LONGEST));
    let mut org = Org::new(control.clone(), name.clone());
    let (ends, posted, asked, ()) = tokio::join!(
        Ends::until(end, &served, &customer),
        customer.post_until(end),
        customer.import_until(end),
        change_until(end, &mut org),
    );
    println!("{ends}\n{} activities posted, {asked} imports asked for", posted.len());
    println!("changes of the org: {:?}", org.changes());
    customer.settle(&posted).await;
    println!("imports by state: {:?}", customer.runs().await);
    ends.check();
    assert_each_is_one_row(&rows_by_marker(&control, &name), posted.len());
    assert_lists_are_of_open_deals(&customer, folder.path()).await;
    println!("the last SIGTERM ended the process within {:?}", served.terminate().await);
    let dead = std::fs::read_to_string(served.data().join("dead-letters.jsonl"));
    assert_eq!(dead.unwrap_or_default(), "", "dead letters");
    let (at, (ports, table)) = (customer.at(), stores(&served));
    assert_eq!(table.check().await.unwrap(), [""; 0]);
    let secrets = "crm-sync/".to_owned();
    let sides = Sides { ports, secrets, control: control.clone(), org: name, at };
    assert_records_are_the_orgs(sides).await;
}

async fn change_until(end: Instant, org: &mut Org) {
    while Instant::now() < end {
        org.change();
        tokio::time::sleep(CHANGES).await;
    }
}

fn assert_each_is_one_row(rows: &BTreeMap<String, u32>, posted: usize) {
    let all: u32 = rows.values().sum();
    println!("{all} rows of activities in Salesforce, with {} markers", rows.len());
    assert!(posted > 5, "{posted} activities");
    assert_eq!(rows.len(), posted, "each activity is in Salesforce");
    let twice: Vec<_> = rows.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "more than one row: {twice:?}");
}

/// The rows of Salesforce that log an activity, by the activity's marker.
pub(crate) fn rows_by_marker(control: &Control, org: &str) -> BTreeMap<String, u32> {
    let mut markers = BTreeMap::new();
    for object in ["Task", "Note"] {
        for row in control.records(org, object, 0, 1_000_000).unwrap() {
            let text = row["Description"].as_str().or(row["Body"].as_str()).unwrap_or_default();
            if let Some(at) = text.rfind("[ref ") {
                *markers.entry(text[at..].to_owned()).or_default() += 1;
            }
        }
    }
    markers
}

/// What the open deals of an org's files order for each of these sellers' lists, as far as it is
/// matched.
pub(crate) fn ordered<'a>(
    folder: &Path,
    sellers: impl Iterator<Item = &'a str>,
    accounts: &BTreeSet<String>,
    contacts: &BTreeSet<String>,
) -> BTreeMap<(String, &'static str), BTreeSet<String>> {
    let deals = open_deals_by_owner(folder, |_| true);
    let mut ordered = BTreeMap::new();
    for email in sellers {
        let (of_accounts, of_contacts) =
            deals.get(&email.to_lowercase()).cloned().unwrap_or_default();
        let of = |list| (email.to_owned(), list);
        ordered.insert(of("accounts"), of_accounts.intersection(accounts).cloned().collect());
        ordered.insert(of("leads"), of_contacts.intersection(contacts).cloned().collect());
    }
    ordered
}

/// The soak changes no deal's owner, stage or contacts: what is saved in the end is what the org's
/// files order.
async fn assert_lists_are_of_open_deals(customer: &Customer<'_>, folder: &Path) {
    let accounts = customer.matched("Account").await;
    let contacts = customer.matched("Contact").await;
    let sellers = customer.seats.keys().map(String::as_str);
    let (mut lists, mut items) = (0, 0);
    for ((email, list), ordered) in ordered(folder, sellers, &accounts, &contacts) {
        let saved = customer.saved(&customer.seats[&email], list).await;
        assert_eq!(saved, ordered.iter().cloned().collect::<Vec<_>>(), "{list} of {email}");
        lists += u32::from(!saved.is_empty());
        items += saved.len();
    }
    println!("{lists} lists with {items} items, each once, as the open deals order");
    assert!(lists > 5, "{lists}");
}

async fn assert_records_are_the_orgs(sides: Sides) {
    let (records, differences) = (sides.rows().await, sides.differences().await);
    println!("{records} records of the org, {} differences", differences.len());
    assert!(records > 500, "{records}");
    assert_eq!(differences, Vec::<String>::new());
}

/// The stores of a process that has ended, opened here.
pub(crate) fn stores(served: &Served) -> (Ports, SqliteTable) {
    let data = served.data();
    let ports = Memory::new(jiff::Timestamp::UNIX_EPOCH, 1).ports();
    let key = MasterKey::from_file(&data.join("master.key")).unwrap();
    let secrets =
        SealedSecrets::open(&data.join("secrets.db"), &key, ports.entropy.clone()).unwrap();
    let table = SqliteTable::open(&data.join("table.db")).unwrap();
    let ports = Ports {
        table: Arc::new(table.clone()),
        data_keys: Arc::new(secrets.data_keys()),
        secrets: Arc::new(secrets),
        ..ports
    };
    (ports, table)
}

/// The program: `SOAK_PROGRAM`, or the one that a debug build left.
pub(crate) fn program() -> PathBuf {
    let built = || root().join("target/debug/crm-sync");
    std::env::var_os("SOAK_PROGRAM").map_or_else(built, PathBuf::from)
}

#[expect(clippy::disallowed_methods, reason = "how long a person wants to soak is asked here")]
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}
