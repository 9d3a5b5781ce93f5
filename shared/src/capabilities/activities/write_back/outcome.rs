//! What an activity's outcome is called, and when a refused one is tried again.

use std::time::Duration;

use crate::capabilities::activities::ActivityState;
use crate::salesforce::{SalesforceError, SalesforceId};
use crate::work::WorkError;

/// The waits between tries that Salesforce refused for a passing reason, a locked row most often.
const BACKOFF: [u64; 6] = [2, 5, 20, 60, 300, 900];

pub(super) fn state_name(state: &ActivityState) -> &'static str {
    match state {
        ActivityState::Queued => "queued",
        ActivityState::Held { .. } => "held",
        ActivityState::Claimed { .. } => "claimed",
        ActivityState::Logged { .. } => "logged",
        ActivityState::Failed { .. } => "failed",
    }
}

pub(super) fn backoff(tries: u32) -> Duration {
    let last = BACKOFF.len() - 1;
    let step = usize::try_from(tries / 2).unwrap_or(last).min(last);
    Duration::from_secs(BACKOFF.get(step).copied().unwrap_or(900))
}

pub(super) fn record_id(text: &str) -> Result<SalesforceId, WorkError> {
    text.parse().map_err(|error| WorkError::reject("read a record's id", error))
}

/// What Salesforce said, in its own words: an admin's validation text is for the seller.
pub(super) fn message(error: &SalesforceError) -> String {
    error.errors().first().map_or_else(|| error.to_string(), |e| e.message.clone())
}
