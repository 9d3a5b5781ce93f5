//! The simulated clock: real time plus what a test has added, or standing still.

use std::sync::Mutex;
use std::time::Duration;

use crate::sync::lock;

/// Time as every part of the simulator sees it.
#[derive(Debug)]
pub(crate) struct Clock {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    offset_ms: i64,
    frozen_at: Option<i64>,
}

impl Clock {
    /// A clock that runs with real time, or begins at `start` (milliseconds since 1970) and runs
    /// on.
    pub(crate) fn new(start: Option<i64>) -> Self {
        let offset_ms = start.map_or(0, |start| start - real_ms());
        Self { state: Mutex::new(State { offset_ms, frozen_at: None }) }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        let state = *lock(&self.state);
        state.frozen_at.unwrap_or_else(|| real_ms() + state.offset_ms)
    }

    /// Now, cut to the second as Salesforce stamps records.
    pub(crate) fn stamp(&self) -> i64 {
        self.now().div_euclid(1000) * 1000
    }

    /// Moves time on; negative moves it back.
    pub(crate) fn advance(&self, ms: i64) {
        let mut state = lock(&self.state);
        state.offset_ms += ms;
        state.frozen_at = state.frozen_at.map(|at| at + ms);
    }

    /// Sets the time; it runs on from there unless it stands still.
    pub(crate) fn set(&self, ms: i64) {
        let mut state = lock(&self.state);
        state.offset_ms = ms - real_ms();
        state.frozen_at = state.frozen_at.map(|_| ms);
    }

    /// Stops or restarts time.
    pub(crate) fn freeze(&self, frozen: bool) {
        let now = self.now();
        let mut state = lock(&self.state);
        state.offset_ms = now - real_ms();
        state.frozen_at = frozen.then_some(now);
    }

    /// True if time stands still.
    pub(crate) fn is_frozen(&self) -> bool {
        lock(&self.state).frozen_at.is_some()
    }

    /// Real time that passes for `ms` of simulated latency.
    pub(crate) fn latency(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the simulator reads real time")]
fn real_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
