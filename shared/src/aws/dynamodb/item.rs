//! Items as DynamoDB holds them.
//!
//! Beside the key, an item holds the document's own attributes, `body` (binary) and `expires_at`
//! (the table's time-to-live). A document may have attributes of these names too: they are kept
//! apart by an underscore that readers never see.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

use crate::ports::{Item, Key, PortError};

/// An item in the SDK's form.
pub(super) type Attributes = HashMap<String, AttributeValue>;

pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";
pub(super) const BODY: &str = "body";
pub(super) const EXPIRES_AT: &str = "expires_at";
const OURS: [&str; 4] = [PK, SK, BODY, EXPIRES_AT];

/// The stored attributes are not those of an item of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum ForeignItem {
    #[error("the item has no text as its key")]
    Key,
    #[error("an attribute is of a type that is never written")]
    Type,
    #[error("a number is out of range")]
    Number,
}

fn foreign(what: ForeignItem) -> PortError {
    PortError::reject("read an item", what)
}

/// The stored name of a document's attribute.
pub(super) fn stored_name(name: &str) -> String {
    if OURS.contains(&name.trim_end_matches('_')) { format!("{name}_") } else { name.to_owned() }
}

/// The document's name of a stored attribute; none for the table's own ones.
fn document_name(stored: String) -> Option<String> {
    if !OURS.contains(&stored.trim_end_matches('_')) {
        return Some(stored);
    }
    stored.strip_suffix('_').map(ToOwned::to_owned)
}

pub(super) fn key_attributes(key: &Key) -> Attributes {
    Attributes::from([
        (PK.to_owned(), AttributeValue::S(key.pk().to_owned())),
        (SK.to_owned(), AttributeValue::S(key.sk().to_owned())),
    ])
}

pub(super) fn to_attributes(item: Item) -> Attributes {
    let mut attributes = key_attributes(&item.key);
    attributes
        .extend(item.doc.into_iter().map(|(name, value)| (stored_name(&name), to_value(value))));
    if let Some(body) = item.body {
        attributes.insert(BODY.to_owned(), to_binary(body));
    }
    if let Some(at) = item.expires_at {
        attributes.insert(EXPIRES_AT.to_owned(), AttributeValue::N(at.to_string()));
    }
    attributes
}

pub(super) fn to_binary(bytes: Vec<u8>) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

pub(super) fn to_value(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(bool) => AttributeValue::Bool(bool),
        // The shortest text that reads back as the same number; DynamoDB keeps 38 digits.
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(to_value).collect()),
        Value::Object(map) => {
            AttributeValue::M(map.into_iter().map(|(k, v)| (k, to_value(v))).collect())
        }
    }
}

fn from_value(value: AttributeValue) -> Result<Value, ForeignItem> {
    Ok(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(bool) => Value::Bool(bool),
        AttributeValue::N(text) => Value::Number(number(&text)?),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(list) => {
            Value::Array(list.into_iter().map(from_value).collect::<Result<_, _>>()?)
        }
        AttributeValue::M(map) => Value::Object(
            map.into_iter().map(|(k, v)| Ok((k, from_value(v)?))).collect::<Result<_, _>>()?,
        ),
        _ => return Err(ForeignItem::Type),
    })
}

fn number(text: &str) -> Result<Number, ForeignItem> {
    let whole =
        text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    match whole {
        Ok(number) => Ok(number),
        Err(_) => text.parse().ok().and_then(Number::from_f64).ok_or(ForeignItem::Number),
    }
}

fn text(value: Option<AttributeValue>) -> Result<String, ForeignItem> {
    match value {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(ForeignItem::Key),
    }
}

pub(super) fn to_key(mut attributes: Attributes) -> Result<Key, PortError> {
    take_key(&mut attributes).map_err(foreign)
}

fn take_key(attributes: &mut Attributes) -> Result<Key, ForeignItem> {
    Ok(Key::stored(text(attributes.remove(PK))?, text(attributes.remove(SK))?))
}

pub(super) fn to_item(attributes: Attributes) -> Result<Item, PortError> {
    parse(attributes).map_err(foreign)
}

fn parse(mut attributes: Attributes) -> Result<Item, ForeignItem> {
    let key = take_key(&mut attributes)?;
    let body = match attributes.remove(BODY) {
        Some(AttributeValue::B(blob)) => Some(blob.into_inner()),
        Some(_) => return Err(ForeignItem::Type),
        None => None,
    };
    let expires_at = match attributes.remove(EXPIRES_AT) {
        Some(AttributeValue::N(text)) => Some(text.parse().map_err(|_| ForeignItem::Number)?),
        Some(_) => return Err(ForeignItem::Type),
        None => None,
    };
    let mut doc = Map::with_capacity(attributes.len());
    for (stored, value) in attributes {
        if let Some(name) = document_name(stored) {
            doc.insert(name, from_value(value)?);
        }
    }
    Ok(Item { key, doc, body, expires_at })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn item(doc: Value) -> Item {
        let Value::Object(doc) = doc else { panic!("an object") };
        Item { key: Key::stored("p".into(), "s".into()), doc, body: None, expires_at: None }
    }

    #[test]
    fn a_documents_attributes_may_have_the_tables_own_names() {
        let mut item = item(json!({"body": "text", "body_": 1, "expires_at": "2026", "pk": true}));
        item.body = Some(vec![0, 255]);
        item.expires_at = Some(1_795_288_123);
        assert_eq!(to_item(to_attributes(item.clone())).unwrap(), item);
    }

    #[test]
    fn the_ends_of_the_number_types_survive() {
        let numbers = json!({"n": [i64::MIN, i64::MAX, u64::MAX, 0.1, 1e-100, -2.5, 1e22]});
        assert_eq!(to_item(to_attributes(item(numbers.clone()))).unwrap(), item(numbers));
    }

    #[test]
    fn an_attribute_of_an_unknown_type_is_an_error() {
        let mut attributes = to_attributes(item(json!({})));
        attributes.insert("x".to_owned(), AttributeValue::Ss(vec!["a".to_owned()]));
        assert!(to_item(attributes).is_err());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("fits JSON", |f| f.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z_]{0,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Equal as numbers: `1.0` may come back as `1`.
    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|b| same(v, b)))
            }
            _ => a == b,
        }
    }

    proptest! {
        #[test]
        fn every_value_reads_back_as_it_was_written(value in any_value()) {
            let read = from_value(to_value(value.clone())).unwrap();
            prop_assert!(same(&value, &read), "{value} {read}");
        }
    }
}
