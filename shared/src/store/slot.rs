//! A key that knows its document, and a document that knows its revision.

use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

impl<T> Deref for Slot<T> {
    type Target = Key;

    fn deref(&self) -> &Key {
        &self.key
    }
}

impl<T> From<Slot<T>> for Key {
    fn from(slot: Slot<T>) -> Self {
        slot.key
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self::at(self.key.clone())
    }
}

impl<T> PartialEq for Slot<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Slot<T> {}

impl<T> PartialOrd for Slot<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Slot<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

/// A partition's slots under a prefix, in the order of their sort keys.
pub struct Series<T> {
    pub(super) pk: String,
    pub(super) range: Range,
    document: PhantomData<fn() -> T>,
}

impl<T> Series<T> {
    /// The partition.
    #[must_use]
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// The range of sort keys.
    #[must_use]
    pub fn range(&self) -> &Range {
        &self.range
    }

    /// The slots of `pk` whose sort keys begin with `prefix`.
    pub(crate) fn under(pk: String, prefix: String) -> Self {
        Self { pk, range: Range::Prefix(prefix), document: PhantomData }
    }

    /// Every slot of `pk`.
    pub(crate) fn whole(pk: String) -> Self {
        Self { pk, range: Range::All, document: PhantomData }
    }

    /// The slots of `pk` up to and including the sort key `last`.
    pub(crate) fn up_to(pk: String, last: String) -> Self {
        Self { pk, range: Range::UpTo(last), document: PhantomData }
    }

    /// The sort key of the document that [`Series::name`] calls so: a place to go on after that
    /// keeps within the series.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        match &self.range {
            Range::Prefix(prefix) => format!("{prefix}{name}"),
            Range::All | Range::UpTo(_) => name.to_owned(),
        }
    }

    /// The rest of the sort key of one of this series's documents, behind the prefix.
    #[must_use]
    pub fn name<'a>(&self, stored: &'a Stored<T>) -> &'a str {
        let sk = stored.key.sk();
        match &self.range {
            Range::Prefix(prefix) => sk.strip_prefix(prefix.as_str()).unwrap_or(sk),
            Range::All | Range::UpTo(_) => sk,
        }
    }
}

impl<T> Clone for Series<T> {
    fn clone(&self) -> Self {
        Self { pk: self.pk.clone(), range: self.range.clone(), document: PhantomData }
    }
}

/// A document whose being there is all that it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {}

/// A document as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored<T> {
    document: T,
    key: Key,
    revision: u64,
    body: Option<Vec<u8>>,
    expires_at: Option<i64>,
}

impl<T> Stored<T> {
    /// The document that `parse` finds in an item's attributes, the revision aside.
    pub(super) fn of(
        item: Item,
        parse: impl FnOnce(&Key, Map<String, Value>) -> Result<T, PortError>,
    ) -> Result<Self, PortError> {
        let Item { key, mut doc, body, expires_at } = item;
        let revision = doc.remove(REVISION).and_then(|value| value.as_u64()).unwrap_or_default();
        Ok(Self { document: parse(&key, doc)?, key, revision, body, expires_at })
    }

    /// The document alone.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.document
    }

    /// The document as it is once `document` has replaced this one.
    #[must_use]
    pub(crate) fn followed_by(&self, document: T) -> Self {
        Self {
            document,
            key: self.key.clone(),
            revision: self.revision + 1,
            body: None,
            expires_at: None,
        }
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
