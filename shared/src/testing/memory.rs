//! The ports in memory, with the promises of the real ones: consistent reads, conditional writes,
//! all-or-nothing transactions, queues that hold messages until the test takes them.

mod data_keys;
mod queues;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use self::queues::Held;
pub use self::queues::ParkedMessage;
use super::clock::{ManualClock, SeededEntropy};
use crate::kernel::Event;
use crate::ports::{
    Change, Events, Item, Key, ObjectStore, Outcome, Page, PortError, Ports, Range as SortKeys,
    Secrets, StoredObject, Table, VersionId, Write, transaction_fault,
};

/// Secrets by name: version and value, oldest first.
type SecretVersions = BTreeMap<String, Vec<(String, String)>>;

/// All ports in memory.
#[derive(Clone)]
pub struct Memory {
    items: Arc<Mutex<BTreeMap<Key, Item>>>,
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    queues: Arc<Mutex<Held>>,
    secrets: Arc<Mutex<SecretVersions>>,
    events: Arc<Mutex<Vec<Event>>>,
    secrets_hidden: Arc<AtomicBool>,
    key_disabled: Arc<AtomicBool>,
    key_service_down: Arc<AtomicBool>,
    /// The clock of these ports.
    pub clock: ManualClock,
    entropy: Arc<SeededEntropy>,
    watcher: Arc<OnceLock<Watcher>>,
}

/// Sees what is written: where, and the bytes.
type Watcher = Box<dyn Fn(&str, &[u8]) + Send + Sync>;

impl Memory {
    /// Empty ports, at `now`, with the randomness of `seed`.
    #[must_use]
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            items: Arc::default(),
            objects: Arc::default(),
            queues: Arc::default(),
            secrets: Arc::default(),
            events: Arc::default(),
            secrets_hidden: Arc::default(),
            key_disabled: Arc::default(),
            key_service_down: Arc::default(),
            clock: ManualClock::at(now),
            entropy: Arc::new(SeededEntropy::new(seed)),
            watcher: Arc::default(),
        }
    }

    /// Shows every item, object, message and event that is written from now on to `watcher`: where
    /// it goes and its bytes. Secrets are for secrets and are not shown. Only the first watcher
    /// counts.
    pub fn watch(&self, watcher: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        let _ = self.watcher.set(Box::new(watcher));
    }

    fn show(&self, place: &str, bytes: &[u8]) {
        if let Some(watcher) = self.watcher.get() {
            watcher(place, bytes);
        }
    }

    fn show_write(&self, write: &Write) {
        let key = write.key();
        let place = format!("item {} {}", key.pk(), key.sk());
        self.show(&place, place.as_bytes());
        match write {
            Write::Put { item, .. } => self.show_item(item),
            Write::Update { changes, .. } => {
                for change in changes {
                    match change {
                        Change::Set(name, value) => {
                            self.show(&format!("{place} {name}"), value.to_string().as_bytes());
                        }
                        Change::Body(body) => self.show(&place, body),
                        Change::Add(..) | Change::Remove(_) | Change::Until(_) => {}
                    }
                }
            }
            Write::Delete { .. } | Write::Check { .. } => {}
        }
    }

    fn show_item(&self, item: &Item) {
        let place = format!("item {} {}", item.key.pk(), item.key.sk());
        for (name, value) in &item.doc {
            self.show(&format!("{place} {name}"), value.to_string().as_bytes());
        }
        self.show(&place, item.body.as_deref().unwrap_or_default());
    }

    /// These ports as use cases take them.
    #[must_use]
    pub fn ports(&self) -> Ports {
        Ports {
            table: Arc::new(self.clone()),
            queues: Arc::new(self.clone()),
            objects: Arc::new(self.clone()),
            secrets: Arc::new(self.clone()),
            data_keys: Arc::new(self.clone()),
            events: Arc::new(self.clone()),
            clock: Arc::new(self.clock.clone()),
            entropy: self.entropy.clone(),
        }
    }

    /// Shows no secret, as a store does that has not caught up with what was written; or shows them
    /// again.
    pub fn hide_secrets(&self, hidden: bool) {
        self.secrets_hidden.store(hidden, Ordering::Relaxed);
    }

    /// Every item, in key order.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        lock(&self.items).values().cloned().collect()
    }

    /// Every event that was told, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    /// The keys of all objects.
    #[must_use]
    pub fn object_keys(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }

    /// The names of all secrets.
    #[must_use]
    pub fn secret_names(&self) -> Vec<String> {
        lock(&self.secrets).keys().cloned().collect()
    }

    /// The versions of the secrets whose names begin with `prefix`.
    #[must_use]
    pub fn secret_versions(&self, prefix: &str) -> Vec<String> {
        let secrets = lock(&self.secrets);
        let of = secrets.iter().filter(|(name, _)| name.starts_with(prefix));
        of.flat_map(|(_, versions)| versions.iter().map(|(id, _)| id.clone())).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn apply(items: &mut BTreeMap<Key, Item>, write: Write) {
    match write {
        Write::Put { item, .. } => {
            items.insert(item.key.clone(), item);
        }
        Write::Delete { key, .. } => {
            items.remove(&key);
        }
        Write::Check { .. } => {}
        Write::Update { key, changes, .. } => {
            let item = items.entry(key.clone()).or_insert_with(|| Item::empty(key));
            for change in changes {
                change.apply(item);
            }
        }
    }
}

#[async_trait]
impl Table for Memory {
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        Ok(lock(&self.items).get(key).cloned())
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
        let items = lock(&self.items);
        let keys: BTreeSet<&Key> = keys.iter().collect();
        Ok(keys.into_iter().filter_map(|key| items.get(key).cloned()).collect())
    }

    async fn query(
        &self,
        pk: &str,
        range: &SortKeys,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError> {
        let within = |sk: &str| match range {
            SortKeys::All => true,
            SortKeys::Prefix(prefix) => sk.starts_with(prefix.as_str()),
            SortKeys::UpTo(last) => sk <= last.as_str(),
        };
        let items = lock(&self.items);
        let begin = Key::stored(pk.to_owned(), after.unwrap_or_default().to_owned());
        let begin = if after.is_some() { Bound::Excluded(begin) } else { Bound::Included(begin) };
        let mut found: Vec<Item> = items
            .range((begin, Bound::Unbounded))
            .map(|(_, item)| item)
            .take_while(|i| i.key.pk() == pk)
            .filter(|i| within(i.key.sk()))
            .take(limit + 1)
            .cloned()
            .collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = more.then(|| found.last().map(|i| i.key.sk().to_owned())).flatten();
        Ok(Page { items: found, next })
    }

    async fn write(&self, write: Write) -> Result<Outcome, PortError> {
        self.transact(vec![write]).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        if let Some(fault) = transaction_fault(&writes) {
            return Err(fault);
        }
        let mut items = lock(&self.items);
        let refused: Vec<usize> = writes
            .iter()
            .enumerate()
            .filter(|(_, write)| !write.when().holds(items.get(write.key())))
            .map(|(place, _)| place)
            .collect();
        if !refused.is_empty() {
            return Ok(Outcome::Refused(refused));
        }
        for write in writes {
            self.show_write(&write);
            apply(&mut items, write);
        }
        Ok(Outcome::Done)
    }

    async fn put_many(&self, new: Vec<Item>) -> Result<(), PortError> {
        for item in &new {
            self.show_item(item);
        }
        let mut items = lock(&self.items);
        items.extend(new.into_iter().map(|item| (item.key.clone(), item)));
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError> {
        let mut items = lock(&self.items);
        for key in keys {
            items.remove(key);
        }
        Ok(())
    }
}

#[async_trait]
impl Events for Memory {
    async fn publish(&self, event: &Event) -> Result<(), PortError> {
        self.show("event", event.to_cloud_event().to_string().as_bytes());
        lock(&self.events).push(event.clone());
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for Memory {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), PortError> {
        self.show(&format!("object {key}"), &body);
        lock(&self.objects).insert(key.to_owned(), body);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        Ok(lock(&self.objects).get(key).cloned())
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, PortError> {
        let objects = lock(&self.objects);
        let body = objects.get(key);
        let start = usize::try_from(range.start).ok();
        let end = usize::try_from(range.end).ok();
        body.zip(start.zip(end))
            .filter(|(body, (start, end))| start <= end && *end <= body.len())
            .map(|(body, (start, end))| body.slice(start..end))
            .ok_or_else(|| PortError::reject("get part of an object", "no such object or range"))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredObject>, PortError> {
        let objects = lock(&self.objects);
        Ok(objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, body)| StoredObject { key: key.clone(), size: body.len() as u64 })
            .collect())
    }

    async fn delete(&self, keys: &[String]) -> Result<(), PortError> {
        let mut objects = lock(&self.objects);
        for key in keys {
            objects.remove(key);
        }
        Ok(())
    }

    async fn presign_put(&self, key: &str, _valid: Duration) -> Result<String, PortError> {
        Ok(format!("memory:{key}"))
    }

    async fn presign_get(&self, key: &str, _valid: Duration) -> Result<String, PortError> {
        Ok(format!("memory:{key}"))
    }
}

#[async_trait]
impl Secrets for Memory {
    async fn put(
        &self,
        name: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<VersionId, PortError> {
        let mut secrets = lock(&self.secrets);
        let versions = secrets.entry(name.to_owned()).or_default();
        if !versions.iter().any(|(version, _)| version == token) {
            versions.push((token.to_owned(), value.expose_secret().to_owned()));
            // Only the current and the previous version can be read.
            let old = versions.len().saturating_sub(2);
            versions.drain(..old);
        }
        Ok(VersionId(token.to_owned()))
    }

    async fn get(
        &self,
        name: &str,
        version: &VersionId,
    ) -> Result<Option<SecretString>, PortError> {
        if self.secrets_hidden.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let secrets = lock(&self.secrets);
        let versions = secrets.get(name).map(Vec::as_slice).unwrap_or_default();
        Ok(versions.iter().find(|(v, _)| *v == version.0).map(|(_, value)| value.clone().into()))
    }

    async fn newest(&self, name: &str) -> Result<Option<(VersionId, SecretString)>, PortError> {
        if self.secrets_hidden.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let secrets = lock(&self.secrets);
        let newest = secrets.get(name).and_then(|versions| versions.last());
        Ok(newest.map(|(version, value)| (VersionId(version.clone()), value.clone().into())))
    }

    async fn destroy(&self, name: &str) -> Result<(), PortError> {
        lock(&self.secrets).remove(name);
        Ok(())
    }
}
