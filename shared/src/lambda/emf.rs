//! Metrics as `CloudWatch` reads them from a function's log: one JSON line each in the embedded
//! metric format.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::metrics::MetricLine;

/// The namespace of all our metrics, and the value of the dimension `Service`.
const SERVICE: &str = "crm-sync";

fn to_json(line: &MetricLine, at: Timestamp) -> Value {
    let definitions: Vec<Value> = line
        .metrics
        .iter()
        .map(|metric| json!({"Name": metric.name, "Unit": metric.unit.as_str()}))
        .collect();
    let mut json = line.properties.clone();
    let directives = json!([{
        "Namespace": SERVICE,
        "Dimensions": [["Service", "Function"]],
        "Metrics": definitions,
    }]);
    let aws = json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": directives});
    json.insert("_aws".to_owned(), aws);
    json.insert("Service".to_owned(), SERVICE.into());
    json.insert("Function".to_owned(), line.function.into());
    json.extend(line.metrics.iter().map(|m| (m.name.to_owned(), m.value.into())));
    Value::Object(json)
}

/// Writes the line.
pub(super) fn write(line: &MetricLine, out: &mut impl Write, at: Timestamp) -> io::Result<()> {
    // One write: lines of concurrent messages must not mix.
    out.write_all(format!("{}\n", to_json(line, at)).as_bytes())
}

/// Writes the line to the function's log. A metric that is lost is no failure of the work.
pub(super) fn emit(line: &MetricLine, at: Timestamp) {
    if let Err(error) = write(line, &mut io::stdout().lock(), at) {
        tracing::warn!(error = %error, "a metric was lost");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Unit;

    #[test]
    fn a_line_is_in_the_embedded_metric_format() {
        let mut out = Vec::new();
        let line = MetricLine::of("match-shard")
            .metric("Pairs", Unit::Count, 4_096)
            .metric("Duration", Unit::Milliseconds, 12)
            .property("connection.id", "ten_1/production/1");
        write(&line, &mut out, Timestamp::from_millisecond(1_795_288_123_604).unwrap()).unwrap();
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
