//! The noisy neighbour: ten tenants on one `crm-sync serve`, of which one changes 50,000 records at
//! once, while one in twenty calls of Salesforce goes wrong. How long the other nine wait, before
//! and meanwhile, is written down; in the end nothing is lost, and nothing was done twice. `make
//! trust` runs it.

#![expect(clippy::print_stdout, reason = "a load tells what it did")]

mod tenant;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use salesforce_simulator::{Control, Fault, FaultKind, Simulator, SimulatorOptions};
use serde_json::{Value, json};
use tests::root;

use self::tenant::{Lags, Tenant, publish};
use super::flows::org::small;
use super::import::compare::Sides;
use super::soak::served::Served;
use super::soak::{program, rows_by_marker, stores};

/// The tenants that nothing happens to.
const QUIET: usize = 9;

/// The records that the noisy one changes at once.
const BURST: usize = 50_000;

/// How long the others are measured before.
const BEFORE: Duration = Duration::from_mins(1);

/// How long they are measured meanwhile, at most.
const MEANWHILE: Duration = Duration::from_mins(3);

/// How long the burst's import is waited for, from its begin.
const LONGEST: Duration = Duration::from_mins(6);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes and measures: make trust"]
async fn a_burst_of_one_tenant_delays_no_other() {
    let folder = small();
    let options = SimulatorOptions { orgs: vec![], ..SimulatorOptions::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let control = simulator.control();
    let served = Served::new(&program(), &simulator);
    served.start().await;
    publish(&served, folder.path()).await;
    let arriving = (0..=QUIET).map(|n| Tenant::arrive(&served, &control, folder.path(), n));
    let mut tenants = join_all(arriving).await;
    let noisy = tenants.pop().unwrap();
    println!("{} tenants are connected, imported and matched", QUIET + 1);
    let planned = plan_faults(&control);
    control.clear_requests();

    let before = measured(&tenants, BEFORE, &AtomicBool::new(false)).await;
    let is_over = AtomicBool::new(false);
    let begun = Instant::now();
    let burst = async {
        noisy.change(BURST).await;
        let run = noisy.import(LONGEST).await;
        is_over.store(true, Ordering::Relaxed);
        run.map(|_| begun.elapsed())
    };
    let (took, during) = tokio::join!(burst, measured(&tenants, MEANWHILE, &is_over));
    let calls = control.requests().len();
    let met: u64 = control.faults().iter().map(|fault| fault.hits).sum();
    control.remove_faults(None);

    tenants.push(noisy);
    let posted: usize = before.posted() + during.posted();
    let mut ends = Ends::default();
    for tenant in &tenants {
        tenant.settle().await;
        ends.count(&rows_by_marker(&control, &tenant.org));
    }
    served.terminate().await;
    let dead = std::fs::read_to_string(served.data().join("dead-letters.jsonl"));
    let (ports, _) = stores(&served);
    for tenant in &tenants {
        let (ports, control) = (ports.clone(), control.clone());
        let sides = Sides { ports, control, org: tenant.org.clone(), at: tenant.at() };
        ends.records += sides.rows().await;
        ends.differences.extend(sides.differences().await);
    }
    let took = took.map(|took| took.as_secs());
    tell(&json!({
        "tenants": tenants.len(), "burst": BURST, "burst_seconds": took, "calls": calls,
        "errors": met, "planned": planned, "before": before.told(), "during": during.told(),
        "posted": posted, "rows": ends.rows, "twice": ends.twice, "records": ends.records,
        "differences": ends.differences.len(), "dead_letters": dead.as_ref().map_or(0, |text|
            text.lines().count()),
    }));
    assert!(took.is_some(), "the burst is not imported within {LONGEST:?}");
    assert!(met * 25 > calls as u64, "{met} errors in {calls} calls");
    assert_eq!((ends.rows, ends.twice), (posted, 0), "each activity is one row");
    assert_eq!(ends.differences, Vec::<String>::new());
    assert_eq!(dead.unwrap_or_default(), "", "dead letters");
    assert!(during.is_fair_beside(&before), "{} before, {} during", before.told(), during.told());
}

/// What is there in the end.
#[derive(Default)]
struct Ends {
    rows: usize,
    /// Activities with more than one row.
    twice: usize,
    records: usize,
    differences: Vec<String>,
}

impl Ends {
    fn count(&mut self, rows: &BTreeMap<String, u32>) {
        self.rows += rows.len();
        self.twice += rows.values().filter(|n| **n > 1).count();
    }
}

/// One in twenty calls goes wrong. A row that may or may not have been made is looked for after ten
/// seconds: so some of the rows are made, and their answer is lost.
fn plan_faults(control: &Control) -> Vec<&'static str> {
    let busy = |status, code: &str| FaultKind::Respond {
        status,
        body: json!([{ "errorCode": code, "message": "planned" }]).to_string(),
        content_type: None,
        retry_after: Some(1),
    };
    let (get, post) = ("GET", "POST");
    for (method, kind) in [
        (get, busy(503, "SERVER_UNAVAILABLE")),
        (get, busy(429, "TOO_MANY_REQUESTS")),
        (get, FaultKind::DropBefore),
        (post, busy(429, "TOO_MANY_REQUESTS")),
        (post, FaultKind::DropAfter),
    ] {
        let each = if method == get { 60 } else { 40 };
        control.add_fault(Fault::at("/services/data", kind).method(method).times(0).every(each));
    }
    vec![
        "a call answered with 503 or 429, or a connection closed before the call",
        "a write answered with 429, or done and its answer lost",
    ]
}

/// Everybody goes on living until the time is over, or the burst is.
async fn measured(tenants: &[Tenant<'_>], most: Duration, is_over: &AtomicBool) -> Lags {
    let end = Instant::now() + most;
    let goes_on = || Instant::now() < end && !is_over.load(Ordering::Relaxed);
    let mut all = Lags::default();
    for lags in join_all(tenants.iter().map(|tenant| tenant.live(&goes_on))).await {
        all.add(lags);
    }
    all
}

/// Writes the figures where the page of trust takes them from.
fn tell(figures: &Value) {
    println!("{figures:#}");
    let path = root().join("target/trust-load.json");
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
    std::fs::write(path, figures.to_string()).unwrap();
}
