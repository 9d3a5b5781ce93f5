//! The memory of this process, as the kernel counts it.

use anyhow::Context;

/// From now on the peak counts from here.
pub(crate) fn forget_peak() -> anyhow::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5").context("the peak cannot be forgotten")
}

/// A line of the process's status, in megabytes.
pub(crate) fn megabytes(name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
    let kilobytes = line.split_whitespace().nth(1).context("no number")?;
    Ok(kilobytes.parse::<u64>()? / 1024)
}
