//! `crm-sync blocking`: what blocking costs and what it loses.

use super::Outcome;
use super::evaluate::read_truth;
use super::sources::{check_sides, directory, each_record, open_crm};
use crate::args::BlockingArgs;
use crate::progress;
use crate::report::{Table, thousands};
use crate::threads;
use matching::{MatchModel, Scorer};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// The measurements of one object's records.
#[derive(Debug, Default)]
struct Measured {
    /// Candidates of each record.
    candidates: Vec<usize>,
    true_pairs: u64,
    found: u64,
}

/// Measures blocking.
pub fn run(args: &BlockingArgs) -> anyhow::Result<Outcome> {
    let files = open_crm(&args.crm)?;
    check_sides(&args.crm, &args.directory)?;
    let mut truth: FxHashMap<String, String> = FxHashMap::default();
    let mut problems = Vec::new();
    if let Some(path) = &args.truth {
        let (rows, faults) = read_truth(path)?;
        problems.push(faults);
        truth.extend(rows.into_iter().map(|row| (row.crm_id, row.profile_id)));
    }
    let bar = progress::open_ended("directory");
    let (directory, totals) = directory(&args.directory, &bar)?;
    bar.finish_and_clear();
    problems.extend(totals.problems);
    let shards = directory.open_shards()?;
    // Blocking does not look at weights, so any model does.
    let scorer = Scorer::new(MatchModel::shipped()?, &directory.statistics);

    let mut measured: BTreeMap<&'static str, Measured> = BTreeMap::new();
    let bar = progress::open_ended("records");
    let faults = each_record(files, threads(args.directory.threads), |object, probe| {
        let of = measured.entry(object).or_default();
        let mut candidates = 0;
        let target = truth.get(probe.record_id()).filter(|id| !id.is_empty());
        of.true_pairs += u64::from(target.is_some());
        for shard in shards.iter().filter(|shard| shard.kind() == probe.kind()) {
            let block = scorer.block(shard, &probe);
            let ordinal = target.and_then(|id| shard.ordinal_of(id));
            of.found += u64::from(ordinal.is_some_and(|at| block.binary_search(&at).is_ok()));
            candidates += block.len();
        }
        of.candidates.push(candidates);
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    problems.extend(faults);
    let output = if args.voice.json { as_json(measured) } else { as_text(measured) };
    Ok(Outcome { output, problems, strict: args.voice.strict })
}

/// Mean, median, 99th percentile and most.
fn spread(mut counts: Vec<usize>) -> (f64, [usize; 3]) {
    counts.sort_unstable();
    let at = |percent: usize| {
        counts.get((counts.len() * percent / 100).min(counts.len().saturating_sub(1))).copied()
    };
    let mean = ratio(counts.iter().map(|&n| n as u64).sum(), counts.len() as u64);
    (mean, [50, 99, 100].map(|percent| at(percent).unwrap_or(0)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of records stay far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn as_text(measured: BTreeMap<&'static str, Measured>) -> String {
    let headings = [
        "object",
        "records",
        "candidates: mean",
        "median",
        "p99",
        "most",
        "true pairs",
        "pair recall",
    ];
    let mut table = Table::new(headings);
    for (object, of) in measured {
        let records = of.candidates.len() as u64;
        let (mean, [median, p99, most]) = spread(of.candidates);
        table.row([
            object.to_owned(),
            thousands(records),
            format!("{mean:.2}"),
            median.to_string(),
            p99.to_string(),
            most.to_string(),
            thousands(of.true_pairs),
            format!("{:.4}", ratio(of.found, of.true_pairs)),
        ]);
    }
    table.to_string()
}

fn as_json(measured: BTreeMap<&'static str, Measured>) -> String {
    let objects: serde_json::Map<String, serde_json::Value> = measured
        .into_iter()
        .map(|(object, of)| {
            let records = of.candidates.len();
            let (mean, [median, p99, most]) = spread(of.candidates);
            let value = serde_json::json!({
                "records": records,
                "candidates": { "mean": mean, "median": median, "p99": p99, "most": most },
                "true_pairs": of.true_pairs,
                "pair_recall": ratio(of.found, of.true_pairs),
            });
            (object.to_owned(), value)
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Object(objects))
}
