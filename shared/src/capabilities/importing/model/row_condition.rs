//! Conditions of record filters: as an admin writes them, and as they are put to Salesforce.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::org_field::shown;
use crate::capabilities::importing::{OrgField, ValueType};

/// How a field's value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterOperator {
    /// The same; with `null`: without a value.
    Equals,
    /// Another; rows without a value, too. With `null`: with a value.
    NotEquals,
    /// Less, or earlier.
    LessThan,
    /// Less or the same.
    LessOrEqual,
    /// More, or later.
    GreaterThan,
    /// More or the same.
    GreaterOrEqual,
    /// A text that begins so.
    StartsWith,
    /// One of several.
    In,
    /// None of several.
    NotIn,
}

/// A value as it is written in JSON; the field's type says what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FilterValue {
    /// A checkbox.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A text, a date (`2026-01-31`), a moment (RFC 3339) or a record's id.
    Text(String),
    /// Several.
    Several(Vec<FilterValue>),
    /// No value.
    Null(()),
}

/// A condition as an admin writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterCondition {
    /// Any field that the integration user sees and Salesforce can filter by.
    pub field: String,
    /// The comparison.
    pub operator: FilterOperator,
    /// With what; several for `in` and `not_in`.
    pub value: FilterValue,
}

/// A value of the field's own type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowValue {
    /// None.
    Null,
    /// A text or an id.
    Text(String),
    /// A number.
    Number(#[serde(with = "rust_decimal::serde::str")] Decimal),
    /// A checkbox.
    Boolean(bool),
    /// A day.
    Date(Date),
    /// A moment.
    Moment(Timestamp),
}

/// A condition that can be put to Salesforce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCondition {
    /// The field.
    pub field: String,
    /// The comparison.
    pub operator: FilterOperator,
    /// One value; one or more for `In` and `NotIn`.
    pub values: Vec<RowValue>,
}

/// The most values of one condition.
const MOST_VALUES: usize = 100;

/// The longest text that Salesforce compares.
const LONGEST_TEXT: usize = 255;

impl RowCondition {
    /// `field = value`.
    #[must_use]
    pub fn equals(field: &str, value: RowValue) -> Self {
        Self { field: field.to_owned(), operator: FilterOperator::Equals, values: vec![value] }
    }
}

impl FilterCondition {
    /// The condition with values of the field's type, when the org allows it.
    pub(super) fn checked(&self, fields: &[OrgField]) -> Result<RowCondition, String> {
        let Some(field) = shown(fields, &self.field) else {
            return Err("the org shows the integration user no such field".to_owned());
        };
        if matches!(field.name.as_str(), "IsDeleted" | "SystemModstamp") {
            return Err("the import itself goes by it".to_owned());
        }
        let kind = ValueType::of(&field.kind).filter(|_| field.filterable);
        let Some(kind) = kind else {
            return Err(format!("Salesforce cannot filter by a field of type {}", field.kind));
        };
        let listed = matches!(self.operator, FilterOperator::In | FilterOperator::NotIn);
        let values = match &self.value {
            FilterValue::Several(values) if listed => values.as_slice(),
            FilterValue::Several(_) => return Err("only in and not_in take a list".to_owned()),
            _ if listed => return Err("in and not_in take a list".to_owned()),
            one => std::slice::from_ref(one),
        };
        if values.is_empty() || values.len() > MOST_VALUES {
            return Err(format!("a list has 1 to {MOST_VALUES} values"));
        }
        let values: Vec<RowValue> =
            values.iter().map(|value| typed(kind, value)).collect::<Result<_, _>>()?;
        self.fits(kind, &values)?;
        Ok(RowCondition { field: field.name.clone(), operator: self.operator, values })
    }

    fn fits(&self, kind: ValueType, values: &[RowValue]) -> Result<(), String> {
        use FilterOperator::{
            Equals, GreaterOrEqual, GreaterThan, LessOrEqual, LessThan, NotEquals, StartsWith,
        };
        let fits = match self.operator {
            Equals | NotEquals => return Ok(()),
            StartsWith => kind == ValueType::Text,
            LessThan | LessOrEqual | GreaterThan | GreaterOrEqual => {
                matches!(kind, ValueType::Number | ValueType::Date | ValueType::Moment)
            }
            FilterOperator::In | FilterOperator::NotIn => kind != ValueType::Boolean,
        };
        if !fits {
            return Err(format!("a {kind} cannot be compared so"));
        }
        if values.contains(&RowValue::Null) {
            return Err("null goes with equals and not_equals only".to_owned());
        }
        Ok(())
    }
}

/// A value of a field's type.
fn typed(kind: ValueType, value: &FilterValue) -> Result<RowValue, String> {
    let wrong = || format!("the field holds a {kind}, and the value is none");
    Ok(match (kind, value) {
        (_, FilterValue::Null(())) => RowValue::Null,
        (ValueType::Boolean, FilterValue::Boolean(value)) => RowValue::Boolean(*value),
        (ValueType::Number, FilterValue::Number(number)) => {
            let text = number.to_string();
            let number = text.parse().or_else(|_| Decimal::from_scientific(&text));
            RowValue::Number(number.map_err(|_| wrong())?)
        }
        (ValueType::Text, FilterValue::Text(text)) => {
            if text.chars().count() > LONGEST_TEXT {
                return Err(format!("a text has at most {LONGEST_TEXT} characters"));
            }
            RowValue::Text(text.clone())
        }
        (ValueType::Id, FilterValue::Text(id)) if is_id(id) => RowValue::Text(id.clone()),
        (ValueType::Date, FilterValue::Text(day)) => {
            RowValue::Date(day.parse().map_err(|_| wrong())?)
        }
        (ValueType::Moment, FilterValue::Text(moment)) => {
            RowValue::Moment(moment.parse().map_err(|_| wrong())?)
        }
        _ => return Err(wrong()),
    })
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
