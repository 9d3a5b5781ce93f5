//! Values as the control API reads and writes them.

use serde_json::{Map, Value as Json};

use super::{ControlError, Result};
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::storage::{Draft, Table, Value, format_date_time};

/// A value with some of its keys changed.
pub(super) fn patched<T: serde::Serialize + serde::de::DeserializeOwned>(
    value: &T,
    changes: &Json,
) -> Result<T> {
    let bad = |error: serde_json::Error| ControlError::new(error.to_string());
    let mut all = serde_json::to_value(value).map_err(bad)?;
    let (Some(all_keys), Some(changes)) = (all.as_object_mut(), changes.as_object()) else {
        return Err(ControlError::new("an object is expected"));
    };
    for (key, change) in changes {
        all_keys.insert(key.clone(), change.clone());
    }
    serde_json::from_value(all).map_err(bad)
}

/// The fields of a record.
pub(super) fn map(fields: &Json) -> Result<&Map<String, Json>> {
    fields.as_object().ok_or_else(|| ControlError::new("fields are an object"))
}

/// An id as given.
pub(super) fn parse_id(id: &str) -> Result<RecordId> {
    RecordId::parse(id).ok_or_else(|| ControlError::new(format!("`{id}` is not an id")))
}

/// There is no such record.
pub(super) fn no_record(id: RecordId) -> ControlError {
    ControlError::new(format!("no record {id}"))
}

/// The object whose records an id belongs to.
pub(super) fn object_of(data: &OrgData, id: RecordId) -> Result<String> {
    data.table_of(id).map(|table| table.schema.name.clone()).ok_or_else(|| no_record(id))
}

/// A record with its fields by name; nulls are left out, times end in `Z`.
pub(super) fn record_json(table: &Table, id: RecordId, row: &[u8]) -> Json {
    let draft = Draft::of(&table.schema, row);
    let mut all = Map::new();
    all.insert("Id".to_owned(), id.to_string().into());
    for (at, field) in table.schema.fields.iter().enumerate().skip(1) {
        let value = match draft.get(at) {
            Value::Null => continue,
            Value::Time(ms) => format_date_time(*ms, "Z").into(),
            value => value.to_json(),
        };
        all.insert(field.name.clone(), value);
    }
    Json::Object(all)
}

/// An error and what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> ControlError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    ControlError(text)
}
