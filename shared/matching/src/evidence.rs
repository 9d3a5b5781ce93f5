//! Evidence: the levels that comparing a pair gave, without the values compared.
//!
//! Invariant: evidence holds nothing of a person, only levels and the rarity of what agrees. It can
//! be kept beside a match. Explaining it, or weighing it by another model, needs neither shard nor
//! record.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use crate::compare::{Comparison, Contradiction, Levels, WIDTH, comparisons, doublings};
use crate::entity::EntityKind;
use crate::explain::{ExplainedComparison, explained, in_words, is_exact};
use crate::model::MatchModel;
use crate::score::MatchWeight;
use crate::text::hash64;

/// Steps of rarity to the bit in the text. A comparison gives fewer; evidence of earlier versions
/// has as many.
const STEPS: f32 = 256.0;

/// The levels of a pair's comparisons.
///
/// Written as text, it begins with a fingerprint of the engine's comparisons. For each comparison
/// the index of its level follows. Behind a colon stands the rarity of the value agreed on, in
/// 256ths of a bit: `p1c9a;5:3100,4:2048,0,0,…`. A contradiction is a letter at the end: `…,0!g`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    kind: EntityKind,
    levels: Levels,
}

/// A text that is not evidence of this engine: most likely it has another version's comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the evidence is not of this engine's comparisons: match the record again")]
pub struct ParseEvidenceError;

impl Evidence {
    /// The evidence of a pair of this kind.
    #[must_use]
    pub fn new(kind: EntityKind, levels: &Levels) -> Self {
        let mut levels = *levels;
        for rarity in &mut levels.rarity {
            *rarity = (*rarity * STEPS).round() / STEPS;
        }
        // The level tells whether the position is current or past; no more is kept of it.
        levels.position = 0;
        Self { kind, levels }
    }

    /// The kind of entity.
    #[must_use]
    pub fn kind(&self) -> EntityKind {
        self.kind
    }

    pub(crate) fn levels(&self) -> &Levels {
        &self.levels
    }

    /// The match weight by a model, with the prior of picking one entity of a version of this many.
    #[must_use]
    pub fn weigh(&self, model: &MatchModel, entities: u64) -> MatchWeight {
        let doublings = doublings(entities).into();
        MatchWeight::new(model.kind(self.kind).weights().weigh(&self.levels, doublings))
    }

    /// Every comparison at its level with a model's weight for it; the values are empty.
    #[must_use]
    pub fn explain(&self, model: &MatchModel) -> Vec<ExplainedComparison> {
        let weights = model.kind(self.kind).weights();
        explained(self.kind, &weights, &self.levels, std::iter::repeat_with(Default::default))
    }

    /// The comparisons that agree exactly.
    pub fn exact(&self) -> impl Iterator<Item = &'static str> {
        let at = comparisons(self.kind).iter().enumerate();
        let level = |(at, of): (usize, &'static Comparison)| {
            let level = of.levels.get(usize::from(self.levels.level[at]));
            level.is_some_and(|level| is_exact(level)).then_some(of.name)
        };
        at.filter_map(level)
    }

    /// The explanation in words, strongest evidence first.
    #[must_use]
    pub fn words(&self, model: &MatchModel) -> String {
        in_words(&self.explain(model), &self.levels)
    }
}

/// The comparisons of a kind that can agree exactly.
#[must_use]
pub fn exact_comparisons(kind: EntityKind) -> Vec<&'static str> {
    let can = |of: &&'static Comparison| of.levels.iter().any(|level| is_exact(level));
    comparisons(kind).iter().filter(can).map(|of| of.name).collect()
}

static PERSON: LazyLock<String> = LazyLock::new(|| made_of(EntityKind::Person));
static COMPANY: LazyLock<String> = LazyLock::new(|| made_of(EntityKind::Company));

/// A fingerprint of a kind's comparisons and levels. Stored levels are indices, so those of another
/// order or engine must be refused.
fn fingerprint(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Person => &PERSON,
        EntityKind::Company => &COMPANY,
    }
}

fn made_of(kind: EntityKind) -> String {
    let names: Vec<&str> = comparisons(kind)
        .iter()
        .flat_map(|comparison| {
            std::iter::once(comparison.name).chain(comparison.levels.iter().copied())
        })
        .collect();
    let initial = if kind == EntityKind::Person { 'p' } else { 'c' };
    format!("{initial}{:04x}", hash64(names.join("|").as_bytes()) & 0xffff)
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(fingerprint(self.kind))?;
        for at in 0..comparisons(self.kind).len().min(WIDTH) {
            let (level, rarity) = (self.levels.level[at], self.levels.rarity[at] * STEPS);
            let before = if at == 0 { ';' } else { ',' };
            write!(f, "{before}{level}")?;
            if rarity != 0.0 {
                write!(f, ":{rarity:.0}")?;
            }
        }
        if let Some(contradiction) = self.levels.contradiction {
            write!(f, "!{}", contradiction.letter())?;
        }
        Ok(())
    }
}

impl FromStr for Evidence {
    type Err = ParseEvidenceError;

    fn from_str(text: &str) -> Result<Self, ParseEvidenceError> {
        let (print, parts) = text.split_once(';').ok_or(ParseEvidenceError)?;
        let kind = [EntityKind::Person, EntityKind::Company]
            .into_iter()
            .find(|kind| fingerprint(*kind) == print)
            .ok_or(ParseEvidenceError)?;
        let expected = comparisons(kind);
        let mut levels = Levels::default();
        let (parts, letter) = parts.split_once('!').map_or((parts, None), |(p, l)| (p, Some(l)));
        if let Some(letter) = letter {
            let contradiction = Contradiction::of_letter(letter).ok_or(ParseEvidenceError)?;
            levels.contradiction = Some(contradiction);
        }
        let mut found = 0;
        for (at, part) in parts.split(',').enumerate() {
            let (level, rarity) = part.split_once(':').unwrap_or((part, "0"));
            let level: u8 = level.parse().map_err(|_| ParseEvidenceError)?;
            let rarity: f32 = rarity.parse().map_err(|_| ParseEvidenceError)?;
            let comparison = expected.get(at).filter(|_| at < WIDTH).ok_or(ParseEvidenceError)?;
            if usize::from(level) >= comparison.levels.len() || !rarity.is_finite() {
                return Err(ParseEvidenceError);
            }
            (levels.level[at], levels.rarity[at]) = (level, rarity / STEPS);
            found = at + 1;
        }
        if found == expected.len() { Ok(Self { kind, levels }) } else { Err(ParseEvidenceError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strum::IntoEnumIterator as _;

    fn evidence() -> impl Strategy<Value = Evidence> {
        let values = proptest::collection::vec((0..3_u8, -4.0..20.0_f32), WIDTH);
        (any::<bool>(), values, 0..12_usize).prop_map(|(person, values, contradiction)| {
            let kind = if person { EntityKind::Person } else { EntityKind::Company };
            let contradiction = Contradiction::iter().nth(contradiction);
            let mut levels = Levels { contradiction, ..Levels::default() };
            for (at, comparison) in comparisons(kind).iter().enumerate() {
                let (level, rarity) = values[at];
                levels.level[at] = level.min(u8::try_from(comparison.levels.len() - 1).unwrap());
                levels.rarity[at] = rarity;
            }
            Evidence::new(kind, &levels)
        })
    }

    proptest! {
        #[test]
        fn evidence_reads_back_as_it_was_written(evidence in evidence()) {
            prop_assert_eq!(evidence.to_string().parse(), Ok(evidence));
        }

        #[test]
        fn no_text_is_a_panic(text in "[pc][0-9a-f]{4};[0-9,:.e-]{0,40}") {
            let _ = text.parse::<Evidence>();
        }

        #[test]
        fn the_weight_is_the_sum_of_what_is_explained(evidence in evidence()) {
            let model = MatchModel::shipped().unwrap();
            let parts: f64 = evidence.explain(model).iter().map(|part| part.weight).sum();
            let cap = match evidence.levels.contradiction {
                Some(_) => model.kind(evidence.kind).none_weight - 1.0,
                None => f64::MAX,
            };
            prop_assert!((evidence.weigh(model, 1).bits() - parts.min(cap)).abs() < 1e-9);
        }
    }

    #[test]
    fn evidence_of_other_comparisons_is_refused() {
        let text = Evidence::new(EntityKind::Person, &Levels::default()).to_string();
        assert!(text.parse::<Evidence>().is_ok());
        for other in [
            "",
            "p0000;0",
            &text[..text.len() - 2],
            &format!("{text},0"),
            &format!("{text}!z"),
            &text.replacen(";0", ";99", 1),
        ] {
            assert_eq!(other.parse::<Evidence>(), Err(ParseEvidenceError), "{other}");
        }
    }
}
