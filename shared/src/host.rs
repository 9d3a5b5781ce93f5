//! The machine's own clock and random source.

use jiff::Timestamp;

use crate::ports::{Clock, Entropy};

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port that the others take")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    /// When the operating system has no random source: nothing that follows would be safe.
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = aws_lc_rs::rand::fill(bytes) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}
