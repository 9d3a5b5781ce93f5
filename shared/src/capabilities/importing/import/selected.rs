//! What an admin has chosen to import, put to Salesforce.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Step;
use super::end::fence;
use super::query::REST_ROWS;
use super::{Import, outcome::build};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::importing::{
    FilterOperator, ImportSettings, ObjectImport, ObjectPhase, ObjectSelection, OrgField,
    RowCondition, RowValue, SelectionProblem, Sweep, Watermark,
};
use crate::kernel::{Gone, ImportRunId, RecordChange};
use crate::ports::Condition;
use crate::salesforce::{
    Condition as Soql, FieldValues, ObjectDescribe, QueryScope, Record as RestRecord, Select,
    Session, Value, parse_datetime,
};
use crate::store;
use crate::work::WorkError;

/// How many rows are asked for by their ids at once: what fits the address of a query.
pub(crate) const IDS_AT_ONCE: usize = 200;

/// The fields that an org shows of an object.
pub(crate) fn org_fields(described: &ObjectDescribe) -> Vec<OrgField> {
    let fields = described.fields.iter().map(|field| OrgField {
        name: field.name.clone(),
        label: field.label.clone(),
        kind: field.kind.clone(),
        custom: field.custom,
        calculated: field.calculated,
        filterable: field.filterable,
        importable: field.is_bulk_queryable(),
    });
    fields.collect()
}

/// The rows of a query that are imported.
pub(crate) fn chosen(select: Select, selection: &ObjectSelection) -> Select {
    selection.conditions.iter().map(soql).fold(select, Select::filter)
}

fn soql(condition: &RowCondition) -> Soql {
    let RowCondition { field, operator, values } = condition;
    let first = || values.first().map_or(Value::Null, value);
    match operator {
        FilterOperator::Equals => Soql::eq(field, first()),
        FilterOperator::NotEquals => Soql::ne(field, first()),
        FilterOperator::LessThan => Soql::lt(field, first()),
        FilterOperator::LessOrEqual => Soql::le(field, first()),
        FilterOperator::GreaterThan => Soql::gt(field, first()),
        FilterOperator::GreaterOrEqual => Soql::ge(field, first()),
        FilterOperator::StartsWith => {
            let Some(RowValue::Text(prefix)) = values.first() else {
                return Soql::is_in::<Value>(field, []);
            };
            Soql::starts_with(field, prefix)
        }
        FilterOperator::In => Soql::is_in(field, values.iter().map(value)),
        FilterOperator::NotIn => Soql::not_in(field, values.iter().map(value)),
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

/// Whether an object is read whole because what is read of it changed, or because a formula is
/// among it: those change without a stamp.
pub(crate) fn is_read_anew(
    selection: &ObjectSelection,
    watermark: &Watermark,
    settings: &ImportSettings,
    now: Timestamp,
) -> bool {
    let every = SignedDuration::from_hours(settings.formula_refresh_hours.into());
    let stale = watermark.read_at.is_none_or(|at| now.duration_since(at) >= every);
    is_new(selection, watermark) || (selection.calculated && stale)
}

/// Whether what we hold of an object was, all or in part, read by another selection.
pub(crate) fn is_new(selection: &ObjectSelection, watermark: &Watermark) -> bool {
    watermark.begun_by.is_some() || watermark.selection != selection.digest()
}

/// Why a record that is not among the org's ids goes.
pub(crate) fn reason(selection: &ObjectSelection) -> Gone {
    if selection.excluded || !selection.conditions.is_empty() {
        Gone::OutsideFilter
    } else {
        Gone::Unseen
    }
}

/// What becomes of an object that is not imported at all: what is held of it goes.
pub(crate) fn excluded(selection: &ObjectSelection, watermark: &Watermark) -> Step {
    if watermark.live > 0 || is_new(selection, watermark) {
        let sweep = Sweep::Comparing { pages: 0, bucket: 0 };
        return Step::Next(ObjectPhase::Sweeping { sweep }, Duration::ZERO);
    }
    Step::End(left_out())
}

/// The end of an object that is not imported by choice.
pub(crate) fn left_out() -> ObjectPhase {
    ObjectPhase::Skipped { reason: "person accounts are imported, not companies".to_owned() }
}

/// The end of an object whose filter cannot be put.
pub(crate) fn unfilterable(problem: &SelectionProblem) -> ObjectPhase {
    let message = format!("{problem}; change what is imported, or make the field visible");
    ObjectPhase::Failed { code: "FILTER".to_owned(), message }
}

impl Import {
    /// Notes, before a row lands, that an object begins to be read by another selection, or for the
    /// first time: should that never end, and the selection be as before again, nothing else tells.
    pub(crate) async fn note_begun(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &ObjectImport,
        watermark: &Watermark,
    ) -> Result<(), WorkError> {
        let selection = &progress.selection;
        let is_first = watermark.stamp.is_none() && !selection.excluded;
        if watermark.begun_by.is_some() || !(is_first || is_new(selection, watermark)) {
            return Ok(());
        }
        let revision = watermark.revision;
        let same = match revision {
            0 => Condition::Absent,
            _ => Condition::Eq("revision", json!(revision)),
        };
        let begun = Watermark { begun_by: Some(run), revision: revision + 1, ..watermark.clone() };
        let write = store::put(opened.keys.watermark(progress.object), &begun, same)?;
        if self.outbox.commit(vec![write, fence(opened, run)], vec![]).await?.is_done() {
            return Ok(());
        }
        Err(WorkError::retry("begin to read an object", "another step came first"))
    }

    /// The rows that left the filter since the last run: they changed, we hold them, and the query
    /// of changes does not show them. None when so much changed that all ids are better compared.
    pub(crate) async fn left_the_filter(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        since: Timestamp,
    ) -> Result<Option<Vec<(String, Timestamp, Gone)>>, GrantError> {
        let object = progress.object;
        let changed = Select::from(object.name())
            .fields(["Id", "SystemModstamp"])
            .filter(Soql::ge("SystemModstamp", since));
        let Some(changed) = self.rows(opened, run, progress, &changed).await? else {
            return Ok(None);
        };
        let row = |row: &RestRecord| {
            let stamp = parse_datetime(&row.text("SystemModstamp")?).ok()?;
            Some((row.id()?.to_string(), stamp))
        };
        let changed: Vec<(String, Timestamp)> = changed.iter().filter_map(row).collect();
        let ids: Vec<String> = changed.iter().map(|(id, _)| id.clone()).collect();
        let mut held = opened.records.heads(object, &ids).await?;
        held.retain(|head| head.change != RecordChange::Deleted && head.run != run);
        let held: Vec<String> = held.into_iter().map(|head| head.id).collect();
        let mut outside: BTreeSet<String> = held.iter().cloned().collect();
        for ids in held.chunks(IDS_AT_ONCE) {
            let select = Select::from(object.name()).fields(["Id"]).filter(Soql::is_in("Id", ids));
            let select = chosen(select, &progress.selection);
            let inside = self.rows(opened, run, progress, &select).await?.unwrap_or_default();
            for id in inside.iter().filter_map(FieldValues::id) {
                outside.remove(id.as_str());
            }
        }
        let left = changed.into_iter().filter(|(id, _)| outside.contains(id));
        Ok(Some(left.map(|(id, stamp)| (id, stamp, Gone::OutsideFilter)).collect()))
    }

    /// The rows of a query over REST, deleted ones too; none when there are too many.
    async fn rows(
        &self,
        opened: &OpenGeneration,
        run: ImportRunId,
        progress: &mut ObjectImport,
        select: &Select,
    ) -> Result<Option<Vec<RestRecord>>, GrantError> {
        let soql = &build(select)?;
        let client = self.grants.app().client();
        let mut page = self
            .call(opened, run, progress, |session: Session| async move {
                client.query(&session, QueryScope::All, soql).await
            })
            .await?
            .value;
        if page.total_size > REST_ROWS {
            return Ok(None);
        }
        let mut rows = page.records;
        while let Some(locator) = &page.next {
            page = self
                .call(opened, run, progress, |session: Session| async move {
                    client.query_next(&session, locator).await
                })
                .await?
                .value;
            rows.append(&mut page.records);
        }
        Ok(Some(rows))
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
        let select = chosen(Select::from("Lead").fields(["Id"]), &selection);
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

    #[test]
    fn formulas_are_read_again_when_their_time_has_come_and_a_changed_selection_at_once() {
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let settings = ImportSettings::default();
        let formula = ObjectSelection { calculated: true, ..ObjectSelection::default() };
        let read = Watermark { read_at: Some(at(0)), ..Watermark::default() };
        assert!(!is_read_anew(&formula, &read, &settings, at(167)));
        assert!(is_read_anew(&formula, &read, &settings, at(168)));
        assert!(!is_read_anew(&ObjectSelection::default(), &read, &settings, at(9_999)));
        let columns = [("Title".to_owned(), "Role__c".to_owned())].into();
        let mapped = ObjectSelection { columns, ..ObjectSelection::default() };
        assert!(is_read_anew(&mapped, &read, &settings, at(1)));
        let read = Watermark { selection: mapped.digest(), ..read };
        assert!(!is_read_anew(&mapped, &read, &settings, at(1)));
        let begun_by = Some(ImportRunId::derived("dead"));
        let read = Watermark { begun_by, ..read };
        assert!(is_read_anew(&mapped, &read, &settings, at(1)));
    }
}
