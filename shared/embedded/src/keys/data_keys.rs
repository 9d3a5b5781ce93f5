//! Data keys wrapped under the master key.
//!
//! The wrapped form: one byte of version, eight of the master key's id, the sealed data key.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use shared::ports::{DataKeys, Disposition, Entropy, KeyContext, PortError, WrappedKey};
use shared::seal::{SealError, Sealer};
use zeroize::Zeroizing;

use super::{KeyId, MasterKey};

const VERSION: u8 = 1;

/// The place that a data key is sealed for. Other things under the master key have others.
fn place(context: &KeyContext) -> String {
    format!("data key|{context}")
}

/// The port [`DataKeys`] under a master key and those that it replaced.
#[derive(Clone)]
pub struct LocalDataKeys {
    ring: Arc<RwLock<Ring>>,
    entropy: Arc<dyn Entropy>,
}

/// The master keys that open data keys.
struct Ring {
    current: KeyId,
    /// The current one and the retired ones.
    sealers: Vec<(KeyId, Sealer)>,
}

impl Ring {
    fn sealer(&self, id: KeyId) -> Option<&Sealer> {
        self.sealers.iter().find(|(known, _)| *known == id).map(|(_, sealer)| sealer)
    }
}

fn sealer(master: &MasterKey) -> (KeyId, Sealer) {
    (master.id(), Sealer::new(&master.derive("data keys")))
}

/// Why a data key does not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum UnwrapError {
    #[error("not a wrapped data key of a known version")]
    Form,
    #[error("it was wrapped under the master key {0}, which is not known here")]
    Unknown(KeyId),
    #[error("the wrapped key holds no 256-bit key")]
    NoKey,
}

impl LocalDataKeys {
    /// Wraps under `current`, and unwraps under `retired` too.
    pub(super) fn new(
        current: &MasterKey,
        retired: &[MasterKey],
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let sealers = std::iter::once(current).chain(retired).map(sealer).collect();
        Self { ring: Arc::new(RwLock::new(Ring { current: current.id(), sealers })), entropy }
    }

    /// Wraps under `master` from now on. What was wrapped before still unwraps.
    pub(super) fn take_over(&self, master: &MasterKey) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        ring.current = master.id();
        if ring.sealer(master.id()).is_none() {
            ring.sealers.push(sealer(master));
        }
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(wrapped: &[u8]) -> Option<(KeyId, &[u8])> {
    let (&VERSION, rest) = wrapped.split_first()? else { return None };
    let (id, sealed) = rest.split_first_chunk()?;
    Some((KeyId(*id), sealed))
}

#[async_trait]
impl DataKeys for LocalDataKeys {
    async fn generate(
        &self,
        context: &KeyContext,
    ) -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError> {
        let refused = |error: SealError| PortError::reject("make a data key", error);
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut *key);
        let ring = self.ring();
        let own = ring.sealer(ring.current).ok_or_else(|| refused(SealError::Unopenable))?;
        let sealed = own.seal(&place(context), &*key, &*self.entropy).map_err(refused)?;
        let wrapped = [&[VERSION], &ring.current.0[..], &sealed].concat();
        Ok((key, WrappedKey(wrapped)))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &KeyContext,
    ) -> Result<Zeroizing<[u8; 32]>, PortError> {
        let action = "unwrap a data key";
        let parsed = parse(&wrapped.0);
        let (id, sealed) = parsed.ok_or_else(|| PortError::reject(action, UnwrapError::Form))?;
        let ring = self.ring();
        let Some(master) = ring.sealer(id) else {
            // Data from before a key was lost opens again once the operator gives the key back.
            let source = UnwrapError::Unknown(id).into();
            return Err(PortError { action, disposition: Disposition::Pause, source });
        };
        let plain = master.open(&place(context), sealed);
        let plain = Zeroizing::new(plain.map_err(|error| PortError::reject(action, error))?);
        let mut key = Zeroizing::new([0; 32]);
        if plain.len() != key.len() {
            return Err(PortError::reject(action, UnwrapError::NoKey));
        }
        key.copy_from_slice(&plain);
        Ok(key)
    }
}
