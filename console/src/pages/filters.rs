//! Record filters: which rows of an object are read.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{OBJECTS, back as to};
use crate::frame::{Frame, show as page};
use crate::guard::{Act, Fields, Visit};
use crate::trouble::Trouble;

/// How values are compared, as the API names it.
const OPERATORS: [(&str, &str); 9] = [
    ("equals", "equals"),
    ("not_equals", "does not equal"),
    ("less_than", "is less than"),
    ("less_or_equal", "is at most"),
    ("greater_than", "is greater than"),
    ("greater_or_equal", "is at least"),
    ("starts_with", "begins with"),
    ("in", "is one of"),
    ("not_in", "is none of"),
];

#[derive(Serialize, Deserialize)]
struct Filter {
    object: String,
    conditions: Vec<Condition>,
}

#[derive(Serialize, Deserialize)]
struct Condition {
    field: String,
    operator: String,
    value: Value,
}

impl Condition {
    fn operator_words(&self) -> String {
        let known = OPERATORS.iter().find(|(name, _)| *name == self.operator);
        known.map_or_else(|| self.operator.clone(), |(_, words)| (*words).to_owned())
    }

    fn value_words(&self) -> String {
        let one = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => "nothing".to_owned(),
            other => other.to_string(),
        };
        match &self.value {
            Value::Array(several) => several.iter().map(one).collect::<Vec<_>>().join(", "),
            value => one(value),
        }
    }
}

#[derive(Deserialize)]
struct Filters {
    items: Vec<Filter>,
}

#[derive(Deserialize)]
struct OrgFields {
    items: Vec<OrgField>,
}

#[derive(Deserialize)]
struct OrgField {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Template)]
#[template(path = "filters.html")]
struct Page {
    frame: Frame,
    filters: Vec<Filter>,
    objects: [&'static str; 11],
    operators: [(&'static str, &'static str); 9],
}

pub(crate) async fn show(visit: Visit) -> Result<Response, Trouble> {
    let filters = visit.ask.on(visit.environment).get::<Filters>("/record-filters").await?.items;
    let frame = visit.frame("/filters").await?;
    page(&Page { frame, filters, objects: OBJECTS, operators: OPERATORS })
}

/// A value as a field of this type holds it.
fn typed(text: &str, kind: &str) -> Value {
    let as_written = || Value::String(text.to_owned());
    match (kind, text) {
        (_, "") => Value::Null,
        ("boolean", "true" | "yes") => Value::Bool(true),
        ("boolean", "false" | "no") => Value::Bool(false),
        ("int" | "long" | "double" | "currency" | "percent", number) => {
            serde_json::from_str(number).ok().filter(Value::is_number).unwrap_or_else(as_written)
        }
        _ => as_written(),
    }
}

/// The condition that a form holds, on a field of this type.
fn condition_of(fields: &Fields, kind: &str) -> Option<Condition> {
    let (field, operator) = (fields.text("field")?, fields.text("operator")?);
    let text = fields.text("value").unwrap_or_default();
    let value = if ["in", "not_in"].contains(&operator) {
        text.split(',').map(|text| typed(text.trim(), kind)).collect()
    } else {
        typed(text, kind)
    };
    Some(Condition { field: field.to_owned(), operator: operator.to_owned(), value })
}

/// Adds a condition, or takes one away by its place.
pub(crate) async fn change(Act(visit, fields): Act) -> Result<Response, Trouble> {
    let on = visit.ask.on(visit.environment);
    let asked = fields.text("object").ok_or(Trouble::Form)?;
    let object = OBJECTS.into_iter().find(|object| *object == asked).ok_or(Trouble::Form)?;
    let mut items = on.get::<Filters>("/record-filters").await?.items;
    let place = items.iter().position(|filter| filter.object == object);
    if let Some(remove) = fields.number("remove").and_then(|at| usize::try_from(at).ok()) {
        let filter = place.and_then(|place| items.get_mut(place)).ok_or(Trouble::Form)?;
        if remove < filter.conditions.len() {
            filter.conditions.remove(remove);
        }
    } else {
        let shown = on.find::<OrgFields>(&format!("/org-fields/{object}")).await?;
        let shown = shown.map(|shown| shown.items).unwrap_or_default();
        let field = fields.text("field").unwrap_or_default();
        let kind = shown.iter().find(|shown| shown.name == field);
        let kind = kind.map_or("", |field| field.kind.as_str());
        let condition = condition_of(&fields, kind).ok_or(Trouble::Form)?;
        match place.and_then(|place| items.get_mut(place)) {
            Some(filter) => filter.conditions.push(condition),
            None => {
                items.push(Filter { object: object.to_owned(), conditions: vec![condition] });
            }
        }
    }
    items.retain(|filter| !filter.conditions.is_empty());
    on.act(Method::PUT, "/record-filters", Some(json!({ "items": items }))).await?;
    Ok(to(&visit, "/filters", "saved"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_its_field_holds() {
        assert_eq!(typed("5", "string"), json!("5"));
        assert_eq!(typed("5", "double"), json!(5));
        assert_eq!(typed("five", "double"), json!("five"), "the API says what is wrong with it");
        assert_eq!(typed("true", "boolean"), json!(true));
        assert_eq!(typed("", "string"), Value::Null);
        let fields = Fields::parse(b"field=Rating&operator=in&value=Hot,+Warm");
        let condition = condition_of(&fields, "picklist").unwrap();
        assert_eq!(condition.value, json!(["Hot", "Warm"]));
        assert_eq!(condition.value_words(), "Hot, Warm");
    }
}
