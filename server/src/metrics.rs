//! What the process counts, in the text form that Prometheus reads.

use std::fmt;
use std::time::Duration;

use embedded::queues::LocalQueues;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use shared::kernel::Queue;

/// The type of the text that [`Metrics::text`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabels {
    kind: &'static str,
    outcome: &'static str,
}

/// Whose time it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    queue: &'static str,
}

/// An answer of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    status: u16,
}

/// What the process counts. Clones count together.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: std::sync::Arc<Registry>,
    messages: Family<MessageLabels, Counter>,
    all_messages: Counter,
    durations: Family<QueueLabels, Histogram>,
    requests: Family<RequestLabels, Counter>,
    request_durations: Histogram,
    due_lag: Gauge<f64, std::sync::atomic::AtomicU64>,
    ticks_failed: Counter,
    table_bytes: Gauge,
    swept: Counter,
}

impl Metrics {
    /// Nothing is counted yet; the depths of `queues` are asked for whenever the text is.
    #[must_use]
    pub(crate) fn new(queues: LocalQueues) -> Self {
        let mut registry = Registry::with_prefix("crm_sync");
        let messages = Family::default();
        registry.register("messages", "Messages by their kind and outcome", messages.clone());
        let durations: Family<QueueLabels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 4.0, 10)));
        let help = "The time that a message took";
        registry.register_with_unit("message_duration", help, Unit::Seconds, durations.clone());
        let requests = Family::default();
        registry.register("http_requests", "Requests by method and status", requests.clone());
        let request_durations = Histogram::new(exponential_buckets(0.001, 3.0, 10));
        let help = "The time to the first byte of an answer";
        let own = request_durations.clone();
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, own);
        let due_lag = Gauge::default();
        let help = "The time that the last tick came late";
        registry.register_with_unit("due_lag", help, Unit::Seconds, due_lag.clone());
        let ticks_failed = Counter::default();
        let help = "Ticks that could not send all that was due";
        registry.register("ticks_failed", help, ticks_failed.clone());
        let table_bytes = Gauge::default();
        registry.register_with_unit("table", "The table's size", Unit::Bytes, table_bytes.clone());
        let swept = Counter::default();
        registry.register("items_swept", "Items that had expired and were deleted", swept.clone());
        registry.register_collector(Box::new(Depths(queues)));
        Self {
            registry: std::sync::Arc::new(registry),
            messages,
            all_messages: Counter::default(),
            durations,
            requests,
            request_durations,
            due_lag,
            ticks_failed,
            table_bytes,
            swept,
        }
    }

    /// Counts a message of `queue` that ended so after `taken`.
    pub(crate) fn count_message(
        &self,
        queue: Queue,
        kind: &'static str,
        outcome: &'static str,
        taken: Duration,
    ) {
        self.messages.get_or_create(&MessageLabels { kind, outcome }).inc();
        self.all_messages.inc();
        let queue = QueueLabels { queue: queue.as_str() };
        self.durations.get_or_create(&queue).observe(taken.as_secs_f64());
    }

    /// The messages that were worked on since the start.
    #[must_use]
    pub(crate) fn worked_on(&self) -> u64 {
        self.all_messages.get()
    }

    /// Counts an answer of the HTTP server.
    pub(crate) fn count_request(&self, method: &str, status: u16, taken: Duration) {
        let labels = RequestLabels { method: method.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.request_durations.observe(taken.as_secs_f64());
    }

    /// Notes a tick that came so late.
    pub(crate) fn ticked(&self, late: Duration, failed: bool) {
        self.due_lag.set(late.as_secs_f64());
        if failed {
            self.ticks_failed.inc();
        }
    }

    /// Notes a sweep, and the table's size after it.
    pub(crate) fn swept(&self, items: u64, table_bytes: u64) {
        self.swept.inc_by(items);
        self.table_bytes.set(i64::try_from(table_bytes).unwrap_or(i64::MAX));
    }

    /// Everything that was counted.
    ///
    /// # Errors
    /// Never, as a text takes everything.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The depths of the queues by the state of their messages, as of the moment of asking.
struct Depths(LocalQueues);

impl fmt::Debug for Depths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Depths")
    }
}

impl Collector for Depths {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let waiting = "Messages in a queue by their state";
        let mut metric =
            encoder.encode_descriptor("queue_messages", waiting, None, MetricType::Gauge)?;
        for queue in Queue::ALL {
            let depth = self.0.depth(queue);
            for (state, count) in [
                ("visible", depth.waiting),
                ("in_flight", depth.in_flight),
                ("delayed", depth.delayed),
            ] {
                let labels = [("queue", queue.as_str()), ("state", state)];
                gauge(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        let dead = "Messages that failed too often";
        let mut metric =
            encoder.encode_descriptor("dead_letters", dead, None, MetricType::Gauge)?;
        for queue in Queue::ALL {
            let labels = [("queue", queue.as_str())];
            gauge(self.0.depth(queue).dead).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn gauge(count: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX))
}
