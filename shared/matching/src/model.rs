//! The model: the weight of every comparison level, as readable JSON with its provenance.
//!
//! A level's match weight is `weight + rarity × r` bits, where `r` is the term frequency evidence
//! of the value agreed on: log2 of (entities / entities with it). For levels without term
//! frequencies that is Fellegi–Sunter's log2(m / u).

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::compare::{Levels, WIDTH, comparisons};
use crate::decide::Thresholds;
use crate::entity::EntityKind;

/// The model's origin: data, method and figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The data it was trained on, with its licence.
    pub trained_on: String,
    /// The method.
    pub method: String,
    /// Figures measured when it was made.
    #[serde(default)]
    pub measured: String,
}

/// One comparison level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelModel {
    /// The level's name.
    pub name: String,
    /// The share of true pairs at this level, if it was estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<f64>,
    /// The share of random pairs at this level, if it was estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<f64>,
    /// The match weight in bits.
    pub weight: f64,
    /// The share of the term frequency evidence that counts, 0 for none.
    #[serde(default)]
    pub rarity: f64,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonModel {
    /// The comparison's name.
    pub name: String,
    /// The share of true pairs that are not at the null level, if it was estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<f64>,
    /// Its levels, the null level first.
    pub levels: Vec<LevelModel>,
}

/// The model of one kind of entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindModel {
    /// The weight in bits of "the directory has nobody like that", against which candidates are
    /// weighed.
    pub none_weight: f64,
    /// Bits that every doubling of the directory takes from a candidate. It would be 1 if all false
    /// candidates were chance agreements, which grow with the directory. Namesakes, relatives and
    /// colleagues come with the record's person and do not.
    pub size_weight: f64,
    /// The comparisons.
    pub comparisons: Vec<ComparisonModel>,
}

/// A match model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchModel {
    /// The model's own version, chosen by whoever trains it.
    pub version: String,
    /// Its origin.
    pub provenance: Provenance,
    /// The probabilities from which a pair is reviewed or matched.
    pub thresholds: Thresholds,
    /// Leads and Contacts against people.
    pub person: KindModel,
    /// Accounts against companies.
    pub company: KindModel,
}

/// A model that does not fit this engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModel {
    /// Not a model's JSON.
    #[error("the model is not readable: {0}")]
    Unreadable(String),
    /// Not encodable as JSON.
    #[error("the model cannot be encoded: {0}")]
    Unwritable(String),
    /// A comparison or level is missing, or not one of this engine's.
    #[error("the model's {kind} comparisons do not fit this engine: expected {expected}")]
    OtherComparisons {
        /// The kind.
        kind: &'static str,
        /// The first comparison or level that is not as expected.
        expected: String,
    },
    /// A weight that is not a finite number.
    #[error("the model has a weight that is not a finite number in {0}")]
    NotFinite(String),
}

/// The most levels a comparison has.
pub(crate) const DEPTH: usize = 16;

/// Bits that a pair with a contradiction weighs less than nobody: alone it has a probability of one
/// third, between the thresholds of review and match.
const CONTRADICTED: f64 = 1.0;

/// A kind's weights as a table, indexed by comparison and level.
#[derive(Clone, Debug)]
pub(crate) struct Weights {
    pub(crate) table: [[(f64, f64); DEPTH]; WIDTH],
    pub(crate) width: usize,
    /// Bits per doubling of the directory.
    pub(crate) size: f64,
    /// The weight of "none of the directory".
    pub(crate) none: f64,
}

impl Weights {
    /// The weight one comparison adds.
    pub(crate) fn part(&self, levels: &Levels, comparison: usize) -> f64 {
        let (weight, rarity) =
            self.table[comparison][usize::from(levels.level[comparison]) % DEPTH];
        weight + rarity * f64::from(levels.rarity[comparison])
    }

    pub(crate) fn sum(&self, levels: &Levels) -> f64 {
        (0..self.width).map(|comparison| self.part(levels, comparison)).sum()
    }

    /// The weight of a pair with the prior of picking one entity of 2^`doublings`.
    ///
    /// A pair with a contradiction weighs at most [`CONTRADICTED`] bits less than nobody: so it is
    /// never a match, and if all else agrees it is for review.
    pub(crate) fn weigh(&self, levels: &Levels, doublings: f64) -> f64 {
        let bits = self.sum(levels) - self.size * doublings;
        if levels.contradiction.is_some() { bits.min(self.none - CONTRADICTED) } else { bits }
    }

    /// True if a contradiction decides the weight of a pair.
    pub(crate) fn is_capped(&self, levels: &Levels, doublings: f64) -> bool {
        levels.contradiction.is_some()
            && self.sum(levels) - self.size * doublings > self.none - CONTRADICTED
    }
}

impl KindModel {
    /// The model as a table; unknown parts were refused by [`MatchModel::from_json`].
    pub(crate) fn weights(&self) -> Weights {
        let mut table = [[(0.0, 0.0); DEPTH]; WIDTH];
        for (row, comparison) in table.iter_mut().zip(&self.comparisons) {
            for (cell, level) in row.iter_mut().zip(&comparison.levels) {
                *cell = (level.weight, level.rarity);
            }
        }
        Weights {
            table,
            width: self.comparisons.len().min(WIDTH),
            size: self.size_weight,
            none: self.none_weight,
        }
    }

    fn check(&self, kind: EntityKind) -> Result<(), InvalidModel> {
        let expected = comparisons(kind);
        let other = |expected: &str| InvalidModel::OtherComparisons {
            kind: kind.as_str(),
            expected: expected.to_owned(),
        };
        if self.comparisons.len() != expected.len() {
            return Err(other(&format!("{} comparisons", expected.len())));
        }
        for (comparison, expected) in self.comparisons.iter().zip(expected) {
            if comparison.name != expected.name {
                return Err(other(expected.name));
            }
            if !comparison
                .levels
                .iter()
                .map(|level| level.name.as_str())
                .eq(expected.levels.iter().copied())
            {
                return Err(other(&format!(
                    "{} with levels {}",
                    expected.name,
                    expected.levels.join(", ")
                )));
            }
            if comparison
                .levels
                .iter()
                .any(|level| !level.weight.is_finite() || !level.rarity.is_finite())
            {
                return Err(InvalidModel::NotFinite(comparison.name.clone()));
            }
        }
        if self.none_weight.is_finite() && self.size_weight.is_finite() {
            Ok(())
        } else {
            Err(InvalidModel::NotFinite("none_weight or size_weight".to_owned()))
        }
    }
}

static SHIPPED: LazyLock<Result<MatchModel, InvalidModel>> =
    LazyLock::new(|| MatchModel::from_json(include_str!("../data/model.json")));

impl MatchModel {
    /// The model that ships with the engine, read once.
    ///
    /// # Errors
    /// [`InvalidModel`] if the model was built into the program broken: refuse to start.
    pub fn shipped() -> Result<&'static Self, &'static InvalidModel> {
        SHIPPED.as_ref()
    }

    /// The model of a kind.
    #[must_use]
    pub fn kind(&self, kind: EntityKind) -> &KindModel {
        match kind {
            EntityKind::Person => &self.person,
            EntityKind::Company => &self.company,
        }
    }

    /// Reads a model and checks that it fits this engine.
    ///
    /// # Errors
    /// [`InvalidModel`] says what does not fit.
    pub fn from_json(text: &str) -> Result<Self, InvalidModel> {
        let model: Self = serde_json::from_str(text)
            .map_err(|error| InvalidModel::Unreadable(error.to_string()))?;
        model.check()?;
        Ok(model)
    }

    /// The model as readable JSON, checked to be one that [`Self::from_json`] reads.
    ///
    /// # Errors
    /// [`InvalidModel`] says what does not fit.
    pub fn to_json(&self) -> Result<String, InvalidModel> {
        self.check()?;
        serde_json::to_string_pretty(self)
            .map_err(|error| InvalidModel::Unwritable(error.to_string()))
    }

    fn check(&self) -> Result<(), InvalidModel> {
        self.person.check(EntityKind::Person)?;
        self.company.check(EntityKind::Company)
    }

    /// The model that training begins from: weights from common knowledge of CRM data, without
    /// data.
    #[must_use]
    pub fn untrained() -> Self {
        Self {
            version: "untrained".to_owned(),
            provenance: Provenance {
                trained_on: "nothing".to_owned(),
                method: "weights by hand, where training begins".to_owned(),
                measured: String::new(),
            },
            thresholds: Thresholds::default(),
            person: kind_model(EntityKind::Person, -1.0, PERSON_PRIOR),
            company: kind_model(EntityKind::Company, -1.0, COMPANY_PRIOR),
        }
    }
}

/// For each comparison, weight and rarity of the levels behind the null level.
type Prior = &'static [&'static [(f64, f64)]];

const PERSON_PRIOR: Prior = &[
    &[(-5.0, 0.0), (2.0, 0.0), (5.0, 0.0), (-0.5, 0.7), (0.0, 0.8), (0.0, 0.9)],
    &[(-5.0, 0.0), (2.0, 0.0), (5.0, 0.0), (-0.5, 0.9), (0.0, 0.9), (0.0, 0.95)],
    &[(-2.0, 0.0)],
    &[(-1.0, 0.0), (-3.0, 0.0), (4.0, 0.0), (12.0, 1.0)],
    &[(0.0, 0.0), (-1.0, 0.0), (5.0, 0.0), (4.0, 0.0), (8.0, 0.0), (-0.5, 0.0), (-1.5, 0.0)],
    &[
        (-4.0, 0.0),
        (0.0, 0.4),
        (0.0, 0.7),
        (0.0, 0.8),
        (0.0, 0.9),
        (0.0, 0.9),
        (-0.5, 0.4),
        (-0.5, 0.7),
        (-0.5, 0.8),
        (-0.5, 0.9),
        (-0.5, 0.9),
    ],
    &[
        (-1.5, 0.0),
        (0.0, 0.0),
        (1.5, 0.1),
        (2.0, 0.2),
        (-1.5, 0.0),
        (0.0, 0.0),
        (1.5, 0.1),
        (2.0, 0.2),
        (-1.0, 0.0),
        (0.0, 0.0),
        (1.0, 0.1),
        (2.0, 0.3),
    ],
    &[(-3.0, 0.0), (-1.0, 0.2), (0.0, 0.5), (0.5, 0.6), (0.0, 0.8), (0.0, 0.9), (-2.0, 0.8)],
    &[(-0.5, 0.0), (12.0, 1.0)],
];

const COMPANY_PRIOR: Prior = &[
    &[(-5.0, 0.0), (-2.0, 0.5), (-2.0, 0.7), (3.0, 0.0), (-0.5, 0.9), (0.0, 0.95), (5.0, 0.0)],
    &[(-3.0, 0.0), (4.0, 0.0), (10.0, 1.0)],
    &[(-0.5, 0.0), (0.0, 0.95)],
    &[(-0.5, 0.0), (1.0, 0.0), (8.0, 1.0)],
    &[(-1.0, 0.0), (3.0, 0.0), (8.0, 0.0)],
    &[(-3.5, 0.0), (-1.5, 0.2), (0.0, 0.5), (0.5, 0.6), (0.0, 0.8), (0.0, 0.9), (-1.0, 0.8)],
    &[(-1.0, 0.0), (1.0, 0.0), (2.5, 0.0)],
    &[(-2.0, 0.0), (0.0, 0.0), (1.5, 0.0)],
];

fn kind_model(kind: EntityKind, none_weight: f64, prior: Prior) -> KindModel {
    let comparisons = comparisons(kind)
        .iter()
        .zip(prior)
        .map(|(comparison, prior)| ComparisonModel {
            name: comparison.name.to_owned(),
            known: None,
            levels: comparison
                .levels
                .iter()
                .zip(std::iter::once(&(0.0, 0.0)).chain(*prior))
                .map(|(name, (weight, rarity))| LevelModel {
                    name: (*name).to_owned(),
                    m: None,
                    u: None,
                    weight: *weight,
                    rarity: *rarity,
                })
                .collect(),
        })
        .collect();
    KindModel { none_weight, size_weight: 1.0, comparisons }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_fits_the_engine() {
        let shipped = MatchModel::shipped().unwrap();
        assert_ne!(shipped.version, MatchModel::untrained().version);
        assert!(!shipped.provenance.trained_on.is_empty());
    }

    #[test]
    fn a_model_of_other_comparisons_is_refused() {
        let mut model = MatchModel::untrained();
        assert_eq!(MatchModel::from_json(&model.to_json().unwrap()).as_ref(), Ok(&model));
        model.person.comparisons.pop();
        let written = serde_json::to_string(&model).unwrap();
        for refused in [MatchModel::from_json(&written).map(|_| ()), model.to_json().map(|_| ())] {
            assert!(matches!(refused, Err(InvalidModel::OtherComparisons { kind: "person", .. })));
        }
        assert!(matches!(MatchModel::from_json("{"), Err(InvalidModel::Unreadable(_))));
    }

    #[test]
    fn a_model_with_a_weight_that_is_no_number_is_not_written() {
        let mut model = MatchModel::untrained();
        model.company.comparisons[0].levels[1].weight = f64::NAN;
        assert_eq!(model.to_json(), Err(InvalidModel::NotFinite("name".to_owned())));
    }
}
