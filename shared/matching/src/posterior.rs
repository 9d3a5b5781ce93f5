//! From match weights to probabilities.

use serde::{Deserialize, Serialize};

use crate::entity::EntityKind;
use crate::model::MatchModel;
use crate::score::{Candidate, MatchWeight};

/// A candidate with the probability that it is the record's entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The candidate.
    pub candidate: Candidate,
    /// The posterior probability, 0 to 1, against the other candidates and against "none of the
    /// directory".
    pub probability: f64,
}

/// The posterior of a record's candidates, best first.
///
/// The candidates are those of all shards, in any order. They are sorted before they are summed, so
/// the floating-point result is always exactly the same.
#[must_use]
pub fn posterior(model: &MatchModel, kind: EntityKind, candidates: &[Candidate]) -> Vec<Scored> {
    let mut candidates: Vec<&Candidate> = candidates.iter().collect();
    candidates.sort_unstable_by(|left, right| {
        right
            .weight
            .bits()
            .total_cmp(&left.weight.bits())
            .then_with(|| left.entity_id.cmp(&right.entity_id))
    });
    candidates.dedup_by(|left, right| left.entity_id == right.entity_id);
    let weights: Vec<MatchWeight> = candidates.iter().map(|candidate| candidate.weight).collect();
    candidates
        .into_iter()
        .zip(probabilities(model, kind, &weights))
        .map(|(candidate, probability)| Scored { probability, candidate: candidate.clone() })
        .collect()
}

/// The probabilities that [`posterior`] gives, for callers that score millions. The candidates must
/// be distinct and in order: best first, ties by entity id.
#[must_use]
pub fn probabilities(model: &MatchModel, kind: EntityKind, weights: &[MatchWeight]) -> Vec<f64> {
    let none = model.kind(kind).none_weight;
    let top = weights.first().map_or(none, |best| best.bits().max(none));
    let odds = |weight: f64| (weight - top).exp2();
    let total: f64 = odds(none) + weights.iter().map(|weight| odds(weight.bits())).sum::<f64>();
    weights.iter().map(|weight| odds(weight.bits()) / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::EmployerEvidence;
    use proptest::prelude::*;

    fn candidate(id: usize, bits: f64) -> Candidate {
        Candidate {
            entity_id: format!("e{id}"),
            weight: MatchWeight::new(bits),
            employer: EmployerEvidence::Unknown,
        }
    }

    proptest! {
        #[test]
        fn probabilities_do_not_depend_on_order_and_sum_to_less_than_one(
            weights in proptest::collection::vec(-60.0..60.0_f64, 0..9),
        ) {
            let model = MatchModel::shipped().unwrap();
            let candidate = |(id, bits): (usize, &f64)| candidate(id, *bits);
            let candidates: Vec<Candidate> = weights.iter().enumerate().map(candidate).collect();
            let mut reversed = candidates.clone();
            reversed.reverse();
            let scored = posterior(model, EntityKind::Person, &candidates);
            prop_assert_eq!(&scored, &posterior(model, EntityKind::Person, &reversed));
            prop_assert!(scored.iter().map(|scored| scored.probability).sum::<f64>() <= 1.0 + 1e-9);
            prop_assert!(scored.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        }
    }

    #[test]
    fn more_evidence_never_lowers_the_probability_and_a_rival_does() {
        let model = MatchModel::shipped().unwrap();
        let alone = posterior(model, EntityKind::Person, &[candidate(1, 5.0)])[0].probability;
        assert!(posterior(model, EntityKind::Person, &[candidate(1, 6.0)])[0].probability > alone);
        assert!(
            posterior(model, EntityKind::Person, &[candidate(1, 5.0), candidate(2, 5.0)])[0]
                .probability
                < alone
        );
    }
}
