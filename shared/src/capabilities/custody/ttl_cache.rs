//! What a process keeps of secrets, and not for long.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How long a key or a credential may be used after it was read: a rotated or disabled one is noticed within this time.
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
    /// What is kept under the key and may be used at `now`.
    pub(crate) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        self.entries().get(key).filter(|(_, until)| *until > now).map(|(value, _)| value.clone())
    }

    /// Keeps what was read at `now`, and drops what may not be used any more.
    pub(crate) fn insert(&self, key: K, value: V, now: Timestamp) {
        let mut entries = self.entries();
        entries.retain(|_, (_, until)| *until > now);
        entries.insert(key, (value, now + TTL));
    }

    /// Drops what is kept under the key.
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
        cache.insert("b", 2, read + TTL);
        assert!(!cache.entries().contains_key("a"), "what is over is not even held");
        cache.remove(&"b");
        assert_eq!(cache.get(&"b", read + TTL), None);
    }
}
