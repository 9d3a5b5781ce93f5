//! A purge at size, on one machine's stores, with kills: `purge-bench ITEMS`. Everything but the
//! items is as it is in a deployment: an org is connected, sellers authorize, Salesforce is asked
//! to revoke. Prints what was found by whom, and fails unless nothing is left.

mod counted;
mod memory;
mod scan;
mod world;

use std::io::Write;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use shared::capabilities::leaving::Purge;

use crate::scan::Scan;
use crate::world::{Deaths, Outcome, World};

/// How many sellers have authorized.
const SELLERS: u64 = 50;

/// How many objects the generation has.
const OBJECTS: u64 = 2_000;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [items] = &arguments[..] else { anyhow::bail!("usage: purge-bench ITEMS") };
    let items = items.parse().context("ITEMS is a number")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for deaths in [Deaths::None, Deaths::Often] {
        let line = runtime.block_on(run(items, deaths))?;
        writeln!(std::io::stdout(), "{line:#}")?;
    }
    Ok(())
}

/// Fills a generation, purges it, and looks at what is left.
async fn run(items: u64, deaths: Deaths) -> anyhow::Result<Value> {
    let began = Instant::now();
    let world = World::connected(SELLERS).await?;
    let connected = began.elapsed();
    let began = Instant::now();
    world.fill(items, OBJECTS).await?;
    let filled = began.elapsed();
    let before = Scan::of(&world).await?;
    ensure!(before.items_of_generation >= items, "the scan sees {}", before.items_of_generation);
    let calls_before = world.table.calls();
    memory::forget_peak()?;
    let memory_before = memory::megabytes("VmRSS:")?;
    let began = Instant::now();
    let outcome = world.purge(deaths).await?;
    let purged = began.elapsed();
    let peak = memory::megabytes("VmHWM:")?;
    let purge = world.certificate().await?;
    let after = Scan::of(&world).await?;
    check(&purge, &before, &after)?;
    let Outcome { deliveries, kills, unreadable_after } = outcome;
    Ok(json!({
        "items": items,
        "deliveries": deliveries,
        "kills": kills,
        "connected_in_seconds": connected.as_secs_f64(),
        "filled_in_seconds": filled.as_secs_f64(),
        "unreadable_after_seconds": unreadable_after.as_secs_f64(),
        "purged_in_seconds": purged.as_secs_f64(),
        "table_calls": world.table.calls().since(calls_before).to_json(),
        "memory_before_megabytes": memory_before,
        "memory_at_most_megabytes": peak,
        "grants_that_salesforce_honours": world.live_grants()?,
        "scan_before": before.to_json(),
        "scan_after": after.to_json(),
        "certificate": purge,
    }))
}

/// The certificate must say what an independent look says.
fn check(purge: &Purge, before: &Scan, after: &Scan) -> anyhow::Result<()> {
    let counted = |name: &str| -> u64 {
        let of = purge.found.iter().filter(|(kind, _)| kind.starts_with(name));
        of.map(|(_, n)| n).sum()
    };
    ensure!(purge.completed_at.is_some() && purge.data_key_destroyed, "{purge:?}");
    ensure!(counted("items ") == before.items_of_generation, "{:?}", purge.found);
    ensure!(counted("objects") == before.objects_of_generation, "{:?}", purge.found);
    ensure!(purge.remaining.values().all(|n| *n == 0), "{:?}", purge.remaining);
    ensure!(purge.grants.revoked == SELLERS + 1 && purge.grants.open == 0, "{:?}", purge.grants);
    ensure!(after.is_without_generation(), "left: {}", after.to_json());
    Ok(())
}
