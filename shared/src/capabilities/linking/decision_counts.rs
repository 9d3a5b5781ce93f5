//! How many records of an object were decided how: kept, so that nobody counts in a request.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::capabilities::linking::{CandidateList, RecordDecision};
use crate::store::{Commit, Edit, Field, Slot, When, field};

/// How many records of an object were decided how. Records that are gone do not count.
///
/// A settlement changes the counts in the transaction that writes the lists. It holds its
/// generation's lease, so the lists are as it read them, and no two settlements meet at a count. A
/// settlement that is repeated finds its lists written, and counts nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionCounts {
    /// Linked to an entity.
    #[serde(default)]
    pub matched: i64,
    /// Duplicates within the CRM.
    #[serde(default)]
    pub duplicate: i64,
    /// For a person to look at.
    #[serde(default)]
    pub review: i64,
    /// None that the directory knows.
    #[serde(default)]
    pub unmatched: i64,
    /// All of them that have a candidate, by its probability.
    #[serde(flatten)]
    pub scores: Scores,
}

/// The bars of a histogram.
const BARS: usize = 20;

/// The fields of the bars. They lie beside the counts, since a nested one cannot be added to.
const BAR_FIELDS: [&str; BARS] = [
    "p00", "p05", "p10", "p15", "p20", "p25", "p30", "p35", "p40", "p45", "p50", "p55", "p60",
    "p65", "p70", "p75", "p80", "p85", "p90", "p95",
];

/// How many records have which probability, in twentieths: the first bar is below .05, the last one
/// from .95 on. The probability is that of the candidate to which the record is linked or, without
/// one, of its best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scores([i64; BARS]);

impl Scores {
    /// The bars, from the lowest probability to the highest.
    #[must_use]
    pub fn bars(self) -> [i64; BARS] {
        self.0
    }

    fn add(&mut self, probability: f64, by: i64) {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let last = (BARS - 1) as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is held between the first bar and the last"
        )]
        let bar = (probability * (last + 1.0)).floor().clamp(0.0, last) as usize;
        self.0[bar] += by;
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let filled = BAR_FIELDS.iter().zip(self.0).filter(|(_, count)| *count != 0);
        serializer.collect_map(filled)
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = BTreeMap::<String, i64>::deserialize(deserializer)?;
        Ok(Self(BAR_FIELDS.map(|name| fields.get(name).copied().unwrap_or(0))))
    }
}

impl DecisionCounts {
    /// All records that are counted.
    #[must_use]
    pub fn records(self) -> i64 {
        self.matched + self.duplicate + self.review + self.unmatched
    }

    /// How many of a thousand are linked; none when there are no records. Only all of them make
    /// 1,000, and only none of them 0: what is rounded away is never a whole answer.
    #[must_use]
    pub fn matched_permille(self) -> Option<i32> {
        let records = self.records();
        if records <= 0 {
            return None;
        }
        let nearest = (self.matched * 1_000 + records / 2) / records;
        let nearest = match self.matched {
            0 => 0,
            all if all >= records => 1_000,
            _ => nearest.clamp(1, 999),
        };
        i32::try_from(nearest).ok()
    }

    /// Counts a record as `after` in place of `before`.
    pub(crate) fn count(&mut self, before: Option<&CandidateList>, after: &CandidateList) {
        if let Some(before) = before {
            self.add(before, -1);
        }
        self.add(after, 1);
    }

    /// Adds these counts to those that are kept at `slot`.
    pub(crate) fn add_to(self, commit: &mut Commit, slot: &Slot<Self>) {
        if self == Self::default() {
            return;
        }
        let edits: [Edit<Self>; 4] = [
            field!(Self, matched).add(self.matched),
            field!(Self, duplicate).add(self.duplicate),
            field!(Self, review).add(self.review),
            field!(Self, unmatched).add(self.unmatched),
        ];
        let bars = BAR_FIELDS.into_iter().zip(self.scores.0).filter(|(_, count)| *count != 0);
        let bars = bars.map(|(name, count)| Field::<Self, i64>::new(name, |_| &0).add(count));
        commit.edit(slot, When::always(), edits.into_iter().chain(bars));
    }

    fn add(&mut self, list: &CandidateList, by: i64) {
        if list.gone {
            return;
        }
        let count = match list.decision {
            RecordDecision::Match => &mut self.matched,
            RecordDecision::Duplicate => &mut self.duplicate,
            RecordDecision::Review => &mut self.review,
            RecordDecision::NonMatch => &mut self.unmatched,
        };
        *count += by;
        if let Some(candidate) = list.matched_candidate().or(list.candidates.first()) {
            self.scores.add(candidate.probability, by);
        }
    }
}

#[cfg(test)]
mod tests {
    use matching::EmployerEvidence;

    use super::*;
    use crate::capabilities::linking::RankedCandidate;
    use crate::kernel::SObject;
    use crate::testing::record_id;

    fn list(decision: RecordDecision) -> CandidateList {
        CandidateList { decision, ..CandidateList::empty(SObject::Lead, record_id("00Q", 1)) }
    }

    #[test]
    fn each_decision_counts_once_under_its_name() {
        let mut counts = DecisionCounts::default();
        for (decision, times) in [
            (RecordDecision::Match, 4),
            (RecordDecision::Duplicate, 3),
            (RecordDecision::Review, 2),
            (RecordDecision::NonMatch, 1),
        ] {
            (0..times).for_each(|_| counts.count(None, &list(decision)));
        }
        let expected = DecisionCounts {
            matched: 4,
            duplicate: 3,
            review: 2,
            unmatched: 1,
            scores: Scores::default(),
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn a_rate_is_rounded_and_only_all_are_all_and_only_none_are_none() {
        let rate = |matched, unmatched| {
            DecisionCounts { matched, unmatched, ..DecisionCounts::default() }.matched_permille()
        };
        assert_eq!(rate(0, 0), None);
        assert_eq!((rate(0, 9), rate(9, 0)), (Some(0), Some(1_000)));
        assert_eq!((rate(2_375, 240), rate(1_961, 35)), (Some(908), Some(982)));
        assert_eq!((rate(1, 999_999), rate(999_999, 1)), (Some(1), Some(999)));
        assert_eq!((rate(1, 2), rate(2, 1)), (Some(333), Some(667)));
    }

    #[test]
    fn a_record_is_in_the_bar_of_its_best_candidate_until_it_is_gone() {
        let at = |probability| {
            let list = list(RecordDecision::Review);
            let candidate = RankedCandidate {
                entity: "per-1".parse().unwrap(),
                weight: 1.0,
                probability,
                employer: EmployerEvidence::Unknown,
                evidence: String::new(),
                company: None,
            };
            CandidateList { candidates: vec![candidate], ..list }
        };
        let bar = |probability| {
            let mut counts = DecisionCounts::default();
            counts.count(None, &at(probability));
            counts.scores.bars().iter().position(|count| *count == 1).unwrap()
        };
        let bars = [0.0, 0.049, 0.05, 0.5, 0.949, 0.95, 1.0].map(bar);
        assert_eq!(bars, [0, 0, 1, 10, 18, 19, 19]);

        let mut counts = DecisionCounts::default();
        counts.count(None, &at(0.3));
        counts.count(Some(&at(0.3)), &at(0.97));
        let stored = serde_json::to_value(counts).unwrap();
        assert_eq!(stored["p95"], 1);
        assert!(stored.get("p30").is_none(), "{stored}");
        assert_eq!(serde_json::from_value::<DecisionCounts>(stored).unwrap(), counts);
        let gone = CandidateList { gone: true, ..at(0.97) };
        counts.count(Some(&at(0.97)), &gone);
        assert_eq!(counts, DecisionCounts::default());
    }

    #[test]
    fn a_record_leaves_the_count_that_it_was_in_and_a_gone_one_is_in_none() {
        let mut counts = DecisionCounts { matched: 1, review: 1, ..DecisionCounts::default() };
        let (matched, review) = (list(RecordDecision::Match), list(RecordDecision::Review));
        counts.count(Some(&review), &matched);
        assert_eq!(counts, DecisionCounts { matched: 2, ..DecisionCounts::default() });
        let gone = CandidateList { gone: true, ..matched.clone() };
        counts.count(Some(&matched), &gone);
        counts.count(Some(&gone), &gone);
        assert_eq!(counts, DecisionCounts { matched: 1, ..DecisionCounts::default() });
        counts.count(Some(&gone), &matched);
        assert_eq!(counts, DecisionCounts { matched: 2, ..DecisionCounts::default() });
    }
}
