//! The secrets that a process keeps, and not for long.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A key or a credential may be used for this long after it was read. A process notices within this
/// time that one was rotated or disabled.
const TTL: SignedDuration = SignedDuration::from_mins(5);

/// Secrets that were read in the last five minutes. Clones share them.
#[derive(Clone)]
pub(crate) struct TtlCache<K, V>(Arc<Mutex<HashMap<K, (V, Timestamp)>>>);

impl<K, V> Default for TtlCache<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash, V: Clone> TtlCache<K, V> {
    /// The value under the key, if it may be used at `now`. Each look drops whatever may not be
    /// used any more, under whatever key.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let mut entries = self.entries();
        entries.retain(|_, (_, until)| *until > now);
        entries.get(key).map(|(value, _)| value.clone())
    }

    /// Keeps a value that was read at `now`, and drops those that may not be used any more.
    pub(crate) fn insert(&self, key: K, value: V, now: Timestamp) {
        let mut entries = self.entries();
        entries.retain(|_, (_, until)| *until > now);
        entries.insert(key, (value, now + TTL));
    }

    /// Drops the value under the key.
    pub(crate) fn remove(&self, key: &K) {
        self.entries().remove(key);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, (V, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_be_used_for_five_minutes_and_is_then_dropped() {
        let read = Timestamp::UNIX_EPOCH;
        let (cache, last) = (TtlCache::default(), read + TTL - SignedDuration::from_secs(1));
        cache.insert("a", 1, read);
        assert_eq!(cache.clone().get(&"a", last), Some(1));
        assert_eq!(cache.get(&"a", read + TTL), None);
        assert!(cache.entries().is_empty(), "a look drops what is over");
        cache.insert("a", 1, read);
        assert_eq!(cache.get(&"another", read + TTL), None);
        assert!(cache.entries().is_empty(), "whatever is looked for");
        cache.insert("a", 1, read);
        cache.insert("b", 2, read + TTL);
        assert!(!cache.entries().contains_key("a"), "a value that is over is not kept");
        cache.remove(&"b");
        assert_eq!(cache.get(&"b", read + TTL), None);
    }
}
