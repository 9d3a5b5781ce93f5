//! Conditions and changes, written against the fields of a document and not against names.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde_json::Value;

use super::slot::{REVISION, Stored};
use crate::ports::{self, PortError};

/// The condition on the document at a slot under which a write is done.
#[must_use]
pub struct When<T> {
    condition: ports::Condition,
    document: PhantomData<fn() -> T>,
}

impl<T> When<T> {
    fn of(condition: ports::Condition) -> Self {
        Self { condition, document: PhantomData }
    }

    /// Nothing need hold.
    pub fn always() -> Self {
        Self::of(ports::Condition::Always)
    }

    /// There is no document.
    pub fn absent() -> Self {
        Self::of(ports::Condition::Absent)
    }

    /// There is one.
    pub fn exists() -> Self {
        Self::of(ports::Condition::Exists)
    }

    /// Nobody has written the document since it was read.
    pub fn unchanged(before: &Stored<T>) -> Self {
        Self::of(match before.revision() {
            // Written in a batch, which counts nothing; its first rival does.
            0 => ports::Condition::All(vec![
                ports::Condition::Exists,
                ports::Condition::Missing(REVISION),
            ]),
            revision => ports::Condition::Eq(REVISION, revision.into()),
        })
    }

    /// This and the other hold.
    pub fn and(self, other: Self) -> Self {
        Self::of(ports::Condition::All(vec![self.condition, other.condition]))
    }

    /// This or the other holds.
    pub fn or(self, other: Self) -> Self {
        Self::of(ports::Condition::Any(vec![self.condition, other.condition]))
    }

    pub(super) fn into_condition(self) -> ports::Condition {
        self.condition
    }
}

impl<T> Clone for When<T> {
    fn clone(&self) -> Self {
        Self::of(self.condition.clone())
    }
}

impl<T> fmt::Debug for When<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

/// A change of one field, without reading the document.
pub struct Edit<T> {
    change: ports::Change,
    document: PhantomData<fn() -> T>,
}

impl<T> Edit<T> {
    fn of(change: ports::Change) -> Self {
        Self { change, document: PhantomData }
    }

    /// Sets the sealed body.
    #[must_use]
    pub fn body(body: Vec<u8>) -> Self {
        Self::of(ports::Change::Body(body))
    }

    /// Sets until when the document is kept at least (Unix seconds).
    #[must_use]
    pub fn until(at: i64) -> Self {
        Self::of(ports::Change::Until(at))
    }

    pub(super) fn into_change(self) -> ports::Change {
        self.change
    }
}

/// A field of a document, by which conditions and changes name it. `field!` makes one.
pub struct Field<T, V> {
    name: &'static str,
    of: PhantomData<fn(&T) -> &V>,
}

impl<T, V> Field<T, V> {
    /// The field that `read` reads, under its stored name. `field!` takes both from one
    /// word.
    #[must_use]
    pub const fn new(name: &'static str, _read: fn(&T) -> &V) -> Self {
        Self { name, of: PhantomData }
    }

    /// The field was never set, or was removed.
    pub fn is_missing(&self) -> When<T> {
        When::of(ports::Condition::Missing(self.name))
    }

    /// Removes the field.
    #[must_use]
    pub fn remove(&self) -> Edit<T> {
        Edit::of(ports::Change::Remove(self.name))
    }
}

impl<T, V: Serialize> Field<T, V> {
    fn value(value: &V) -> Result<Value, PortError> {
        serde_json::to_value(value).map_err(|error| PortError::reject("write a field", error))
    }

    /// The field has this value; a none is a field that is missing.
    pub fn is(&self, value: &V) -> Result<When<T>, PortError> {
        Ok(match Self::value(value)? {
            Value::Null => self.is_missing(),
            value => When::of(ports::Condition::Eq(self.name, value)),
        })
    }

    /// The field is there and has another value.
    pub fn is_not(&self, value: &V) -> Result<When<T>, PortError> {
        Ok(When::of(ports::Condition::Ne(self.name, Self::value(value)?)))
    }

    /// The field is there and is less than this value.
    pub fn is_below(&self, value: &V) -> Result<When<T>, PortError> {
        Ok(When::of(ports::Condition::Lt(self.name, Self::value(value)?)))
    }

    /// Sets the field; a none removes it.
    pub fn set(&self, value: &V) -> Result<Edit<T>, PortError> {
        Ok(match Self::value(value)? {
            Value::Null => self.remove(),
            value => Edit::of(ports::Change::Set(self.name, value)),
        })
    }
}

impl<T, V: Into<i64>> Field<T, V> {
    /// Adds to the field; a missing one counts as 0.
    #[must_use]
    pub fn add(&self, by: i64) -> Edit<T> {
        Edit::of(ports::Change::Add(self.name, by))
    }
}

/// The stored field of a document: `field!(Connection.generation)`. A field that is renamed or gone
/// does not compile. A field that serde stores under another name cannot be named so; the pins of
/// stored forms tell of one.
macro_rules! field {
    ($document:ty, $field:ident) => {
        $crate::store::Field::<$document, _>::new(stringify!($field), |document| &document.$field)
    };
}

pub(crate) use field;
