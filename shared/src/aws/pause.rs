//! The wait before a call is tried again.

use std::time::Duration;

use crate::host::OsEntropy;
use crate::ports::Entropy;

/// How often a call is tried again beyond what the SDK does by itself.
pub(crate) const ATTEMPTS: u32 = 8;

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Waits before another attempt (counted from 0): a random part of a pause that doubles, so that
/// those who collided once do not collide again.
pub(crate) async fn pause(attempt: u32) {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
    let mut random = [0_u8; 2];
    OsEntropy.fill(&mut random);
    tokio::time::sleep(longest.mul_f64(f64::from(u16::from_le_bytes(random)) / 65_536.0)).await;
}
