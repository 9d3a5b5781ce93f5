//! Data keys in memory.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::Memory;
use crate::ports::{DataKeys, Disposition, Entropy, KeyContext, PortError, WrappedKey};

impl Memory {
    /// Disables the key that wraps data keys, or enables it again.
    pub fn disable_key(&self, disabled: bool) {
        self.key_disabled.store(disabled, Ordering::Relaxed);
    }

    /// Lets the key service answer nothing, or answer again.
    pub fn lose_key_service(&self, down: bool) {
        self.key_service_down.store(down, Ordering::Relaxed);
    }
}

/// The change that the key in memory makes to a data key: enough to tell contexts apart.
fn mask(context: &KeyContext) -> [u8; 32] {
    *blake3::keyed_hash(&[7; 32], context.to_string().as_bytes()).as_bytes()
}

/// Tells whether a key was wrapped under a context.
fn tag(context: &KeyContext) -> [u8; 32] {
    *blake3::hash(context.to_string().as_bytes()).as_bytes()
}

#[async_trait]
impl DataKeys for Memory {
    async fn generate(
        &self,
        context: &KeyContext,
    ) -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError> {
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut *key);
        let mut wrapped: Vec<u8> = key.iter().zip(mask(context)).map(|(k, m)| k ^ m).collect();
        wrapped.extend_from_slice(&tag(context));
        Ok((key, WrappedKey(wrapped)))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &KeyContext,
    ) -> Result<Zeroizing<[u8; 32]>, PortError> {
        if self.key_service_down.load(Ordering::Relaxed) {
            return Err(PortError::retry("unwrap a data key", "no answer"));
        }
        if self.key_disabled.load(Ordering::Relaxed) {
            return Err(PortError {
                action: "unwrap a data key",
                disposition: Disposition::Pause,
                source: "the key is disabled".into(),
            });
        }
        let refused = || PortError::reject("unwrap a data key", "wrong context or wrapped key");
        let (key, wrapped_under) = wrapped.0.split_at_checked(32).ok_or_else(refused)?;
        if wrapped_under != tag(context) {
            return Err(refused());
        }
        let mut plain = Zeroizing::new([0; 32]);
        for ((plain, k), m) in plain.iter_mut().zip(key).zip(mask(context)) {
            *plain = k ^ m;
        }
        Ok(plain)
    }
}
