//! Conditions and changes as expressions. Names and values travel as placeholders only: nothing of
//! a document is ever part of an expression's text.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::{BODY, EXPIRES_AT, PK, SK, stored_name, to_binary, to_value};
use crate::ports::{Change, Condition, Range};

/// The names and values that an expression's placeholders stand for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Placeholders {
    names: Vec<String>,
    values: Vec<AttributeValue>,
}

impl Placeholders {
    fn name(&mut self, attribute: &str) -> String {
        self.stored(stored_name(attribute))
    }

    fn stored(&mut self, name: String) -> String {
        let index = self.names.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        format!("#n{index}")
    }

    fn value(&mut self, value: AttributeValue) -> String {
        self.values.push(value);
        format!(":v{}", self.values.len() - 1)
    }

    fn text(&mut self, text: &str) -> String {
        self.value(AttributeValue::S(text.to_owned()))
    }

    /// The names in the SDK's form; DynamoDB refuses an empty map.
    pub(super) fn names(&self) -> Option<HashMap<String, String>> {
        let names = self.names.iter().enumerate();
        Some(names.map(|(i, name)| (format!("#n{i}"), name.clone())).collect())
            .filter(|map: &HashMap<_, _>| !map.is_empty())
    }

    /// The values in the SDK's form.
    pub(super) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        let values = self.values.iter().enumerate();
        Some(values.map(|(i, value)| (format!(":v{i}"), value.clone())).collect())
            .filter(|map: &HashMap<_, _>| !map.is_empty())
    }

    /// The condition expression; none when nothing need hold.
    pub(super) fn condition(&mut self, condition: &Condition) -> Option<String> {
        (*condition != Condition::Always).then(|| self.term(condition))
    }

    /// The expression of a mere check, which cannot be without one.
    pub(super) fn check(&mut self, condition: &Condition) -> String {
        self.term(condition)
    }

    fn term(&mut self, condition: &Condition) -> String {
        match condition {
            Condition::Absent => "attribute_not_exists(pk)".to_owned(),
            Condition::Exists => "attribute_exists(pk)".to_owned(),
            Condition::Eq(name, value) => {
                format!("{} = {}", self.name(name), self.value(to_value(value.clone())))
            }
            Condition::Ne(name, value) => {
                // An absent attribute differs from every value for DynamoDB, but not for the port.
                let name = self.name(name);
                let value = self.value(to_value(value.clone()));
                format!("(attribute_exists({name}) AND {name} <> {value})")
            }
            Condition::Lt(name, value) => {
                format!("{} < {}", self.name(name), self.value(to_value(value.clone())))
            }
            Condition::Missing(name) => format!("attribute_not_exists({})", self.name(name)),
            Condition::All(all) if !all.is_empty() => self.joined(all, " AND "),
            Condition::Any(any) if !any.is_empty() => self.joined(any, " OR "),
            // Neutral elements: "all of nothing" holds, "any of nothing" does not.
            Condition::Always | Condition::All(_) => {
                "(attribute_exists(pk) OR attribute_not_exists(pk))".to_owned()
            }
            Condition::Any(_) => "(attribute_exists(pk) AND attribute_not_exists(pk))".to_owned(),
        }
    }

    /// One condition stands for itself: DynamoDB refuses redundant parentheses.
    fn joined(&mut self, conditions: &[Condition], with: &str) -> String {
        if let [only] = conditions {
            return self.term(only);
        }
        let terms: Vec<String> = conditions.iter().map(|c| self.term(c)).collect();
        format!("({})", terms.join(with))
    }

    /// The update expression.
    pub(super) fn changes(&mut self, changes: Vec<Change>) -> String {
        let (mut set, mut add, mut remove) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Set(name, value) => {
                    set.push(format!("{} = {}", self.name(name), self.value(to_value(value))));
                }
                Change::Body(body) => {
                    let name = self.stored(BODY.to_owned());
                    set.push(format!("{name} = {}", self.value(to_binary(body))));
                }
                Change::Until(at) => {
                    let name = self.stored(EXPIRES_AT.to_owned());
                    set.push(format!("{name} = {}", self.value(AttributeValue::N(at.to_string()))));
                }
                Change::Add(name, by) => {
                    let by = AttributeValue::N(by.to_string());
                    add.push(format!("{} {}", self.name(name), self.value(by)));
                }
                Change::Remove(name) => remove.push(self.name(name)),
            }
        }
        [("SET", set), ("ADD", add), ("REMOVE", remove)]
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(verb, list)| format!("{verb} {}", list.join(", ")))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The key condition of a query.
    pub(super) fn sort_keys(&mut self, pk: &str, range: &Range) -> String {
        let partition = format!("{PK} = {}", self.text(pk));
        match range {
            Range::All => partition,
            // Every sort key begins with nothing, and an empty operand is refused.
            Range::Prefix(prefix) if prefix.is_empty() => partition,
            Range::Prefix(prefix) => {
                format!("{partition} AND begins_with({SK}, {})", self.text(prefix))
            }
            Range::UpTo(last) => format!("{partition} AND {SK} <= {}", self.text(last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(condition: &Condition) -> String {
        Placeholders::default().condition(condition).unwrap_or_default()
    }

    #[test]
    fn a_condition_names_everything_by_placeholder() {
        let mut placeholders = Placeholders::default();
        let condition = Condition::Any(vec![
            Condition::Absent,
            Condition::All(vec![
                Condition::Eq("state", json!("x' OR 1 = 1")),
                Condition::Lt("until", json!(5)),
                Condition::Ne("state", json!("done")),
            ]),
        ]);
        let text = placeholders.condition(&condition).unwrap();
        assert_eq!(
            text,
            "(attribute_not_exists(pk) OR (#n0 = :v0 AND #n1 < :v1 \
             AND (attribute_exists(#n0) AND #n0 <> :v2)))"
        );
        assert_eq!(placeholders.names().unwrap().len(), 2);
        assert_eq!(placeholders.values().unwrap()[":v0"], AttributeValue::S("x' OR 1 = 1".into()));
    }

    #[test]
    fn no_condition_has_no_expression_and_no_placeholders() {
        let mut placeholders = Placeholders::default();
        assert_eq!(placeholders.condition(&Condition::Always), None);
        assert_eq!((placeholders.names(), placeholders.values()), (None, None));
    }

    #[test]
    fn empty_lists_of_conditions_keep_their_meaning() {
        assert!(rendered(&Condition::All(vec![])).contains(" OR "));
        assert!(rendered(&Condition::Any(vec![])).contains(" AND "));
    }

    #[test]
    fn a_single_condition_has_no_parentheses_of_its_own() {
        let nested = Condition::Any(vec![Condition::All(vec![Condition::Absent])]);
        assert_eq!(rendered(&nested), "attribute_not_exists(pk)");
        let many = Condition::Any(vec![nested, Condition::Exists]);
        assert_eq!(rendered(&many), "(attribute_not_exists(pk) OR attribute_exists(pk))");
    }

    #[test]
    fn changes_are_grouped_by_verb() {
        let mut placeholders = Placeholders::default();
        let text = placeholders.changes(vec![
            Change::Set("a", json!(1)),
            Change::Remove("b"),
            Change::Add("c", -2),
            Change::Body(vec![1]),
        ]);
        assert_eq!(text, "SET #n0 = :v0, #n3 = :v2 ADD #n2 :v1 REMOVE #n1");
    }

    #[test]
    fn a_documents_own_body_is_not_the_sealed_body() {
        let mut placeholders = Placeholders::default();
        let text =
            placeholders.changes(vec![Change::Set("body", json!("text")), Change::Body(vec![1])]);
        assert_eq!(text, "SET #n0 = :v0, #n1 = :v1");
        assert_eq!(placeholders.names().unwrap()["#n0"], "body_");
    }
}
