//! The compact form of a row: only what is not null, in field order, a length before each value.
//!
//! A field costs two bytes beside its value; ids take 15 bytes, booleans nothing when false. Rows
//! never change: a write makes a new one, so a bulk job's snapshot is a list of pointers.

use std::sync::Arc;

use super::Value;
use crate::ids::RecordId;
use crate::schema::{FieldType, ObjectSchema};

/// A stored row.
pub(crate) type Row = Arc<[u8]>;

/// A row being made or changed: one value per field.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    values: Vec<Value<'static>>,
}

impl Draft {
    /// A row of nulls.
    pub(crate) fn new(schema: &ObjectSchema) -> Self {
        Self { values: vec![Value::Null; schema.fields.len()] }
    }

    /// The values of a stored row.
    pub(crate) fn of(schema: &ObjectSchema, row: &[u8]) -> Self {
        let mut slots = Slots::default();
        slots.read(row);
        let values = (0..schema.fields.len())
            .map(|at| slots.value(row, at, schema.fields[at].kind).into_owned())
            .collect();
        Self { values }
    }

    /// The value of a field; null for a position the object does not have.
    pub(crate) fn get(&self, at: usize) -> &Value<'static> {
        self.values.get(at).unwrap_or(&Value::Null)
    }

    /// Sets a field; a position that the object does not have is ignored.
    pub(crate) fn set(&mut self, at: usize, value: Value<'static>) {
        if let Some(slot) = self.values.get_mut(at) {
            *slot = value;
        }
    }

    /// The stored form.
    pub(crate) fn encode(&self) -> Row {
        let mut out = Vec::with_capacity(256);
        let mut last = 0;
        for (at, value) in self.values.iter().enumerate().skip(1) {
            let number;
            let payload: &[u8] = match value {
                Value::Null | Value::Bool(false) => continue,
                Value::Bool(true) => &[],
                Value::Int(n) | Value::Time(n) => {
                    number = n.to_le_bytes();
                    &number
                }
                Value::Double(n) => {
                    number = n.to_le_bytes();
                    &number
                }
                Value::Id(id) => id.bytes(),
                Value::Text(text) => text.as_bytes(),
            };
            push_varint(&mut out, at - last);
            push_varint(&mut out, payload.len());
            out.extend_from_slice(payload);
            last = at;
        }
        out.into()
    }
}

fn push_varint(out: &mut Vec<u8>, mut n: usize) {
    while n >= 0x80 {
        out.push(u8::try_from(n & 0x7f).unwrap_or(0) | 0x80);
        n >>= 7;
    }
    out.push(u8::try_from(n).unwrap_or(0));
}

fn read_varint(bytes: &[u8], at: &mut usize) -> usize {
    let (mut n, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        n |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return n;
        }
        shift += 7;
    }
}

/// Where each field of one row lies; kept and reused from row to row.
#[derive(Default)]
pub(crate) struct Slots {
    ranges: Vec<(u32, u32)>,
    used: usize,
}

impl Slots {
    /// Finds the fields of a row.
    pub(crate) fn read(&mut self, row: &[u8]) {
        self.ranges[..self.used].fill((u32::MAX, 0));
        let (mut at, mut field) = (0, 0);
        while at < row.len() {
            field += read_varint(row, &mut at);
            let length = read_varint(row, &mut at);
            if field >= self.ranges.len() {
                self.ranges.resize(field + 16, (u32::MAX, 0));
            }
            self.ranges[field] = (narrow(at), narrow(length));
            at += length;
        }
        self.used = (field + 1).min(self.ranges.len());
    }

    /// The bytes of a field, if it is not null.
    pub(crate) fn bytes<'r>(&self, row: &'r [u8], field: usize) -> Option<&'r [u8]> {
        match self.ranges.get(field) {
            Some(&(start, length)) if start != u32::MAX => {
                let start = start as usize;
                row.get(start..start + length as usize)
            }
            _ => None,
        }
    }

    /// The value of a field. `Id` is not in the row: ask the table's key.
    pub(crate) fn value<'r>(&self, row: &'r [u8], field: usize, kind: FieldType) -> Value<'r> {
        let bytes = self.bytes(row, field);
        decode(bytes, kind)
    }
}

fn narrow(n: usize) -> u32 {
    // A row is far below 4 GB: the longest field is a note's 50 MB.
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn decode(bytes: Option<&[u8]>, kind: FieldType) -> Value<'_> {
    if kind == FieldType::Boolean {
        return Value::Bool(bytes.is_some());
    }
    let Some(bytes) = bytes else { return Value::Null };
    let eight = || <[u8; 8]>::try_from(bytes).unwrap_or_default();
    match kind {
        FieldType::Int => Value::Int(i64::from_le_bytes(eight())),
        FieldType::DateTime => Value::Time(i64::from_le_bytes(eight())),
        _ if kind.is_decimal() => Value::Double(f64::from_le_bytes(eight())),
        _ if kind.is_id() => RecordId::from_bytes(bytes).map_or(Value::Null, Value::Id),
        _ => Value::Text(std::str::from_utf8(bytes).unwrap_or_default().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::standard;

    #[test]
    fn a_row_is_what_was_put_in() {
        let schema = standard().iter().find(|o| o.name == "Opportunity").unwrap();
        let mut draft = Draft::new(schema);
        draft.set(schema.at("Name"), Value::text("Größe ".repeat(100)));
        draft.set(schema.at("Amount"), Value::Double(12.5));
        draft.set(schema.at("IsClosed"), Value::Bool(true));
        draft.set(schema.at("FiscalYear"), Value::Int(2026));
        draft.set(schema.at("AccountId"), Value::Id(RecordId::numbered("001", 77)));
        draft.set(schema.at("SystemModstamp"), Value::Time(1_767_261_600_000));
        let again = Draft::of(schema, &draft.encode());
        for at in 1..schema.fields.len() {
            let expected = match (draft.get(at), schema.fields[at].kind) {
                (Value::Null, FieldType::Boolean) => Value::Bool(false),
                (value, _) => value.clone(),
            };
            assert_eq!(again.get(at), &expected, "{}", schema.fields[at].name);
        }
    }
}
