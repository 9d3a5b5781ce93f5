//! Measured values, whoever reads them: `CloudWatch` does, from a function's log.

use serde_json::{Map, Value};

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Milliseconds,
    /// Longer time.
    Seconds,
    /// Size.
    Bytes,
}

impl Unit {
    /// Its name, as `CloudWatch` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Milliseconds => "Milliseconds",
            Self::Seconds => "Seconds",
            Self::Bytes => "Bytes",
        }
    }
}

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as in `DueItemsSent`.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The value.
    pub value: u64,
}

/// The measures of one event of a function. Ids belong into the properties: each value of a
/// dimension is a metric that is paid for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricLine {
    /// The function that measured.
    pub function: &'static str,
    /// The measured values.
    pub metrics: Vec<Metric>,
    /// The things that were measured, such as a connection's id, by name.
    pub properties: Map<String, Value>,
}

impl MetricLine {
    /// A line of this function without metrics yet.
    #[must_use]
    pub fn of(function: &'static str) -> Self {
        Self { function, ..Self::default() }
    }

    /// With one metric more.
    #[must_use]
    pub fn metric(mut self, name: &'static str, unit: Unit, value: u64) -> Self {
        self.metrics.push(Metric { name, unit, value });
        self
    }

    /// With one property more, such as `connection.id`.
    #[must_use]
    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }
}
