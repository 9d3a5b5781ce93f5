//! The permissions that the roles of `template.yaml` grant, as IAM reads them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stack::{Aws, Call, StackOptions};

use crate::template::{functions, list, statements, template};

/// One action on one resource, with one value of each condition that names several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The function's folder name.
    pub function: String,
    /// The action as IAM names it.
    pub action: String,
    /// The resource's ARN, in which `*` stands for anything.
    resource: String,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

impl Condition {
    fn holds(&self, call: &Call) -> bool {
        let found = call.conditions.get(&self.key);
        let is_any = |value: &String, test: fn(&str, &str) -> bool| {
            self.values.iter().any(|allowed| test(allowed, value))
        };
        let all = |test: fn(&str, &str) -> bool| {
            found.is_none_or(|values| values.iter().all(|value| is_any(value, test)))
        };
        match self.operator.as_str() {
            "StringEquals" => {
                found.is_some_and(|values| values.iter().all(|v| is_any(v, |a, b| a == b)))
            }
            "ForAllValues:StringEquals" => all(|a, b| a == b),
            "ForAllValues:StringLike" => all(is_like),
            "Null" => found.is_none() == (self.values == ["true"]),
            other => panic!("{other}: a template of ours has no such condition yet"),
        }
    }
}

impl Grant {
    /// The same, for another function.
    #[must_use]
    pub fn to(&self, function: &str) -> Self {
        Self { function: function.to_owned(), ..self.clone() }
    }

    /// Whether it is enough for a call.
    #[must_use]
    pub fn permits(&self, call: &Call) -> bool {
        self.function == call.function
            && self.action == call.action
            && is_like(&self.resource, &call.resource)
            && self.conditions.iter().all(|condition| condition.holds(call))
    }

    /// The resource and its conditions as a person reads them.
    #[must_use]
    pub fn on(&self) -> String {
        // arn:aws:SERVICE:REGION:ACCOUNT:PLACE
        let place = self.resource.splitn(6, ':').last().unwrap_or_default();
        let told = |condition: &Condition| match condition.key.as_str() {
            "kms:ViaService" => Some("a secret's".to_owned()),
            "kms:EncryptionContext:purpose" => Some(condition.values.join(", ")),
            "dynamodb:LeadingKeys" => Some(format!("items {}", condition.values.join(", "))),
            _ => None,
        };
        let told: Vec<String> = self.conditions.iter().filter_map(told).collect();
        if told.is_empty() { place.to_owned() } else { format!("{place} ({})", told.join("; ")) }
    }
}

/// Whether a text fits a pattern in which `*` stands for anything.
#[must_use]
pub fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// The ARN of a resource of the template, under the names that a local stack has.
fn arn_of(template: &Value, id: &str) -> String {
    let resource = &template["Resources"][id];
    let named = |name: &str| resolved(template, &resource["Properties"][name]);
    let regional = |service: &str, rest: &str| {
        format!("arn:aws:{service}:{}:{}:{rest}", Aws::REGION, Aws::ACCOUNT)
    };
    match resource["Type"].as_str().expect("as IAM has it") {
        "AWS::DynamoDB::Table" => regional("dynamodb", &format!("table/{}", named("TableName"))),
        "AWS::KMS::Key" => regional("kms", "key/KEY"),
        "AWS::Logs::LogGroup" => regional("logs", &format!("log-group:{}", named("LogGroupName"))),
        "AWS::S3::Bucket" => "arn:aws:s3:::BUCKET".to_owned(),
        "AWS::SQS::Queue" => regional("sqs", &named("QueueName")),
        "AWS::SecretsManager::Secret" => {
            regional("secretsmanager", &format!("secret:{}", named("Name")))
        }
        other => panic!("{id}: the ARN of {other} is not known here"),
    }
}

/// A text of the template, its references resolved.
fn resolved(template: &Value, value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(id) = value["Ref"].as_str() {
        return match template["Parameters"][id]["Default"].as_str() {
            Some(default) => default.to_owned(),
            None => arn_of(template, id),
        };
    }
    if let Some(attribute) = value["Fn::GetAtt"].as_str() {
        return arn_of(template, attribute.strip_suffix(".Arn").expect("as IAM has it"));
    }
    let mut text = value["Fn::Sub"].as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    while let Some((before, rest)) = text.split_once("${") {
        let (name, after) = rest.split_once('}').expect("as IAM has it");
        let found = match name {
            "AWS::AccountId" => Aws::ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::Region" => Aws::REGION.to_owned(),
            "AWS::StackName" => StackOptions::NAME.to_owned(),
            _ => match name.strip_suffix(".Arn") {
                Some(id) => arn_of(template, id),
                None => resolved(template, &json!({ "Ref": name })),
            },
        };
        text = format!("{before}{found}{after}");
    }
    text
}

/// The conditions of a statement, one set for each value of those that name several values.
fn conditions(template: &Value, statement: &Value) -> Vec<Vec<Condition>> {
    let mut sets = vec![Vec::new()];
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().expect("as IAM has it") {
            let values: Vec<String> =
                list(values).into_iter().map(|value| resolved(template, value)).collect();
            let one_of = |values: Vec<String>| Condition {
                operator: operator.clone(),
                key: key.clone(),
                values,
            };
            let choices: Vec<Condition> = if operator == "StringEquals" {
                values.into_iter().map(|value| one_of(vec![value])).collect()
            } else {
                vec![one_of(values)]
            };
            let with = |set: &Vec<Condition>| -> Vec<Vec<Condition>> {
                let chosen = choices.iter().cloned();
                chosen.map(|choice| set.iter().cloned().chain([choice]).collect()).collect()
            };
            sets = sets.iter().flat_map(with).collect();
        }
    }
    sets
}

/// What the roles of the template grant, one by one.
#[must_use]
pub fn grants() -> BTreeSet<Grant> {
    let template = template();
    let mut grants = BTreeSet::new();
    for (function, properties) in functions(&template) {
        for statement in statements(&template, properties) {
            for action in list(&statement["Action"]) {
                for resource in list(&statement["Resource"]) {
                    for conditions in conditions(&template, statement) {
                        grants.insert(Grant {
                            function: function.to_owned(),
                            action: action.as_str().expect("as IAM has it").to_owned(),
                            resource: resolved(&template, resource),
                            conditions,
                        });
                    }
                }
            }
        }
    }
    grants
}

/// The calls that no grant is enough for.
#[must_use]
pub fn refused<'a>(grants: &BTreeSet<Grant>, calls: &'a BTreeSet<Call>) -> Vec<&'a Call> {
    calls.iter().filter(|call| !grants.iter().any(|grant| grant.permits(call))).collect()
}
