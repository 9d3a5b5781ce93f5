//! Gradient descent over a kind's weights.

use crate::compare::WIDTH;
use crate::model::{DEPTH, KindModel, Weights};

/// The places of the weight of "none" and of the size weight among the values. The size weight
/// stands where a cell has its rarity.
pub(crate) const NONE: usize = WIDTH * DEPTH * 2;
pub(crate) const SIZE: usize = NONE + 1;

pub(crate) fn cell(comparison: usize, level: usize) -> usize {
    (comparison * DEPTH + level % DEPTH) * 2
}

/// Gradient descent (Adam) over a table of weights and rarities and the weight of "none".
#[derive(Clone, Debug)]
pub(crate) struct Descent {
    width: usize,
    start: Vec<f64>,
    values: Vec<f64>,
    free: Vec<bool>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Descent {
    pub(crate) fn new(start: &KindModel, several_sizes: bool) -> Self {
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

    /// A descent that moves the weight of "none" alone.
    pub(crate) fn of_none(start: &KindModel) -> Self {
        let mut descent = Self::new(start, false);
        descent.free.fill(false);
        descent.free[NONE] = true;
        descent
    }

    pub(crate) fn none(&self) -> f64 {
        self.values[NONE]
    }

    pub(crate) fn weights(&self) -> Weights {
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
    pub(crate) fn step(&mut self, gradient: &[f64], hold: f64, step: u32) {
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

    pub(crate) fn model(&self, start: &KindModel) -> KindModel {
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
