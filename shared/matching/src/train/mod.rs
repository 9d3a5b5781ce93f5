//! Training: EM without labels, refinement with them.
//!
//! Invariant: training is deterministic. The only random source is a seeded generator that picks
//! random pairs, so the same data gives the same model.
#![allow(clippy::cast_precision_loss, reason = "counts become shares")]

mod descent;
mod shadow;
mod shares;

use crate::compare::{Levels, doublings, is_discounted};
use crate::entity::EntityKind;
use crate::evidence::Evidence;
use crate::form::Probe;
use crate::model::{KindModel, Weights};
use crate::score::Scorer;
use crate::shard::Shard;
use crate::text::hash64;

pub(crate) use descent::{Descent, NONE, SIZE, cell};
pub use shadow::{ShadowDifference, shadow};
pub(crate) use shares::Shares;

/// Candidates kept of one record: the strongest by the model that trains.
const KEPT: usize = 16;

/// One record with its candidates.
#[derive(Clone, Debug)]
struct Case {
    /// Log2 of the entities of the version the record was scored against.
    doublings: f64,
    candidates: Vec<Levels>,
    /// The true candidate; `None` if it is none of them, or without labels.
    truth: Option<usize>,
}

/// Records with their candidates, of one kind, to train on.
#[derive(Clone, Debug)]
pub struct TrainingSet {
    kind: EntityKind,
    doublings: f64,
    cases: Vec<Case>,
    random: Vec<Levels>,
}

/// The strength of a refinement by labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refinement {
    /// The pull of a weight to the model it began as, in records' worth of evidence per squared
    /// bit. A tenant's few corrections want a high one.
    pub hold: f64,
    /// Steps of gradient descent.
    pub steps: u32,
}

impl Default for Refinement {
    /// Chosen by cross-validation: from 0.3 to 3 the result hardly differs.
    fn default() -> Self {
        Self { hold: 1.0, steps: 400 }
    }
}

impl TrainingSet {
    /// An empty set for records of a kind, scored against a version with this scorer's statistics.
    #[must_use]
    pub fn new(scorer: &Scorer<'_>, kind: EntityKind) -> Self {
        Self { kind, doublings: scorer.doublings(kind), cases: Vec::new(), random: Vec::new() }
    }

    /// An empty set for records of a kind whose evidence was kept, found in a version of this many
    /// entities.
    #[must_use]
    pub fn of_evidence(kind: EntityKind, entities: u64) -> Self {
        let doublings = doublings(entities).into();
        Self { kind, doublings, cases: Vec::new(), random: Vec::new() }
    }

    /// Adds a record by the evidence of its candidates, and which of them is true.
    pub fn add_evidence(&mut self, candidates: &[Evidence], truth: Option<usize>) {
        let candidates = candidates.iter().filter(|evidence| evidence.kind() == self.kind);
        let candidates = candidates.map(|evidence| *evidence.levels()).collect();
        self.cases.push(Case { doublings: self.doublings, candidates, truth });
    }

    /// Records in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// True if no record was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Adds a record with its true entity's id; `None` if the directory does not have it, or for
    /// training without labels.
    ///
    /// With several shards, add the record with the shard of its true entity, or with any for a
    /// record without one.
    pub fn add(
        &mut self,
        scorer: &Scorer<'_>,
        shard: &Shard<'_>,
        probe: &Probe,
        truth: Option<&str>,
    ) {
        if probe.kind() != self.kind {
            return;
        }
        let raw = scorer.raw_candidates(shard, probe, KEPT);
        let truth = truth.and_then(|id| {
            raw.iter().position(|candidate| shard.entity_id(candidate.ordinal) == id)
        });
        self.cases.push(Case {
            doublings: self.doublings,
            candidates: raw.into_iter().map(|candidate| candidate.levels).collect(),
            truth,
        });
    }

    /// Adds random pairs of a record with entities of the shard: what chance agreement is worth
    /// (u).
    pub fn add_random(
        &mut self,
        scorer: &Scorer<'_>,
        shard: &Shard<'_>,
        probe: &Probe,
        pairs: u32,
        seed: u64,
    ) {
        if probe.kind() != self.kind || shard.is_empty() {
            return;
        }
        for pair in 0..pairs {
            let drawn = hash64(
                &[seed, u64::from(pair), hash64(probe.record_id().as_bytes())]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
            #[allow(clippy::cast_possible_truncation, reason = "less than a length of 32 bits")]
            let ordinal = (drawn % u64::from(shard.len())) as u32;
            self.random.push(scorer.compare(shard, probe, ordinal).0);
        }
    }

    /// Adds what another set of the same kind was given, of the same directory version or another.
    pub fn append(&mut self, other: Self) {
        self.cases.extend(other.cases);
        self.random.extend(other.random);
    }

    /// Estimates m and the prior by EM, u from the random pairs, and weights from both. Labels are
    /// ignored.
    #[must_use]
    pub fn expectation_maximization(&self, start: &KindModel, rounds: u32) -> KindModel {
        let mut model = start.clone();
        let chance = Shares::of(self.random.iter().map(|levels| (levels, 1.0)), self.kind);
        for _ in 0..rounds {
            let weights = model.weights();
            let mut matched = Shares::new(self.kind);
            let mut nobody = 0.0;
            for case in &self.cases {
                let (posterior, none) = Self::posterior(&weights, case);
                nobody += none;
                for (levels, share) in case.candidates.iter().zip(posterior) {
                    matched.add(levels, share);
                }
            }
            let found = (self.cases.len() as f64 - nobody).max(1.0);
            model.none_weight = (nobody.max(1.0) / found).log2();
            for (at, comparison) in model.comparisons.iter_mut().enumerate() {
                for (level, cell) in comparison.levels.iter_mut().enumerate().skip(1) {
                    let (m, u) = (matched.share(at, level), chance.share(at, level));
                    (cell.m, cell.u) = (Some(m), Some(u));
                    // If a level has term frequencies, the rarity of the value carries part of its
                    // u. Only the other part is added here.
                    let carried =
                        if is_discounted(self.kind, at, level) { 0.0 } else { cell.rarity };
                    cell.weight = (m.log2() - (1.0 - carried) * u.log2()).clamp(-12.0, 16.0);
                }
            }
        }
        model
    }

    /// Writes into a model how often the labelled true pairs (m) and the random pairs (u) are at
    /// each level, and how often true pairs are not at the null level: its weights stay as they
    /// are.
    #[must_use]
    pub fn annotate(&self, model: &KindModel) -> KindModel {
        let labelled =
            self.cases.iter().filter_map(|case| Some((case.candidates.get(case.truth?)?, 1.0)));
        let matched = Shares::of(labelled, self.kind);
        let chance = Shares::of(self.random.iter().map(|levels| (levels, 1.0)), self.kind);
        let round = |share: f64| (share * 1e6).round() / 1e6;
        let mut model = model.clone();
        for (at, comparison) in model.comparisons.iter_mut().enumerate() {
            comparison.known = Some(round(matched.known(at)));
            for (level, cell) in comparison.levels.iter_mut().enumerate().skip(1) {
                (cell.m, cell.u) =
                    (Some(round(matched.share(at, level))), Some(round(chance.share(at, level))));
            }
        }
        model
    }

    fn posterior(weights: &Weights, case: &Case) -> (Vec<f64>, f64) {
        let bits: Vec<f64> =
            case.candidates.iter().map(|levels| weights.weigh(levels, case.doublings)).collect();
        let none = weights.none;
        let top = bits.iter().copied().fold(none, f64::max);
        let odds: Vec<f64> = bits.iter().map(|bits| (bits - top).exp2()).collect();
        let total: f64 = odds.iter().sum::<f64>() + (none - top).exp2();
        (odds.iter().map(|odds| odds / total).collect(), (none - top).exp2() / total)
    }

    /// Refines weights to make the labels as likely as they can be, with a pull to the model they
    /// began as.
    ///
    /// The posterior is trained as it is used, against the runner-up and "none". That calibrates
    /// it.
    #[must_use]
    pub fn refine(&self, start: &KindModel, how: Refinement) -> KindModel {
        // Directories of one size cannot tell the size's weight from that of "none".
        let first = self.cases.first().map_or(0.0, |case| case.doublings);
        let several_sizes = self.cases.iter().any(|case| (case.doublings - first).abs() > 0.5);
        let mut descent = Descent::new(start, several_sizes);
        for step in 1..=how.steps {
            let weights = descent.weights();
            let mut gradient = vec![0.0; SIZE + 1];
            for case in &self.cases {
                Self::add_gradient(&weights, case, &mut gradient);
            }
            descent.step(&gradient, how.hold, step);
        }
        descent.model(start)
    }

    fn add_gradient(weights: &Weights, case: &Case, gradient: &mut [f64]) {
        let (posterior, nobody) = Self::posterior(weights, case);
        gradient[NONE] += nobody - f64::from(u8::from(case.truth.is_none()));
        for (at, (levels, share)) in case.candidates.iter().zip(posterior).enumerate() {
            let error = share - f64::from(u8::from(case.truth == Some(at)));
            if error.abs() < 1e-9 {
                continue;
            }
            if weights.is_capped(levels, case.doublings) {
                // It weighs what nobody weighs, less a constant.
                gradient[NONE] += error;
                continue;
            }
            gradient[SIZE] -= error * case.doublings;
            for comparison in 0..weights.width {
                let cell = cell(comparison, usize::from(levels.level[comparison]));
                gradient[cell] += error;
                gradient[cell + 1] += error * f64::from(levels.rarity[comparison]);
            }
        }
    }
}
