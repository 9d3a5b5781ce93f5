//! Training: EM without labels, refinement with them.
//!
//! Invariant: training is deterministic. The only random source is a seeded generator that picks
//! random pairs, so the same data gives the same model.
#![allow(clippy::cast_precision_loss, reason = "counts become shares")]

use crate::compare::{Levels, WIDTH, comparisons, is_discounted};
use crate::entity::EntityKind;
use crate::evidence::Evidence;
use crate::form::Probe;
use crate::model::{DEPTH, KindModel, MatchModel, Weights};
use crate::posterior::posterior;
use crate::score::Scorer;
use crate::shard::Shard;
use crate::text::hash64;

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
        let doublings = (entities.max(1) as f64).log2();
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
    /// each level: its weights stay as they are.
    #[must_use]
    pub fn annotate(&self, model: &KindModel) -> KindModel {
        let labelled =
            self.cases.iter().filter_map(|case| Some((case.candidates.get(case.truth?)?, 1.0)));
        let matched = Shares::of(labelled, self.kind);
        let chance = Shares::of(self.random.iter().map(|levels| (levels, 1.0)), self.kind);
        let round = |share: f64| (share * 1e6).round() / 1e6;
        let mut model = model.clone();
        for (at, comparison) in model.comparisons.iter_mut().enumerate() {
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

/// The places of the weight of "none" and of the size weight among the values. The size weight
/// stands where a cell has its rarity.
const NONE: usize = WIDTH * DEPTH * 2;
const SIZE: usize = NONE + 1;

fn cell(comparison: usize, level: usize) -> usize {
    (comparison * DEPTH + level % DEPTH) * 2
}

/// Gradient descent (Adam) over a table of weights and rarities and the weight of "none".
struct Descent {
    width: usize,
    start: Vec<f64>,
    values: Vec<f64>,
    free: Vec<bool>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Descent {
    fn new(start: &KindModel, several_sizes: bool) -> Self {
        let mut values = vec![0.0; SIZE + 1];
        let mut free = vec![false; values.len()];
        for (at, comparison) in start.comparisons.iter().enumerate() {
            for (level, model) in comparison.levels.iter().enumerate() {
                let cell = cell(at, level);
                (values[cell], values[cell + 1]) = (model.weight, model.rarity);
                // The null level is no evidence, by definition; rarity is trained where a level has
                // any.
                (free[cell], free[cell + 1]) = (level > 0, model.rarity > 0.0);
            }
        }
        (values[NONE], values[SIZE]) = (start.none_weight, start.size_weight);
        (free[NONE], free[SIZE]) = (true, several_sizes);
        let zeros = vec![0.0; values.len()];
        Self {
            width: start.comparisons.len().min(WIDTH),
            start: values.clone(),
            values,
            free,
            first: zeros.clone(),
            second: zeros,
        }
    }

    fn none(&self) -> f64 {
        self.values[NONE]
    }

    fn weights(&self) -> Weights {
        let mut table = [[(0.0, 0.0); DEPTH]; WIDTH];
        for (at, row) in table.iter_mut().enumerate() {
            for (level, value) in row.iter_mut().enumerate() {
                let cell = cell(at, level);
                *value = (self.values[cell], self.values[cell + 1]);
            }
        }
        Weights { table, width: self.width, size: self.values[SIZE], none: self.none() }
    }

    /// One step of Adam (Kingma and Ba 2015) with its usual constants and a rate that falls.
    fn step(&mut self, gradient: &[f64], hold: f64, step: u32) {
        let rate = 0.15 / (1.0 + f64::from(step) / 60.0);
        for (at, &uphill) in gradient.iter().enumerate() {
            if !self.free[at] {
                continue;
            }
            // Rarity coefficients move in tenths where weights move in bits.
            let rarity = at % 2 == 1;
            let pull = if rarity { hold * 30.0 } else { hold };
            let slope = uphill * std::f64::consts::LN_2 + pull * (self.values[at] - self.start[at]);
            self.first[at] = 0.9 * self.first[at] + 0.1 * slope;
            self.second[at] = 0.999 * self.second[at] + 0.001 * slope * slope;
            let first = self.first[at] / (1.0 - 0.9_f64.powf(f64::from(step)));
            let second = self.second[at] / (1.0 - 0.999_f64.powf(f64::from(step)));
            let scale = if rarity { 0.1 } else { 1.0 };
            self.values[at] -= scale * rate * first / (second.sqrt() + 1e-8);
            if rarity {
                self.values[at] = self.values[at].clamp(0.0, 1.2);
            }
        }
    }

    fn model(&self, start: &KindModel) -> KindModel {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        let mut model = start.clone();
        (model.none_weight, model.size_weight) = (round(self.none()), round(self.values[SIZE]));
        for (at, comparison) in model.comparisons.iter_mut().enumerate() {
            for (level, model) in comparison.levels.iter_mut().enumerate() {
                let cell = cell(at, level);
                (model.weight, model.rarity) =
                    (round(self.values[cell]), round(self.values[cell + 1]));
            }
        }
        model
    }
}

/// The weighted number of pairs at each level of each comparison; shares leave the null level out.
struct Shares {
    sums: [[f64; DEPTH]; WIDTH],
    levels: [usize; WIDTH],
}

impl Shares {
    fn new(kind: EntityKind) -> Self {
        let mut levels = [0; WIDTH];
        for (count, comparison) in levels.iter_mut().zip(comparisons(kind)) {
            *count = comparison.levels.len();
        }
        Self { sums: [[0.0; DEPTH]; WIDTH], levels }
    }

    fn of<'a>(pairs: impl Iterator<Item = (&'a Levels, f64)>, kind: EntityKind) -> Self {
        let mut shares = Self::new(kind);
        for (levels, weight) in pairs {
            shares.add(levels, weight);
        }
        shares
    }

    fn add(&mut self, levels: &Levels, weight: f64) {
        for (row, level) in self.sums.iter_mut().zip(levels.level) {
            row[usize::from(level) % DEPTH] += weight;
        }
    }

    /// A level's share of the pairs that are not at the null level, smoothed by half a pair.
    fn share(&self, comparison: usize, level: usize) -> f64 {
        let known: f64 = self.sums[comparison][1..].iter().sum();
        (self.sums[comparison][level] + 0.5) / (known + 0.5 * self.levels[comparison] as f64)
    }
}

/// The difference that a new model would make: the records that two models match differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowDifference {
    /// Records matched alike by both.
    pub same: u64,
    /// Records only the old model matches.
    pub only_old: Vec<String>,
    /// Records only the new model matches.
    pub only_new: Vec<String>,
    /// Records matched to different entities.
    pub other_entity: Vec<String>,
}

/// Scores a record with two models and adds their difference: the new model runs in the shadow of
/// the old.
pub fn shadow(
    difference: &mut ShadowDifference,
    probe: &Probe,
    shards: &[Shard<'_>],
    old: (&MatchModel, &Scorer<'_>),
    new: (&MatchModel, &Scorer<'_>),
) {
    let best = |(model, scorer): (&MatchModel, &Scorer<'_>)| {
        let candidates: Vec<_> =
            shards.iter().flat_map(|shard| scorer.candidates(shard, probe, KEPT)).collect();
        let best = posterior(model, probe.kind(), &candidates).into_iter().next();
        best.filter(|best| best.probability >= model.thresholds.match_at)
            .map(|best| best.candidate.entity_id)
    };
    let record = || probe.record_id().to_owned();
    match (best(old), best(new)) {
        (None, None) => difference.same += 1,
        (Some(old), Some(new)) if old == new => difference.same += 1,
        (Some(_), Some(_)) => difference.other_entity.push(record()),
        (Some(_), None) => difference.only_old.push(record()),
        (None, Some(_)) => difference.only_new.push(record()),
    }
}
