//! The org's own rules: validation and duplicates.

use serde_json::{Value as Json, json};

use super::Writer;
use crate::error::ApiError;
use crate::ids::RecordId;
use crate::org::{DuplicateRule, OrgData};
use crate::soql::{RowView, compile_condition, parse_condition};
use crate::storage::{Draft, Slots};

/// Refuses a record that a rule of the org forbids.
pub(super) fn check(
    data: &OrgData,
    position: usize,
    id: RecordId,
    draft: &Draft,
    writer: &Writer<'_>,
    creating: bool,
) -> Result<(), ApiError> {
    if writer.system {
        return Ok(());
    }
    validation(data, position, id, draft, writer)?;
    if creating {
        for rule in &data.settings.duplicate_rules {
            duplicates(data, rule, position, draft, writer)?;
        }
    }
    Ok(())
}

fn validation(
    data: &OrgData,
    position: usize,
    id: RecordId,
    draft: &Draft,
    writer: &Writer<'_>,
) -> Result<(), ApiError> {
    let object = &data.tables[position].schema.name;
    for rule in data.settings.validation_rules.iter().filter(|rule| rule.object == *object) {
        let filter = parse_condition(&rule.refuse_when)
            .and_then(|parsed| {
                compile_condition(&parsed, &rule.refuse_when, data, position, writer.now)
            })
            .map_err(|error| {
                ApiError::bad(
                    "UNKNOWN_EXCEPTION",
                    format!("validation rule `{}`: {error}", rule.refuse_when),
                )
            })?;
        let row = draft.encode();
        let mut slots = Slots::default();
        slots.read(&row);
        if filter.passes(&RowView { data, id, row: &row, slots: &slots }) {
            let fields: Vec<&str> = rule.field.iter().map(String::as_str).collect();
            return Err(ApiError::fields(
                "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                rule.message.clone(),
                &fields,
            ));
        }
    }
    Ok(())
}

fn duplicates(
    data: &OrgData,
    rule: &DuplicateRule,
    position: usize,
    draft: &Draft,
    writer: &Writer<'_>,
) -> Result<(), ApiError> {
    let schema = &data.tables[position].schema;
    if rule.object != schema.name || rule.allow_save && writer.allow_duplicates {
        return Ok(());
    }
    let text = |field: &str| draft.get(schema.at(field)).as_text().map(str::to_lowercase);
    let Some(wanted) = rule.fields.iter().map(|field| text(field)).collect::<Option<Vec<_>>>()
    else {
        return Ok(());
    };
    let own = [schema.name.clone()];
    let against = if rule.against.is_empty() { &own[..] } else { &rule.against };
    let mut results = Vec::new();
    for object in against {
        let Some(table) = data.table(object) else { continue };
        let found: Vec<Json> = table
            .iter()
            .filter(|(id, row)| {
                !table.is_deleted(row)
                    && rule.fields.iter().zip(&wanted).all(|(field, wanted)| {
                        data.value(*id, field)
                            .as_text()
                            .is_some_and(|own| own.to_lowercase() == *wanted)
                    })
            })
            .take(100)
            .map(|(id, _)| match_record(object, id))
            .collect();
        if !found.is_empty() {
            results.push(match_result(rule, object, &found));
        }
    }
    if results.is_empty() {
        return Ok(());
    }
    let message = "Use one of these records?";
    let key = if data.settings.duplicate_typo { "duplicateResut" } else { "duplicateResult" };
    let body = json!({ key: {
        "allowSave": rule.allow_save,
        "duplicateRule": rule.name,
        "duplicateRuleEntityType": rule.object,
        "errorMessage": message,
        "matchResults": results,
    }});
    Err(ApiError {
        duplicates: Some(Box::new(body)),
        ..ApiError::bad("DUPLICATES_DETECTED", message)
    })
}

fn match_record(object: &str, id: RecordId) -> Json {
    json!({
        "additionalInformation": [],
        "fieldDiffs": [],
        "matchConfidence": 100.0,
        "record": {
            "attributes": { "type": object, "url": format!("/services/data/v62.0/sobjects/{object}/\
                 {id}") },
            "Id": id.to_string(),
        },
    })
}

fn match_result(rule: &DuplicateRule, object: &str, found: &[Json]) -> Json {
    json!({
        "entityType": object,
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": found,
        "rule": format!("{}_Match_v1_1", rule.name),
        "size": found.len(),
        "success": true,
    })
}
