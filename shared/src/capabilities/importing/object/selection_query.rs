//! The admin's choice of fields and rows, put to Salesforce.

use crate::capabilities::importing::{
    FilterOperator, ObjectSelection, OrgField, OrgRecordType, OrgValue, RowCondition, RowValue,
};
use crate::salesforce::{Condition, ObjectDescribe, PicklistValue, RecordTypeInfo, Select, Value};

/// How many rows are asked for by their ids at once: as many as fit the address of a query.
pub(super) const IDS_AT_ONCE: usize = 200;

/// The longest list of a field whose values are kept, and how many are kept of an object in all: a
/// document has room for 400 kB.
const LONGEST_LIST: usize = 200;
const MOST_VALUES: usize = 2_000;

/// The fields of an object that an org shows to its integration user.
pub(crate) fn org_fields(described: &ObjectDescribe) -> Vec<OrgField> {
    let mut room = MOST_VALUES;
    let fields = described.fields.iter().map(|field| OrgField {
        name: field.name.clone(),
        label: field.label.clone(),
        kind: field.kind.clone(),
        custom: field.custom,
        calculated: field.calculated,
        filterable: field.filterable,
        importable: field.is_bulk_queryable(),
        values: org_values(&field.picklist_values, &mut room),
    });
    fields.collect()
}

/// A list's values, as far as there is room for a whole list.
fn org_values(listed: &[PicklistValue], room: &mut usize) -> Vec<OrgValue> {
    if listed.len() > LONGEST_LIST || listed.len() > *room {
        return Vec::new();
    }
    *room -= listed.len();
    let of = |listed: &PicklistValue| OrgValue {
        value: listed.value.clone(),
        label: listed.label.clone().unwrap_or_else(|| listed.value.clone()),
        active: listed.active,
    };
    listed.iter().map(of).collect()
}

/// The record types of an object that its describe lets the user give.
pub(crate) fn org_record_types(described: &ObjectDescribe) -> Vec<OrgRecordType> {
    let own = described.record_type_infos.iter().filter(|of| of.available && !of.master);
    let of = |of: &RecordTypeInfo| OrgRecordType {
        id: of.record_type_id.clone(),
        name: of.name.clone(),
    };
    own.map(of).collect()
}

/// The query, narrowed to the rows that are imported.
pub(super) fn selection_query(select: Select, selection: &ObjectSelection) -> Select {
    selection.conditions.iter().map(condition).fold(select, Select::filter)
}

fn condition(condition: &RowCondition) -> Condition {
    let RowCondition { field, operator, values } = condition;
    let first = || values.first().map_or(Value::Null, value);
    match operator {
        FilterOperator::Equals => Condition::eq(field, first()),
        FilterOperator::NotEquals => Condition::ne(field, first()),
        FilterOperator::LessThan => Condition::lt(field, first()),
        FilterOperator::LessOrEqual => Condition::le(field, first()),
        FilterOperator::GreaterThan => Condition::gt(field, first()),
        FilterOperator::GreaterOrEqual => Condition::ge(field, first()),
        FilterOperator::StartsWith => {
            let Some(RowValue::Text(prefix)) = values.first() else {
                return Condition::is_in::<Value>(field, []);
            };
            Condition::starts_with(field, prefix)
        }
        FilterOperator::In => Condition::is_in(field, values.iter().map(value)),
        FilterOperator::NotIn => Condition::not_in(field, values.iter().map(value)),
    }
}

fn value(value: &RowValue) -> Value {
    match value {
        RowValue::Null => Value::Null,
        RowValue::Text(text) => Value::Text(text.clone()),
        RowValue::Number(number) => Value::Decimal(*number),
        RowValue::Boolean(flag) => Value::Bool(*flag),
        RowValue::Date(day) => Value::Date(*day),
        RowValue::Moment(moment) => Value::DateTime(*moment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_put_in_salesforces_words_and_nothing_unescaped() {
        let condition = |operator, values| RowCondition { field: "F__c".into(), operator, values };
        let text = |text: &str| RowValue::Text(text.to_owned());
        let moment = "2026-01-31T10:00:00Z".parse().unwrap();
        let selection = ObjectSelection {
            conditions: vec![
                condition(FilterOperator::Equals, vec![text("it's' OR Id != '")]),
                condition(FilterOperator::NotEquals, vec![RowValue::Null]),
                condition(
                    FilterOperator::GreaterOrEqual,
                    vec![RowValue::Number("1.50".parse().unwrap())],
                ),
                condition(
                    FilterOperator::LessThan,
                    vec![RowValue::Date("2026-01-31".parse().unwrap())],
                ),
                condition(FilterOperator::LessOrEqual, vec![RowValue::Moment(moment)]),
                condition(FilterOperator::StartsWith, vec![text("50%_")]),
                condition(FilterOperator::In, vec![text("a"), text("b")]),
                condition(FilterOperator::NotIn, vec![text("c")]),
                RowCondition::equals("G__c", RowValue::Boolean(true)),
            ],
            ..ObjectSelection::default()
        };
        let select = selection_query(Select::from("Lead").fields(["Id"]), &selection);
        let soql = select.build().unwrap();
        let (_, conditions) = soql.as_str().split_once(" WHERE ").unwrap();
        assert_eq!(
            conditions.split(" AND ").collect::<Vec<_>>(),
            [
                r"F__c = 'it\'s\' OR Id != \''",
                "F__c != null",
                "F__c >= 1.50",
                "F__c < 2026-01-31",
                "F__c <= 2026-01-31T10:00:00.000Z",
                r"F__c LIKE '50\%\_%'",
                "F__c IN ('a','b')",
                "F__c NOT IN ('c')",
                "G__c = true",
            ]
        );
    }
}
