//! What a record needs to be matched, beside the likeliest candidate: how sure one must be, and
//! what must agree. An admin's rules, per object, over the model's own thresholds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use matching::{EntityKind, Evidence, Thresholds, exact_comparisons};
use serde::{Deserialize, Serialize};

use super::{CandidateList, MATCHED_OBJECTS, RankedCandidate, entity_kind_of};
use crate::kernel::{EntityId, SObject, Signature};
use crate::salesforce::SalesforceId;

/// No rule asks for more: nothing is surer.
const SUREST: f64 = 0.9999;

/// How many examples of each kind a trial gives, of each object.
const MOST_EXAMPLES: usize = 5;

/// What a record of one object needs to be matched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectRules {
    /// The lowest probability of a match, 0 to 1; none for the model's own.
    pub match_at: Option<f64>,
    /// Comparisons, of which one must agree exactly; where there are none, none need.
    pub must_agree: BTreeSet<String>,
}

/// The rules of each object that has some.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MatchRules(pub BTreeMap<SObject, ObjectRules>);

/// The rules as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptMatchRules {
    /// The rules.
    pub rules: MatchRules,
    /// Counts their changes; 0 before the first.
    pub changes: u64,
    /// Who made the last change, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signature>,
}

/// Why rules cannot be so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongRules {
    /// Nothing of this object is matched.
    #[error("{0} is not matched: Account, Contact and Lead are")]
    Object(SObject),
    /// The probability is out of bounds.
    #[error("{0}: match_at must be from {1} to 0.9999, or null for the model's own")]
    MatchAt(SObject, String),
    /// There is no such comparison, or it never agrees exactly.
    #[error("{0}: {1} is no comparison that can agree exactly")]
    Comparison(SObject, String),
}

impl MatchRules {
    /// Rules that can be so, over a model's thresholds. An object without any is left out.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn checked(mut self, thresholds: Thresholds) -> Result<Self, WrongRules> {
        for (&object, rules) in &self.0 {
            let kind = entity_kind_of(object).filter(|_| MATCHED_OBJECTS.contains(&object));
            let kind = kind.ok_or(WrongRules::Object(object))?;
            let is_bound = |at: f64| (thresholds.review_at..=SUREST).contains(&at);
            if rules.match_at.is_some_and(|at| !is_bound(at)) {
                return Err(WrongRules::MatchAt(object, thresholds.review_at.to_string()));
            }
            let known = exact_comparisons(kind);
            if let Some(wrong) = rules.must_agree.iter().find(|name| !known.contains(&&***name)) {
                return Err(WrongRules::Comparison(object, wrong.clone()));
            }
        }
        self.0.retain(|_, rules| *rules != ObjectRules::default());
        Ok(self)
    }
}

/// By what records are decided: the model's thresholds and an admin's rules.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRules {
    thresholds: Thresholds,
    rules: MatchRules,
    /// Other rules held once: what is stored may come of them.
    were_others: bool,
}

impl DecisionRules {
    /// An admin's rules over a model's thresholds.
    #[must_use]
    pub fn new(
        thresholds: Thresholds,
        KeptMatchRules { rules, changes, .. }: KeptMatchRules,
    ) -> Self {
        Self { thresholds, rules, were_others: changes > 0 }
    }

    /// The lowest probability of a match.
    #[must_use]
    pub fn match_at(&self, object: SObject) -> f64 {
        let own = self.rules.0.get(&object).and_then(|rules| rules.match_at);
        own.unwrap_or(self.thresholds.match_at)
    }

    /// The lowest probability of a review.
    #[must_use]
    pub fn review_at(&self) -> f64 {
        self.thresholds.review_at
    }

    /// True if a record of an object may be matched to a candidate.
    #[must_use]
    pub fn allow(&self, object: SObject, candidate: &RankedCandidate) -> bool {
        candidate.probability >= self.match_at(object)
            && self.rules.0.get(&object).is_none_or(|rules| agrees(rules, candidate))
    }

    /// True if a record may have been matched to a candidate by other rules, which held once.
    #[must_use]
    pub fn once_allowed(&self, candidate: &RankedCandidate) -> bool {
        self.were_others && candidate.probability >= self.thresholds.review_at
    }

    /// True if some candidate of a record may be its match, by a person's word or by these rules.
    #[must_use]
    pub fn match_some(&self, list: &CandidateList) -> bool {
        let may_be = |candidate: &RankedCandidate| {
            self.allow(list.object, candidate) && !list.never.contains(&candidate.entity)
        };
        list.always.is_some() || list.candidates.iter().any(may_be)
    }
}

/// True if something agrees exactly that must. Of a candidate whose evidence was not kept nothing
/// is known to.
fn agrees(rules: &ObjectRules, candidate: &RankedCandidate) -> bool {
    if rules.must_agree.is_empty() {
        return true;
    }
    let evidence = candidate.evidence.parse::<Evidence>().ok();
    let mut agreeing = evidence.iter().flat_map(Evidence::exact);
    agreeing.any(|name| rules.must_agree.contains(name))
}

/// A trial of rules: what would be matched by them. Nothing is changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RulesTrial {
    /// Counts the trials.
    pub trial: u64,
    /// The rules that are tried.
    pub rules: MatchRules,
    /// Who asked for it, and when.
    pub asked: Signature,
    /// Counts the steps.
    pub step: u64,
    /// Where it goes on.
    pub place: TrialPlace,
    /// When it came to its end; none while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What was found so far.
    pub found: BTreeMap<SObject, TrialCounts>,
}

/// A place in a trial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialPlace {
    /// The index in [`MATCHED_OBJECTS`]; behind the last one at the end.
    pub object: usize,
    /// The bucket of that object's candidates.
    pub bucket: u32,
    /// The sort key to go on after; none at the bucket's begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl TrialPlace {
    /// The place behind a page: on after `next`, with the next bucket, or with the next object.
    #[must_use]
    pub fn after_page(self, next: Option<String>, buckets: u32) -> Self {
        match next {
            Some(after) => Self { after: Some(after), ..self },
            None if self.bucket + 1 < buckets => {
                Self { bucket: self.bucket + 1, after: None, ..self }
            }
            None => Self { object: self.object + 1, ..Self::default() },
        }
    }
}

/// What a trial found of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCounts {
    /// How many records were looked at.
    pub records: u64,
    /// How many are matched, or are duplicates of one that is.
    pub matched: u64,
    /// How many would be.
    pub would_match: u64,
    /// Those that would be no more.
    pub lost: u64,
    /// Those that would be besides.
    pub gained: u64,
    /// Some that would be matched no more.
    pub lost_examples: Vec<TrialExample>,
    /// Some that would be matched besides.
    pub gained_examples: Vec<TrialExample>,
}

/// A record whose match depends on the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialExample {
    /// The record.
    pub record: SalesforceId,
    /// Its likeliest candidate.
    pub entity: EntityId,
}

impl TrialCounts {
    /// Counts a record, by the rules that hold and by those that are tried.
    pub fn count(&mut self, list: &CandidateList, now: &DecisionRules, then: &DecisionRules) {
        if list.gone {
            return;
        }
        let (is, would) = (now.match_some(list), then.match_some(list));
        self.records += 1;
        self.matched += u64::from(is);
        self.would_match += u64::from(would);
        let (count, examples) = match (is, would) {
            (true, false) => (&mut self.lost, &mut self.lost_examples),
            (false, true) => (&mut self.gained, &mut self.gained_examples),
            _ => return,
        };
        *count += 1;
        let likeliest = list.candidates.iter().find(|of| !list.never.contains(&of.entity));
        if let Some(candidate) = likeliest.filter(|_| examples.len() < MOST_EXAMPLES) {
            examples.push(TrialExample { record: list.id, entity: candidate.entity.clone() });
        }
    }
}

/// The comparisons of an object that can agree exactly.
#[must_use]
pub fn comparisons_of(object: SObject) -> Vec<&'static str> {
    exact_comparisons(entity_kind_of(object).unwrap_or(EntityKind::Person))
}

#[cfg(test)]
mod tests {
    use matching::EmployerEvidence;

    use super::*;
    use crate::testing::{entity_id, record_id};

    const THRESHOLDS: Thresholds = Thresholds { match_at: 0.9, review_at: 0.5 };

    fn rules(object: SObject, match_at: Option<f64>, must_agree: &[&str]) -> MatchRules {
        let must_agree = must_agree.iter().map(|name| (*name).to_owned()).collect();
        MatchRules([(object, ObjectRules { match_at, must_agree })].into())
    }

    fn decide_by(rules: MatchRules) -> DecisionRules {
        DecisionRules::new(THRESHOLDS, KeptMatchRules { rules, changes: 1, signed: None })
    }

    fn candidate(probability: f64) -> RankedCandidate {
        RankedCandidate {
            entity: entity_id("pr_1"),
            weight: 1.0,
            probability,
            employer: EmployerEvidence::Unknown,
            evidence: String::new(),
            company: None,
        }
    }

    #[test]
    fn rules_that_cannot_be_are_refused_with_what_may_be() {
        let wrong = |rules: MatchRules| rules.checked(THRESHOLDS).unwrap_err().to_string();
        assert!(wrong(rules(SObject::User, Some(0.9), &[])).contains("User is not matched"));
        for at in [0.49, 1.0, f64::NAN, -1.0] {
            assert!(wrong(rules(SObject::Lead, Some(at), &[])).contains("from 0.5 to 0.9999"));
        }
        let email = wrong(rules(SObject::Lead, None, &["e-mail"]));
        assert_eq!(email, "Lead: e-mail is no comparison that can agree exactly");
        for object in MATCHED_OBJECTS {
            let some = comparisons_of(object);
            assert!(some.len() > 2, "{object}: {some:?}");
            let fine = rules(object, Some(0.97), &some);
            assert_eq!(fine.clone().checked(THRESHOLDS), Ok(fine));
        }
        let none = rules(SObject::Lead, None, &[]).checked(THRESHOLDS).unwrap();
        assert_eq!(none, MatchRules::default(), "no rule is left out");
    }

    #[test]
    fn a_rule_holds_for_its_object_and_what_is_stored_may_come_of_another() {
        let by = decide_by(rules(SObject::Lead, Some(0.95), &[]));
        let allowed = |object, at| by.allow(object, &candidate(at));
        assert!(!allowed(SObject::Lead, 0.94) && allowed(SObject::Lead, 0.95));
        assert!(allowed(SObject::Contact, 0.9) && !allowed(SObject::Contact, 0.89));
        assert!(by.once_allowed(&candidate(0.5)) && !by.once_allowed(&candidate(0.49)));
        let never = DecisionRules::new(THRESHOLDS, KeptMatchRules::default());
        assert!(!never.once_allowed(&candidate(0.95)), "there were no others");
        let agree = decide_by(rules(SObject::Lead, None, &["email"]));
        assert!(!agree.allow(SObject::Lead, &candidate(0.99)), "nothing is known to agree");
    }

    #[test]
    fn a_trial_counts_what_would_be_lost_and_gained_and_a_persons_word_goes_first() {
        let now = DecisionRules::new(THRESHOLDS, KeptMatchRules::default());
        let then = decide_by(rules(SObject::Lead, Some(0.95), &[]));
        let mut list = CandidateList::empty(SObject::Lead, record_id("00Q", 1));
        list.candidates = vec![candidate(0.92)];
        let mut found = TrialCounts::default();
        (0..7).for_each(|_| found.count(&list, &now, &then));
        assert_eq!((found.records, found.matched, found.would_match, found.lost), (7, 7, 0, 7));
        assert_eq!(found.lost_examples.len(), MOST_EXAMPLES);
        list.always = Some(entity_id("pr_1"));
        let mut ruled = TrialCounts::default();
        ruled.count(&list, &now, &then);
        assert_eq!((ruled.matched, ruled.would_match, ruled.lost), (1, 1, 0));
        let mut back = TrialCounts::default();
        list.always = None;
        back.count(&list, &then, &now);
        assert_eq!((back.gained, back.gained_examples.len()), (1, 1));
    }

    #[test]
    fn a_trial_goes_through_every_bucket_of_every_object() {
        let (mut place, mut seen) = (TrialPlace::default(), 0);
        while place.object < MATCHED_OBJECTS.len() {
            place = place.after_page(None, 4);
            seen += 1;
        }
        assert_eq!(seen, 4 * MATCHED_OBJECTS.len());
        let on = TrialPlace::default().after_page(Some("a".to_owned()), 4);
        assert_eq!((on.bucket, on.after.as_deref()), (0, Some("a")));
    }
}
