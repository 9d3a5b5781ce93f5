//! How much of each queue is worked on at once, and how long a message may take.

use std::time::Duration;

use shared::kernel::Queue;

/// How a queue is worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Messages that are worked on at once, unless the configuration says otherwise.
    pub workers: u32,
    /// The time for one message, as the functions have it in `template.yaml`.
    pub time: Duration,
}

impl Pace {
    /// The pace of a queue. Imports wait for Salesforce most of the time; scoring keeps a core
    /// busy, so that more of it than there are cores only takes memory.
    #[must_use]
    pub(crate) fn of(queue: Queue) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u32::try_from(cores).unwrap_or(1);
        let (workers, seconds) = match queue {
            Queue::Import => (4 * cores, 300),
            Queue::Match => (cores, 300),
            Queue::AutoSave | Queue::Purge => (2, 120),
            Queue::Writeback => (8, 60),
            Queue::Care => (4, 120),
            Queue::Telling => (4, 30),
            Queue::Directory => (cores, 900),
        };
        Self { workers: workers.min(16), time: Duration::from_secs(seconds) }
    }

    /// How long a message is hidden from other workers: longer than its work can take.
    #[must_use]
    pub(crate) fn visibility(&self) -> Duration {
        self.time + Duration::from_mins(1)
    }
}
