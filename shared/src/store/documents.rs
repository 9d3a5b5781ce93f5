//! Typed access to items: a document is any serializable struct.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::slot::{Series, Slot};
use crate::ports::{Condition, Item, Key, PortError, Table, Write};

/// How many items one query page asks for.
const QUERY_PAGE: usize = 500;

/// The item that holds `document` at `key`.
pub fn item<T: Serialize>(slot: Slot<T>, document: &T) -> Result<Item, PortError> {
    match serde_json::to_value(document) {
        Ok(Value::Object(doc)) => Ok(Item { key: slot.into(), doc, body: None, expires_at: None }),
        Ok(_) => Err(PortError::reject("make an item", "a document must be an object")),
        Err(error) => Err(PortError::reject("make an item", error)),
    }
}

/// The document that an item holds.
pub fn typed<T: DeserializeOwned>(item: Item) -> Result<T, PortError> {
    parse(item.doc)
}

pub(super) fn parse<T: DeserializeOwned>(doc: Map<String, Value>) -> Result<T, PortError> {
    serde_json::from_value(Value::Object(doc))
        .map_err(|error| PortError::reject("read an item", error))
}

/// The document at `key`, if there is one.
pub async fn get<T: DeserializeOwned>(
    table: &dyn Table,
    slot: &Slot<T>,
) -> Result<Option<T>, PortError> {
    table.get(slot.key()).await?.map(typed).transpose()
}

/// The documents that exist among `keys`, in no particular order.
pub async fn get_many<T: DeserializeOwned>(
    table: &dyn Table,
    slots: &[Slot<T>],
) -> Result<Vec<T>, PortError> {
    let keys: Vec<Key> = slots.iter().map(|slot| slot.key().clone()).collect();
    table.get_many(&keys).await?.into_iter().map(typed).collect()
}

/// A put of `document` at `key`, under a condition.
pub fn put<T: Serialize>(slot: Slot<T>, document: &T, when: Condition) -> Result<Write, PortError> {
    Ok(Write::Put { item: item(slot, document)?, when })
}

/// A delete without a condition.
#[must_use]
pub fn delete<T>(slot: Slot<T>) -> Write {
    Write::Delete { key: slot.into(), when: Condition::Always }
}

/// One page of a partition's documents under a prefix, with the place to go on.
pub async fn query<T: DeserializeOwned>(
    table: &dyn Table,
    series: &Series<T>,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<T>, Option<String>), PortError> {
    let page = table.query(&series.pk, &series.range, after, limit).await?;
    let documents = page.items.into_iter().map(typed).collect::<Result<_, _>>()?;
    Ok((documents, page.next))
}

/// Every document of a partition under a prefix. Only for lists that are small by their nature.
pub async fn query_all<T: DeserializeOwned>(
    table: &dyn Table,
    series: &Series<T>,
) -> Result<Vec<T>, PortError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = query(table, series, after.as_deref(), QUERY_PAGE).await?;
        all.extend(page);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// What follows `prefix` in a sort key; the whole key when it does not begin so.
#[must_use]
pub fn item_key_suffix<'a>(sk: &'a str, prefix: &str) -> &'a str {
    sk.strip_prefix(prefix).unwrap_or(sk)
}
