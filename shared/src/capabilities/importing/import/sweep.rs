//! The comparison of all ids: what we hold and the org does not show goes, what it shows and we do
//! not hold, or hold as it was before, is read. Each id comes with its stamp: a row that changes
//! while it is hidden and is then shown again is in no query of changes.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::deletions::live_rows;
use super::outcome::build;
use super::pages::{Page, read_object};
use super::query::{Job, poll_delay, stamped, stuck};
use super::rows::record;
use super::selected::{IDS_AT_ONCE, chosen, left_out, reason};
use super::{Import, Step, reading};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing::{ObjectImport, ObjectPhase, Sweep};
use crate::kernel::{ImportRunId, Record, RecordChange, SObject, Scope};
use crate::salesforce::{
    Condition as Soql, CsvReader, FieldValues, QueryScope, SalesforceId, Select, Session,
    parse_datetime,
};
use crate::work::WorkError;

/// Ids per result page: under three megabytes.
const ID_PAGE_ROWS: u32 = 50_000;

/// More rows than this missing in one bucket are not asked for by their ids: the object is read
/// again, whole.
const MOST_MISSING: usize = 1_000;

/// The stamps of rows, in milliseconds, by id.
type Stamps = HashMap<String, i64>;

impl Import {
    /// Takes one step of the comparison.
    pub(super) async fn sweep(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        sweep: Sweep,
    ) -> Result<Step, GrantError> {
        let next = match sweep {
            Sweep::Asking { page } => return self.ask_for_ids(opened, run, progress, page).await,
            Sweep::Submitted { job, polls, page } => {
                match self.ask_job(opened, run, progress, &job, polls).await? {
                    Job::Complete(_) => Sweep::Fetching { job, locator: None, page },
                    Job::Running(delay) => {
                        let sweep = Sweep::Submitted { job, polls: polls + 1, page };
                        return Ok(Step::Next(ObjectPhase::Sweeping { sweep }, delay));
                    }
                    Job::Stuck => return Ok(Step::Restart(stuck())),
                }
            }
            Sweep::Fetching { job, locator, page } => {
                self.fetch_ids(opened, run, progress, job, locator, page).await?
            }
            Sweep::Comparing { pages, bucket } if bucket < opened.keys.buckets() => {
                if !self.compare(opened, run, progress, pages, bucket).await? {
                    progress.read_again_whole();
                    return Ok(Step::Next(ObjectPhase::Waiting, Duration::ZERO));
                }
                Sweep::Comparing { pages, bucket: bucket + 1 }
            }
            Sweep::Comparing { .. } => {
                progress.swept = true;
                let excluded = progress.selection.excluded;
                return Ok(Step::End(if excluded { left_out() } else { ObjectPhase::Done }));
            }
        };
        Ok(Step::Next(ObjectPhase::Sweeping { sweep: next }, Duration::ZERO))
    }

    /// Creates the bulk job of ids.
    async fn ask_for_ids(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        page: u32,
    ) -> Result<Step, GrantError> {
        let (operation, _, live) = live_rows(progress.object);
        let select = live(Select::from(progress.object.name()).fields(["Id", "SystemModstamp"]));
        let select = chosen(select, &progress.selection);
        let select = progress.span.into_iter().fold(select, stamped);
        let (job, _) = self.create_job(opened, run, progress, operation, &select).await?;
        let sweep = Sweep::Submitted { job, polls: 0, page };
        Ok(Step::Next(ObjectPhase::Sweeping { sweep }, poll_delay(0)))
    }

    async fn fetch_ids(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        job: String,
        locator: Option<String>,
        page: u32,
    ) -> Result<Sweep, GrantError> {
        let Page { csv, next, .. } =
            self.download(opened, run, progress, &job, locator, ID_PAGE_ROWS).await?;
        let key = ids_object(opened.keys.scope(), run, progress.object, page);
        opened.put_object(&self.ports, &key, &csv).await?;
        if next.is_some() {
            return Ok(Sweep::Fetching { job, locator: next, page: page + 1 });
        }
        self.forget_job(opened, run, progress, &job).await?;
        Ok(if progress.go_on(self.asked_at(progress)) {
            Sweep::Asking { page: page + 1 }
        } else {
            Sweep::Comparing { pages: page + 1, bucket: 0 }
        })
    }

    /// Compares one bucket. False when so much is missing that the object is better read again.
    async fn compare(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        pages: u32,
        bucket: u32,
    ) -> Result<bool, GrantError> {
        let object = progress.object;
        let mut missing = self.stamps(opened, run, object, pages, bucket).await?;
        let held = self.held(opened, run, progress, bucket, &mut missing).await?;
        if missing.len() > MOST_MISSING {
            return Ok(false);
        }
        let mut found = self.by_ids(opened, run, progress, missing).await?;
        found.extend(held.unseen);
        let at = self.asked_at(progress);
        let landed = opened.records.land(reading(run, progress, at), found).await?;
        progress.counts.add(landed.counts);
        let live = (held.live + landed.counts.new).saturating_sub(landed.counts.deleted);
        let counted = if bucket == 0 { 0 } else { progress.live.unwrap_or(0) };
        progress.live = Some(counted + live);
        let changed = [held.changed, landed.changed].concat();
        let name = format!("{:06}", progress.step);
        self.note_changed(opened, run, object, &name, &changed).await?;
        Ok(true)
    }

    /// What we hold of a bucket; takes what we hold as it is now out of the rows that are missing.
    /// What this very step did before it was interrupted is counted and listed again.
    async fn held(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        bucket: u32,
        missing: &mut Stamps,
    ) -> Result<Held, WorkError> {
        let object = progress.object;
        let gone = reason(&progress.selection);
        let read = self.read_anew(opened, run, progress, bucket).await?;
        let mut held = Held::default();
        let mut after = None;
        loop {
            let (heads, next) =
                opened.records.all_heads(object, bucket, after.as_deref(), 1_000).await?;
            for head in heads {
                if (head.run, head.step) == (run, progress.step) {
                    progress.counts.count(head.change);
                    held.changed.push(head.id.clone());
                }
                if head.change == RecordChange::Deleted {
                    continue;
                }
                held.live += 1;
                match missing.get(&head.id) {
                    Some(&stamp) if stamp > head.stamp => {}
                    Some(_) if read.as_ref().is_some_and(|read| !read.contains(&head.id)) => {}
                    Some(_) => drop(missing.remove(&head.id)),
                    None => {
                        let stamp = Timestamp::from_millisecond(head.stamp)
                            .map_err(|error| WorkError::reject("compare ids", error))?;
                        held.unseen.push(Record::tombstone(object, head.id, stamp, gone.clone()));
                    }
                }
            }
            after = next;
            if after.is_none() {
                return Ok(held);
            }
        }
    }

    /// The rows of a bucket that this run read by the selection that is now in force; none when there
    /// was no other before.
    async fn read_anew(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &ObjectImport,
        bucket: u32,
    ) -> Result<Option<HashSet<String>>, WorkError> {
        let Some(first) = progress.read_anew else { return Ok(None) };
        let mut read = HashSet::new();
        for page in first..progress.pages {
            let key = read_object(opened.keys.scope(), run, progress.object, page);
            let ids: Vec<String> = self.kept(opened, &key).await?;
            read.extend(ids.into_iter().filter(|id| opened.keys.bucket(id) == bucket));
        }
        Ok(Some(read))
    }

    /// The org's rows that belong to a bucket of ours.
    async fn stamps(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        object: SObject,
        pages: u32,
        bucket: u32,
    ) -> Result<Stamps, WorkError> {
        let mut stamps = Stamps::new();
        for page in 0..pages {
            let key = ids_object(opened.keys.scope(), run, object, page);
            let Some(csv) = opened.get_object(&self.ports, &key).await? else {
                return Err(WorkError::reject("compare ids", "a page of ids is gone"));
            };
            let mut reader = CsvReader::new(csv.as_ref(), None);
            let broken = |error| WorkError::reject("read a page of ids", error);
            while let Some(row) = reader.next().map_err(broken)? {
                let stamp = row.text("SystemModstamp").and_then(|at| parse_datetime(&at).ok());
                let of = row.id().map(|id| id.to_string()).zip(stamp);
                let ours = of.filter(|(id, _)| opened.keys.bucket(id) == bucket);
                stamps.extend(ours.map(|(id, stamp)| (id, stamp.as_millisecond())));
            }
        }
        Ok(stamps)
    }

    /// Reads rows by their ids.
    async fn by_ids(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        rows: Stamps,
    ) -> Result<Vec<Record>, GrantError> {
        let object = progress.object;
        let mut ids: Vec<SalesforceId> = rows.keys().filter_map(|id| id.parse().ok()).collect();
        ids.sort_unstable();
        let selection = progress.selection.clone();
        let fields = selection.read_fields(object);
        let select = chosen(Select::from(object.name()).fields(fields), &selection);
        let client = self.grants.app().client();
        let mut records = Vec::new();
        for chunk in ids.chunks(IDS_AT_ONCE) {
            let soql = &build(&select.clone().filter(Soql::is_in("Id", chunk.iter().copied())))?;
            let reply = self
                .call(opened, run, progress, |session: Session| async move {
                    client.query(&session, QueryScope::All, soql).await
                })
                .await?;
            // A page of 200 rows is never cut in two: the smallest page that may be asked for.
            records.extend(
                reply.value.records.iter().filter_map(|row| record(object, &selection, row)),
            );
        }
        Ok(records)
    }
}

/// What we hold of a bucket.
#[derive(Default)]
struct Held {
    live: u64,
    /// Not among the org's ids.
    unseen: Vec<Record>,
    /// Changed by this very step before.
    changed: Vec<String>,
}

pub(crate) fn ids_object(scope: Scope, run: ImportRunId, object: SObject, page: u32) -> String {
    format!("{}ids/{run}/{object}/{page:06}", scope.object_prefix())
}
