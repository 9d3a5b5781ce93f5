//! Pairs that are known from elsewhere: each becomes a manual match.

use crate::capabilities::linking::{Correcting, CorrectionError, Corrections, entity_kind_of};
use crate::kernel::{Author, EntityId, SObject, Scope, entity_kind_name};
use crate::salesforce::SalesforceId;
use crate::work::boxed;

/// A record and the entity that it is known to be, as another system writes their ids: each pair is
/// read by itself, so that one wrong id refuses one pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownPair {
    /// The record's object.
    pub object: SObject,
    /// The record's id.
    pub record: String,
    /// The entity.
    pub entity: String,
}

/// A pair that was not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPair {
    /// The record's id.
    pub record: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// The outcome of taking in a list of pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenPairs {
    /// How many were taken in.
    pub taken: u64,
    /// Those that were not.
    pub refused: Vec<RefusedPair>,
}

impl Corrections {
    /// Takes pairs in, each by itself.
    #[must_use]
    #[boxed]
    pub async fn import(
        &self,
        scope: Scope,
        pairs: Vec<KnownPair>,
        by: &Author,
    ) -> Result<TakenPairs, CorrectionError> {
        let mut done = TakenPairs::default();
        for pair in pairs {
            match self.take_in(scope, &pair, by).await {
                Ok(()) => done.taken += 1,
                Err(CorrectionError::Work(error)) => return Err(error.into()),
                Err(refusal) => {
                    let reason = refusal.to_string();
                    done.refused.push(RefusedPair { record: pair.record, reason });
                }
            }
        }
        Ok(done)
    }

    async fn take_in(
        &self,
        scope: Scope,
        pair: &KnownPair,
        by: &Author,
    ) -> Result<(), CorrectionError> {
        let (record, entity_id) = pair.ids()?;
        let what = Correcting::Match { entity_id };
        self.say(scope, pair.object, record, what, by).await.map(drop)
    }
}

impl KnownPair {
    /// The pair's ids. An id that can be none names no record and no entity.
    fn ids(&self) -> Result<(SalesforceId, EntityId), CorrectionError> {
        let kind = entity_kind_of(self.object).ok_or(CorrectionError::NotMatched)?;
        let record = self.record.parse().map_err(|_| CorrectionError::NoRecord)?;
        let no_entity = |_| CorrectionError::NoEntity(entity_kind_name(kind));
        Ok((record, self.entity.parse().map_err(no_entity)?))
    }
}

#[cfg(test)]
mod tests {
    use matching::EntityKind;

    use super::*;
    use crate::testing::{entity_id, record_id};

    fn ids(object: SObject, record: &str, entity: &str) -> Result<(String, String), String> {
        let pair = KnownPair { object, record: record.to_owned(), entity: entity.to_owned() };
        let ids = pair.ids().map_err(|refusal| refusal.to_string())?;
        Ok((ids.0.to_string(), ids.1.to_string()))
    }

    #[test]
    fn a_pair_is_read_with_either_form_of_a_records_id() {
        let (record, entity) = (record_id("00Q", 1), entity_id("pr_1"));
        let read = Ok((record.to_string(), entity.to_string()));
        assert_eq!(ids(SObject::Lead, record.as_str(), "pr_1"), read);
        assert_eq!(ids(SObject::Lead, &record.as_str()[..15], "pr_1"), read);
    }

    #[test]
    fn a_pair_is_refused_for_the_reason_that_an_unknown_id_would_be() {
        let refused = |object, record: &str, entity: &str| ids(object, record, entity).unwrap_err();
        let record = record_id("00Q", 1);
        let no_record = CorrectionError::NoRecord.to_string();
        assert_eq!(refused(SObject::Lead, "nobody", "pr_1"), no_record);
        let no_person = CorrectionError::NoEntity(entity_kind_name(EntityKind::Person)).to_string();
        assert_eq!(refused(SObject::Lead, record.as_str(), " "), no_person);
        let not_matched = CorrectionError::NotMatched.to_string();
        assert_eq!(refused(SObject::Task, "nobody", ""), not_matched);
    }
}
