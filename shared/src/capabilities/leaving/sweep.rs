//! A look at everything of a generation: it is counted, and deleted.
//!
//! Partitions are taken side by side, a page of each at a time. The count of a round is noted
//! before its items are deleted, with the place up to which they were counted. Whoever goes on
//! after a death deletes up to that place without counting, and counts from there.

use std::pin::pin;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::steps::{PurgeSteps, Stop, Turn};
use crate::capabilities::leaving::{Lane, Purge};
use crate::kernel::{Message, PurgeMessage};
use crate::ports::{Key, PortError};
use crate::store::keys::{GenerationKeys, Kind};
use crate::store::{Commit, Outbox, Series};
use crate::work::WorkError;

/// How many partitions are swept side by side.
const LANES: usize = 8;

/// How many items of a partition are deleted in one round.
const PAGE: usize = 500;

/// How many objects are deleted before the time is looked at.
const OBJECTS: usize = 5_000;

/// What a round reads of one lane.
struct Slice {
    number: usize,
    keys: Vec<Key>,
    is_last: bool,
}

impl PurgeSteps {
    /// Counts and deletes everything, from where the last step stopped. False when the time is over
    /// before.
    pub(super) async fn sweep(&self, turn: &mut Turn) -> Result<bool, Stop> {
        let keys = GenerationKeys::new(turn.purge.scope, turn.purge.connection.buckets);
        let partitions: Vec<(Kind, String)> = keys.partitions().collect();
        self.finish_round(&turn.purge, &partitions).await?;
        while self.round(turn, &partitions).await? {
            if self.is_late() {
                return Ok(false);
            }
        }
        self.sweep_rest(turn).await
    }

    /// Deletes what an earlier step counted and may not have deleted.
    async fn finish_round(
        &self,
        purge: &Purge,
        partitions: &[(Kind, String)],
    ) -> Result<(), WorkError> {
        let lanes = purge.progress.lanes.iter().filter_map(|(number, lane)| {
            let (_, pk) = partitions.get(*number)?;
            Some(Series::up_to(pk.clone(), lane.up_to.clone()?))
        });
        let swept = stream::iter(lanes.map(Ok::<Series<Value>, WorkError>));
        swept.try_for_each_concurrent(LANES, |series| self.delete_all(series)).await
    }

    pub(super) async fn delete_all(&self, series: Series<Value>) -> Result<(), WorkError> {
        let mut pages = pin!(self.store.pages(series));
        while let Some(page) = pages.try_next().await? {
            let keys: Vec<Key> = page.iter().map(|item| item.slot().into()).collect();
            self.ports.table.delete_many(&keys).await?;
        }
        Ok(())
    }

    /// Counts and deletes a page of some partitions. False when no partition is left.
    async fn round(&self, turn: &mut Turn, partitions: &[(Kind, String)]) -> Result<bool, Stop> {
        let progress = &mut turn.purge.progress;
        progress.lanes.retain(|_, lane| !lane.is_last);
        while progress.lanes.len() < LANES && progress.begun < partitions.len() {
            progress.lanes.insert(progress.begun, Lane::default());
            progress.begun += 1;
        }
        if progress.lanes.is_empty() {
            return Ok(false);
        }
        let reads = progress.lanes.iter().filter_map(|(number, lane)| {
            let (_, pk) = partitions.get(*number)?;
            Some(self.slice(*number, Series::whole(pk.clone()), lane.up_to.clone()))
        });
        let slices: Vec<Slice> =
            stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(LANES).try_collect().await?;
        let is_empty = slices.iter().all(|slice| slice.keys.is_empty());
        for slice in &slices {
            note_slice(&mut turn.purge, slice, partitions);
        }
        if is_empty {
            return Ok(true); // a look at nothing need not be noted
        }
        self.note(turn, Commit::new()).await?;
        stream::iter(slices.iter().map(Ok))
            .try_for_each_concurrent(LANES, |slice| self.ports.table.delete_many(&slice.keys))
            .await?;
        Ok(true)
    }

    async fn slice(
        &self,
        number: usize,
        series: Series<Value>,
        after: Option<String>,
    ) -> Result<Slice, PortError> {
        let page = self.store.page(&series, after.as_deref(), PAGE).await?;
        let keys = page.documents.iter().map(|item| item.slot().into()).collect();
        Ok(Slice { number, keys, is_last: page.next.is_none() })
    }

    /// Counts and deletes what lies outside the partitions. False when the time is over before.
    async fn sweep_rest(&self, turn: &mut Turn) -> Result<bool, Stop> {
        let scope = turn.purge.scope;
        let mut objects: Vec<String> = Vec::new();
        for prefix in scope.object_prefixes() {
            let found = self.ports.objects.list(&prefix).await?;
            objects.extend(found.into_iter().map(|object| object.key));
        }
        let due_items = self.due_items(&turn.purge).await?;
        // A function in flight may have put the secret back with its renewed token.
        let has_secret = self.custody.has_secret(scope).await?;
        if !turn.purge.progress.counted_rest {
            let counts = turn.purge.counts();
            *counts.entry("objects".to_owned()).or_insert(0) += objects.len() as u64;
            *counts.entry("due items".to_owned()).or_insert(0) += due_items.len() as u64;
            *counts.entry("secrets".to_owned()).or_insert(0) += u64::from(has_secret);
            turn.purge.progress.counted_rest = true;
            self.note(turn, Commit::new()).await?;
        }
        self.ports.table.delete_many(&due_items).await?;
        if has_secret {
            self.custody.destroy(scope).await?;
        }
        let mut chunks = objects.chunks(OBJECTS).peekable();
        while let Some(chunk) = chunks.next() {
            self.ports.objects.delete(chunk).await?;
            if chunks.peek().is_some() && self.is_late() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The due items of the generation's steps, without the purge's own.
    async fn due_items(&self, purge: &Purge) -> Result<Vec<Key>, WorkError> {
        let steps = Outbox::new(self.ports.clone()).steps_of(purge.scope).await?;
        let is_own = |message: &Option<Message>| {
            matches!(message, Some(Message::Purge(PurgeMessage::Purge { .. })))
        };
        Ok(steps.into_iter().filter(|s| !is_own(&s.message)).map(|s| s.key).collect())
    }
}

/// Counts a slice, and moves its lane on.
fn note_slice(purge: &mut Purge, slice: &Slice, partitions: &[(Kind, String)]) {
    let Some((kind, _)) = partitions.get(slice.number) else { return };
    *purge.counts().entry(format!("items {}", kind.as_str())).or_insert(0) +=
        slice.keys.len() as u64;
    if let Some(lane) = purge.progress.lanes.get_mut(&slice.number) {
        lane.is_last = slice.is_last;
        if let Some(last) = slice.keys.last() {
            lane.up_to = Some(last.sk().to_owned());
        }
    }
}
