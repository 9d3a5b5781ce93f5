//! The noisy neighbour: tenants of one place, of which one changes very many records at once, while
//! one in twenty calls of Salesforce goes wrong. How long the others wait, before and meanwhile, is
//! written down; in the end nothing is lost, and nothing was done twice. `make trust` runs it.

#![expect(clippy::print_stdout, reason = "a load tells what it did")]

mod moving;
mod place;
pub(crate) mod tenant;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use salesforce_simulator::{Control, Fault, FaultKind, Simulator, SimulatorOptions};
use serde_json::{Value, json};
use tests::root;

use self::place::{Deployed, Place, Rest};
use self::tenant::{Lags, Tenant, publish};
use super::flows::org::small;
use super::import::compare::Sides;
use super::soak::served::Served;
use super::soak::{program, rows_by_marker};

/// How much is asked of a place.
struct Load {
    /// The tenants that nothing happens to.
    quiet: usize,
    /// The records that the noisy one changes at once.
    burst: usize,
    /// How long the others are measured before.
    before: Duration,
    /// How long they are measured meanwhile, at most.
    meanwhile: Duration,
    /// How long the burst's import is waited for, from its begin.
    longest: Duration,
    /// The file of figures that the page of trust reads.
    figures: &'static str,
}

/// For `crm-sync serve`.
const ON_ONE_MACHINE: Load = Load {
    quiet: 9,
    burst: 50_000,
    before: Duration::from_mins(1),
    meanwhile: Duration::from_mins(3),
    longest: Duration::from_mins(6),
    figures: "target/trust-load.json",
};

/// For the emulator, of which a call takes some ten times as long.
const ON_THE_EMULATOR: Load = Load {
    quiet: 2,
    burst: 1_000,
    before: Duration::from_mins(1),
    meanwhile: Duration::from_mins(2),
    longest: Duration::from_mins(6),
    figures: "target/trust-load-emulator.json",
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes and measures: make trust"]
async fn a_burst_of_one_tenant_delays_no_other() {
    let simulator = without_orgs().await;
    let served = Served::new(&program(), &simulator);
    served.start().await;
    bear(&served, &simulator, &ON_ONE_MACHINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes and measures: make trust"]
async fn a_burst_of_one_tenant_delays_no_other_on_the_emulator() {
    let simulator = without_orgs().await;
    let deployed = Deployed::start(&simulator).await;
    bear(&deployed, &simulator, &ON_THE_EMULATOR).await;
}

pub(crate) async fn without_orgs() -> Simulator {
    let options = SimulatorOptions { orgs: vec![], ..SimulatorOptions::default() };
    Simulator::start(options).await.unwrap()
}

/// Puts the load on the place.
///
/// # Panics
/// When the burst's import does not end, the others wait for too long, or anything was lost or done
/// twice.
async fn bear(place: &impl Place, simulator: &Simulator, load: &Load) {
    let folder = small();
    let control = simulator.control();
    publish(place, folder.path()).await;
    let arriving = (0..=load.quiet).map(|n| Tenant::arrive(place, &control, folder.path(), n));
    let mut tenants = join_all(arriving).await;
    let noisy = tenants.pop().unwrap();
    println!("{} tenants are connected, imported and matched", load.quiet + 1);
    let planned = plan_faults(&control);
    control.clear_requests();

    let before = measured(&tenants, load.before, &AtomicBool::new(false)).await;
    let is_over = AtomicBool::new(false);
    let begun = Instant::now();
    let burst = async {
        noisy.change(load.burst).await;
        let run = noisy.import(load.longest).await;
        is_over.store(true, Ordering::Relaxed);
        run.map(|_| begun.elapsed())
    };
    let (took, during) = tokio::join!(burst, measured(&tenants, load.meanwhile, &is_over));
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
    let Rest { ports, secrets, dead_letters } = place.rest().await;
    for tenant in &tenants {
        let (ports, secrets, control) = (ports.clone(), secrets.clone(), control.clone());
        let sides = Sides { ports, secrets, control, org: tenant.org.clone(), at: tenant.at() };
        ends.records += sides.rows().await;
        ends.differences.extend(sides.differences().await);
    }
    let took = took.map(|took| took.as_secs());
    let figures = json!({
        "tenants": tenants.len(), "burst": load.burst, "burst_seconds": took, "calls": calls,
        "errors": met, "planned": planned, "before": before.told(), "during": during.told(),
        "posted": posted, "rows": ends.rows, "twice": ends.twice, "records": ends.records,
        "differences": ends.differences.len(), "dead_letters": dead_letters,
    });
    tell(&figures, load.figures);
    assert!(took.is_some(), "the burst is not imported within {:?}", load.longest);
    assert!(met * 25 > calls as u64, "{met} errors in {calls} calls");
    assert_eq!((ends.rows, ends.twice), (posted, 0), "each activity is one row");
    assert_eq!(ends.differences, Vec::<String>::new());
    assert_eq!(dead_letters, 0, "dead letters");
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
async fn measured(
    tenants: &[Tenant<'_, impl Place>],
    most: Duration,
    is_over: &AtomicBool,
) -> Lags {
    let end = Instant::now() + most;
    let goes_on = || Instant::now() < end && !is_over.load(Ordering::Relaxed);
    let mut all = Lags::default();
    for lags in join_all(tenants.iter().map(|tenant| tenant.live(&goes_on))).await {
        all.add(lags);
    }
    all
}

/// Writes the figures where the page of trust takes them from.
fn tell(figures: &Value, file: &str) {
    println!("{figures:#}");
    let path = root().join(file);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
    std::fs::write(path, figures.to_string()).unwrap();
}
