//! Benches of the import: `pipeline` runs rows through its steps in this process on one core;
//! `org READY.json` imports the org of a running simulator into a sink that counts. Each prints one
//! line of JSON. Compare runs side by side, never across machines.

mod org;
mod pipeline;
mod sink;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let line = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["pipeline", rows] => runtime.block_on(pipeline::run(rows.parse().context("rows")?))?,
        ["org", ready] => runtime.block_on(org::run(ready.as_ref()))?,
        _ => bail!("usage: import-bench pipeline ROWS | org READY.json"),
    };
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// So many rows in such a time, as rows per second.
fn per_second(rows: u64, spent: Duration) -> u64 {
    u64::try_from(u128::from(rows) * 1_000_000 / spent.as_micros().max(1)).unwrap_or(u64::MAX)
}

/// Processor time of this process's one thread: unlike the clock's, it stays the same on a busy
/// machine.
fn processor_time() -> anyhow::Result<Duration> {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = spent.split_whitespace().next().context("schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// The most memory that this process ever had, in megabytes, as the kernel counts it.
fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}
