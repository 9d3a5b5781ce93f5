//! The steps of an export: some rows each, and a file when there are enough.
//!
//! Rows wait in sealed objects until they make a file. Objects are named by what they hold, so that
//! a step that is taken twice, even at once, leaves one that nobody names, and no file with rows of
//! two tries.

use std::time::Duration;

use jiff::SignedDuration;

use super::keys::{export_folder, file_object, rows_object};
use super::matches::{head, lines};
use super::{ExportFile, ExportJob, ExportPlace, ExportState, FILES_KEPT, WaitingRows, sets};
use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::linking::MATCHED_OBJECTS;
use crate::kernel::{ExportId, ExportMessage, Scope};
use crate::ports::{PortError, Ports};
use crate::store::{Commit, Draft, Next, Stored};
use crate::work::{Done, WorkError, boxed};

/// How many records one read gives.
const PAGE: usize = 500;

/// How many reads a step takes.
const READS: usize = 20;

/// Rows of so many bytes make a file.
const FILE: u64 = 64 << 20;

/// An export is remembered for so long after its files have gone.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(6 * 24);

/// Writes exports.
#[derive(Clone)]
pub struct ExportSteps {
    ports: Ports,
    custody: Custody,
    reads: usize,
    file: u64,
}

impl ExportSteps {
    /// The steps over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        Self { ports, custody, reads: READS, file: FILE }
    }

    /// The same, with so many reads a step and so many bytes a file.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn with_sizes(self, reads: usize, file: u64) -> Self {
        Self { reads, file, ..self }
    }

    /// Does one message's work.
    ///
    /// # Errors
    /// When the step fails; the error says whether to try again.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: ExportMessage) -> Result<Done, WorkError> {
        match message {
            ExportMessage::Step { scope, export, step } => self.step(scope, export, step).await?,
            ExportMessage::Clear { scope, export } => self.clear(scope, export).await?,
        }
        Ok(Done::Finished)
    }

    async fn step(&self, scope: Scope, export: ExportId, step: u64) -> Result<(), WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(()) };
        let before = opened.store.load(&opened.keys.export(export)).await?;
        let is_next =
            |job: &&Stored<ExportJob>| job.state == ExportState::Running && job.step == step;
        let Some(before) = before.as_ref().filter(is_next) else { return Ok(()) };
        let mut job = ExportJob::clone(before);
        self.write_rows(&opened, &mut job).await?;
        let is_last = job.place.is_none();
        let is_full = job.bytes_waiting() >= self.file && job.order.kind.entities().is_none();
        if is_full || (is_last && has_rest(&job)) {
            self.make_file(&opened, &mut job).await?;
        }
        job.step += 1;
        let now = self.ports.clock.now();
        let mut commit = Commit::new();
        if is_last {
            job.state = ExportState::Ready;
            job.finished_at = Some(now);
            let kept = Duration::try_from(FILES_KEPT).unwrap_or_default();
            commit.then(Next::after(kept, ExportMessage::Clear { scope, export }));
        } else {
            commit.now(ExportMessage::Step { scope, export, step: job.step });
        }
        commit.replace(before, &job)?;
        let winner = "another delivery of this message, which took the same step";
        opened.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }

    /// Has the next rows wait for their file.
    async fn write_rows(
        &self,
        opened: &OpenGeneration,
        job: &mut ExportJob,
    ) -> Result<(), WorkError> {
        let (mut rows, mut text) = (0, String::new());
        for _ in 0..self.reads {
            let Some(place) = job.place.take() else { break };
            let (taken, lines, (next, left_behind)) = self.page(opened, job, place).await?;
            rows += u64::from(taken);
            text.push_str(&lines);
            job.place = next;
            job.buckets_done += left_behind;
        }
        if rows == 0 {
            return Ok(());
        }
        let name = format!("{:08}-{}", job.step, hash_of(text.as_bytes()));
        let key = rows_object(opened.keys.scope(), job.id, &name);
        opened.put_object(&self.ports, &key, text.as_bytes()).await?;
        job.waiting.push(WaitingRows { name, rows, bytes: text.len() as u64 });
        Ok(())
    }

    /// The rows of one page: how many, their lines, and the place that follows.
    async fn page(
        &self,
        opened: &OpenGeneration,
        job: &ExportJob,
        place: ExportPlace,
    ) -> Result<(u32, String, (Option<ExportPlace>, u32)), WorkError> {
        let (passes, buckets) = (job.order.kind.passes(), opened.keys.buckets());
        let after = place.after.as_deref();
        if let Some(kind) = job.order.kind.entities() {
            let series = opened.keys.entities(kind, place.bucket);
            let page = opened.store.page(&series, after, PAGE).await?;
            let (rows, text) = sets::lines(&page.documents)?;
            let place = place.after_page((rows, page.next), (passes, buckets), None);
            return Ok((rows, text, place));
        }
        let Some(&object) = MATCHED_OBJECTS.get(place.object) else {
            return Ok((0, String::new(), (None, 0)));
        };
        let series = opened.keys.all_candidates(object, place.bucket);
        let page = opened.store.page(&series, after, PAGE).await?;
        let most = job.order.sample.map_or(u32::MAX, |most| most.saturating_sub(place.taken));
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let what = (job.order.kind, job.order.format);
        let (rows, text) = lines(opened, what, page.documents, most).await?;
        let place = place.after_page((rows, page.next), (passes, buckets), job.order.sample);
        Ok((rows, text, place))
    }

    /// Makes a file of the rows that wait.
    async fn make_file(
        &self,
        opened: &OpenGeneration,
        job: &mut ExportJob,
    ) -> Result<(), WorkError> {
        let (scope, mut rows) = (opened.keys.scope(), 0);
        let mut text = head(job.order.format).into_bytes();
        for waiting in std::mem::take(&mut job.waiting) {
            let key = rows_object(scope, job.id, &waiting.name);
            let found = opened.get_object(&self.ports, &key).await?;
            let gone = || PortError::retry("make a file of an export", "its rows are gone");
            text.extend(found.ok_or_else(gone)?);
            rows += waiting.rows;
        }
        if let Some(kind) = job.order.kind.entities() {
            (text, rows, job.directory) = sets::bitmap(&self.ports, opened, kind, &text).await?;
        }
        let (name, hash, bytes) = (job.next_file(), hash_of(&text), text.len() as u64);
        let key = file_object(scope, job.id, (&hash, &name));
        self.ports.objects.put(&key, text.into()).await?;
        job.files.push(ExportFile { name, hash, rows, bytes });
        Ok(())
    }

    /// Deletes the files of an export whose day is over.
    async fn clear(&self, scope: Scope, export: ExportId) -> Result<(), WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(()) };
        let Some(before) = opened.store.load(&opened.keys.export(export)).await? else {
            return Ok(());
        };
        let now = self.ports.clock.now();
        if before.state == ExportState::Running || before.has_files(now) {
            return Ok(());
        }
        self.ports.objects.delete_folder(&export_folder(scope, export)).await?;
        let job = ExportJob { state: ExportState::Expired, ..ExportJob::clone(&before) };
        let until = (now + REMEMBERED).as_second();
        let mut commit = Commit::new();
        commit.write(Draft::after(&before, &job)?.until(until))?;
        let winner = "another delivery of this message, which deleted the same files";
        opened.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }
}

/// True if something is left for a last file; an export without rows has one that says so.
fn has_rest(job: &ExportJob) -> bool {
    !job.waiting.is_empty() || job.files.is_empty()
}

/// A name for what an object holds.
fn hash_of(content: &[u8]) -> String {
    blake3::hash(content).to_hex()[..16].to_owned()
}
