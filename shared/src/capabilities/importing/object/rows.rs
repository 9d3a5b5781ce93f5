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
        .filter_map(|name| Some((*name, in_form(name, row.text(selection.column(name))?))))
        .collect();
    Some(Record::read(object, id, stamp, fields))
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
