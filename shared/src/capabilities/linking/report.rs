//! Matches as people see them: page by page, counted, one record's, one entity's.

use std::collections::BTreeMap;

use crate::capabilities::custody::{Custody, LookupError, OpenGeneration};
use crate::capabilities::linking::{
    CandidateList, EntityMatches, ExplainedCandidate, MATCHED_OBJECTS, ModelError, Models,
    RecordDecision,
};
use crate::kernel::{EntityId, SObject, TenantEnvironment};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::{SeriesPage, Stored};
use crate::work::WorkError;

/// How many records one read of a bucket gives.
const PAGE: usize = 500;

/// Why matches cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such connection or record.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The cursor is made up.
    #[error("cursor is not one that this list gave")]
    Cursor,
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

/// How many records were decided how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecisionCounts {
    /// Linked to an entity.
    pub matched: u64,
    /// Duplicates within the CRM.
    pub duplicate: u64,
    /// For a person to look at.
    pub review: u64,
    /// None that the directory knows.
    pub unmatched: u64,
}

impl DecisionCounts {
    fn count(&mut self, decision: RecordDecision) {
        match decision {
            RecordDecision::Match => self.matched += 1,
            RecordDecision::Duplicate => self.duplicate += 1,
            RecordDecision::Review => self.review += 1,
            RecordDecision::NonMatch => self.unmatched += 1,
        }
    }
}

/// A record's match, and what speaks for and against each candidate.
#[derive(Debug)]
pub struct ExplainedMatch {
    /// The record.
    pub list: CandidateList,
    /// Its candidates, the most likely first.
    pub candidates: Vec<ExplainedCandidate>,
}

/// The records of an object that may be an entity.
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
    custody: Custody,
    models: Models,
}

impl Matches {
    /// Matches that `models` explain.
    #[must_use]
    pub fn new(custody: Custody, models: Models) -> Self {
        Self { custody, models }
    }

    /// A page of the records of an object, in the order of the store. The cursor names the bucket
    /// and the last record of the page before.
    pub async fn page(
        &self,
        at: TenantEnvironment,
        object: SObject,
        cursor: Option<&str>,
    ) -> Result<MatchPage, ReportError> {
        let opened = self.custody.shown(at).await?;
        let keys = opened.keys;
        let (bucket, after) = place(cursor, object, keys.buckets())?;
        let page = bucket_page(&opened, object, bucket, after.as_deref()).await?;
        let next = match (page.next, page.documents.last()) {
            (Some(_), Some(last)) => Some(format!("{bucket}.{}", last.id)),
            _ if bucket + 1 < keys.buckets() => Some(format!("{}.", bucket + 1)),
            _ => None,
        };
        let mut lists: Vec<_> = page.documents.into_iter().map(Stored::into_inner).collect();
        lists.retain(|list| !list.gone && list.decision != RecordDecision::NonMatch);
        Ok(MatchPage { lists, next })
    }

    /// How many records of each object were decided how. Reads every candidate list.
    pub async fn summary(
        &self,
        at: TenantEnvironment,
    ) -> Result<BTreeMap<SObject, DecisionCounts>, ReportError> {
        let opened = self.custody.shown(at).await?;
        let mut objects = BTreeMap::new();
        for object in MATCHED_OBJECTS {
            let mut counts = DecisionCounts::default();
            for bucket in 0..opened.keys.buckets() {
                self.count(&opened, object, bucket, &mut counts).await?;
            }
            objects.insert(object, counts);
        }
        Ok(objects)
    }

    /// One record's match.
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

    /// The records of an object that may be an entity: what a seller chooses from who looks at a
    /// person or a company.
    pub async fn of_entity(
        &self,
        at: TenantEnvironment,
        object: SObject,
        entity: EntityId,
    ) -> Result<EntityReport, ReportError> {
        let opened = self.custody.shown(at).await?;
        let keys = opened.keys;
        let found = opened.store.read(&keys.entity(object, &entity)).await?;
        let matches = found.unwrap_or_else(|| EntityMatches::empty(object, entity));
        let bids = matches.bids.iter();
        let of = bids.map(|bid| keys.candidates(object, bid.record));
        let lists = opened.store.load_many(of).await?;
        let mut records = Vec::with_capacity(lists.len());
        for list in lists {
            let candidates = self.models.explain(keys.scope(), &list).await?;
            let this = candidates.into_iter().find(|c| c.entity_id == matches.entity);
            records.push((list.into_inner(), this));
        }
        Ok(EntityReport { matches, records })
    }

    async fn count(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        bucket: u32,
        counts: &mut DecisionCounts,
    ) -> Result<(), ReportError> {
        let mut after = None;
        loop {
            let page = bucket_page(opened, object, bucket, after.as_deref()).await?;
            for list in page.documents.iter().filter(|list| !list.gone) {
                counts.count(list.decision);
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// One read of a bucket.
async fn bucket_page(
    opened: &OpenGeneration,
    object: SObject,
    bucket: u32,
    after: Option<&str>,
) -> Result<SeriesPage<CandidateList>, PortError> {
    opened.store.page(&opened.keys.all_candidates(object, bucket), after, PAGE).await
}

/// Where a cursor points: a bucket, and the sort key to go on after.
fn place(
    cursor: Option<&str>,
    object: SObject,
    buckets: u32,
) -> Result<(u32, Option<String>), ReportError> {
    let Some(cursor) = cursor else { return Ok((0, None)) };
    let (bucket, record) = cursor.split_once('.').ok_or(ReportError::Cursor)?;
    let bucket: u32 = bucket.parse().map_err(|_| ReportError::Cursor)?;
    if bucket >= buckets {
        return Err(ReportError::Cursor);
    }
    if record.is_empty() {
        return Ok((bucket, None));
    }
    let record: SalesforceId = record.parse().map_err(|_| ReportError::Cursor)?;
    Ok((bucket, Some(format!("{object}#{record}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_a_place_within_the_list_or_nowhere() {
        let at = |cursor| place(Some(cursor), SObject::Lead, 16).ok();
        assert_eq!(at("3."), Some((3, None)));
        let after = Some("Lead#00Q000000000001EAA".to_owned());
        assert_eq!(at("3.00Q000000000001EAA"), Some((3, after)));
        let mistyped = "3.00Q000000000001AAA";
        for wrong in ["", "3", "16.", "-1.", "3.a#b", "3.00Q0000000000000001", mistyped] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
        assert_eq!(place(None, SObject::Lead, 16).ok(), Some((0, None)));
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
            (0..times).for_each(|_| counts.count(decision));
        }
        let expected = DecisionCounts { matched: 4, duplicate: 3, review: 2, unmatched: 1 };
        assert_eq!(counts, expected);
    }
}
