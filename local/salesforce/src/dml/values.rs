//! Values of write requests, and records found by a value.

use serde_json::Value as Json;

use crate::error::ApiError;
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::schema::{Field, FieldType};
use crate::storage::{Slots, Value, ValueError};

/// Reads a value for a field.
pub(super) fn value_of(field: &Field, json: &Json) -> Result<Value<'static>, ApiError> {
    let name = field.name.as_str();
    field.parse_json(json).map_err(|error| match error {
        ValueError::MalformedId { value } => ApiError::fields(
            "MALFORMED_ID",
            format!("{}: id value of incorrect type: {value}", field.label),
            &[name],
        ),
        ValueError::TooLong { value, max } => {
            let shown: String = value.chars().take(255).collect();
            let message =
                format!("{}: data value too large: {shown} (max length={max})", field.label);
            ApiError::fields("STRING_TOO_LONG", message, &[name])
        }
        ValueError::WrongType { value } => {
            let kind = match field.kind {
                FieldType::DateTime => "xsd:dateTime",
                other => other.soap(),
            };
            let message = format!(
                "Cannot deserialize instance of {} from value {value}",
                kind.trim_start_matches("xsd:")
            );
            ApiError::bad("JSON_PARSER_ERROR", message)
        }
    })
}

/// Live records whose text field equals a value, without case.
pub(crate) fn find_by(data: &OrgData, object: &str, field: &str, value: &str) -> Vec<RecordId> {
    let Some(table) = data.table(object) else { return Vec::new() };
    if field.eq_ignore_ascii_case("Id") {
        return RecordId::parse(value).filter(|id| data.is_live(*id)).into_iter().collect();
    }
    let Some(at) = table.schema.position(field) else { return Vec::new() };
    let kind = table.schema.fields[at].kind;
    let mut slots = Slots::default();
    table
        .iter()
        .filter(|(_, row)| {
            slots.read(row);
            let own = slots.value(row, at, kind);
            own.as_text().is_some_and(|own| own.eq_ignore_ascii_case(value))
                && !table.is_deleted(row)
        })
        .map(|(id, _)| id)
        .collect()
}
