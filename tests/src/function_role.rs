//! A function's role around its ports: a call that the role in `template.yaml` does not allow fails
//! the test that it is made in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::ops::Range as Bytes;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use shared::kernel::{Event, Queue};
use shared::ports::{
    DataKeys, Events, Item, Key, KeyContext, ObjectStore, Outcome, Page, PortError, Ports,
    QueueDepth, QueueMessage, Queues, Range, Secrets, StoredObject, Table, VersionId, WrappedKey,
    Write,
};
use stack::{Call, StackOptions};
use zeroize::Zeroizing;

use crate::meter::{self, read_units};
use crate::permissions::{Grant, grants};
use crate::template::{functions, template, variables};

/// The name of the app's secret in a world.
pub(crate) const APP_SECRET: &str = "app";

/// The folder in which calls are left for `make permissions`, when this names one.
const FOLDER: &str = "CRM_SYNC_CALLS";

static GRANTS: LazyLock<BTreeSet<Grant>> = LazyLock::new(grants);

/// The calls that this process has seen, each of which is allowed.
static SEEN: Mutex<BTreeSet<Call>> = Mutex::new(BTreeSet::new());

/// The functions that know the app's secret.
static READS_APP: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let template = template();
    let known = functions(&template).into_iter();
    let known = known.filter(|(_, function)| variables(function).contains_key("APP_SECRET_ID"));
    known.map(|(name, _)| name.to_owned()).collect()
});

/// What a function's role allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FunctionRole(&'static str);

impl FunctionRole {
    /// The role of a function, by its folder's name.
    pub(crate) fn of(function: &'static str) -> Self {
        Self(function)
    }

    /// The role of the function that a queue feeds.
    pub(crate) fn of_queue(queue: Queue) -> Self {
        Self(match queue {
            Queue::Import => "bulk-import",
            Queue::Match => "match-shard",
            Queue::AutoSave => "auto-save",
            Queue::Writeback => "writeback",
            Queue::Care => "connection-care",
            Queue::Telling => "telling",
            Queue::Purge => "data-purge",
            Queue::Directory => "directory-index",
        })
    }

    /// The function's folder name.
    pub(crate) fn function(self) -> &'static str {
        self.0
    }

    /// Whether the function knows the app's secret.
    pub(crate) fn reads_app(self) -> bool {
        READS_APP.contains(self.0)
    }

    /// The ports as this role has them.
    pub(crate) fn hold(self, ports: &Ports) -> Ports {
        Ports {
            table: Arc::new(Held(ports.table.clone(), self)),
            queues: Arc::new(Held(ports.queues.clone(), self)),
            objects: Arc::new(Held(ports.objects.clone(), self)),
            secrets: Arc::new(Held(ports.secrets.clone(), self)),
            data_keys: Arc::new(Held(ports.data_keys.clone(), self)),
            events: Arc::new(Held(ports.events.clone(), self)),
            ..ports.clone()
        }
    }

    fn check(self, call: Call) {
        let call = call.by(self.0);
        let mut seen = SEEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.contains(&call) {
            return;
        }
        assert!(GRANTS.iter().any(|grant| grant.permits(&call)), "AWS would refuse {call:#?}");
        if let Some(folder) = std::env::var_os(FOLDER) {
            let mut file = std::path::PathBuf::from(folder);
            file.push(format!("flows-{}.jsonl", std::process::id()));
            let mut file = OpenOptions::new().append(true).create(true).open(file).expect("a file");
            let line = serde_json::to_string(&call).expect("a call");
            writeln!(file, "{line}").expect("a line");
        }
        seen.insert(call);
    }

    fn check_table<'a>(self, operation: &str, keys: impl IntoIterator<Item = &'a Key>) {
        let partitions = keys.into_iter().map(Key::pk);
        self.check(Call::of_table(operation, StackOptions::NAME, partitions));
    }

    fn check_write(self, write: &Write) {
        let operation = match write {
            Write::Put { .. } => "PutItem",
            Write::Update { .. } => "UpdateItem",
            Write::Delete { .. } => "DeleteItem",
            Write::Check { .. } => "ConditionCheckItem",
        };
        self.check_table(operation, [write.key()]);
    }

    fn check_secret(self, operation: &str, name: &str) {
        let name = if name == APP_SECRET { "app" } else { "connections/x" };
        let named = format!("{}/{name}", StackOptions::NAME);
        meter::add(self.0, "secret", 1, 0);
        for call in Call::of_secret(operation, &named) {
            if call.action.starts_with("kms:") {
                meter::add(self.0, "key", 1, 0);
            }
            self.check(call);
        }
    }

    fn check_key(self, operation: &str, context: &KeyContext) {
        let bound = [("purpose", context.purpose.as_str()), ("scope", &context.scope)];
        meter::add(self.0, "key", 1, 0);
        self.check(Call::of_key(operation, bound));
    }

    fn check_object(self, operation: &str, key: &str) {
        self.check(Call::of_object(operation, key));
    }

    /// Without the right to list, S3 says of an object that is not there that it is forbidden.
    fn check_read(self, key: &str) {
        self.check_object("GetObject", key);
        self.check(Call::of_bucket("ListBucket"));
    }
}

struct Held<P: ?Sized>(Arc<P>, FunctionRole);

#[async_trait]
impl Table for Held<dyn Table> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        self.1.check_table("GetItem", [key]);
        let found = self.0.get(key).await?;
        let units = found.as_ref().map_or(1, |item| read_units(meter::size(item)));
        meter::add(self.1.0, "table read", 1, units);
        Ok(found)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
        if !keys.is_empty() {
            self.1.check_table("BatchGetItem", keys);
        }
        let found = self.0.get_many(keys).await?;
        let units: usize = found.iter().map(|item| read_units(meter::size(item))).sum();
        let missing = keys.len().saturating_sub(found.len());
        meter::add(self.1.0, "table read", keys.len().div_ceil(100), units + missing);
        Ok(found)
    }

    async fn query(
        &self,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError> {
        self.1.check(Call::of_table("Query", StackOptions::NAME, [pk]));
        let page = self.0.query(pk, range, after, limit).await?;
        let bytes = page.items.iter().map(meter::size).sum();
        meter::add(self.1.0, "table read", 1, read_units(bytes));
        Ok(page)
    }

    async fn write(&self, write: Write) -> Result<Outcome, PortError> {
        self.1.check_write(&write);
        if !meter::is_on() {
            return self.0.write(write).await;
        }
        let (as_transaction, about) = (!write.is_repeatable(), [write.clone()]);
        let before = meter::sizes(&*self.0, &about).await;
        let outcome = self.0.write(write).await?;
        let after = meter::sizes(&*self.0, &about).await;
        meter::add_writes(self.1.0, &before, &after, as_transaction);
        Ok(outcome)
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        for write in &writes {
            self.1.check_write(write);
        }
        if !meter::is_on() {
            return self.0.transact(writes).await;
        }
        let about = writes.clone();
        let before = meter::sizes(&*self.0, &about).await;
        let outcome = self.0.transact(writes).await?;
        let after = meter::sizes(&*self.0, &about).await;
        meter::add_writes(self.1.0, &before, &after, true);
        Ok(outcome)
    }

    async fn transact_each(
        &self,
        transactions: Vec<Vec<Write>>,
    ) -> Result<Vec<Outcome>, PortError> {
        if meter::is_on() {
            let mut outcomes = Vec::with_capacity(transactions.len());
            for writes in transactions {
                outcomes.push(self.transact(writes).await?);
                if outcomes.last().is_some_and(|outcome| !outcome.is_done()) {
                    break;
                }
            }
            return Ok(outcomes);
        }
        for write in transactions.iter().flatten() {
            self.1.check_write(write);
        }
        self.0.transact_each(transactions).await
    }

    async fn put_many(&self, items: Vec<Item>) -> Result<(), PortError> {
        if !items.is_empty() {
            self.1.check_table("BatchWriteItem", items.iter().map(|item| &item.key));
        }
        let units = items.iter().map(|item| meter::size(item).div_ceil(1024)).sum();
        meter::add(self.1.0, "table write", items.len().div_ceil(25), units);
        self.0.put_many(items).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError> {
        if !keys.is_empty() {
            self.1.check_table("BatchWriteItem", keys);
        }
        if meter::is_on() {
            let found = self.0.get_many(keys).await?;
            let units = found.iter().map(|item| meter::size(item).div_ceil(1024)).sum::<usize>();
            let missing = keys.len().saturating_sub(found.len());
            meter::add(self.1.0, "table write", keys.len().div_ceil(25), units + missing);
        }
        self.0.delete_many(keys).await
    }

    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, PortError> {
        if meter::is_on() {
            let mut outcomes = Vec::with_capacity(writes.len());
            for write in writes {
                outcomes.push(self.write(write).await?);
            }
            return Ok(outcomes);
        }
        for write in &writes {
            self.1.check_write(write);
        }
        self.0.write_each(writes).await
    }
}

#[async_trait]
impl Queues for Held<dyn Queues> {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), PortError> {
        for message in &messages {
            let name = format!("{}-{}", StackOptions::NAME, message.queue);
            self.1.check(Call::of_queue("SendMessage", &name));
        }
        for queue in Queue::ALL {
            let sizes = messages.iter().filter(|message| message.queue == queue);
            let sizes: Vec<usize> = sizes.map(|message| message.body.len()).collect();
            for chunk in sizes.chunks(10) {
                let bytes: usize = chunk.iter().sum();
                meter::add(self.1.0, "queue send", 1, bytes.div_ceil(64 * 1024).max(1));
            }
        }
        self.0.send(messages).await
    }

    async fn depths(&self) -> Result<BTreeMap<Queue, QueueDepth>, PortError> {
        for queue in Queue::ALL {
            let name = format!("{}-{queue}", StackOptions::NAME);
            self.1.check(Call::of_queue("GetQueueAttributes", &name));
            self.1.check(Call::of_queue("GetQueueUrl", &format!("{name}-dead")));
        }
        self.0.depths().await
    }
}

#[async_trait]
impl ObjectStore for Held<dyn ObjectStore> {
    async fn put(&self, key: &str, body: bytes::Bytes) -> Result<(), PortError> {
        self.1.check_object("PutObject", key);
        // What is large goes in parts, which are taken back when one of them fails.
        self.1.check_object("AbortMultipartUpload", key);
        meter::add(self.1.0, "object put", 1, body.len());
        self.0.put(key, body).await
    }

    async fn get(&self, key: &str) -> Result<Option<bytes::Bytes>, PortError> {
        self.1.check_read(key);
        let found = self.0.get(key).await?;
        meter::add(self.1.0, "object get", 1, found.as_ref().map_or(0, bytes::Bytes::len));
        Ok(found)
    }

    async fn get_range(&self, key: &str, range: Bytes<u64>) -> Result<bytes::Bytes, PortError> {
        self.1.check_read(key);
        let found = self.0.get_range(key, range).await?;
        meter::add(self.1.0, "object get", 1, found.len());
        Ok(found)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredObject>, PortError> {
        self.1.check(Call::of_bucket("ListBucket"));
        let found = self.0.list(prefix).await?;
        meter::add(self.1.0, "object list", found.len().div_ceil(1_000).max(1), 0);
        Ok(found)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), PortError> {
        for key in keys {
            self.1.check_object("DeleteObject", key);
        }
        self.0.delete(keys).await
    }

    async fn presign_put(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        self.1.check_object("PutObject", key);
        self.0.presign_put(key, valid).await
    }

    async fn presign_get(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        self.1.check_object("GetObject", key);
        self.0.presign_get(key, valid).await
    }
}

#[async_trait]
impl Secrets for Held<dyn Secrets> {
    async fn put(
        &self,
        name: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<VersionId, PortError> {
        self.1.check_secret("PutSecretValue", name);
        if self.0.newest(name).await?.is_none() {
            self.1.check_secret("CreateSecret", name);
        }
        self.0.put(name, value, token).await
    }

    async fn get(
        &self,
        name: &str,
        version: &VersionId,
    ) -> Result<Option<SecretString>, PortError> {
        self.1.check_secret("GetSecretValue", name);
        self.0.get(name, version).await
    }

    async fn newest(&self, name: &str) -> Result<Option<(VersionId, SecretString)>, PortError> {
        self.1.check_secret("GetSecretValue", name);
        self.0.newest(name).await
    }

    async fn destroy(&self, name: &str) -> Result<(), PortError> {
        self.1.check_secret("DeleteSecret", name);
        self.0.destroy(name).await
    }
}

#[async_trait]
impl DataKeys for Held<dyn DataKeys> {
    async fn generate(
        &self,
        context: &KeyContext,
    ) -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError> {
        self.1.check_key("GenerateDataKey", context);
        self.0.generate(context).await
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &KeyContext,
    ) -> Result<Zeroizing<[u8; 32]>, PortError> {
        self.1.check_key("Decrypt", context);
        self.0.unwrap(wrapped, context).await
    }
}

#[async_trait]
impl Events for Held<dyn Events> {
    async fn publish(&self, event: &Event) -> Result<(), PortError> {
        meter::add(self.1.0, "event", 1, 0);
        self.1.check(Call::of_bus("default", Event::SOURCE));
        self.0.publish(event).await
    }
}
