//! Writes found rows as JSON records and CSV rows.

use serde_json::{Map, Value as Json, json};

use super::eval::{Found, reference};
use super::filter::RowView;
use super::path::{Column, Path};
use super::plan::Plan;
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::schema::FieldType;
use crate::storage::{Slots, Value};

/// `{"type":…,"url":…}` of a record.
fn attributes(object: &str, id: RecordId, version: &str) -> Json {
    json!({ "type": object, "url": format!("/services/data/v{version}/sobjects/{object}/{id}") })
}

/// A row as a JSON record of the REST API.
pub(crate) fn json_record(data: &OrgData, plan: &Plan, found: &Found, version: &str) -> Json {
    let schema = &data.tables[plan.table].schema;
    let mut slots = Slots::default();
    slots.read(&found.row);
    let scope = RowView { data, id: found.id, row: &found.row, slots: &slots };
    let mut record = Map::new();
    let own = if schema.flags.computed {
        json!({ "type": schema.name, "url": format!("/services/data/v{version}/sobjects/{}",
            schema.name) })
    } else {
        attributes(&schema.name, found.id, version)
    };
    record.insert("attributes".to_owned(), own);
    for column in &plan.columns {
        put(&scope, &column.names, &column.path, &mut record, version);
    }
    Json::Object(record)
}

fn put(
    scope: &RowView<'_>,
    names: &[String],
    path: &Path,
    record: &mut Map<String, Json>,
    version: &str,
) {
    let Some((name, rest)) = names.split_first() else { return };
    match path {
        Path::Parent { at, targets } => {
            let parent = reference(scope, *at)
                .and_then(|id| scope.data.position_of(id).map(|position| (id, position)));
            let row = parent.and_then(|(id, position)| scope.data.tables[position].get(id));
            let (Some((id, position)), Some(row)) = (parent, row) else {
                record.insert(name.clone(), Json::Null);
                return;
            };
            let object = &scope.data.tables[position].schema.name;
            let below = parent_object(record, name, object, id, version);
            let Some((_, path)) = targets.iter().find(|(target, _)| *target == position) else {
                return;
            };
            let mut slots = Slots::default();
            slots.read(row);
            put(&RowView { data: scope.data, id, row, slots: &slots }, rest, path, below, version);
        }
        Path::TypeName { at } => {
            let Some(id) = reference(scope, *at) else {
                record.insert(name.clone(), Json::Null);
                return;
            };
            let object = scope.data.table_of(id).map_or("Name", |table| table.schema.name.as_str());
            let below = parent_object(record, name, object, id, version);
            below.insert("Type".to_owned(), object.into());
        }
        Path::Address { parts } => {
            record.insert(name.clone(), address(scope, parts));
        }
        Path::Field { kind: FieldType::Base64, at } => {
            let empty = scope.slots.bytes(scope.row, *at).is_none();
            let object =
                scope.data.table_of(scope.id).map_or("", |table| table.schema.name.as_str());
            let url = format!("/services/data/v{version}/sobjects/{object}/{}/{name}", scope.id);
            record.insert(name.clone(), if empty { Json::Null } else { url.into() });
        }
        path => {
            record.insert(name.clone(), path.value(scope).to_json());
        }
    }
}

fn parent_object<'r>(
    record: &'r mut Map<String, Json>,
    name: &str,
    object: &str,
    id: RecordId,
    version: &str,
) -> &'r mut Map<String, Json> {
    let slot = record.entry(name.to_owned()).or_insert(Json::Null);
    if !slot.is_object() {
        *slot = json!({ "attributes": attributes(object, id, version) });
    }
    // It was just made an object.
    match slot {
        Json::Object(map) => map,
        _ => unreachable!("the slot holds an object"),
    }
}

fn address(scope: &RowView<'_>, parts: &[(&'static str, usize, FieldType)]) -> Json {
    let mut all = Map::new();
    all.insert("geocodeAccuracy".to_owned(), Json::Null);
    let mut any = false;
    for (key, at, kind) in parts {
        let value = scope.slots.value(scope.row, *at, *kind);
        any |= !value.is_null();
        all.insert((*key).to_owned(), value.to_json());
    }
    if any { Json::Object(all) } else { Json::Null }
}

/// The header row of a bulk result.
pub(crate) fn write_csv_header(
    columns: &[Column],
    delimiter: char,
    line_end: &str,
    out: &mut String,
) {
    for (n, column) in columns.iter().enumerate() {
        if n > 0 {
            out.push(delimiter);
        }
        out.push('"');
        out.push_str(&column.names.join("."));
        out.push('"');
    }
    out.push_str(line_end);
}

/// How CSV rows are written.
pub(crate) struct CsvForm<'a> {
    pub(crate) delimiter: char,
    pub(crate) line_end: &'a str,
    pub(crate) time_zone: &'a str,
}

/// One row of a bulk result: every value quoted, null an empty string.
pub(crate) fn write_csv_row(
    data: &OrgData,
    plan: &Plan,
    found: &Found,
    slots: &mut Slots,
    form: &CsvForm<'_>,
    out: &mut String,
) {
    slots.read(&found.row);
    let scope = RowView { data, id: found.id, row: &found.row, slots };
    for (n, column) in plan.columns.iter().enumerate() {
        if n > 0 {
            out.push(form.delimiter);
        }
        out.push('"');
        match column.path.value(&scope) {
            Value::Text(text) if text.contains('"') => out.push_str(&text.replace('"', "\"\"")),
            Value::Id(id) => out.push_str(std::str::from_utf8(&id.long()).unwrap_or_default()),
            value => value.write_plain(out, form.time_zone),
        }
        out.push('"');
    }
    out.push_str(form.line_end);
}
