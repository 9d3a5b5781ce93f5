//! The comparison of all ids. A record of ours that the org does not show goes. A row that the org
//! shows and we do not hold, or hold as it was before, is read. Each id comes with its stamp: a row
//! that changes while it is hidden, and is then shown again, is in no query of changes.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::bulk_job::{IdPage, Job, poll_delay, stuck};
use super::count::live_rows;
use super::outcome::{build, gone};
use super::query::{left_out, within};
use super::rows::record;
use super::selection_query::{IDS_AT_ONCE, selection_query};
use super::{ObjectStep, Taken};
use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::keys::{ids_object, read_object};
use crate::capabilities::importing::{ObjectEvent, Sweep};
use crate::kernel::{Record, RecordChange, RecordHead};
use crate::salesforce::{
    Condition, CsvReader, FieldValues, JobId, QueryScope, SalesforceId, Select, Session,
    parse_datetime,
};
use crate::work::WorkError;

/// Ids per result page: under three megabytes.
const ID_PAGE_ROWS: u32 = 50_000;

/// If more rows than this are missing in one bucket, they are not asked for by their ids: the
/// object is read again, whole.
const MOST_MISSING: usize = 1_000;

/// How many of a bucket's records are looked through at once.
const HEADS_AT_ONCE: usize = 1_000;

/// The stamps of rows, in milliseconds, by id.
type Stamps = HashMap<SalesforceId, i64>;

impl ObjectStep<'_> {
    /// Takes one step of the comparison.
    pub(super) async fn sweep(&mut self, sweep: Sweep) -> Result<Taken, GrantError> {
        Ok(match sweep {
            Sweep::Asking { .. } => self.ask_for_ids().await?,
            Sweep::Submitted { job, polls, .. } => match self.ask_job(job, polls).await? {
                Job::Complete(_) => ObjectEvent::JobComplete { landed: self.progress.pages }.into(),
                Job::Running(delay) => Taken::Moved(ObjectEvent::JobRunning, delay),
                Job::Stuck => Taken::Broke(stuck()),
            },
            Sweep::Fetching { job, locator, page } => {
                self.fetch_ids(job, locator, page).await?.into()
            }
            Sweep::Comparing { pages, bucket } if bucket < self.generation.keys.buckets() => {
                self.compare(pages, bucket).await?
            }
            Sweep::Comparing { .. } => {
                self.progress.swept = true;
                let excluded = self.progress.selection.excluded;
                if excluded { left_out() } else { ObjectEvent::IdsCompared }.into()
            }
        })
    }

    /// Creates the bulk job of ids.
    async fn ask_for_ids(&mut self) -> Result<Taken, GrantError> {
        let (operation, _, live) = live_rows(self.progress.object);
        let fields = ["Id", "SystemModstamp"];
        let select = live(Select::from(self.progress.object.name()).fields(fields));
        let select = selection_query(select, &self.progress.selection);
        let select = self.progress.span.into_iter().fold(select, within);
        let reply = self.create_job(operation, &select).await?;
        Ok(Taken::Moved(ObjectEvent::JobCreated { job: reply.value.id }, poll_delay(0)))
    }

    async fn fetch_ids(
        &mut self,
        job: JobId,
        locator: Option<String>,
        page: u32,
    ) -> Result<ObjectEvent, GrantError> {
        let IdPage { csv, next } = self.download_ids(job, locator, ID_PAGE_ROWS).await?;
        self.generation.put_object(&self.import.ports, &self.ids_object(page), &csv).await?;
        if let Some(next) = next {
            return Ok(ObjectEvent::IdPageFetched { next });
        }
        self.delete_job(job).await?;
        let now = self.asked_at();
        Ok(if self.progress.go_on(now) {
            ObjectEvent::IdSpanFetched
        } else {
            ObjectEvent::IdsFetched
        })
    }

    fn ids_object(&self, page: u32) -> String {
        ids_object(self.generation.keys.scope(), self.run, self.progress.object, page)
    }

    /// Compares one bucket of our records with the ids.
    async fn compare(&mut self, pages: u32, bucket: u32) -> Result<Taken, GrantError> {
        let Some(shown) = self.stamps(pages, bucket).await? else {
            return Ok(Taken::Broke(gone()));
        };
        let read = match self.progress.read_anew {
            Some(first) => match self.read_ids(first, bucket).await? {
                Some(read) => Some(read),
                None => return Ok(Taken::Broke(gone())),
            },
            None => None,
        };
        let mut found = Comparison::new(shown, read);
        let mut after = None;
        loop {
            let (heads, next) = self
                .generation
                .records
                .all_heads(self.progress.object, bucket, after.as_deref(), HEADS_AT_ONCE)
                .await?;
            for head in heads {
                if (head.run, head.step) == (self.run, self.progress.step) {
                    // This very step did so before it was interrupted.
                    self.progress.counts.count(head.change);
                    found.changed.push(head.id);
                }
                found.look_at(head);
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        if found.missing.len() > MOST_MISSING {
            self.progress.read_again_whole();
            return Ok(ObjectEvent::TooManyMissing.into());
        }
        let mut records = self.read_by_ids(&found.missing).await?;
        records.extend(self.tombstones(found.unseen)?);
        let landed = self.generation.records.land(self.reading(), records).await?;
        self.progress.counts.add(landed.counts);
        let live = (found.live + landed.counts.new).saturating_sub(landed.counts.deleted);
        let counted = if bucket == 0 { 0 } else { self.progress.live.unwrap_or(0) };
        self.progress.live = Some(counted + live);
        self.list_changed(&[found.changed, landed.changed].concat()).await?;
        Ok(ObjectEvent::BucketCompared.into())
    }

    /// Tombstones for records that the org does not show.
    fn tombstones(&self, unseen: Vec<RecordHead>) -> Result<Vec<Record>, WorkError> {
        let reason = self.progress.selection.reason_for_unseen();
        let tombstone = |head: RecordHead| {
            let stamp = Timestamp::from_millisecond(head.stamp)
                .map_err(|error| WorkError::reject("compare ids", error))?;
            Ok(Record::tombstone(head.object, head.id, stamp, reason.clone()))
        };
        unseen.into_iter().map(tombstone).collect()
    }

    /// The ids of a bucket that this run read by the present selection, from this page on; none
    /// when a page of them is gone.
    async fn read_ids(
        &self,
        first: u32,
        bucket: u32,
    ) -> Result<Option<HashSet<SalesforceId>>, WorkError> {
        let keys = &self.generation.keys;
        let mut read = HashSet::new();
        for page in first..self.progress.pages {
            let key = read_object(keys.scope(), self.run, self.progress.object, page);
            let ids: Option<Vec<SalesforceId>> = self.get_json(&key).await?;
            let Some(ids) = ids else { return Ok(None) };
            read.extend(ids.into_iter().filter(|id| keys.bucket(id.as_str()) == bucket));
        }
        Ok(Some(read))
    }

    /// The stamps of the org's rows that belong to a bucket of ours; none when a page is gone.
    async fn stamps(&self, pages: u32, bucket: u32) -> Result<Option<Stamps>, WorkError> {
        let mut stamps = Stamps::new();
        for page in 0..pages {
            let key = self.ids_object(page);
            let Some(csv) = self.generation.get_object(&self.import.ports, &key).await? else {
                return Ok(None);
            };
            let mut reader = CsvReader::new(csv.as_ref(), None);
            let broken = |error| WorkError::reject("read a page of ids", error);
            while let Some(row) = reader.next().map_err(broken)? {
                let stamp = row.text("SystemModstamp").and_then(|at| parse_datetime(&at).ok());
                let row = row.id().zip(stamp);
                let ours = row.filter(|(id, _)| self.generation.keys.bucket(id.as_str()) == bucket);
                stamps.extend(ours.map(|(id, stamp)| (id, stamp.as_millisecond())));
            }
        }
        Ok(Some(stamps))
    }

    /// Reads rows by their ids.
    async fn read_by_ids(&mut self, rows: &Stamps) -> Result<Vec<Record>, GrantError> {
        let object = self.progress.object;
        let mut ids: Vec<SalesforceId> = rows.keys().copied().collect();
        ids.sort_unstable();
        let selection = self.progress.selection.clone();
        let fields = selection.read_fields(object);
        let select = selection_query(Select::from(object.name()).fields(fields), &selection);
        let client = self.client();
        let mut records = Vec::new();
        for chunk in ids.chunks(IDS_AT_ONCE) {
            let chunk = Condition::is_in("Id", chunk.iter().copied());
            let soql = &build(&select.clone().filter(chunk))?;
            let reply = self
                .call(|session: Session| async move {
                    client.query(&session, QueryScope::All, soql).await
                })
                .await?;
            // A page of 200 rows is never cut in two: the smallest page that may be asked for.
            let rows = reply.value.records;
            records.extend(rows.iter().filter_map(|row| record(object, &selection, row)));
        }
        Ok(records)
    }
}

/// How our records of a bucket differ from the ids that the org shows.
#[derive(Default)]
struct Comparison {
    /// The rows to be read: all that the org shows, until our record is found to be as new.
    missing: Stamps,
    /// The ids that this run read by the present selection; none if every record is of it.
    read: Option<HashSet<SalesforceId>>,
    /// Our live records.
    live: u64,
    /// Our records that the org does not show.
    unseen: Vec<RecordHead>,
    /// Records that this very step changed before it was interrupted.
    changed: Vec<SalesforceId>,
}

impl Comparison {
    fn new(shown: Stamps, read: Option<HashSet<SalesforceId>>) -> Self {
        Self { missing: shown, read, ..Self::default() }
    }

    /// Compares one record of ours.
    fn look_at(&mut self, head: RecordHead) {
        if head.change == RecordChange::Deleted {
            return;
        }
        self.live += 1;
        let Some(&stamp) = self.missing.get(&head.id) else {
            self.unseen.push(head);
            return;
        };
        let by_another = self.read.as_ref().is_some_and(|read| !read.contains(&head.id));
        if stamp <= head.stamp && !by_another {
            self.missing.remove(&head.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{ImportRunId, SObject};
    use crate::testing::record_id;

    fn head(id: SalesforceId, stamp: i64, change: RecordChange) -> RecordHead {
        RecordHead {
            object: SObject::Lead,
            id,
            stamp,
            digest: String::new(),
            run: ImportRunId::derived("x"),
            step: 0,
            read_at: 0,
            change,
            gone: None,
        }
    }

    /// Five records, each named for how it compares.
    const NAMES: [&str; 5] = ["deleted", "newer", "same", "unknown", "unseen"];

    fn id_of(name: &str) -> SalesforceId {
        let at = NAMES.iter().position(|known| *known == name).unwrap();
        record_id("00Q", at as u64)
    }

    fn name_of(id: SalesforceId) -> &'static str {
        NAMES.into_iter().find(|name| id_of(name) == id).unwrap()
    }

    fn compare(read: Option<&[&str]>) -> (Vec<&'static str>, Vec<&'static str>, u64) {
        let shown = ["same", "newer", "unknown", "deleted"].map(|name| (id_of(name), 5));
        let read = read.map(|names| names.iter().map(|name| id_of(name)).collect());
        let mut found = Comparison::new(shown.into(), read);
        found.look_at(head(id_of("same"), 5, RecordChange::New));
        found.look_at(head(id_of("newer"), 4, RecordChange::Updated));
        found.look_at(head(id_of("unseen"), 5, RecordChange::New));
        found.look_at(head(id_of("deleted"), 5, RecordChange::Deleted));
        let mut missing: Vec<_> = found.missing.into_keys().map(name_of).collect();
        missing.sort_unstable();
        let unseen = found.unseen.into_iter().map(|head| name_of(head.id)).collect();
        (missing, unseen, found.live)
    }

    #[test]
    fn what_is_unknown_older_or_deleted_is_read_and_what_is_not_shown_goes() {
        let (missing, unseen, live) = compare(None);
        assert_eq!(missing, ["deleted", "newer", "unknown"]);
        assert_eq!(unseen, ["unseen"]);
        assert_eq!(live, 3);
    }

    #[test]
    fn a_record_that_another_selection_read_is_read_again() {
        assert_eq!(compare(Some(&[])).0, ["deleted", "newer", "same", "unknown"]);
        assert_eq!(compare(Some(&["same"])).0, ["deleted", "newer", "unknown"]);
    }
}
