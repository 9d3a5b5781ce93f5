//! One transaction: the documents that it writes, the conditions that it checks, the next steps.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Marker;
use super::condition::{Edit, When};
use super::documents;
use super::outbox::Next;
use super::slot::{REVISION, Slot, Stored};
use crate::kernel::Message;
use crate::ports::{Change, Condition, Item, PortError, Write};

/// Writes that are done together or not at all, with the steps that follow from them.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is done before it is committed"]
pub struct Commit {
    pub(super) writes: Vec<Write>,
    pub(super) next: Vec<Next>,
}

impl Commit {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A first document; refused when there is one.
    pub fn create<T: Serialize>(
        &mut self,
        slot: &Slot<T>,
        document: &T,
    ) -> Result<&mut Self, PortError> {
        self.write(Draft::new(slot, document)?.when(When::absent()))
    }

    /// The document that follows `before`; refused when somebody else has written since.
    pub fn replace<T: Serialize>(
        &mut self,
        before: &Stored<T>,
        after: &T,
    ) -> Result<&mut Self, PortError> {
        self.write(Draft::after(before, after)?)
    }

    /// Creates the document, or replaces the one that was read.
    pub fn save<T: Serialize>(
        &mut self,
        slot: &Slot<T>,
        before: Option<&Stored<T>>,
        after: &T,
    ) -> Result<&mut Self, PortError> {
        match before {
            Some(before) => self.replace(before, after),
            None => self.create(slot, after),
        }
    }

    /// The document, whatever lies there. Only for documents that nobody replaces.
    pub fn put<T: Serialize>(
        &mut self,
        slot: &Slot<T>,
        document: &T,
    ) -> Result<&mut Self, PortError> {
        self.write(Draft::new(slot, document)?)
    }

    /// An edge. It is there or not: its writes are not counted.
    pub fn draw(&mut self, edge: &Slot<Marker>) -> Result<&mut Self, PortError> {
        let item = documents::item(edge.key().clone(), &Marker {})?;
        self.writes.push(Write::Put { item, when: Condition::Always });
        Ok(self)
    }

    /// A draft with its own condition, body or time of expiry.
    pub fn write<T>(&mut self, draft: Draft<T>) -> Result<&mut Self, PortError> {
        let Draft { item, when } = draft;
        self.writes.push(Write::Put { item, when: when.into_condition() });
        Ok(self)
    }

    /// Changes some fields without reading the others.
    pub fn edit<T>(
        &mut self,
        slot: &Slot<T>,
        when: When<T>,
        edits: impl IntoIterator<Item = Edit<T>>,
    ) -> &mut Self {
        let mut changes: Vec<Change> = edits.into_iter().map(Edit::into_change).collect();
        changes.push(Change::Add(REVISION, 1));
        let when = when.into_condition();
        self.writes.push(Write::Update { key: slot.key().clone(), changes, when });
        self
    }

    /// Deletes the document, if there is one.
    pub fn delete<T>(&mut self, slot: &Slot<T>) -> &mut Self {
        self.delete_when(slot, When::always())
    }

    /// Deletes the document under a condition.
    pub fn delete_when<T>(&mut self, slot: &Slot<T>, when: When<T>) -> &mut Self {
        self.writes.push(Write::Delete { key: slot.key().clone(), when: when.into_condition() });
        self
    }

    /// Only checks.
    pub fn check<T>(&mut self, slot: &Slot<T>, when: When<T>) -> &mut Self {
        self.writes.push(Write::Check { key: slot.key().clone(), when: when.into_condition() });
        self
    }

    /// A step that follows.
    pub fn then(&mut self, next: Next) -> &mut Self {
        self.next.push(next);
        self
    }

    /// A step that follows at once.
    pub fn now(&mut self, message: impl Into<Message>) -> &mut Self {
        self.then(Next::now(message))
    }

    /// How many items it writes, deletes or checks, and how many steps follow: a transaction has
    /// room for a hundred of both.
    #[must_use]
    pub fn items(&self) -> usize {
        self.writes.len() + self.next.len()
    }

    /// How many items it writes, deletes or checks: the place that the next one will have.
    pub(crate) fn next_place(&self) -> usize {
        self.writes.len()
    }

    /// True if there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items() == 0
    }
}

/// A document on its way into a slot.
#[must_use]
pub struct Draft<T> {
    item: Item,
    when: When<T>,
}

impl<T: Serialize> Draft<T> {
    /// `document` for `slot`, whatever lies there.
    pub fn new(slot: &Slot<T>, document: &T) -> Result<Self, PortError> {
        let mut draft = Self::numbered(slot, document, 1)?;
        let revision = first_revision(&draft.item.doc)?;
        draft.item.doc.insert(REVISION.to_owned(), revision.into());
        Ok(draft)
    }

    /// The document that follows `before`, unless somebody else has written since.
    pub fn after(before: &Stored<T>, document: &T) -> Result<Self, PortError> {
        let draft = Self::numbered(&before.slot(), document, before.revision() + 1)?;
        Ok(draft.when(When::unchanged(before)))
    }

    fn numbered(slot: &Slot<T>, document: &T, revision: u64) -> Result<Self, PortError> {
        let mut item = documents::item(slot.clone(), document)?;
        item.doc.insert(REVISION.to_owned(), revision.into());
        Ok(Self { item, when: When::always() })
    }
}

/// The revision of a document that follows no other one. It is drawn from the contents: a document
/// that was deleted and made anew meanwhile is not taken for the one that was read.
fn first_revision(doc: &Map<String, Value>) -> Result<u64, PortError> {
    let contents = serde_json::to_vec(doc);
    let contents = contents.map_err(|error| PortError::reject("make an item", error))?;
    let contents = blake3::hash(&contents);
    let head = contents.as_bytes().first_chunk().copied().unwrap_or_default();
    // Room for 65,536 writes before it meets another draw.
    Ok((u64::from(u32::from_le_bytes(head)) << 16) + 1)
}

impl<T> Draft<T> {
    /// Under this condition in place of its own.
    pub fn when(mut self, when: When<T>) -> Self {
        self.when = when;
        self
    }

    /// With a sealed body.
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.item.body = Some(body);
        self
    }

    /// Kept at least until then (Unix seconds).
    pub fn until(mut self, expires_at: i64) -> Self {
        self.item.expires_at = Some(expires_at);
        self
    }
}
