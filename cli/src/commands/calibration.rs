//! `crm-sync calibration`: of the best candidates that are given 0.9, nine in ten should be right.

use super::Outcome;
use super::evaluate::read_truth;
use crate::args::CalibrationArgs;
use crate::input::Column::Required;
use crate::input::read_columns;
use crate::report::{Table, thousands};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Bins of equal width.
const BINS: usize = 10;

#[derive(Debug, Default, Clone, Copy)]
struct Bin {
    records: u64,
    probability: f64,
    right: u64,
}

impl Bin {
    #[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^52")]
    fn means(self) -> (f64, f64) {
        let records = self.records.max(1) as f64;
        (self.probability / records, self.right as f64 / records)
    }
}

/// The bins of one object's records.
#[derive(Debug, Default, Clone, Copy)]
struct Calibration {
    bins: [Bin; BINS],
}

impl Calibration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a probability times ten, cut to its bin"
    )]
    fn add(&mut self, probability: f64, right: bool) {
        let at = (probability.clamp(0.0, 1.0) * BINS as f64) as usize;
        let bin = &mut self.bins[at.min(BINS - 1)];
        bin.records += 1;
        bin.probability += probability;
        bin.right += u64::from(right);
    }

    fn records(&self) -> u64 {
        self.bins.iter().map(|bin| bin.records).sum()
    }

    /// Expected calibration error: the distance of probability and truth, averaged over records.
    #[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^52")]
    fn error(&self) -> f64 {
        let distance = |bin: &Bin| {
            let (probability, right) = bin.means();
            (probability - right).abs() * bin.records as f64
        };
        self.bins.iter().map(distance).sum::<f64>() / self.records().max(1) as f64
    }
}

/// Compares each record's best candidate with the truth. Records that the truth does not name, or
/// that have no candidate, count for nothing.
pub fn run(args: &CalibrationArgs) -> anyhow::Result<Outcome> {
    let (truth, truth_faults) = read_truth(&args.truth)?;
    let truth: FxHashMap<String, String> =
        truth.into_iter().map(|row| (row.crm_id, row.profile_id)).collect();
    let mut objects: BTreeMap<String, Calibration> = BTreeMap::new();
    let columns = ["object", "crm_id", "rank", "profile_id", "probability"].map(Required);
    let faults =
        read_columns(&args.candidates, columns, |[object, id, rank, entity, probability]| {
            let Ok(probability) = probability.parse::<f64>() else { return Err("bad-probability") };
            if let (Some(target), "1") = (truth.get(id), rank) {
                objects.entry(object.to_owned()).or_default().add(probability, target == entity);
            }
            Ok(())
        })?;
    let output = if args.voice.json { as_json(&objects) } else { as_text(&objects) };
    Ok(Outcome { output, problems: vec![truth_faults, faults], strict: args.voice.strict })
}

fn as_text(objects: &BTreeMap<String, Calibration>) -> String {
    let mut out = String::new();
    for (object, calibration) in objects {
        let mut table = Table::new([object.as_str(), "records", "probability", "right"]);
        for (at, bin) in calibration.bins.iter().enumerate() {
            let (probability, right) = bin.means();
            table.row([
                format!("  from 0.{at}"),
                thousands(bin.records),
                format!("{probability:.4}"),
                format!("{right:.4}"),
            ]);
        }
        let error = calibration.error();
        let _ = write!(out, "{table}expected calibration error {error:.4}\n\n");
    }
    out
}

fn as_json(objects: &BTreeMap<String, Calibration>) -> String {
    let objects: serde_json::Map<String, serde_json::Value> = objects
        .iter()
        .map(|(object, calibration)| {
            let value = serde_json::json!({
                "records": calibration.records(),
                "expected_calibration_error": calibration.error(),
            });
            (object.clone(), value)
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Object(objects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_that_keep_their_word_have_no_error() {
        let mut kept = Calibration::default();
        for n in 0..100 {
            kept.add(0.75, n < 75);
            kept.add(1.0, true);
        }
        assert!(kept.error() < 1e-12);
        let mut broken = Calibration::default();
        for n in 0..100 {
            broken.add(0.95, n < 75);
        }
        assert!((broken.error() - 0.2).abs() < 1e-12);
    }
}
