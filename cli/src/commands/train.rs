//! `crm-sync train`: a model from records, refined by labels where there are any.

use super::Outcome;
use super::adaptation::{Against, adapt, kind_model};
use super::evaluate::read_truth;
use super::sources::{check_sides, directory, each_record, model, open_crm};
use crate::args::TrainArgs;
use crate::report::{Table, thousands};
use crate::{progress, threads};
use anyhow::Context;
use matching::{
    EntityKind, KindModel, MatchModel, Probe, Provenance, Refinement, Scorer, ShadowDifference,
    Shard, TrainingSet, shadow, shard_of,
};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// Trains, writes the model, and says what it would change.
pub fn run(args: &TrainArgs) -> anyhow::Result<Outcome> {
    let files = open_crm(&args.crm)?;
    check_sides(&args.crm, &args.directory)?;
    let start = if args.untrained {
        Cow::Owned(MatchModel::untrained())
    } else {
        model(args.model.as_deref())?
    };
    let mut truth: Option<FxHashMap<String, String>> = None;
    let mut problems = Vec::new();
    if let Some(path) = &args.truth {
        let (rows, faults) = read_truth(path)?;
        problems.push(faults);
        truth = Some(rows.into_iter().map(|row| (row.crm_id, row.profile_id)).collect());
    }
    let bar = progress::open_ended("directory");
    let (directory, totals) = directory(&args.directory, &bar)?;
    bar.finish_and_clear();
    problems.extend(totals.problems);
    let shards = directory.open_shards()?;
    let scorer = Scorer::new(&start, &directory.statistics);

    let mut probes = Vec::new();
    let threads = threads(args.directory.threads);
    problems.extend(each_record(files, threads, |_, probe| probes.push(probe))?);
    let (mut trained, used, told) = if truth.is_none() && args.rounds.is_none() {
        let (statistics, shards) = (&directory.statistics, &shards[..]);
        let against = Against { statistics, shards, threads };
        let adapted = adapt(open_crm(&args.crm)?, &start, &against)?;
        let used = adapted.estimates.iter().map(|(kind, estimate)| (*kind, estimate.records));
        (adapted.model.clone(), used.collect(), adapted.as_text())
    } else {
        let school = School { args, scorer: &scorer, shards: &shards, truth: truth.as_ref() };
        let (trained, used) = school.teach(&start, &probes)?;
        (trained, used, String::new())
    };
    trained.version.clone_from(&args.version);
    trained.provenance = Provenance {
        trained_on: args.trained_on.clone(),
        method: method(truth.is_some(), args.rounds.is_some()).to_owned(),
        measured: String::new(),
    };
    std::fs::write(&args.out, trained.to_json()? + "\n")
        .with_context(|| format!("cannot write {}", args.out.display()))?;

    let mut difference = ShadowDifference::default();
    let new = Scorer::new(&trained, &directory.statistics);
    for probe in &probes {
        shadow(&mut difference, probe, &shards, (&start, &scorer), (&trained, &new));
    }
    let told = if args.voice.json { String::new() } else { told };
    let output = told + &rendered(&used, &difference, args.voice.json);
    Ok(Outcome { output, problems, strict: args.voice.strict })
}

struct School<'a> {
    args: &'a TrainArgs,
    scorer: &'a Scorer<'a>,
    shards: &'a [Shard<'a>],
    truth: Option<&'a FxHashMap<String, String>>,
}

impl School<'_> {
    /// Trains the model of each kind; with how many records.
    fn teach(
        &self,
        start: &MatchModel,
        probes: &[Probe],
    ) -> anyhow::Result<(MatchModel, Vec<(EntityKind, usize)>)> {
        let (mut trained, mut used) = (start.clone(), Vec::new());
        for kind in [EntityKind::Person, EntityKind::Company] {
            let set = self.training_set(kind, probes)?;
            used.push((kind, set.len()));
            if !set.is_empty() {
                *kind_model(&mut trained, kind) =
                    fit(&set, start.kind(kind), self.truth.is_some(), self.args.rounds);
            }
        }
        Ok((trained, used))
    }

    /// The records of one kind with their candidates. With labels, a record that the truth file
    /// does not name teaches nothing.
    fn training_set(&self, kind: EntityKind, probes: &[Probe]) -> anyhow::Result<TrainingSet> {
        let shards: Vec<&Shard<'_>> = self.shards.iter().filter(|s| s.kind() == kind).collect();
        let mut set = TrainingSet::new(self.scorer, kind);
        let bar = progress::open_ended(kind.as_str());
        for probe in probes.iter().filter(|probe| probe.kind() == kind) {
            let target = self.truth.map(|truth| truth.get(probe.record_id()));
            if target == Some(None) {
                continue;
            }
            let target = target.flatten().filter(|id| !id.is_empty()).map(String::as_str);
            let number =
                shard_of(target.unwrap_or(probe.record_id()), u32::try_from(shards.len())?);
            let Some(shard) = shards.iter().find(|shard| shard.number() == number) else {
                continue;
            };
            set.add(self.scorer, shard, probe, target);
            set.add_random(self.scorer, shard, probe, self.args.random_pairs, self.args.seed);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(set)
    }
}

fn fit(set: &TrainingSet, start: &KindModel, labelled: bool, rounds: Option<u32>) -> KindModel {
    let begun = match rounds {
        None | Some(0) => start.clone(),
        Some(rounds) => set.expectation_maximization(start, rounds),
    };
    if labelled { set.refine(&begun, Refinement::default()) } else { begun }
}

fn method(labelled: bool, rounds: bool) -> &'static str {
    match (labelled, rounds) {
        (true, _) => "weights refined and calibrated by labels",
        (false, true) => "m and prior by expectation maximisation, u from random pairs; no labels",
        (false, false) => "adapted to the records by decoys; no labels",
    }
}

fn rendered(used: &[(EntityKind, usize)], difference: &ShadowDifference, json: bool) -> String {
    if json {
        let records: serde_json::Map<String, serde_json::Value> = used
            .iter()
            .map(|(kind, records)| (kind.as_str().to_owned(), (*records).into()))
            .collect();
        let value = serde_json::json!({
            "records": records,
            "against_the_model_begun_with": {
                "same": difference.same,
                "no_longer_matched": difference.only_old,
                "newly_matched": difference.only_new,
                "matched_to_another": difference.other_entity,
            },
        });
        return format!("{value:#}\n");
    }
    let mut table = Table::new(["trained on", "records"]);
    for (kind, records) in used {
        table.row([kind.as_str(), &thousands(*records as u64)]);
    }
    let mut changes = Table::new(["against the model begun with", "records"]);
    let count = |records: usize| thousands(records as u64);
    changes.row(["decided alike".to_owned(), thousands(difference.same)]);
    changes.row(["no longer matched".to_owned(), count(difference.only_old.len())]);
    changes.row(["newly matched".to_owned(), count(difference.only_new.len())]);
    changes.row(["matched to another".to_owned(), count(difference.other_entity.len())]);
    format!("{table}\n{changes}")
}
