//! Counting and deleting everything of a generation, and the last look at it.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt;
use serde_json::Value;

use super::Disconnect;
use crate::capabilities::leaving::Purge;
use crate::kernel::{Message, PurgeMessage};
use crate::ports::{Key, PortError};
use crate::store::keys::GenerationKeys;
use crate::store::{Outbox, Series};
use crate::work::WorkError;

impl Disconnect {
    /// The number of things that the generation has, by store and kind.
    pub(super) async fn count(&self, purge: &Purge) -> Result<BTreeMap<String, u64>, WorkError> {
        let mut counts = BTreeMap::new();
        for (kind, contents) in GenerationKeys::of(&purge.connection).contents() {
            let items = self.keys_of(contents).await?.len() as u64;
            *counts.entry(format!("items {}", kind.as_str())).or_insert(0) += items;
        }
        let objects = self.ports.objects.list(&purge.scope.object_prefix()).await?;
        counts.insert("objects".to_owned(), objects.len() as u64);
        counts.insert("due items".to_owned(), self.due_items(purge).await?.len() as u64);
        let secret = self.custody.secret(purge.scope).await?;
        counts.insert("secrets".to_owned(), u64::from(secret.is_some()));
        Ok(counts)
    }

    /// Deletes everything, the data key last: without it, the rest could not be told from noise.
    pub(super) async fn sweep(&self, purge: &Purge) -> Result<(), WorkError> {
        for (_, contents) in GenerationKeys::of(&purge.connection).contents() {
            let items = self.keys_of(contents).await?;
            self.ports.table.delete_many(&items).await?;
        }
        let objects = self.ports.objects.list(&purge.scope.object_prefix()).await?;
        let objects: Vec<String> = objects.into_iter().map(|object| object.key).collect();
        self.ports.objects.delete(&objects).await?;
        self.ports.table.delete_many(&self.due_items(purge).await?).await?;
        self.custody.destroy(purge.scope).await
    }

    /// Sweeps what a function in flight left, counts, and ends the purge when nothing is left.
    /// Gives the wait before the next look.
    pub(super) async fn verify(&self, purge: &mut Purge) -> Result<Duration, WorkError> {
        let late = self.count(purge).await?;
        if late.values().any(|n| *n > 0) {
            self.sweep(purge).await?;
        }
        purge.verified(self.count(purge).await?, self.ports.clock.now());
        Ok(if purge.completed_at.is_some() { Duration::ZERO } else { self.grace })
    }

    /// The due items of the generation's steps, without the purge's own.
    async fn due_items(&self, purge: &Purge) -> Result<Vec<Key>, WorkError> {
        let steps = Outbox::new(self.ports.clone()).steps_of(purge.scope).await?;
        let is_own = |message: &Option<Message>| {
            matches!(message, Some(Message::Purge(PurgeMessage::Purge { .. })))
        };
        Ok(steps.into_iter().filter(|s| !is_own(&s.message)).map(|s| s.key).collect())
    }

    async fn keys_of(&self, contents: Series<Value>) -> Result<Vec<Key>, PortError> {
        let mut keys = Vec::new();
        let mut pages = pin!(self.store.pages(contents));
        while let Some(page) = pages.try_next().await? {
            keys.extend(page.iter().map(|item| Key::from(item.slot())));
        }
        Ok(keys)
    }
}
