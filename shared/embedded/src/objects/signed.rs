//! Addresses at which anyone may put or get one object for a while.

use std::error::Error;
use std::fs::File;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

use super::disk::or_gone;
use super::path::{escaped, path_of};
use super::{FileObjects, blocking, failed};
use shared::ports::PortError;

const ACCEPT: &str = "accept an object";

const GIVE: &str = "give an object";

/// Why an upload was not accepted. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The address was not given out by this process' key, or for another object or time.
    #[error("the address is not one that was given out")]
    Signature,
    /// The time of the address has passed.
    #[error("the address is no longer valid")]
    Late,
    /// The upload is larger than an object may be.
    #[error("the object is larger than {most} bytes")]
    TooLarge {
        /// The most bytes of an upload.
        most: u64,
    },
    /// The upload broke off.
    #[error("the upload broke off")]
    Cut(#[source] Box<dyn Error + Send + Sync>),
    /// The object could not be stored.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// Why an object was not given.
#[derive(Debug, thiserror::Error)]
pub enum GiveError {
    /// The address was not given out by this process' key, or for another object or time.
    #[error("the address is not one that was given out")]
    Signature,
    /// The time of the address has passed.
    #[error("the address is no longer valid")]
    Late,
    /// The object is gone.
    #[error("there is no such object any more")]
    Gone,
    /// The object could not be read.
    #[error(transparent)]
    Store(#[from] PortError),
}

/// What an address is good for. One that puts does not get, and the other way about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signs {
    Put,
    Get,
}

impl Signs {
    fn words(self) -> &'static str {
        match self {
            Self::Put => "put an object",
            Self::Get => "get an object",
        }
    }
}

/// Signs addresses: a keyed hash of what they are good for, the object's key and the last second at
/// which it is valid.
pub(super) struct Signer(Zeroizing<[u8; 32]>);

impl Signer {
    pub(super) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    fn sign(&self, what: Signs, key: &str, expires: i64) -> blake3::Hash {
        let signed = format!("{}\n{expires}\n{key}", what.words());
        blake3::keyed_hash(&self.0, signed.as_bytes())
    }

    /// True if the signature is ours. The comparison takes the same time wherever they differ.
    fn is_ours(&self, what: Signs, key: &str, expires: i64, signature: &str) -> bool {
        blake3::Hash::from_hex(signature).is_ok_and(|given| given == self.sign(what, key, expires))
    }
}

impl FileObjects {
    /// The address of an object, good until `valid` has passed.
    pub(super) fn address(&self, what: Signs, key: &str, valid: Duration) -> String {
        let valid = i64::try_from(valid.as_secs()).unwrap_or(i64::MAX);
        let expires = self.0.clock.now().as_second().saturating_add(valid);
        let parts: Vec<String> = key.split('/').map(escaped).collect();
        let (base, signature) = (&self.0.public_base, self.0.signer.sign(what, key, expires));
        format!("{base}/objects/{}?expires={expires}&signature={signature}", parts.join("/"))
    }

    /// Stores what is put at an address that
    /// [`presign_put`](shared::ports::ObjectStore::presign_put) gave out. `key` is the object's, as
    /// the address names it once it is decoded; `expires` (Unix seconds) and `signature` are its
    /// parameters. The body goes to the disk piece by piece, and is an object once it is whole.
    pub async fn accept<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        key: &str,
        expires: i64,
        signature: &str,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<(), AcceptError> {
        if !self.0.signer.is_ours(Signs::Put, key, expires, signature) {
            return Err(AcceptError::Signature);
        }
        if self.0.clock.now().as_second() > expires {
            return Err(AcceptError::Late);
        }
        let path = path_of(key).map_err(|error| PortError::reject(ACCEPT, error))?;
        let aside = self.receive(body).await?;
        let inner = self.0.clone();
        Ok(blocking(ACCEPT, move || inner.disk.place(aside, &path)).await?)
    }

    /// The file of an object, and its size, at an address that
    /// [`presign_get`](shared::ports::ObjectStore::presign_get) gave out. The parameters are those
    /// of [`accept`](Self::accept).
    pub async fn give(
        &self,
        key: &str,
        expires: i64,
        signature: &str,
    ) -> Result<(tokio::fs::File, u64), GiveError> {
        if !self.0.signer.is_ours(Signs::Get, key, expires, signature) {
            return Err(GiveError::Signature);
        }
        if self.0.clock.now().as_second() > expires {
            return Err(GiveError::Late);
        }
        let file = self.file(key, GIVE)?;
        let opened = blocking(GIVE, move || {
            let Some(file) = or_gone(File::open(file))? else { return Ok(None) };
            let length = file.metadata()?.len();
            Ok(Some((file, length)))
        });
        let (file, length) = opened.await?.ok_or(GiveError::Gone)?;
        Ok((tokio::fs::File::from_std(file), length))
    }

    /// Writes a body aside, and syncs it.
    async fn receive<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<TempPath, AcceptError> {
        let inner = self.0.clone();
        let (file, aside) = blocking(ACCEPT, move || inner.disk.aside()).await?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let disk = |error| failed(ACCEPT, error);
        let most = self.0.most_upload;
        let mut left = most;
        let mut body = pin!(body);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| AcceptError::Cut(error.into()))?;
            left = left.checked_sub(piece.len() as u64).ok_or(AcceptError::TooLarge { most })?;
            file.write_all(&piece).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        file.sync_all().await.map_err(disk)?;
        Ok(aside)
    }
}
