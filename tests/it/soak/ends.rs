//! The ends of the process: a kill at a random moment, or now and then a graceful stop with work
//! under way.

use std::fmt;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::customer::{Customer, IMPORTS};
use super::served::Served;

/// How long a graceful stop may take.
const GRACEFUL: Duration = Duration::from_secs(10);

/// Of so many ends one is graceful.
const ONE_IS_GRACEFUL: u32 = 6;

/// From when an import is asked for until it is under way.
const UNDER_WAY: Duration = Duration::from_millis(400);

/// How often the process ended, and how.
#[derive(Default)]
pub(super) struct Ends {
    kills: u32,
    /// How long each graceful stop took.
    graceful: Vec<Duration>,
    restarts: u32,
    /// The longest start, until work was taken.
    slowest_start: Duration,
}

impl Ends {
    /// Ends the process every few seconds and starts it again.
    pub(super) async fn until(end: Instant, served: &Served, customer: &Customer<'_>) -> Self {
        let mut random = Rng::with_seed(12);
        let mut ends = Self::default();
        let mut may_ask = Instant::now();
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(random.u64(500..6_000))).await;
            if random.u32(..ONE_IS_GRACEFUL) == 0 {
                if Instant::now() >= may_ask {
                    may_ask = Instant::now() + IMPORTS;
                    // The call may fail: another end may have come before it.
                    let _ = customer.ask_import().await;
                    tokio::time::sleep(UNDER_WAY).await;
                }
                ends.graceful.push(served.terminate().await);
            } else {
                served.kill();
                ends.kills += 1;
            }
            let begun = Instant::now();
            served.start().await;
            ends.restarts += 1;
            ends.slowest_start = ends.slowest_start.max(begun.elapsed());
        }
        ends
    }

    /// Checks that there were ends of both kinds, and that no graceful one took too long.
    pub(super) fn check(&self) {
        assert!(self.kills > 5, "{self}");
        assert!(!self.graceful.is_empty(), "{self}");
        assert!(self.graceful.iter().all(|took| *took < GRACEFUL), "{:?}", self.graceful);
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slowest = self.graceful.iter().max().copied().unwrap_or_default();
        write!(
            f,
            "{} kills by SIGKILL; {} graceful stops by SIGTERM, the slowest in {slowest:.1?}; {} \
             restarts, the slowest in {:.1?}",
            self.kills,
            self.graceful.len(),
            self.restarts,
            self.slowest_start
        )
    }
}
