//! The memory and the processor's time of a running process, as Linux tells them.

use std::time::Duration;

use anyhow::Context;

/// The memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All that lies in memory, mapped files included.
    pub(crate) resident: u64,
    /// Without mapped files, which the system takes back when it needs room.
    pub(crate) anonymous: u64,
}

/// The most that was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peaks {
    pub(crate) resident: u64,
    pub(crate) anonymous: u64,
}

impl Peaks {
    pub(crate) fn see(&mut self, memory: Memory) {
        self.resident = self.resident.max(memory.resident);
        self.anonymous = self.anonymous.max(memory.anonymous);
    }
}

/// Reads the memory of a process.
pub(crate) fn memory(process: u32) -> anyhow::Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .with_context(|| format!("look at process {process}"))?;
    memory_of(&status)
}

fn memory_of(status: &str) -> anyhow::Result<Memory> {
    let bytes = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next());
        let kilobytes: u64 = kilobytes.with_context(|| format!("there is no {name}"))?.parse()?;
        Ok(kilobytes * 1024)
    };
    Ok(Memory { resident: bytes("VmRSS")?, anonymous: bytes("RssAnon")? })
}

/// The time that a process has had on a processor, all its threads together.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))
        .with_context(|| format!("look at process {process}"))?;
    let ticks = ticks_of(&stat).context("read its times")?;
    Ok(Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second()))
}

/// The clock ticks in user and system mode: fields 14 and 15. The second field, the name in
/// parentheses, may hold spaces.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tcrm-sync\nVmRSS:\t    2000 kB\nRssAnon:\t     500 kB\n";
        let memory = memory_of(status).unwrap();
        assert_eq!(memory, Memory { resident: 2_048_000, anonymous: 512_000 });
        assert!(memory_of("Name:\tgone\n").is_err());
    }

    #[test]
    fn the_name_of_a_process_does_not_move_its_times() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 10 0 0 0 250 50 0 0 20 0 1 0 9 0 0";
        assert_eq!(ticks_of(stat), Some(300));
    }
}
