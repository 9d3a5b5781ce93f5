//! The one table: items under a partition key and a sort key, conditional writes, transactions.
//!
//! The port is a key-value store with conditions, not a set of repositories: the repositories of
//! [`crate::store`] are written once, above it, and the tests inject a crash at any call (ADR
//! 0002).

use async_trait::async_trait;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Map, Value};

use super::PortError;

/// An item's key. Only [`crate::store::keys`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pk: String,
    sk: String,
}

impl Key {
    pub(crate) fn new(pk: String, sk: String) -> Self {
        Self { pk, sk }
    }

    /// A key as the table gave it.
    #[must_use]
    pub fn stored(pk: String, sk: String) -> Self {
        Self { pk, sk }
    }

    /// The partition.
    #[must_use]
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// The place within the partition.
    #[must_use]
    pub fn sk(&self) -> &str {
        &self.sk
    }

    /// The key of another item of the same partition.
    pub(crate) fn beside(&self, sk: String) -> Self {
        Self { pk: self.pk.clone(), sk }
    }

    /// The associated data of what is sealed at this key: it opens nowhere else.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}|{}", self.pk, self.sk)
    }
}

/// One item.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Where it is.
    pub key: Key,
    /// Its attributes. Conditions and changes name top-level ones.
    pub doc: Map<String, Value>,
    /// A sealed body.
    pub body: Option<Vec<u8>>,
    /// When the table may drop it (Unix seconds). Late deletion is usual: readers check the time.
    pub expires_at: Option<i64>,
}

/// The condition for a write to be done. Comparisons are between strings or between integers; an
/// absent attribute satisfies none of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Nothing need hold.
    Always,
    /// There is no such item.
    Absent,
    /// There is such an item.
    Exists,
    /// The attribute has this value.
    Eq(&'static str, Value),
    /// The attribute is there and has another value.
    Ne(&'static str, Value),
    /// The attribute is less than this value.
    Lt(&'static str, Value),
    /// The attribute is absent, or the item is.
    Missing(&'static str),
    /// All of these hold.
    All(Vec<Condition>),
    /// At least one of these holds.
    Any(Vec<Condition>),
}

impl Condition {
    /// Tells if it holds on an item, or on its absence. An implementation that evaluates conditions
    /// itself does it by this.
    #[must_use]
    pub fn holds(&self, item: Option<&Item>) -> bool {
        let attribute = |name: &str| item.and_then(|item| item.doc.get(name));
        match self {
            Self::Always => true,
            Self::Absent => item.is_none(),
            Self::Exists => item.is_some(),
            Self::Eq(name, value) => attribute(name) == Some(value),
            Self::Ne(name, value) => attribute(name).is_some_and(|found| found != value),
            Self::Lt(name, value) => attribute(name).is_some_and(|found| is_less(found, value)),
            Self::Missing(name) => attribute(name).is_none(),
            Self::All(all) => all.iter().all(|condition| condition.holds(item)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(item)),
        }
    }
}

fn is_less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a < b,
        _ => a.as_i64().zip(b.as_i64()).is_some_and(|(a, b)| a < b),
    }
}

/// A change of one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets it.
    Set(&'static str, Value),
    /// Adds to it; an absent attribute counts as 0.
    Add(&'static str, i64),
    /// Removes it.
    Remove(&'static str),
    /// Sets the sealed body.
    Body(Vec<u8>),
    /// Sets when the table may drop the item (Unix seconds).
    Until(i64),
}

impl Item {
    /// An item without attributes.
    #[must_use]
    pub fn empty(key: Key) -> Self {
        Self { key, doc: Map::new(), body: None, expires_at: None }
    }
}

/// One write, or one check within a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Replaces the whole item.
    Put {
        /// The new item.
        item: Item,
        /// The condition.
        when: Condition,
    },
    /// Changes some attributes, creating the item when the condition allows that.
    Update {
        /// Which item.
        key: Key,
        /// The changes.
        changes: Vec<Change>,
        /// The condition.
        when: Condition,
    },
    /// Deletes the item; no error when there is none, unless the condition says so.
    Delete {
        /// Which item.
        key: Key,
        /// The condition.
        when: Condition,
    },
    /// Only checks (in a transaction).
    Check {
        /// Which item.
        key: Key,
        /// The condition.
        when: Condition,
    },
}

impl Write {
    /// Whether it may be sent again when its answer was lost, without a transaction's token: done
    /// twice, it leaves what it leaves when it is done once, and says the same.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        match self {
            // Whoever puts under a condition looks whether what lies there is its own.
            Self::Put { .. } => true,
            Self::Update { changes, when, .. } => {
                !changes.is_empty()
                    && !changes.iter().any(|change| matches!(change, Change::Add(..)))
                    && matches!(when, Condition::Always | Condition::Exists)
            }
            Self::Delete { when, .. } => matches!(when, Condition::Always),
            Self::Check { .. } => false,
        }
    }

    /// The key of the item that is written or checked.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { item, .. } => &item.key,
            Self::Update { key, .. } | Self::Delete { key, .. } | Self::Check { key, .. } => key,
        }
    }

    /// The condition.
    #[must_use]
    pub fn when(&self) -> &Condition {
        match self {
            Self::Put { when, .. }
            | Self::Update { when, .. }
            | Self::Delete { when, .. }
            | Self::Check { when, .. } => when,
        }
    }
}

impl Change {
    /// Makes the change to an item.
    pub fn apply(self, item: &mut Item) {
        match self {
            Self::Set(name, value) => {
                item.doc.insert(name.to_owned(), value);
            }
            Self::Add(name, by) => {
                let old = item.doc.get(name).and_then(Value::as_i64).unwrap_or(0);
                item.doc.insert(name.to_owned(), old.saturating_add(by).into());
            }
            Self::Remove(name) => {
                item.doc.remove(name);
            }
            Self::Body(body) => item.body = Some(body),
            Self::Until(at) => item.expires_at = Some(at),
        }
    }
}

/// The outcome of a write or a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a refused write did not happen"]
pub enum Outcome {
    /// It was done, all of it.
    Done,
    /// Nothing was done: the conditions of the writes at these positions did not hold.
    Refused(Vec<usize>),
}

impl Outcome {
    /// True if it was done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Goes on though the write may have been refused: `winner` says what else was true then, and
    /// why that is as good.
    pub fn may_lose_to(self, winner: &'static str) {
        if let Self::Refused(_) = self {
            tracing::debug!(winner, "a write was refused, as it may be");
        }
    }
}

/// The most writes of one transaction.
pub const MOST_WRITES: usize = 100;

/// Why writes are no transaction; none when they are one.
#[must_use]
pub fn transaction_fault(writes: &[Write]) -> Option<PortError> {
    let fault = |fault: &'static str| Some(PortError::reject("write a transaction", fault));
    if writes.len() > MOST_WRITES {
        return fault("more than 100 writes");
    }
    let mut keys: Vec<&Key> = writes.iter().map(Write::key).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|two| two[0] == two[1]) {
        return fault("an item is written twice");
    }
    None
}

/// Which sort keys of a partition a query reads, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// All.
    All,
    /// Those that begin with this.
    Prefix(String),
    /// Those up to and including this.
    UpTo(String),
}

/// Part of a query's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The items, by ascending sort key.
    pub items: Vec<Item>,
    /// The sort key to go on after, when there may be more.
    pub next: Option<String>,
}

/// How many single writes of one caller are under way at once, where they share nothing.
const WRITES_AT_ONCE: usize = 16;

/// The table.
#[async_trait]
pub trait Table: Send + Sync {
    /// The item as of now (a consistent read).
    async fn get(&self, key: &Key) -> Result<Option<Item>, PortError>;

    /// The items that exist among `keys`, each once, in no particular order (consistent reads).
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError>;

    /// Items of one partition, by ascending sort key, after `after`, at most `limit`.
    async fn query(
        &self,
        pk: &str,
        range: &Range,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, PortError>;

    /// Does one write if its condition holds.
    async fn write(&self, write: Write) -> Result<Outcome, PortError>;

    /// Does all of `writes` (at most 100, each of another item) if all conditions hold, else none.
    async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError>;

    /// Does transactions one after another, each as [`Table::transact`] does, up to the first one
    /// that is refused. Gives the outcomes of those that it came to. After an error the first of
    /// them may have been done, and the others not.
    async fn transact_each(
        &self,
        transactions: Vec<Vec<Write>>,
    ) -> Result<Vec<Outcome>, PortError> {
        let mut outcomes = Vec::with_capacity(transactions.len());
        for writes in transactions {
            outcomes.push(self.transact(writes).await?);
            if outcomes.last().is_some_and(|outcome| !outcome.is_done()) {
                break;
            }
        }
        Ok(outcomes)
    }

    /// Puts items on which no other writer can be at work, without conditions.
    async fn put_many(&self, items: Vec<Item>) -> Result<(), PortError>;

    /// Deletes items without conditions.
    async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError>;

    /// Does each of `writes`, which are of different items, if its own condition holds. The
    /// outcomes are in the order of the writes. After an error any of them may have been done.
    async fn write_each(&self, writes: Vec<Write>) -> Result<Vec<Outcome>, PortError> {
        let outcomes = stream::iter(writes).map(|write| async move { self.write(write).await });
        outcomes.buffered(WRITES_AT_ONCE).try_collect().await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_writes_that_may_be_done_twice_are_repeated_without_a_transaction() {
        let key = Key::new("a".to_owned(), "b".to_owned());
        let update = |change: Change, when: Condition| {
            Write::Update { key: key.clone(), changes: vec![change], when }.is_repeatable()
        };
        let set = || Change::Set("a", json!(1));
        assert!(update(set(), Condition::Always) && update(set(), Condition::Exists));
        assert!(!update(set(), Condition::Absent));
        assert!(!update(set(), Condition::Eq("a", json!(0))));
        assert!(!update(Change::Add("a", 1), Condition::Always));
        let delete = |when| Write::Delete { key: key.clone(), when }.is_repeatable();
        assert!(delete(Condition::Always) && !delete(Condition::Exists));
    }
}
