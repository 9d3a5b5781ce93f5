//! What is measured, whoever reads it: `CloudWatch` from a function's log, or a server's metrics.

use serde_json::{Map, Value};

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Milliseconds,
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
            Self::Bytes => "Bytes",
        }
    }
}

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as in `DueItemsSent`.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The value.
    pub value: u64,
}

/// What one event of a function came to. Ids belong into the
/// properties: each value of a dimension is a metric that is paid for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricLine {
    /// The function that measured.
    pub function: &'static str,
    /// What it measured.
    pub metrics: Vec<Metric>,
    /// What it was measured of, by name.
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
