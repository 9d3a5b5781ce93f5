//! Unguessable texts that are the same in every run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::sync::lock;

/// Unguessable texts, the same in every run with the same seed.
pub(crate) struct Random {
    seed: u64,
    counter: AtomicU64,
    /// Stands at the beginning of every text that is a secret.
    mark: Mutex<String>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: AtomicU64::new(0), mark: Mutex::default() }
    }

    /// Marks the secrets made from now on.
    pub(crate) fn mark(&self, mark: &str) {
        mark.clone_into(&mut lock(&self.mark));
    }

    /// A token or a code: as [`Random::text`], with the mark.
    pub(crate) fn token(&self, length: usize) -> String {
        let mut token = lock(&self.mark).clone();
        token.push_str(&self.text(length.saturating_sub(token.len())));
        token
    }

    /// `length` characters of the alphabet that tokens use.
    pub(crate) fn text(&self, length: usize) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
        let mut out = String::with_capacity(length + 32);
        while out.len() < length {
            let n = self.counter.fetch_add(1, Ordering::Relaxed);
            let digest = Sha256::digest([self.seed.to_le_bytes(), n.to_le_bytes()].concat());
            out.extend(digest.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 64)])));
        }
        out.truncate(length);
        out
    }
}
