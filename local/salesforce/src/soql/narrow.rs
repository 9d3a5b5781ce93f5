//! The ids that a condition pins before any row is read, and the parts of an address.

use super::ast::{Condition, Literal, Name, Operator};
use super::path::Path;
use super::plan::Plan;
use crate::ids::RecordId;
use crate::schema::{FieldType, ObjectSchema};

/// The parts of a compound address field.
pub(super) fn address(schema: &ObjectSchema, compound: &str) -> Path {
    const PARTS: [(&str, &str); 7] = [
        ("city", "City"),
        ("country", "Country"),
        ("latitude", "Latitude"),
        ("longitude", "Longitude"),
        ("postalCode", "PostalCode"),
        ("state", "State"),
        ("street", "Street"),
    ];
    let parts = PARTS
        .into_iter()
        .map(|(key, suffix)| {
            let at = schema.fields.iter().position(|field| {
                field.compound.as_deref() == Some(compound) && field.name.ends_with(suffix)
            });
            let kind = at.map_or(FieldType::String, |at| schema.fields[at].kind);
            (key, at.unwrap_or(usize::MAX), kind)
        })
        .collect();
    Path::Address { parts }
}

/// True if a condition pins one of the fields by `=` or `IN`.
pub(super) fn pins(condition: &Condition, fields: &[&str]) -> bool {
    let is = |name: &Name| fields.iter().any(|field| name.text.eq_ignore_ascii_case(field));
    match condition {
        Condition::And(all) => all.iter().any(|one| pins(one, fields)),
        Condition::Compare { name, operator: Operator::Equal, .. }
        | Condition::In { name, negated: false, .. }
        | Condition::InQuery { name, negated: false, .. } => is(name),
        _ => false,
    }
}

/// Uses what a condition says about ids, so that keyset pages and look-ups by id do not read the
/// whole table.
pub(super) fn narrow(plan: &mut Plan, condition: &Condition) {
    let ids = |list: &[(Literal, usize)]| -> Option<Vec<RecordId>> {
        list.iter()
            .map(|(literal, _)| match literal {
                Literal::Text(text) => RecordId::parse(text),
                _ => None,
            })
            .collect()
    };
    match condition {
        Condition::And(all) => all.iter().for_each(|one| narrow(plan, one)),
        Condition::Compare { name, operator, literal: Literal::Text(text), .. } => {
            let is_id = name.text.eq_ignore_ascii_case("Id");
            let Some(id) = RecordId::parse(text) else { return };
            match operator {
                Operator::Equal if is_id => plan.only = Some(vec![id]),
                Operator::Equal if name.text.eq_ignore_ascii_case("RecordId") => {
                    plan.asked_records = vec![id];
                }
                Operator::Greater if is_id => plan.after = plan.after.max(Some(id)),
                _ => {}
            }
        }
        Condition::In { name, negated: false, list } => {
            if name.text.eq_ignore_ascii_case("Id") {
                plan.only = ids(list);
            } else if name.text.eq_ignore_ascii_case("RecordId") {
                plan.asked_records = ids(list).unwrap_or_default();
            }
        }
        _ => {}
    }
}
