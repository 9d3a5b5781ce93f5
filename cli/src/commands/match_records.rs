//! `crm-sync match`: files in, predictions out.

use super::Outcome;
use crate::args::{CrmArgs, MatchArgs};
use crate::input::FileProblems;
use crate::linkage::{
    AccountsById, Content, Decided, Directory, Linked, ObjectFile, Rows, Settings, Sources, Totals,
    candidates_file, link, predictions_file,
};
use crate::report::{self, Table, thousands};
use crate::{progress, threads};
use anyhow::{Context, ensure};
use matching::{MatchModel, Scorer};
use std::borrow::Cow;
use std::path::Path;
use std::time::{Duration, Instant};

/// Matches the records.
pub fn run(args: &MatchArgs) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let files = open_crm(&args.crm)?;
    check_sides(args)?;
    let model = model(args.model.as_deref())?;

    let bar = progress::open_ended("directory");
    let (directory, mut totals) = directory(args, &bar)?;
    bar.finish_and_clear();
    let read = started.elapsed();

    let settings = Settings {
        model: &model,
        scorer: Scorer::new(&model, &directory.statistics),
        shards: directory.open_shards()?,
        threads: threads(args.directory.threads),
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
    let summary = Summary { linked: &linked, totals: &totals, read, all: started.elapsed() };
    let output = if args.voice.json { summary.as_json() } else { summary.as_text() };
    totals.problems.extend(linked.into_iter().map(|object| object.problems));
    Ok(Outcome { output, problems: totals.problems, strict: args.voice.strict })
}

/// Opens the CRM's files, accounts first: contacts need them.
fn open_crm(args: &CrmArgs) -> anyhow::Result<Vec<ObjectFile>> {
    let given = [
        ("Account", Content::Accounts, &args.account),
        ("Lead", Content::Leads, &args.lead),
        ("Contact", Content::Contacts, &args.contact),
    ];
    let mut files = Vec::new();
    for (object, content, path) in given {
        if let Some(path) = path {
            let (rows, chunks) = Rows::open(path, content)?;
            files.push(ObjectFile { object, content, rows, chunks });
        }
    }
    ensure!(!files.is_empty(), "nothing to match: give --lead, --contact or --account");
    Ok(files)
}

/// Each object needs the kind of directory it is matched to.
fn check_sides(args: &MatchArgs) -> anyhow::Result<()> {
    if args.index.is_some() {
        return Ok(());
    }
    let people = args.crm.lead.is_some() || args.crm.contact.is_some();
    ensure!(
        !people || args.directory.people.is_some(),
        "leads and contacts are matched to people: give --people or --index"
    );
    // Accounts without companies are welcome beside contacts, whose employers they name.
    ensure!(
        args.crm.account.is_none()
            || args.directory.companies.is_some()
            || args.crm.contact.is_some(),
        "accounts are matched to companies: give --companies or --index"
    );
    Ok(())
}

/// The model of a file, or the shipped one.
pub(super) fn model(path: Option<&Path>) -> anyhow::Result<Cow<'static, MatchModel>> {
    let Some(path) = path else { return Ok(Cow::Borrowed(MatchModel::shipped())) };
    let name = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let model =
        MatchModel::from_json(&text).with_context(|| format!("{name} is no usable model"))?;
    Ok(Cow::Owned(model))
}

fn directory(
    args: &MatchArgs,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<(Directory, Totals)> {
    let sources = Sources {
        people: args.directory.people.as_deref(),
        companies: args.directory.companies.as_deref(),
        shards: args.directory.shards,
        threads: threads(args.directory.threads),
    };
    Directory::build(&sources, bar)
}

struct Summary<'a> {
    linked: &'a [Linked<'a>],
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
            "{table}directory: {} entities, {} rows skipped; {:.1} s to read and index, {:.1} s in all; \
             {} records/s; peak memory {peak}\n",
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
