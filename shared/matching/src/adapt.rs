//! Adaptation: a kind's model estimated anew for the records at hand, without labels.
//!
//! Decoys ([`Probe::decoy`](crate::Probe::decoy)) show what chance agrees on. Let `odds`
//! be the odds by the model that a record is somebody of the directory: the sum of
//! `2^(bits − none)` over its candidates. Records whose odds are these come
//! `nobody × (1 + odds)` times as often as decoys whose odds are these, where `nobody` is the share
//! of records that are nobody's. So telling records from decoys by logistic regression on that
//! ratio estimates the weights, the weight of "none" and the share at once. Nothing looks at the
//! model's own answers: a model that is too careful or too bold does not confirm itself.
//!
//! What decoys cannot show is nobodies who resemble somebody more than chance makes them:
//! relatives, colleagues, namesakes that somebody collected. The shipped model knows those from
//! labels. So it is kept where the records look like what it was trained on, and where people who
//! only resemble each other are more frequent than among decoys.
//!
//! Invariant: an estimate is a function of the records and decoys in their order, for any number of
//! threads.
#![allow(clippy::cast_precision_loss, reason = "counts become shares")]

use crate::compare::Levels;
use crate::entity::EntityKind;
use crate::model::{KindModel, Weights};
use crate::parallel::map_ranges;
use crate::train::{Descent, NONE, SIZE, Shares, cell};

/// Records below which the shipped model is kept: fewer tell too little about their levels.
const ENOUGH: usize = 1_000;

/// Up to so many bits from what the shipped model was trained on, it is kept.
const AT_HOME: f64 = 2.0;

/// From so many bits on, the estimate is taken whole; between, both are mixed.
const ABROAD: f64 = 3.5;

/// Records may resemble somebody else so many times as often as decoys do; the estimate is taken
/// whole. Decoys are all nobody's and records in part, so that chance alone makes it less than
/// once.
const BY_CHANCE: f64 = 1.5;

/// From so many times on the shipped model is kept; between, both are mixed.
const BEYOND_CHANCE: f64 = 3.0;

/// The share of records and decoys that resemble somebody, added to both.
const FEW: f64 = 0.005;

/// The pull of a weight to the shipped one, in records' worth of evidence per squared bit. From 2
/// to 10 the result hardly differs.
const HOLD: f64 = 4.0;

/// Steps of gradient descent.
const STEPS: u32 = 300;

/// Records that are worked on by one thread in one go.
const TOGETHER: usize = 1_024;

/// Pairs as often as in the training data that smooth the levels of the records at hand.
const SMOOTHING: f64 = 20.0;

/// Records of one kind with their candidates, one behind the other.
#[derive(Clone, Debug, Default)]
struct Records {
    candidates: Vec<Levels>,
    ends: Vec<usize>,
}

impl Records {
    fn add(&mut self, candidates: impl IntoIterator<Item = Levels>) {
        // A contradiction decides a pair's weight: it tells nothing of the weights.
        let weighed = candidates.into_iter().filter(|levels| levels.contradiction.is_none());
        self.candidates.extend(weighed);
        self.ends.push(self.candidates.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, at: usize) -> &[Levels] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.candidates[start..self.ends[at]]
    }
}

/// The records and decoys of one kind that a model is adapted to.
#[derive(Clone, Debug)]
pub struct Sample {
    kind: EntityKind,
    doublings: f64,
    records: Records,
    decoys: Records,
}

/// A kind's model as it was estimated.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The model to match by.
    pub model: KindModel,
    /// Records that it was estimated from.
    pub records: usize,
    /// The share of them that is nobody of the directory, 0 to 1; `None` if they were too few.
    pub nobody: Option<f64>,
    /// How far they are from what the shipped model was trained on, in bits; `None` if they were
    /// too few, or it does not say what that was.
    pub distance: Option<f64>,
    /// How many times as often as decoys they resemble somebody else of the directory; `None` if
    /// they were too few.
    pub resembling: Option<f64>,
    /// How much of the estimate was taken, from 0, the shipped model, to 1.
    pub taken: f64,
}

impl Sample {
    /// An empty sample of records matched against a version of this many entities.
    #[must_use]
    pub fn new(kind: EntityKind, entities: u64) -> Self {
        let doublings = (entities.max(1) as f64).log2();
        Self { kind, doublings, records: Records::default(), decoys: Records::default() }
    }

    /// Adds a record by its candidates.
    pub fn add_record(&mut self, candidates: impl IntoIterator<Item = Levels>) {
        self.records.add(candidates);
    }

    /// Adds a decoy by its candidates.
    pub fn add_decoy(&mut self, candidates: impl IntoIterator<Item = Levels>) {
        self.decoys.add(candidates);
    }

    /// Estimates the kind's model for these records, held to the shipped one.
    #[must_use]
    pub fn estimate(&self, shipped: &KindModel) -> Estimate {
        let mut estimate = Estimate {
            model: shipped.clone(),
            records: self.records.len(),
            nobody: None,
            distance: None,
            resembling: None,
            taken: 0.0,
        };
        if self.records.len() < ENOUGH || self.decoys.len() == 0 {
            return estimate;
        }
        let nobody = |ratio: f64| ratio * self.decoys.len() as f64 / self.records.len() as f64;
        let (shifted, ratio) = self.fit(Descent::of_none(shipped), 0.0);
        let resembling = self.resembling(&shipped.weights());
        estimate.nobody = Some(nobody(ratio));
        estimate.distance = self.distance(&shifted.weights(), shipped);
        estimate.resembling = Some(resembling);
        let abroad = estimate.distance.map_or(0.0, |bits| between(bits, AT_HOME, ABROAD));
        estimate.taken = abroad * (1.0 - between(resembling, BY_CHANCE, BEYOND_CHANCE));
        if estimate.taken > 0.0 {
            let start = KindModel { none_weight: shifted.none(), ..shipped.clone() };
            let (fitted, ratio) = self.fit(Descent::new(&start, false), HOLD);
            estimate.model = mixed(shipped, &fitted.model(shipped), estimate.taken);
            estimate.nobody = Some(nobody(ratio));
        }
        estimate
    }

    /// How many times as often as decoys records resemble somebody else: by their best candidate.
    fn resembling(&self, weights: &Weights) -> f64 {
        let share = |of: &Records| {
            let resembles = |at: &usize| {
                let bits = |levels: &&Levels| weights.sum(levels);
                let best = of.get(*at).iter().max_by(|a, b| bits(a).total_cmp(&bits(b)));
                best.is_some_and(|levels| levels.resemble(self.kind))
            };
            let found = (0..of.len()).filter(resembles).count();
            found as f64 / of.len() as f64 + FEW
        };
        share(&self.records) / share(&self.decoys)
    }

    /// Descends to where records and decoys are told apart best. Gives the ratio of records that
    /// are nobody's to decoys as well.
    fn fit(&self, mut descent: Descent, hold: f64) -> (Descent, f64) {
        let mut ratio = self.records.len() as f64 / self.decoys.len() as f64 / 2.0;
        for step in 1..=STEPS {
            let weights = descent.weights();
            let records = self.odds(&self.records, &weights);
            let decoys = self.odds(&self.decoys, &weights);
            ratio = best_ratio(&records, &decoys, ratio);
            let mut gradient = vec![0.0; SIZE + 1];
            let of_record = |odds: &f64| -1.0 / ((1.0 + odds) * (1.0 + ratio * (1.0 + odds)));
            let of_decoy = |odds: &f64| ratio / (1.0 + ratio * (1.0 + odds));
            let pulls: Vec<f64> = records.iter().map(of_record).collect();
            self.add_gradient(&self.records, &weights, &pulls, &mut gradient);
            let pulls: Vec<f64> = decoys.iter().map(of_decoy).collect();
            self.add_gradient(&self.decoys, &weights, &pulls, &mut gradient);
            descent.step(&gradient, hold, step);
        }
        (descent, ratio)
    }

    /// The odds of a candidate against nobody.
    fn odds_of(&self, weights: &Weights, levels: &Levels) -> f64 {
        let bits = weights.sum(levels) - weights.size * self.doublings - weights.none;
        bits.clamp(-80.0, 80.0).exp2()
    }

    /// Each record's odds that it is somebody.
    fn odds(&self, of: &Records, weights: &Weights) -> Vec<f64> {
        let sum = |at| of.get(at).iter().map(|levels| self.odds_of(weights, levels)).sum();
        let ranges = map_ranges(of.len(), TOGETHER, |range| range.map(sum).collect::<Vec<f64>>());
        ranges.concat()
    }

    /// Adds the slope over the weights, given each record's over the odds of a candidate.
    fn add_gradient(&self, of: &Records, weights: &Weights, pulls: &[f64], gradient: &mut [f64]) {
        let parts = map_ranges(of.len(), TOGETHER, |range| {
            let mut gradient = vec![0.0; SIZE + 1];
            for at in range {
                for levels in of.get(at) {
                    let error = pulls[at] * self.odds_of(weights, levels);
                    if error.abs() < 1e-9 {
                        continue;
                    }
                    gradient[NONE] -= error;
                    for comparison in 0..weights.width {
                        let cell = cell(comparison, usize::from(levels.level[comparison]));
                        gradient[cell] += error;
                        gradient[cell + 1] += error * f64::from(levels.rarity[comparison]);
                    }
                }
            }
            gradient
        });
        for part in parts {
            gradient.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
    }

    /// How far the matches of these records are from the pairs that the shipped model was trained
    /// on: the Kullback–Leibler divergence of what is known of them, and of the levels of what is
    /// known, summed over the comparisons.
    fn distance(&self, weights: &Weights, shipped: &KindModel) -> Option<f64> {
        let mut shares = Shares::new(self.kind);
        for at in 0..self.records.len() {
            let candidates = self.records.get(at);
            let odds = candidates.iter().map(|levels| self.odds_of(weights, levels));
            let all: f64 = 1.0 + odds.clone().sum::<f64>();
            for (levels, odds) in candidates.iter().zip(odds) {
                shares.add(levels, odds / all);
            }
        }
        let divergences = shipped.comparisons.iter().enumerate().map(|(at, comparison)| {
            let known = comparison.known?;
            let mut expected = Vec::with_capacity(comparison.levels.len());
            expected.push(1.0 - known);
            for level in &comparison.levels[1..] {
                expected.push(known * level.m?);
            }
            Some(divergence(shares.counts(at), &expected))
        });
        divergences.sum()
    }
}

/// Where a value stands between two others: 0 up to the first, 1 from the second on.
fn between(value: f64, first: f64, second: f64) -> f64 {
    ((value - first) / (second - first)).clamp(0.0, 1.0)
}

/// The ratio at which records and decoys are told apart best, given each one's odds.
fn best_ratio(records: &[f64], decoys: &[f64], near: f64) -> f64 {
    // By Newton's method on its logarithm; the slope falls all the way.
    let mut log = near.ln();
    for _ in 0..8 {
        let ratio = log.exp();
        let told = |odds: &f64| ratio * (1.0 + odds) / (1.0 + ratio * (1.0 + odds));
        let (mut slope, mut fall) = (0.0, 1e-12);
        for told in records.iter().map(told) {
            (slope, fall) = (slope + 1.0 - told, fall + told * (1.0 - told));
        }
        for told in decoys.iter().map(told) {
            (slope, fall) = (slope - told, fall + told * (1.0 - told));
        }
        let step = (slope / fall).clamp(-1.0, 1.0);
        log += step;
        if step.abs() < 1e-6 {
            break;
        }
    }
    log.exp()
}

/// The Kullback–Leibler divergence in bits of what was counted from what was expected, smoothed.
fn divergence(counted: &[f64], expected: &[f64]) -> f64 {
    let total: f64 = expected.iter().map(|share| share + 1e-4).sum();
    let expected: Vec<f64> = expected.iter().map(|share| (share + 1e-4) / total).collect();
    let all: f64 = counted.iter().take(expected.len()).sum::<f64>() + SMOOTHING;
    let parts = counted.iter().zip(&expected).map(|(count, expected)| {
        let share = (count + SMOOTHING * expected) / all;
        share * (share / expected).log2()
    });
    parts.sum()
}

/// Two models mixed: `share` of the second.
fn mixed(first: &KindModel, second: &KindModel, share: f64) -> KindModel {
    let mix =
        |first: f64, second: f64| ((first + share * (second - first)) * 1000.0).round() / 1000.0;
    let mut model = first.clone();
    model.none_weight = mix(first.none_weight, second.none_weight);
    for (comparison, second) in model.comparisons.iter_mut().zip(&second.comparisons) {
        for (level, second) in comparison.levels.iter_mut().zip(&second.levels) {
            level.weight = mix(level.weight, second.weight);
            level.rarity = mix(level.rarity, second.rarity);
        }
    }
    model
}
