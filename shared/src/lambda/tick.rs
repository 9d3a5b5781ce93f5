//! The minute tick, and telling it from a queue's event.

use aws_lambda_events::sqs::SqsEvent;
use jiff::SignedDuration;
use serde::Deserialize;

use super::{Error, emf};
use crate::kernel::Queue;
use crate::metrics::{MetricLine, Unit};
use crate::ports::Clock;
use crate::store::{Outbox, Tick};
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

/// Sends what is due and was not sent, and measures how late that was.
pub async fn tick(outbox: &Outbox, clock: &dyn Clock) -> Result<Tick, Error> {
    let ticked = outbox.measured_tick().await.inspect_err(|error| {
        tracing::error!(retry = true, error = chain(error), "the tick failed");
    })?;
    if ticked.sent > 0 {
        tracing::info!(messages.count = ticked.sent, "sent what was due");
    }
    emf::emit(&measures(&ticked), clock.now());
    Ok(ticked)
}

/// What a tick measures. `Ticks` tells that it ran; every lag is written each time, so that an
/// alarm ends when nothing is late any more.
fn measures(ticked: &Tick) -> MetricLine {
    let counted = MetricLine::of("bulk-import").metric("Ticks", Unit::Count, 1).metric(
        "DueItemsSent",
        Unit::Count,
        ticked.sent,
    );
    Queue::ALL.into_iter().fold(counted, |line, queue| {
        let late = ticked.late.get(&queue).map_or(0, SignedDuration::as_secs);
        line.metric(lag(queue), Unit::Seconds, late.try_into().unwrap_or(0))
    })
}

/// The metric of how late a queue's latest step is.
fn lag(queue: Queue) -> &'static str {
    match queue {
        Queue::Import => "ImportLag",
        Queue::Match => "MatchLag",
        Queue::AutoSave => "AutoSaveLag",
        Queue::Writeback => "WritebackLag",
        Queue::Care => "CareLag",
        Queue::Telling => "TellingLag",
        Queue::Purge => "PurgeLag",
        Queue::Directory => "DirectoryLag",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_measures_the_lag_of_every_queue_late_or_not() {
        let late = [(Queue::Purge, jiff::SignedDuration::from_mins(90))].into();
        let line = measures(&Tick { sent: 3, late });
        let values: Vec<_> = line.metrics.iter().map(|m| (m.name, m.value)).collect();
        assert!(values.starts_with(&[("Ticks", 1), ("DueItemsSent", 3)]), "{values:?}");
        assert!(values.contains(&("PurgeLag", 5_400)) && values.contains(&("ImportLag", 0)));
        assert_eq!(values.len(), 2 + Queue::ALL.len());
    }

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
