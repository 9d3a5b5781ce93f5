//! A key that knows its document, and a document that knows its revision.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::DeserializeOwned;

use super::documents;
use crate::ports::{Item, Key, PortError, Range};

/// The attribute that counts the writes of an item. Only this folder names it.
pub(super) const REVISION: &str = "revision";

/// A place in the table, and the type of the document that lies there.
///
/// Only key constructors make slots, so that no document is read as another one.
pub struct Slot<T> {
    key: Key,
    document: PhantomData<fn() -> T>,
}

impl<T> Slot<T> {
    /// The slot of a `T` at `key`.
    pub(crate) fn at(key: Key) -> Self {
        Self { key, document: PhantomData }
    }

    /// Where it is. The associated data of a sealed body comes from it.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self::at(self.key.clone())
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

/// A partition's slots under a prefix, in the order of their sort keys.
pub struct Shelf<T> {
    pub(super) pk: String,
    pub(super) range: Range,
    document: PhantomData<fn() -> T>,
}

impl<T> Shelf<T> {
    /// The slots of `pk` whose sort keys begin with `prefix`.
    pub(crate) fn under(pk: String, prefix: String) -> Self {
        Self { pk, range: Range::Prefix(prefix), document: PhantomData }
    }

    /// All slots of `pk`.
    pub(crate) fn all(pk: String) -> Self {
        Self { pk, range: Range::All, document: PhantomData }
    }

    /// What follows this shelf's prefix in the sort key of one of its documents.
    #[must_use]
    pub fn name<'a>(&self, stored: &'a Stored<T>) -> &'a str {
        let sk = stored.key.sk();
        match &self.range {
            Range::Prefix(prefix) => sk.strip_prefix(prefix.as_str()).unwrap_or(sk),
            Range::All | Range::UpTo(_) => sk,
        }
    }
}

impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self { pk: self.pk.clone(), range: self.range.clone(), document: PhantomData }
    }
}

/// A document as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    document: T,
    key: Key,
    revision: u64,
    body: Option<Vec<u8>>,
    expires_at: Option<i64>,
}

impl<T: DeserializeOwned> Stored<T> {
    pub(super) fn of(item: Item) -> Result<Self, PortError> {
        let Item { key, mut doc, body, expires_at } = item;
        let revision = doc.remove(REVISION).and_then(|value| value.as_u64()).unwrap_or_default();
        Ok(Self { document: documents::parse(doc)?, key, revision, body, expires_at })
    }
}

impl<T> Stored<T> {
    /// The document alone.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.document
    }

    /// Where it was read.
    #[must_use]
    pub fn slot(&self) -> Slot<T> {
        Slot::at(self.key.clone())
    }

    /// How often it was written: a write under the condition of this revision is refused when
    /// somebody else has written since.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The sealed body, if it has one.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// When the table may drop it (Unix seconds).
    #[must_use]
    pub fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.document
    }
}
