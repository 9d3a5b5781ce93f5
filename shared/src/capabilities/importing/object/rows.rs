//! From Salesforce's rows, by REST or by Bulk, to records in the one form that we keep.

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::capabilities::importing::ObjectSelection;
use crate::kernel::{FieldForm, Fields, Record, SObject};
use crate::salesforce::{FieldValues, SalesforceId, format_datetime, parse_datetime};

/// A row's record, each value under the name of its standard field, whichever field it was read
/// from; none when the row does not say which record it is, or when it changed.
#[must_use]
pub fn record(
    object: SObject,
    selection: &ObjectSelection,
    row: &impl FieldValues,
) -> Option<Record> {
    let id: SalesforceId = row.text("Id")?.parse().ok()?;
    let stamp = parse_datetime(&row.text("SystemModstamp")?).ok()?;
    let fields: Fields = object
        .fields()
        .iter()
        .chain(object.optional_fields().iter().filter(|name| selection.reads_besides(name)))
        .filter_map(|name| {
            let text = row.text(selection.column(name)).filter(|text| !is_null(text))?;
            (!is_refused(name, &text)).then(|| (*name, in_form(name, text)))
        })
        .collect();
    Some(Record::read(object, id, stamp, fields))
}

/// How many of a row's values are refused: the row is kept without them.
pub(super) fn refused(object: SObject, selection: &ObjectSelection, row: &impl FieldValues) -> u64 {
    let is_refused = |name: &&&str| {
        ADDRESSES.contains(*name)
            && row.text(selection.column(name)).is_some_and(|text| is_refused(name, &text))
    };
    object.fields().iter().filter(is_refused).count() as u64
}

/// The fields that hold an e-mail address.
const ADDRESSES: &[&str] = &["Email"];

/// RFC 5321 allows 64 characters before the `@` and 255 behind it.
const LONGEST_ADDRESS: usize = 320;

/// Spreadsheets and the data loader write null like this. A program that wrote it as a text meant
/// nothing by it.
fn is_null(text: &str) -> bool {
    text.trim() == "#N/A"
}

/// True for an address that nobody can have.
fn is_refused(name: &str, text: &str) -> bool {
    ADDRESSES.contains(&name)
        && (text.contains('\0') || text.chars().nth(LONGEST_ADDRESS).is_some())
}

/// A value in the form of its field. What is no moment or number where one should be is kept as it
/// came: nothing is lost, and matching passes over it.
fn in_form(name: &str, text: Cow<'_, str>) -> String {
    match SObject::field_form(name) {
        FieldForm::Text => None,
        FieldForm::Moment => parse_datetime(&text).ok().map(format_datetime),
        FieldForm::Number => decimal(&text).map(|number| number.normalize().to_string()),
    }
    .unwrap_or_else(|| text.into_owned())
}

fn decimal(text: &str) -> Option<Decimal> {
    text.parse().or_else(|_| Decimal::from_scientific(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of one record.
    struct Fields<'a>(&'a [(&'a str, &'a str)]);

    impl FieldValues for Fields<'_> {
        fn text(&self, field: &str) -> Option<Cow<'_, str>> {
            let found = self.0.iter().find(|(name, _)| *name == field);
            found.map(|(_, value)| Cow::Borrowed(*value)).filter(|value| !value.is_empty())
        }
    }

    fn lead(values: &[(&str, &str)]) -> (Record, u64) {
        let id = [("Id", "00Q000000000001"), ("SystemModstamp", "2026-01-01T10:00:00.000Z")];
        let row = Fields(&[&id[..], values].concat());
        let selection = ObjectSelection::default();
        let refused = refused(SObject::Lead, &selection, &row);
        (record(SObject::Lead, &selection, &row).unwrap(), refused)
    }

    #[test]
    fn i08_an_address_that_nobody_can_have_is_refused_and_its_row_kept() {
        let longest = format!("{}@acme.example", "a".repeat(LONGEST_ADDRESS - 13));
        let (kept, refused) = lead(&[("LastName", "Lovell"), ("Email", &longest)]);
        assert_eq!((kept.fields.get("Email"), refused), (Some(&*longest), 0));
        for address in [format!("a{longest}"), "ada\0@acme.example".to_owned()] {
            let (kept, refused) = lead(&[("LastName", "Lovell"), ("Email", &address)]);
            assert_eq!((kept.fields.get("Email"), refused), (None, 1));
            assert_eq!(kept.fields.get("LastName"), Some("Lovell"));
        }
    }

    #[test]
    fn i36_null_empty_missing_and_n_a_are_one_and_are_never_passed_on() {
        let empty = lead(&[("LastName", "Lovell"), ("Email", ""), ("City", "")]);
        let missing = lead(&[("LastName", "Lovell")]);
        let n_a = lead(&[("LastName", "Lovell"), ("Email", "#N/A"), ("City", " #N/A ")]);
        assert_eq!(empty, missing);
        assert_eq!(n_a, missing);
        let (named, _) = lead(&[("LastName", "Lovell"), ("Company", "#N/A Records Ltd")]);
        assert_eq!(named.fields.get("Company"), Some("#N/A Records Ltd"));
    }

    #[test]
    fn a_value_has_one_form_whichever_way_it_came() {
        for (name, forms, kept) in [
            ("Amount", &["12500000.50", "1.25000005E7", "12500000.5"][..], "12500000.5"),
            ("NumberOfEmployees", &["47", "47.0", "4.7E1"], "47"),
            (
                "CreatedDate",
                &["2026-01-01T10:00:00.000Z", "2026-01-01T10:00:00.000+0000"],
                "2026-01-01T10:00:00.000Z",
            ),
            ("Name", &["1.0E7"], "1.0E7"),
            ("Amount", &["n/a"], "n/a"),
        ] {
            for form in forms {
                assert_eq!(in_form(name, Cow::Borrowed(form)), kept, "{name} {form}");
            }
        }
    }
}
