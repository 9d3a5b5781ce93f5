//! Death at a chosen call. A fuse counts the calls to all ports; at the chosen one the process
//! dies, just before or just after the call's effect, and every later call fails until it is
//! started again. Refusals, as of a throttled service. And steps: a process that may be let through
//! its calls one by one, so that a test decides how several interleave.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::channel::oneshot;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::kernel::{Event, Queue};
use crate::ports::{
    DataKeys, Events, Item, Key, KeyContext, ObjectStore, Outcome, Page, PortError, Ports,
    QueueDepth, QueueMessage, Queues, Range as SortKeys, Secrets, StoredObject, Table, VersionId,
    WrappedKey, Write,
};

/// The process died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("killed")]
pub struct Killed;

#[derive(Debug, Default)]
struct State {
    calls: u64,
    /// Dies at this call; `true`: after its effect.
    dies_at: Option<(u64, bool)>,
    dead: bool,
    paused: bool,
    /// Refuses one in so many calls, and how often still.
    refuses: Option<(u64, u64)>,
    gates: Option<UnboundedSender<Gate>>,
}

/// The service takes no more calls for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("throttled")]
pub(super) struct Throttled;

/// A call that waits to be let through, by sending to it.
pub type Gate = oneshot::Sender<()>;

/// Counts calls and kills at one of them.
#[derive(Debug, Clone, Default)]
pub struct Fuse(Arc<Mutex<State>>);

impl Fuse {
    /// Lights the fuse: death at the `n`th call from now (from 1), after its effect or before.
    pub fn light(&self, n: u64, after_effect: bool) {
        let mut state = self.state();
        state.dead = false;
        state.dies_at = Some((state.calls + n, after_effect));
    }

    /// Starts the process again, if it is dead; a death that is still to come comes.
    pub fn restart(&self) {
        let mut state = self.state();
        if state.dead {
            state.dead = false;
            state.dies_at = None;
        }
    }

    /// From now on every call waits before its effect, until the gate that the receiver gets of it
    /// is opened or dropped.
    #[must_use]
    pub fn gates(&self) -> UnboundedReceiver<Gate> {
        let (sender, receiver) = unbounded();
        self.state().gates = Some(sender);
        receiver
    }

    /// Waits to be let through.
    async fn gate(&self) {
        let (gate, opened) = oneshot::channel();
        let waits = self.state().gates.as_ref().is_some_and(|g| g.unbounded_send(gate).is_ok());
        if waits {
            // A dropped gate is an open one.
            let _ = opened.await;
        }
    }

    /// Refuses about one in so many calls from now on, before their effect, as a throttled service
    /// does, until so many were refused. The same calls are refused each time.
    pub fn refuse(&self, one_in: u64, times: u64) {
        self.state().refuses = Some((one_in, times));
    }

    /// True if every call that was to be refused has been.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        self.state().refuses.is_some_and(|(_, left)| left == 0)
    }

    /// Lets calls pass without counting them: what is done now is not the process's.
    pub fn pause(&self) {
        self.state().paused = true;
    }

    /// Counts again.
    pub fn resume(&self) {
        self.state().paused = false;
    }

    /// Calls counted so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// True if the process is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// The same ports behind this fuse.
    #[must_use]
    pub fn guard(&self, ports: &Ports) -> Ports {
        Ports {
            table: Arc::new(Guarded(ports.table.clone(), self.clone())),
            queues: Arc::new(Guarded(ports.queues.clone(), self.clone())),
            objects: Arc::new(Guarded(ports.objects.clone(), self.clone())),
            secrets: Arc::new(Guarded(ports.secrets.clone(), self.clone())),
            data_keys: Arc::new(Guarded(ports.data_keys.clone(), self.clone())),
            events: Arc::new(Guarded(ports.events.clone(), self.clone())),
            clock: ports.clock.clone(),
            entropy: ports.entropy.clone(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call<T>(
        &self,
        action: &'static str,
        effect: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        let killed = || PortError::retry(action, Killed);
        self.gate().await;
        let dies = {
            let mut state = self.state();
            if state.paused {
                None
            } else if state.dead {
                return Err(killed());
            } else {
                state.calls += 1;
                let call = state.calls;
                if let Some((one_in, left)) = &mut state.refuses
                    && *left > 0
                    && is_chosen(call, *one_in)
                {
                    *left -= 1;
                    return Err(PortError::retry(action, Throttled));
                }
                match state.dies_at {
                    Some((n, after)) if n == state.calls => {
                        state.dead = true;
                        Some(after)
                    }
                    _ => None,
                }
            }
        };
        match dies {
            Some(false) => Err(killed()),
            Some(true) => {
                effect.await?;
                Err(killed())
            }
            None => effect.await,
        }
    }
}

/// True for one in so many calls, which follow no rhythm.
fn is_chosen(call: u64, one_in: u64) -> bool {
    (call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).is_multiple_of(one_in)
}

struct Guarded<P: ?Sized>(Arc<P>, Fuse);

#[async_trait]
impl Table for Guarded<dyn Table> {
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
        self.1.call("get an item", self.0.get(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
        self.1.call("get items", self.0.get_many(keys)).await
    }

    async fn query(
        &self,
        pk: &str,
        range: &SortKeys,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError> {
        self.1.call("query", self.0.query(pk, range, after, limit)).await
    }

    async fn write(&self, write: Write) -> Result<Outcome, PortError> {
        self.1.call("write an item", self.0.write(write)).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
        self.1.call("write a transaction", self.0.transact(writes)).await
    }

    async fn put_many(&self, items: Vec<Item>) -> Result<(), PortError> {
        self.1.call("put items", self.0.put_many(items)).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError> {
        self.1.call("delete items", self.0.delete_many(keys)).await
    }
}

#[async_trait]
impl Queues for Guarded<dyn Queues> {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), PortError> {
        self.1.call("send messages", self.0.send(messages)).await
    }

    async fn depths(&self) -> Result<BTreeMap<Queue, QueueDepth>, PortError> {
        self.1.call("look at the queues", self.0.depths()).await
    }
}

#[async_trait]
impl Events for Guarded<dyn Events> {
    async fn publish(&self, event: &Event) -> Result<(), PortError> {
        self.1.call("publish an event", self.0.publish(event)).await
    }
}

#[async_trait]
impl ObjectStore for Guarded<dyn ObjectStore> {
    async fn put(&self, key: &str, body: Bytes) -> Result<(), PortError> {
        self.1.call("put an object", self.0.put(key, body)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, PortError> {
        self.1.call("get an object", self.0.get(key)).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, PortError> {
        self.1.call("get an object", self.0.get_range(key, range)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredObject>, PortError> {
        self.1.call("list objects", self.0.list(prefix)).await
    }

    async fn delete(&self, keys: &[String]) -> Result<(), PortError> {
        self.1.call("delete objects", self.0.delete(keys)).await
    }

    async fn presign_put(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        self.1.call("presign", self.0.presign_put(key, valid)).await
    }

    async fn presign_get(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        self.1.call("presign", self.0.presign_get(key, valid)).await
    }
}

#[async_trait]
impl Secrets for Guarded<dyn Secrets> {
    async fn put(
        &self,
        name: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<VersionId, PortError> {
        self.1.call("put a secret", self.0.put(name, value, token)).await
    }

    async fn get(
        &self,
        name: &str,
        version: &VersionId,
    ) -> Result<Option<SecretString>, PortError> {
        self.1.call("get a secret", self.0.get(name, version)).await
    }

    async fn newest(&self, name: &str) -> Result<Option<(VersionId, SecretString)>, PortError> {
        self.1.call("get a secret", self.0.newest(name)).await
    }

    async fn destroy(&self, name: &str) -> Result<(), PortError> {
        self.1.call("destroy a secret", self.0.destroy(name)).await
    }
}

#[async_trait]
impl DataKeys for Guarded<dyn DataKeys> {
    async fn generate(
        &self,
        context: &KeyContext,
    ) -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError> {
        self.1.call("make a data key", self.0.generate(context)).await
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &KeyContext,
    ) -> Result<Zeroizing<[u8; 32]>, PortError> {
        self.1.call("unwrap a data key", self.0.unwrap(wrapped, context)).await
    }
}
