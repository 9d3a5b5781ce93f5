//! The shipped model, adapted to the records at hand.

use super::sources::each_record;
use crate::linkage::{ObjectFile, best_of_all};
use crate::pipeline::in_order;
use crate::report::thousands;
use crate::salesforce_id::canonical;
use matching::text::hash64;
use matching::{
    EntityKind, Estimate, KindModel, Levels, MatchModel, Probe, Sample, Scorer, Shard, Statistics,
};
use serde_json::{Value, json};
use std::collections::BinaryHeap;

/// The most records of a kind that a model is adapted to.
const SAMPLE: usize = 10_000;

/// The candidates that a record is compared by.
const CANDIDATES: usize = 8;

/// Records that a thread scores in one go.
const TOGETHER: usize = 256;

/// The directory that the records are matched to.
pub(super) struct Against<'a> {
    pub(super) statistics: &'a Statistics,
    pub(super) shards: &'a [Shard<'a>],
    pub(super) threads: usize,
}

/// A model with what is to be said of how it was estimated.
pub(super) struct Adapted {
    /// The model to match by.
    pub(super) model: MatchModel,
    /// The estimate of each kind that has records.
    pub(super) estimates: Vec<(EntityKind, Estimate)>,
}

/// A record by the hash of its id.
struct Drawn {
    hash: u64,
    probe: Probe,
}

impl PartialEq for Drawn {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Drawn {}

impl PartialOrd for Drawn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Drawn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.hash.cmp(&other.hash)
    }
}

/// Adapts a model to the records of the files. Which of them it is estimated from depends on their
/// ids alone: in another order they give the same model.
pub(super) fn adapt(
    files: Vec<ObjectFile>,
    shipped: &MatchModel,
    against: &Against<'_>,
) -> anyhow::Result<Adapted> {
    let mut drawn: [BinaryHeap<Drawn>; 2] = Default::default();
    each_record(files, against.threads, |_, probe| {
        let hash = hash64(canonical(probe.record_id()).as_bytes());
        let of_kind = &mut drawn[usize::from(probe.kind() == EntityKind::Company)];
        if of_kind.len() < SAMPLE {
            of_kind.push(Drawn { hash, probe });
        } else if of_kind.peek().is_some_and(|last| hash < last.hash) {
            of_kind.pop();
            of_kind.push(Drawn { hash, probe });
        }
    })?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(against.threads).build()?;
    let mut adapted = Adapted { model: shipped.clone(), estimates: Vec::new() };
    for (kind, drawn) in [EntityKind::Person, EntityKind::Company].into_iter().zip(drawn) {
        let probes: Vec<Probe> = drawn.into_sorted_vec().into_iter().map(|one| one.probe).collect();
        if probes.is_empty() {
            continue;
        }
        let sample = sample(kind, &probes, shipped, against);
        let estimate = pool.install(|| sample.estimate(shipped.kind(kind)));
        *kind_model(&mut adapted.model, kind) = estimate.model.clone();
        adapted.estimates.push((kind, estimate));
    }
    if adapted.estimates.iter().any(|(_, estimate)| estimate.taken > 0.0) {
        adapted.model.version = format!("{}, adapted", shipped.version);
    }
    Ok(adapted)
}

pub(super) fn kind_model(model: &mut MatchModel, kind: EntityKind) -> &mut KindModel {
    match kind {
        EntityKind::Person => &mut model.person,
        EntityKind::Company => &mut model.company,
    }
}

/// Scores the records and as many decoys.
fn sample(kind: EntityKind, probes: &[Probe], model: &MatchModel, against: &Against<'_>) -> Sample {
    let scorer = Scorer::new(model, against.statistics);
    let of_kind = |shard: &&Shard<'_>| shard.kind() == kind;
    let shards: Vec<Shard<'_>> = against.shards.iter().filter(of_kind).copied().collect();
    let levels = |probe: &Probe| -> Vec<Levels> {
        let best = best_of_all(&scorer, &shards, probe, CANDIDATES);
        best.into_iter().map(|(_, candidate)| candidate.levels).collect()
    };
    let mut sample = Sample::new(kind, against.statistics.entities(kind));
    let ranges = (0..probes.len()).step_by(TOGETHER);
    let Ok(_) = in_order(
        ranges,
        against.threads,
        || (),
        |(), start| {
            let range = start..(start + TOGETHER).min(probes.len());
            let both = |at| (levels(&probes[at]), decoy(probes, at).map(|decoy| levels(&decoy)));
            range.map(both).collect::<Vec<_>>()
        },
        |scored| {
            for (record, decoy) in scored {
                sample.add_record(record);
                if let Some(decoy) = decoy {
                    sample.add_decoy(decoy);
                }
            }
            Ok::<_, std::convert::Infallible>(())
        },
    );
    sample
}

/// A decoy of a record and of two that are far from it.
fn decoy(probes: &[Probe], at: usize) -> Option<Probe> {
    let other = |thirds: usize| &probes[(at + thirds * probes.len() / 3) % probes.len()];
    Probe::decoy(&probes[at], other(1), other(2))
}

impl Adapted {
    /// A line a kind, for people.
    pub(super) fn as_text(&self) -> String {
        let lines = self.estimates.iter().map(|(kind, estimate)| {
            let records = thousands(estimate.records as u64);
            let (kind, taken) = (kind.as_str(), estimate.taken * 100.0);
            match (estimate.nobody, estimate.distance, estimate.resembling) {
                (Some(nobody), Some(bits), Some(resembling)) => format!(
                    "model of {kind}: {taken:.0} % adapted to {records} records: {bits:.1} bits \
                     from the training data, {resembling:.1} times as many look-alikes as by \
                     chance, about {:.0} % in the directory\n",
                    (1.0 - nobody.clamp(0.0, 1.0)) * 100.0
                ),
                (None, ..) => format!("model of {kind}: kept, {records} records are too few\n"),
                _ => format!("model of {kind}: kept, it does not say what it was trained on\n"),
            }
        });
        lines.collect()
    }

    /// The same for programs.
    pub(super) fn as_json(&self) -> Value {
        let of_kind = |(kind, estimate): &(EntityKind, Estimate)| {
            let told = json!({
                "records": estimate.records,
                "adapted": estimate.taken,
                "nobody": estimate.nobody,
                "bits_from_training_data": estimate.distance,
                "look_alikes_against_chance": estimate.resembling,
            });
            (kind.as_str().to_owned(), told)
        };
        Value::Object(self.estimates.iter().map(of_kind).collect())
    }
}
