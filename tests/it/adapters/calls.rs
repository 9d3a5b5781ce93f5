//! Random calls of a table, and their answers in a form that can be compared.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};
use shared::ports::{Change, Condition, Item, Key, PortError, Range, Table, Write};

/// A date of expiry that does not come.
const FAR: i64 = 4_000_000_000;

#[derive(Debug, Clone)]
pub(super) enum Call {
    Get(Key),
    GetMany(Vec<Key>),
    Query { pk: String, range: Range, after: Option<String>, limit: usize },
    Write(Write),
    Transact(Vec<Write>),
    PutMany(Vec<Item>),
    DeleteMany(Vec<Key>),
}

impl Call {
    /// What is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => "get",
            Self::GetMany(_) => "get_many",
            Self::Query { .. } => "query",
            Self::Write(_) => "write",
            Self::Transact(_) => "transact",
            Self::PutMany(_) => "put_many",
            Self::DeleteMany(_) => "delete_many",
        }
    }
}

/// Draws calls on few items, so that they meet.
pub(super) struct Dice {
    random: Rng,
    partitions: [String; 2],
}

impl Dice {
    /// Those of a seed, which has partitions of its own.
    pub(super) fn new(seed: u64) -> Self {
        let partitions = ["a", "b"].map(|name| format!("{name}{seed}"));
        Self { random: Rng::with_seed(seed), partitions }
    }

    /// The partitions that calls are about.
    pub(super) fn partitions(&self) -> &[String] {
        &self.partitions
    }

    pub(super) fn call(&mut self) -> Call {
        match self.random.u8(..12) {
            0 | 1 => Call::Get(self.key()),
            2 => Call::GetMany(self.some(Self::key)),
            3 | 4 => Call::Query {
                pk: self.partition(),
                range: self.range(),
                after: self.random.bool().then(|| self.sort_key()),
                limit: self.random.usize(1..4),
            },
            5..8 => Call::Write(self.write()),
            8 | 9 => Call::Transact(self.some(Self::write)),
            10 => Call::PutMany(self.some(Self::item)),
            _ => Call::DeleteMany(self.some(Self::key)),
        }
    }

    /// Up to four of a kind, often with the same key twice.
    fn some<T>(&mut self, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        (0..self.random.usize(..5)).map(|_| one(self)).collect()
    }

    fn partition(&mut self) -> String {
        self.partitions[self.random.usize(..2)].clone()
    }

    fn sort_key(&mut self) -> String {
        let keys = ["x", "y", "z", "xx", "xy", "yé", "y#"];
        keys[self.random.usize(..keys.len())].to_owned()
    }

    fn key(&mut self) -> Key {
        Key::stored(self.partition(), self.sort_key())
    }

    fn range(&mut self) -> Range {
        match self.random.u8(..3) {
            0 => Range::All,
            1 => Range::Prefix(self.sort_key()),
            _ => Range::UpTo(self.sort_key()),
        }
    }

    fn value(&mut self) -> Value {
        match self.random.u8(..6) {
            0 => Value::Null,
            1 => json!(["", "a", "b", "é"][self.random.usize(..4)]),
            2 => json!(self.random.bool()),
            _ => json!(self.random.i64(-3..3)),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.random.usize(..4)).map(|_| self.random.u8(..)).collect()
    }

    fn item(&mut self) -> Item {
        let doc =
            json!({ "n": self.value(), "list": [self.value()], "map": { "v": self.value() } });
        Item {
            key: self.key(),
            doc: doc.as_object().unwrap().clone(),
            body: self.random.bool().then(|| self.bytes()),
            expires_at: (self.random.u8(..4) == 0).then_some(FAR),
        }
    }

    /// At most one change of each field: to say two at once is an error on DynamoDB.
    fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        match self.random.u8(..4) {
            0 | 1 => changes.push(Change::Set("m", self.value())),
            2 => changes.push(Change::Remove("m")),
            _ => {}
        }
        if self.random.bool() {
            changes.push(Change::Add("k", self.random.i64(-5..5)));
        }
        // An update changes something: DynamoDB refuses one that does not.
        if changes.is_empty() || self.random.u8(..3) == 0 {
            changes.push(Change::Body(self.bytes()));
        }
        changes
    }

    fn condition(&mut self, depth: u8) -> Condition {
        match self.random.u8(..if depth == 0 { 8 } else { 10 }) {
            0 | 1 => Condition::Always,
            2 => Condition::Absent,
            3 => Condition::Exists,
            4 => Condition::Eq("n", self.value()),
            5 => Condition::Ne("n", self.value()),
            6 => Condition::Lt("n", json!(self.random.i64(-3..3))),
            7 => Condition::Missing("m"),
            8 => Condition::All(self.some(|own| own.condition(depth - 1))),
            _ => Condition::Any(self.some(|own| own.condition(depth - 1))),
        }
    }

    fn write(&mut self) -> Write {
        let when = self.condition(2);
        match self.random.u8(..5) {
            0 | 1 => Write::Put { item: self.item(), when },
            2 => Write::Update { key: self.key(), changes: self.changes(), when },
            3 => Write::Delete { key: self.key(), when },
            _ => Write::Check { key: self.key(), when },
        }
    }
}

/// The answer of a call. Faults are told by what the caller is to do about them.
pub(super) async fn answer(table: &dyn Table, call: Call) -> String {
    let told = |error: PortError| error.disposition;
    match call {
        Call::Get(key) => {
            let found = table.get(&key).await.map(|item| item.map(plain));
            format!("{:?}", found.map_err(told))
        }
        Call::GetMany(keys) => {
            let found = table.get_many(&keys).await.map(|items| {
                let mut items: Vec<Item> = items.into_iter().map(plain).collect();
                items.sort_by(|a, b| a.key.cmp(&b.key));
                items
            });
            format!("{:?}", found.map_err(told))
        }
        Call::Query { pk, range, after, limit } => {
            format!("{:?}", pages(table, &pk, &range, after, limit).await.map_err(told))
        }
        Call::Write(write) => format!("{:?}", table.write(write).await.map_err(told)),
        Call::Transact(writes) => format!("{:?}", table.transact(writes).await.map_err(told)),
        Call::PutMany(items) => format!("{:?}", table.put_many(items).await.map_err(told)),
        Call::DeleteMany(keys) => format!("{:?}", table.delete_many(&keys).await.map_err(told)),
    }
}

/// The item with its attributes in one order: a table keeps none.
fn plain(mut item: Item) -> Item {
    let mut doc = Value::Object(item.doc);
    doc.sort_all_objects();
    item.doc = match doc {
        Value::Object(doc) => doc,
        other => panic!("a document is an object: {other}"),
    };
    item
}

/// The items of a query's pages. A table may say that there may be more where nothing more comes:
/// an empty page at the end is none.
async fn pages(
    table: &dyn Table,
    pk: &str,
    range: &Range,
    mut after: Option<String>,
    limit: usize,
) -> Result<Vec<Vec<Item>>, PortError> {
    let mut pages = Vec::new();
    loop {
        let page = table.query(pk, range, after.as_deref(), limit).await?;
        if !page.items.is_empty() {
            pages.push(page.items.into_iter().map(plain).collect());
        }
        after = page.next;
        if after.is_none() {
            return Ok(pages);
        }
    }
}

/// Everything that a table holds in these partitions.
pub(super) async fn contents(table: &dyn Table, partitions: &[String]) -> BTreeMap<Key, Item> {
    let mut all = BTreeMap::new();
    for pk in partitions {
        for page in pages(table, pk, &Range::All, None, 100).await.unwrap() {
            all.extend(page.into_iter().map(|item| (item.key.clone(), item)));
        }
    }
    all
}
