//! `crm-sync match`: files in, predictions out.

use super::Outcome;
use super::adaptation::{Adapted, Against, adapt};
use super::join;
use super::sources::{check_sides, directory, each_record, model, open_crm};
use crate::args::MatchArgs;
use crate::input::FileProblems;
use crate::linkage::{
    AccountsById, Decided, Linked, OutputFile, Settings, Totals, candidates_file, link,
    predictions_file,
};
use crate::report::{self, Table, thousands};
use crate::{progress, threads};
use anyhow::Context;
use matching::{Scorer, Statistics, explain};
use rustc_hash::FxHashMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Matches the records.
pub fn run(args: &MatchArgs) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let files = open_crm(&args.crm)?;
    check_sides(&args.crm, &args.directory)?;
    let model = model(args.model.as_deref())?;

    let bar = progress::open_ended("directory");
    let (directory, mut totals) = directory(&args.directory, &bar)?;
    bar.finish_and_clear();
    let read = started.elapsed();

    let (shards, threads) = (directory.open_shards()?, threads(args.directory.threads));
    let adapted = if args.model.is_some() || args.as_shipped {
        Adapted { model: model.into_owned(), estimates: Vec::new() }
    } else {
        let statistics = &directory.statistics;
        adapt(open_crm(&args.crm)?, &model, &Against { statistics, shards: &shards, threads })?
    };
    if let Some(path) = &args.save_model {
        std::fs::write(path, adapted.model.to_json()? + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let settings = Settings {
        model: &adapted.model,
        scorer: Scorer::new(&adapted.model, &directory.statistics),
        shards,
        threads,
        keep_weak: args.candidates.is_some(),
    };
    let mut accounts = AccountsById::default();
    let mut linked = Vec::new();
    for file in files {
        let bar = progress::open_ended(file.object);
        linked.push(link(file, &settings, &mut accounts, &bar)?);
        bar.finish_and_clear();
    }
    predictions_file(&args.out, &linked)?;
    if let Some(path) = &args.candidates {
        candidates_file(path, &linked)?;
    }
    if let Some(path) = &args.explain {
        explain_file(path, args, &settings, &directory.statistics, &linked)?;
    }
    if let Some(path) = &args.join {
        join::write(path, args, &settings, &directory.statistics, &linked)?;
    }
    let all = started.elapsed();
    let summary = Summary { linked: &linked, adapted: &adapted, totals: &totals, read, all };
    let output = if args.voice.json { summary.as_json() } else { summary.as_text() };
    totals.problems.extend(linked.into_iter().map(|object| object.problems));
    Ok(Outcome { output, problems: totals.problems, strict: args.voice.strict })
}

/// Reads the records again and writes why each was matched, set to review or called a duplicate:
/// so that a run without explanations keeps no record's values.
fn explain_file(
    path: &Path,
    args: &MatchArgs,
    settings: &Settings<'_>,
    statistics: &Statistics,
    linked: &[Linked<'_>],
) -> anyhow::Result<()> {
    let mut decided: FxHashMap<(&str, &str), (&str, &str, f64)> = FxHashMap::default();
    for object in linked {
        for (id, _, outcome) in object.records() {
            let Some(placed) = outcome.placed() else { continue };
            let value = (outcome.word(), object.entity_id(placed.entity), placed.probability);
            decided.insert((object.object, id), value);
        }
    }
    let mut file = OutputFile::create(path)?;
    let mut failed = Ok(());
    each_record(open_crm(&args.crm)?, settings.threads, |object, probe| {
        let Some((decision, entity, probability)) = decided.get(&(object, probe.record_id()))
        else {
            return;
        };
        let why = |shard| explain(settings.model, statistics, shard, &probe, entity);
        let explanation = settings.shards.iter().find_map(why);
        let value = serde_json::json!({
            "object": object,
            "decision": decision,
            "probability": probability,
            "explanation": explanation,
        });
        if failed.is_ok() {
            failed = writeln!(file, "{value}");
        }
    })?;
    failed?;
    file.keep()
}

struct Summary<'a> {
    linked: &'a [Linked<'a>],
    adapted: &'a Adapted,
    totals: &'a Totals,
    /// Reading and indexing the directory.
    read: Duration,
    /// The whole run.
    all: Duration,
}

/// How many records of an object were decided how.
#[derive(Default)]
struct Counts {
    matched: u64,
    review: u64,
    duplicates: u64,
    unmatched: u64,
}

impl Counts {
    fn of(linked: &Linked<'_>) -> Self {
        let mut counts = Self::default();
        for (_, _, decided) in linked.records() {
            *match decided {
                Decided::Match(_) => &mut counts.matched,
                Decided::Review(_) => &mut counts.review,
                Decided::Duplicate(_) => &mut counts.duplicates,
                Decided::Unmatched => &mut counts.unmatched,
            } += 1;
        }
        counts
    }
}

impl Summary<'_> {
    fn records(&self) -> u64 {
        self.linked.iter().map(|linked| linked.len() as u64).sum()
    }

    fn as_text(&self) -> String {
        let headings =
            ["object", "records", "matched", "in review", "duplicates", "unmatched", "skipped"];
        let mut table = Table::new(headings);
        for linked in self.linked {
            let counts = Counts::of(linked);
            let cells = [
                linked.len() as u64,
                counts.matched,
                counts.review,
                counts.duplicates,
                counts.unmatched,
                linked.problems.skipped(),
            ];
            table.row(std::iter::once(linked.object.to_owned()).chain(cells.map(thousands)));
        }
        let skipped: u64 = self.totals.problems.iter().map(FileProblems::skipped).sum();
        let peak = report::peak_memory().map_or_else(|| "unknown".to_owned(), report::bytes);
        format!(
            "{table}{}directory: {} entities, {} rows skipped; {:.1} s to read and index, {:.1} s \
             in all; {} records/s; peak memory {peak}\n",
            self.adapted.as_text(),
            thousands(self.totals.entities),
            thousands(skipped),
            self.read.as_secs_f64(),
            self.all.as_secs_f64(),
            thousands(self.rate()),
        )
    }

    /// Records a second, from the first byte of the directory to the last of the predictions.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate for people to read"
    )]
    fn rate(&self) -> u64 {
        (self.records() as f64 / self.all.as_secs_f64().max(1e-6)) as u64
    }

    fn as_json(&self) -> String {
        let objects: serde_json::Map<String, serde_json::Value> = self
            .linked
            .iter()
            .map(|linked| {
                let counts = Counts::of(linked);
                let value = serde_json::json!({
                    "records": linked.len(),
                    "matched": counts.matched,
                    "review": counts.review,
                    "duplicates": counts.duplicates,
                    "unmatched": counts.unmatched,
                    "problems": problems(&linked.problems),
                });
                (linked.object.to_owned(), value)
            })
            .collect();
        let directory: Vec<_> = self.totals.problems.iter().map(problems).collect();
        let value = serde_json::json!({
            "objects": objects,
            "models": self.adapted.as_json(),
            "directory": { "entities": self.totals.entities, "problems": directory },
            "seconds": { "directory": self.read.as_secs_f64(), "all": self.all.as_secs_f64() },
            "records_per_second": self.rate(),
            "peak_memory_bytes": report::peak_memory(),
        });
        format!("{value:#}\n")
    }
}

fn problems(problems: &FileProblems) -> serde_json::Value {
    let reasons: serde_json::Map<String, serde_json::Value> = problems
        .reasons()
        .map(|(reason, fate, rows, lines)| {
            let value =
                serde_json::json!({ "fate": fate.to_string(), "rows": rows, "first_lines": lines });
            (reason.to_owned(), value)
        })
        .collect();
    serde_json::json!({ "file": problems.file(), "reasons": reasons })
}
