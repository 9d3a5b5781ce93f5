//! Pairs that are known from elsewhere: each becomes a manual match.

use crate::capabilities::linking::{Correcting, CorrectionError, Corrections};
use crate::kernel::{SObject, Scope};

/// A record and the entity that it is known to be.
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

/// What became of a list of pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenPairs {
    /// How many were taken in.
    pub taken: u64,
    /// Those that were not.
    pub refused: Vec<RefusedPair>,
}

impl Corrections {
    /// Takes pairs in, each by itself.
    pub async fn import(
        &self,
        scope: Scope,
        pairs: Vec<KnownPair>,
    ) -> Result<TakenPairs, CorrectionError> {
        let mut done = TakenPairs::default();
        for KnownPair { object, record, entity } in pairs {
            let what = Correcting::Match { entity_id: entity };
            match self.say(scope, object, &record, what, None).await {
                Ok(_) => done.taken += 1,
                Err(CorrectionError::Work(error)) => return Err(error.into()),
                Err(refusal) => {
                    done.refused.push(RefusedPair { record, reason: refusal.to_string() });
                }
            }
        }
        Ok(done)
    }
}
