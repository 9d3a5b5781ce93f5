//! Metrics: one JSON line each in the embedded metric format, which `CloudWatch` reads from the
//! log.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace of all our metrics, and the value of the dimension `Service`.
const SERVICE: &str = "crm-sync";

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
    fn as_str(self) -> &'static str {
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

/// What one event of a function came to. The dimensions are service and function only: each value
/// of a dimension is a metric that is paid for. Ids belong into the properties.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricLine {
    function: &'static str,
    metrics: Vec<Metric>,
    properties: Map<String, Value>,
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

    fn to_json(&self, at: Timestamp) -> Value {
        let definitions: Vec<Value> = self
            .metrics
            .iter()
            .map(|metric| json!({"Name": metric.name, "Unit": metric.unit.as_str()}))
            .collect();
        let mut line = self.properties.clone();
        let directives = json!([{
            "Namespace": SERVICE,
            "Dimensions": [["Service", "Function"]],
            "Metrics": definitions,
        }]);
        let aws = json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": directives});
        line.insert("_aws".to_owned(), aws);
        line.insert("Service".to_owned(), SERVICE.into());
        line.insert("Function".to_owned(), self.function.into());
        line.extend(self.metrics.iter().map(|m| (m.name.to_owned(), m.value.into())));
        Value::Object(line)
    }

    /// Writes the line.
    pub fn write(&self, out: &mut impl Write, at: Timestamp) -> io::Result<()> {
        // One write: lines of concurrent messages must not mix.
        out.write_all(format!("{}\n", self.to_json(at)).as_bytes())
    }

    /// Writes the line to the function's log. A metric that is lost is no failure of the work.
    pub fn emit(&self, at: Timestamp) {
        if let Err(error) = self.write(&mut io::stdout().lock(), at) {
            tracing::warn!(error = %error, "a metric was lost");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_in_the_embedded_metric_format() {
        let mut out = Vec::new();
        let line = MetricLine::of("match-shard")
            .metric("Pairs", Unit::Count, 4_096)
            .metric("Duration", Unit::Milliseconds, 12)
            .property("connection.id", "ten_1/production/1");
        line.write(&mut out, Timestamp::from_millisecond(1_795_288_123_604).unwrap()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1);
        let expected = r#"
        {
          "Duration": 12,
          "Function": "match-shard",
          "Pairs": 4096,
          "Service": "crm-sync",
          "_aws": {
            "CloudWatchMetrics": [
              {
                "Dimensions": [
                  [
                    "Service",
                    "Function"
                  ]
                ],
                "Metrics": [
                  {
                    "Name": "Pairs",
                    "Unit": "Count"
                  },
                  {
                    "Name": "Duration",
                    "Unit": "Milliseconds"
                  }
                ],
                "Namespace": "crm-sync"
              }
            ],
            "Timestamp": 1795288123604
          },
          "connection.id": "ten_1/production/1"
        }
        "#;
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    }
}
