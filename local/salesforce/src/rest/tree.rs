//! `/composite/tree`: records with their children, created together or not at all.

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::{Map, Value as Json, json};

use super::caller::{Caller, json_body};
use super::parts::{array, text};
use super::sobjects::writer;
use crate::dml::{self, Transaction};
use crate::error::{ApiError, Reply};
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::reply::json;
use crate::sync::write;

/// The most records in one call.
const MOST_RECORDS: usize = 200;
/// The most objects in one call.
const MOST_OBJECTS: usize = 5;
/// How deep children nest.
const MOST_DEPTH: usize = 5;

/// A record of the tree, parents before their children.
struct Node<'b> {
    reference: &'b str,
    object: &'b str,
    fields: Map<String, Json>,
    /// The parent's place among the nodes, and the relationship by which it names this one.
    parent: Option<(usize, &'b str)>,
}

/// `POST /composite/tree/{X}`.
pub(super) fn plant(caller: &Caller<'_>, object: &str) -> Reply {
    let body = json_body(caller)?;
    let mut nodes = Vec::new();
    collect(array(&body, "records")?, None, 1, &mut nodes)?;
    let other = nodes.iter().find(|n| n.parent.is_none() && !n.object.eq_ignore_ascii_case(object));
    if let Some(other) = other {
        let message = format!("The records of this call are {object}s, not {}s", other.object);
        return Err(ApiError::bad("INVALID_INPUT", message));
    }
    let mut data = write(&caller.org.data);
    let transaction = Transaction::begin(&data);
    let mut ids: Vec<Option<RecordId>> = Vec::new();
    let mut failures: Vec<Json> = Vec::new();
    for node in &nodes {
        let created = create(caller, &mut data, node, &ids);
        ids.push(created.as_ref().ok().copied());
        if let Err(mut error) = created {
            error.fields.get_or_insert_default();
            let errors = [error.body("statusCode")];
            failures.push(json!({ "referenceId": node.reference, "errors": errors }));
        }
    }
    if !failures.is_empty() {
        transaction.roll_back(&mut data);
        let body = json!({ "hasErrors": true, "results": failures });
        return Ok(json(StatusCode::BAD_REQUEST, &body));
    }
    transaction.commit();
    let results: Vec<Json> = nodes
        .iter()
        .zip(ids.iter().flatten())
        .map(|(node, id)| json!({ "referenceId": node.reference, "id": id.to_string() }))
        .collect();
    Ok(json(StatusCode::CREATED, &json!({ "hasErrors": false, "results": results })))
}

/// Lists records and, behind each, its children.
fn collect<'b>(
    records: &'b [Json],
    parent: Option<(usize, &'b str)>,
    depth: usize,
    nodes: &mut Vec<Node<'b>>,
) -> Result<(), ApiError> {
    if depth > MOST_DEPTH {
        return Err(ApiError::bad("LIMIT_EXCEEDED", format!("At most {MOST_DEPTH} levels")));
    }
    for record in records {
        let Some(attributes) = record.get("attributes") else {
            let message = "Include an entity type in the record's attributes";
            return Err(ApiError::bad("INVALID_INPUT", message));
        };
        let at = nodes.len();
        let own = record.as_object().into_iter().flatten();
        nodes.push(Node {
            reference: text(attributes, "referenceId"),
            object: text(attributes, "type"),
            fields: own
                .clone()
                .filter(|(_, value)| value.get("records").is_none())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            parent,
        });
        for (relationship, children) in own {
            if let Some(children) = children.get("records").and_then(Json::as_array) {
                collect(children, Some((at, relationship)), depth + 1, nodes)?;
            }
        }
    }
    bounded(nodes)
}

fn bounded(nodes: &[Node<'_>]) -> Result<(), ApiError> {
    let objects: HashSet<&str> = nodes.iter().map(|node| node.object).collect();
    let references: HashSet<&str> = nodes.iter().map(|node| node.reference).collect();
    if nodes.len() > MOST_RECORDS || objects.len() > MOST_OBJECTS {
        let message = format!("At most {MOST_RECORDS} records of {MOST_OBJECTS} objects");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    if references.len() < nodes.len() || references.contains("") {
        let message = "Each record needs a referenceId of its own";
        return Err(ApiError::bad("INVALID_INPUT", message));
    }
    Ok(())
}

fn create(
    caller: &Caller<'_>,
    data: &mut OrgData,
    node: &Node<'_>,
    ids: &[Option<RecordId>],
) -> Result<RecordId, ApiError> {
    let mut fields = node.fields.clone();
    if let Some((parent, relationship)) = node.parent {
        let table = data.table(node.object).ok_or_else(ApiError::not_found)?;
        let named = |own: &str| own.eq_ignore_ascii_case(relationship);
        let field = table
            .schema
            .fields
            .iter()
            .find(|field| field.children.as_deref().is_some_and(named))
            .ok_or_else(|| {
                let message = format!("No such relationship '{relationship}'");
                ApiError::fields("INVALID_FIELD", message, &[])
            })?;
        // A parent that failed has its own error; its children fail for want of it.
        let parent = ids[parent].ok_or_else(|| {
            ApiError::fields("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[])
        })?;
        fields.insert(field.name.clone(), parent.to_string().into());
    }
    dml::create(data, &writer(caller), node.object, &fields)
}
