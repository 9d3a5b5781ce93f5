//! The minute tick, and telling it from a queue's event.

use aws_lambda_events::sqs::SqsEvent;
use serde::Deserialize;

use super::Error;
use crate::store::Outbox;
use crate::work::chain;

/// What `EventBridge` sends on a schedule. Nothing in it matters but that it came.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScheduledEvent {
    /// `Scheduled Event`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// When it was due.
    pub time: jiff::Timestamp,
}

/// Why a function with both a queue and a schedule was called.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Trigger {
    /// Messages.
    Messages(SqsEvent),
    /// The schedule.
    Tick(ScheduledEvent),
}

/// Sends what is due and was not sent; says how many messages that were.
pub async fn tick(outbox: &Outbox) -> Result<u64, Error> {
    let sent = outbox.tick().await.inspect_err(|error| {
        tracing::error!(retry = true, error = chain(error), "the tick failed");
    })?;
    if sent > 0 {
        tracing::info!(messages.count = sent, "sent what was due");
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_told_from_a_queue() {
        let tick = r#"{"version":"0","id":"1","detail-type":"Scheduled Event","source":"aws.events",
            "account":"000000000000","time":"2026-11-21T21:00:00Z","region":"eu-west-1",
            "resources":[],"detail":{}}"#;
        assert!(matches!(serde_json::from_str(tick).unwrap(), Trigger::Tick(_)));
        let messages = r#"{"Records":[{"messageId":"1","body":"{}"}]}"#;
        assert!(matches!(serde_json::from_str(messages).unwrap(), Trigger::Messages(_)));
        assert!(serde_json::from_str::<Trigger>(r#"{"detail":{}}"#).is_err());
    }
}
