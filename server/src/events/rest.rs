//! Rest for a receiver that does not answer, so that nobody waits for it again and again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a receiver that did not answer is left alone.
const REST: Duration = Duration::from_secs(10);

/// When a receiver is called again.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<Option<Instant>>);

/// The receiver did not answer a moment ago, and was not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receiver did not answer a moment ago, and is called again in some seconds")]
pub(super) struct Resting;

impl Rest {
    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the receiver may be called.
    ///
    /// # Errors
    /// While it rests.
    pub(super) fn check(&self) -> Result<(), Resting> {
        let rests = self.until().is_some_and(|until| Instant::now() < until);
        if rests { Err(Resting) } else { Ok(()) }
    }

    /// Notes whether the receiver answered, whatever it said.
    pub(super) fn note(&self, answered: bool) {
        *self.until() = (!answered).then(|| Instant::now() + REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_did_not_answer_rests_and_is_called_again() {
        let rest = Rest::default();
        assert_eq!(rest.check(), Ok(()));
        rest.note(false);
        tokio::time::advance(REST.saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(rest.check(), Err(Resting));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(rest.check(), Ok(()));
        rest.note(false);
        rest.note(true);
        assert_eq!(rest.check(), Ok(()));
    }
}
