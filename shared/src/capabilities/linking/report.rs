//! Matches as people see them: page by page, counted, one record's, one entity's.

use std::collections::BTreeMap;
use std::sync::Arc;

use matching::EntityKind;

use crate::capabilities::custody::{CursorError, Custody, LookupError};
use crate::capabilities::directory::Bodies;
use crate::capabilities::linking::{
    CandidateList, DecisionCounts, EntityMatches, ExplainedCandidate, MATCHED_OBJECTS, ModelError,
    Models, RecordDecision,
};
use crate::kernel::{EntityId, SObject, TenantEnvironment};
use crate::ports::{Clock, PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::{Store, Stored};
use crate::work::{WorkError, boxed};

/// How many records one read of a bucket gives.
const PAGE: usize = 500;

/// Why matches cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such connection or record.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The cursor is made up, another list's, or too old.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The candidates cannot be explained.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<PortError> for ReportError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<WorkError> for ReportError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

/// A page of records.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchPage {
    /// The records that were matched, found duplicates, or wait for a review.
    pub lists: Vec<CandidateList>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// A record's match, and what speaks for and against each candidate.
#[derive(Debug)]
pub struct ExplainedMatch {
    /// The record.
    pub list: CandidateList,
    /// Its candidates, the most likely first.
    pub candidates: Vec<ExplainedCandidate>,
}

/// The records that may be an entity.
#[derive(Debug)]
pub struct EntityReport {
    /// The entity, and the record that it is linked to.
    pub matches: EntityMatches,
    /// The records, each with the entity as its candidate.
    pub records: Vec<(CandidateList, Option<ExplainedCandidate>)>,
}

/// Shows matches.
#[derive(Clone)]
pub struct Matches {
    clock: Arc<dyn Clock>,
    pub(super) store: Store,
    pub(super) custody: Custody,
    pub(super) bodies: Bodies,
    models: Models,
}

impl Matches {
    /// Matches that `models` explain.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, models: Models) -> Self {
        let bodies = Bodies::new(ports.objects.clone());
        Self { clock: ports.clock.clone(), store: Store::new(ports), custody, bodies, models }
    }

    /// A page of the records of an object, in the order of the store. The cursor names the bucket
    /// and the last record of the page before.
    #[must_use]
    #[boxed]
    pub async fn page(
        &self,
        at: TenantEnvironment,
        object: SObject,
        cursor: Option<&str>,
    ) -> Result<MatchPage, ReportError> {
        let opened = self.custody.shown(at).await?;
        let (keys, now) = (opened.keys, self.clock.now());
        let name = format!("matches|{object}");
        let place = match cursor {
            Some(cursor) => place(&opened.position(&name, cursor, now)?, object, keys.buckets()),
            None => Some((0, None)),
        };
        let (bucket, after) = place.ok_or(CursorError)?;
        let series = keys.all_candidates(object, bucket);
        let page = opened.store.page(&series, after.as_deref(), PAGE).await?;
        let next = match (page.next, page.documents.last()) {
            (Some(_), Some(last)) => Some(format!("{bucket}.{}", last.id)),
            _ if bucket + 1 < keys.buckets() => Some(format!("{}.", bucket + 1)),
            _ => None,
        };
        let next = next.map(|position| opened.cursor(&name, &position, now));
        let mut lists: Vec<_> = page.documents.into_iter().map(Stored::into_inner).collect();
        lists.retain(|list| !list.gone && list.decision != RecordDecision::NonMatch);
        Ok(MatchPage { lists, next })
    }

    /// How many records of each object were decided how: as settlements counted them, so that an
    /// answer costs the same few reads however many records there are.
    #[must_use]
    #[boxed]
    pub async fn summary(
        &self,
        at: TenantEnvironment,
    ) -> Result<BTreeMap<SObject, DecisionCounts>, ReportError> {
        let opened = self.custody.shown(at).await?;
        let mut objects = BTreeMap::new();
        for object in MATCHED_OBJECTS {
            let counts = opened.store.read(&opened.keys.decision_counts(object)).await?;
            objects.insert(object, counts.unwrap_or_default());
        }
        Ok(objects)
    }

    /// One record's match.
    #[must_use]
    #[boxed]
    pub async fn get(
        &self,
        at: TenantEnvironment,
        object: SObject,
        record: SalesforceId,
    ) -> Result<ExplainedMatch, ReportError> {
        let opened = self.custody.shown(at).await?;
        let keys = opened.keys;
        let list = opened.store.read(&keys.candidates(object, record)).await?;
        let list = list.filter(|list| !list.gone).ok_or(LookupError::NotFound("record"))?;
        let candidates = self.models.explain(keys.scope(), &list).await?;
        Ok(ExplainedMatch { list, candidates })
    }

    /// The records that may be an entity, leads and contacts alike: what a seller chooses from who
    /// looks at a person or a company.
    #[must_use]
    #[boxed]
    pub async fn of_entity(
        &self,
        at: TenantEnvironment,
        kind: EntityKind,
        entity: EntityId,
    ) -> Result<EntityReport, ReportError> {
        let opened = self.custody.shown(at).await?;
        let keys = opened.keys;
        let found = opened.store.read(&keys.entity(kind, &entity)).await?;
        let matches = found.unwrap_or_else(|| EntityMatches::empty(kind, entity));
        let bids = matches.bids.iter();
        let of = bids.map(|bid| keys.candidates(bid.record.object, bid.record.id));
        let lists = opened.store.load_many(of).await?;
        let mut records = Vec::with_capacity(lists.len());
        for list in lists {
            let candidates = self.models.explain(keys.scope(), &list).await?;
            let this = candidates.into_iter().find(|c| c.entity_id == matches.entity);
            records.push((list.into_inner(), this));
        }
        Ok(EntityReport { matches, records })
    }
}

/// The place of a position: a bucket, and the sort key to go on after.
fn place(position: &str, object: SObject, buckets: u32) -> Option<(u32, Option<String>)> {
    let (bucket, record) = position.split_once('.')?;
    let bucket: u32 = bucket.parse().ok()?;
    if bucket >= buckets {
        return None;
    }
    if record.is_empty() {
        return Some((bucket, None));
    }
    let record: SalesforceId = record.parse().ok()?;
    Some((bucket, Some(format!("{object}#{record}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_a_place_within_the_list_or_nowhere() {
        let at = |position| place(position, SObject::Lead, 16);
        assert_eq!(at("3."), Some((3, None)));
        let after = Some("Lead#00Q000000000001EAA".to_owned());
        assert_eq!(at("3.00Q000000000001EAA"), Some((3, after)));
        let mistyped = "3.00Q000000000001AAA";
        for wrong in ["", "3", "16.", "-1.", "3.a#b", "3.00Q0000000000000001", mistyped] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
