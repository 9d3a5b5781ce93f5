//! Between documents and items: a document is any serializable struct.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ports::{Item, Key, PortError};

/// The item that holds `document` at `key`, which is its slot's.
#[cfg_attr(
    not(any(test, feature = "testing")),
    expect(unreachable_pub, reason = "shown to tests alone")
)]
pub fn item<T: Serialize>(key: impl Into<Key>, document: &T) -> Result<Item, PortError> {
    match serde_json::to_value(document) {
        Ok(Value::Object(doc)) => Ok(Item { key: key.into(), doc, body: None, expires_at: None }),
        Ok(_) => Err(PortError::reject("make an item", "a document must be an object")),
        Err(error) => Err(PortError::reject("make an item", error)),
    }
}

pub(super) fn parse<T: DeserializeOwned>(doc: Map<String, Value>) -> Result<T, PortError> {
    serde_json::from_value(Value::Object(doc))
        .map_err(|error| PortError::reject("read an item", error))
}
