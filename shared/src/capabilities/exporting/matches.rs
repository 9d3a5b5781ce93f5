//! The rows of matched and unmatched records.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::csv::write_cell;
use super::{ExportFormat, ExportKind};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::{CandidateList, MatchSource, RecordDecision};
use crate::kernel::{DirectoryVersionId, EntityId, Fields, SObject};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::Stored;

/// The names of the columns, in their order.
const COLUMNS: [&str; 12] = [
    "object",
    "record_id",
    "record_url",
    "name",
    "company",
    "owner_id",
    "decision",
    "reason",
    "entity_id",
    "source",
    "probability",
    "directory_version",
];

/// Why a record is linked to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Unlinked {
    /// Another record of the CRM is linked to its entity.
    Duplicate,
    /// It may be an entity, and waits for a person.
    Review,
    /// The directory has nobody like it.
    NoCandidate,
    /// Too little speaks for the best candidate.
    TooUnlike,
    /// A person said that it is none of them.
    ByPerson,
}

/// A record and what matching says of it.
#[derive(Debug, Serialize)]
struct Row {
    object: SObject,
    record_id: SalesforceId,
    record_url: String,
    name: Option<String>,
    company: Option<String>,
    owner_id: Option<SalesforceId>,
    decision: RecordDecision,
    reason: Option<Unlinked>,
    /// The linked entity or, without one, the best candidate that is kept.
    entity_id: Option<EntityId>,
    source: Option<MatchSource>,
    probability: Option<f64>,
    directory_version: Option<DirectoryVersionId>,
}

/// The first line of a file; none for JSON.
pub(super) fn head(format: ExportFormat) -> String {
    match format {
        ExportFormat::Csv => format!("{}\r\n", COLUMNS.join(",")),
        ExportFormat::Jsonl | ExportFormat::Roaring => String::new(),
    }
}

/// The lines of those of a page's records that belong to the export.
pub(super) async fn lines(
    opened: &OpenGeneration,
    (kind, format): (ExportKind, ExportFormat),
    mut page: Vec<Stored<CandidateList>>,
    most: usize,
) -> Result<(u32, String), PortError> {
    page.retain(|list| !list.gone && belongs(kind, list.decision));
    let records: BTreeSet<_> = page.iter().map(|list| list.record()).collect();
    let fields = opened.records.fields_of(records).await?;
    let (mut rows, mut lines) = (0, String::new());
    // A record that is gone from the org is no row, though settling has not met that yet.
    let held = page.iter().filter_map(|list| Some((list, fields.get(&list.record())?)));
    for (list, fields) in held.take(most) {
        write_line(format, &row(opened, list, fields), &mut lines)?;
        rows += 1;
    }
    Ok((rows, lines))
}

fn belongs(kind: ExportKind, decision: RecordDecision) -> bool {
    match kind {
        ExportKind::Matched => decision == RecordDecision::Match,
        ExportKind::Unmatched => decision != RecordDecision::Match,
        ExportKind::InCrmPeople | ExportKind::InCrmCompanies => false,
    }
}

fn row(opened: &OpenGeneration, list: &CandidateList, fields: &Fields) -> Row {
    let best = list.matched_candidate().or(list.candidates.first());
    let best_id = || best.map(|candidate| candidate.entity.clone());
    Row {
        object: list.object,
        record_id: list.id,
        record_url: opened.connection.record_url(list.id),
        name: name_of(fields),
        company: fields.get("Company").map(str::to_owned),
        owner_id: fields.reference("OwnerId"),
        decision: list.decision,
        reason: reason(list),
        entity_id: list.matched.clone().or_else(best_id),
        source: list.source,
        probability: best.map(|candidate| candidate.probability),
        directory_version: list.directory,
    }
}

fn name_of(fields: &Fields) -> Option<String> {
    let parts = ["FirstName", "LastName"].into_iter().filter_map(|name| fields.get(name));
    let whole = parts.collect::<Vec<_>>().join(" ");
    fields.get("Name").map(str::to_owned).or_else(|| (!whole.is_empty()).then_some(whole))
}

fn reason(list: &CandidateList) -> Option<Unlinked> {
    Some(match list.decision {
        RecordDecision::Match => return None,
        RecordDecision::Duplicate => Unlinked::Duplicate,
        RecordDecision::Review => Unlinked::Review,
        RecordDecision::NonMatch if !list.never.is_empty() => Unlinked::ByPerson,
        RecordDecision::NonMatch if list.candidates.is_empty() => Unlinked::NoCandidate,
        RecordDecision::NonMatch => Unlinked::TooUnlike,
    })
}

fn write_line(format: ExportFormat, row: &Row, lines: &mut String) -> Result<(), PortError> {
    // serde_json's error could quote a value.
    let unwritten = |_| PortError::reject("write a row", "unknown form");
    let value = serde_json::to_value(row).map_err(unwritten)?;
    match format {
        ExportFormat::Jsonl | ExportFormat::Roaring => {
            lines.push_str(&serde_json::to_string(row).map_err(unwritten)?);
            lines.push('\n');
        }
        ExportFormat::Csv => {
            for (place, column) in COLUMNS.iter().enumerate() {
                lines.push_str(if place == 0 { "" } else { "," });
                match value.get(column) {
                    Some(Value::String(text)) => write_cell(text, lines),
                    None | Some(Value::Null) => {}
                    Some(number) => lines.push_str(&number.to_string()),
                }
            }
            lines.push_str("\r\n");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::record_id;

    #[test]
    fn every_field_of_a_row_is_a_column() {
        let id = record_id("00Q", 1);
        let row = Row {
            object: SObject::Lead,
            record_id: id,
            record_url: String::new(),
            name: None,
            company: None,
            owner_id: None,
            decision: RecordDecision::NonMatch,
            reason: None,
            entity_id: None,
            source: None,
            probability: None,
            directory_version: None,
        };
        let value = serde_json::to_value(&row).unwrap();
        let mut fields: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let mut columns = COLUMNS;
        fields.sort_unstable();
        columns.sort_unstable();
        assert_eq!(fields, columns);
    }

    #[test]
    fn who_is_not_linked_has_a_reason_and_who_is_has_none() {
        let of = |decision| CandidateList {
            decision,
            ..CandidateList::empty(SObject::Lead, record_id("00Q", 1))
        };
        assert_eq!(reason(&of(RecordDecision::Match)), None);
        assert_eq!(reason(&of(RecordDecision::Duplicate)), Some(Unlinked::Duplicate));
        assert_eq!(reason(&of(RecordDecision::Review)), Some(Unlinked::Review));
        assert_eq!(reason(&of(RecordDecision::NonMatch)), Some(Unlinked::NoCandidate));
        let never = vec![crate::testing::entity_id("pr_1")];
        let ruled = CandidateList { never, ..of(RecordDecision::NonMatch) };
        assert_eq!(reason(&ruled), Some(Unlinked::ByPerson));
    }
}
