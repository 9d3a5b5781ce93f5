//! A lead, a contact or an account as it is now, with what the seller may change.

use std::collections::BTreeSet;

use super::ask::Question;
use super::form::{Choice, choices};
use super::{AskError, Asking};
use crate::capabilities::changing::{
    FieldValue, code_beside, controller_of, policy_of, updatable_fields,
};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::importing::land_row;
use crate::capabilities::settings::{self, Settings};
use crate::kernel::{ImportRunId, Reading, RecordRef, SObject, SeatId, TenantEnvironment};
use crate::salesforce::{
    Condition, FieldValues, ObjectDescribe, QueryScope, Record, Reply, SalesforceId, Select,
};
use crate::store::Store;
use crate::work::{WorkError, boxed};

/// How many records one question names: they travel in a URL.
pub const MOST_RECORDS: usize = 100;

/// A record as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentRecord {
    /// Which one.
    pub record: RecordRef,
    /// Where a browser opens it.
    pub record_url: String,
    /// The seller may edit this record at all.
    pub may_edit: bool,
    /// It is a lead that was converted: nobody edits it any more.
    pub is_converted: bool,
    /// The fields that an update may touch and that the seller sees.
    pub fields: Vec<CurrentField>,
}

/// A field's value now.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentField {
    /// Its API name.
    pub name: String,
    /// Its name as the org shows it.
    pub label: String,
    /// Its value; null where it is empty.
    pub value: FieldValue,
    /// The seller may edit it, as the CRM and the admin's settings have it.
    pub may_edit: bool,
    /// What may be chosen; empty for what is typed.
    pub choices: Vec<Choice>,
    /// The field that decides what may be chosen.
    pub controller: Option<String>,
}

impl Asking {
    /// A lead, a contact or an account as the seller sees it at this moment. What was read is taken
    /// among our records, so that badges are as fresh. Who asks for it while it is read for the
    /// same seller gets the same answer, in one process.
    ///
    /// # Errors
    /// When there is none that the seller sees, the seller must log in first, or Salesforce does
    /// not answer.
    #[must_use]
    #[boxed]
    pub async fn record(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        record: RecordRef,
    ) -> Result<CurrentRecord, AskError> {
        if updatable_fields(record.object).is_empty() {
            return Err(AskError::Invalid("only leads, contacts and accounts are looked at"));
        }
        // Boxed: a future of so many calls is large.
        let read = || Box::pin(self.read(at, seat, record));
        self.readings.joined((at, seat, record), read).await
    }

    async fn read(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        record: RecordRef,
    ) -> Result<CurrentRecord, AskError> {
        let question = self.question(at, seat).await?;
        let (described, row) = self.look(&question, record).await?;
        let may_edit = editable(&question, &[record.id]).await?.contains(&record.id);
        let settings = self.settings(at).await?;
        Ok(current(&question.opened, &settings, &described, record, &row.value, may_edit))
    }

    /// A whole row as the seller sees it, which is taken among our records.
    pub(super) async fn look(
        &self,
        question: &Question<'_>,
        RecordRef { object, id }: RecordRef,
    ) -> Result<(ObjectDescribe, Reply<Record>), AskError> {
        let client = question.client();
        let described = question
            .ask(|session| async move { client.describe(&session, object.name()).await })
            .await?
            .value;
        let row = question
            .ask(|session| async move { client.read(&session, object.name(), id, &[]).await })
            .await?;
        let reading = Reading {
            run: ImportRunId::derived(&format!("look|{}|{id}", question.seat)),
            step: 0,
            at: row.observed.server_date.unwrap_or_else(|| self.ports.clock.now()),
        };
        land_row(&self.ports, &question.opened, object, &row.value, reading).await?;
        Ok((described, row))
    }

    /// Leads, contacts and accounts as the seller sees them at this moment, at most
    /// [`MOST_RECORDS`]. Those that the seller does not see are left out.
    ///
    /// # Errors
    /// When the seller must log in first, or Salesforce does not answer.
    #[must_use]
    #[boxed]
    pub async fn records(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        records: &[RecordRef],
    ) -> Result<Vec<CurrentRecord>, AskError> {
        if records.iter().any(|record| updatable_fields(record.object).is_empty()) {
            return Err(AskError::Invalid("only leads, contacts and accounts are looked at"));
        }
        let question = self.question(at, seat).await?;
        let ids: Vec<SalesforceId> = records.iter().map(|record| record.id).collect();
        let editable = editable(&question, &ids).await?;
        let settings = self.settings(at).await?;
        let mut found = Vec::with_capacity(records.len());
        for object in [SObject::Lead, SObject::Contact, SObject::Account] {
            let of_object = records.iter().filter(|record| record.object == object);
            let ids: Vec<SalesforceId> = of_object.map(|record| record.id).collect();
            if ids.is_empty() {
                continue;
            }
            let client = question.client();
            let described = question
                .ask(|session| async move { client.describe(&session, object.name()).await })
                .await?
                .value;
            let names = updatable_fields(object).iter().chain(&["IsConverted"]);
            let seen = names.copied().filter(|name| described.field(name).is_some());
            let select = Select::from(object.name()).fields(["Id"]).fields(seen);
            let rows = answered(&question, &select.filter(Condition::is_in("Id", ids))).await?;
            found.extend(rows.iter().filter_map(|row| {
                let record = RecordRef { object, id: row.id()? };
                let may_edit = editable.contains(&record.id);
                Some(current(&question.opened, &settings, &described, record, row, may_edit))
            }));
        }
        found.sort_by_key(|found| records.iter().position(|record| *record == found.record));
        Ok(found)
    }

    pub(super) async fn settings(&self, at: TenantEnvironment) -> Result<Settings, AskError> {
        let kept = Store::new(self.ports.clone()).read(&settings::keys::settings(at)).await?;
        Ok(kept.unwrap_or_default().settings)
    }
}

/// Those of some records that the seller may edit, by the org's own rules.
async fn editable(
    question: &Question<'_>,
    ids: &[SalesforceId],
) -> Result<BTreeSet<SalesforceId>, AskError> {
    let access = Select::from("UserRecordAccess").fields(["RecordId", "HasEditAccess"]);
    let access = access.filter(Condition::all([
        Condition::eq("UserId", question.user().await?),
        Condition::is_in("RecordId", ids.iter().copied()),
    ]));
    let rows = answered(question, &access).await?;
    let edits = rows.iter().filter(|row| row.flag("HasEditAccess") == Some(true));
    Ok(edits.filter_map(|row| row.text("RecordId")?.parse().ok()).collect())
}

/// The rows of a query as the seller sees them.
async fn answered(question: &Question<'_>, select: &Select) -> Result<Vec<Record>, AskError> {
    let soql = &select.build().map_err(|error| WorkError::reject("look at a record", error))?;
    let client = question.client();
    let query = |session| async move { client.query(&session, QueryScope::Live, soql).await };
    Ok(question.ask(query).await?.value.records)
}

/// A row as what a seller may update.
fn current(
    opened: &OpenGeneration,
    settings: &Settings,
    described: &ObjectDescribe,
    record: RecordRef,
    row: &Record,
    may_edit: bool,
) -> CurrentRecord {
    let is_converted = row.flag("IsConverted") == Some(true);
    let is_text_of_code = |name: &str| code_beside(described, name).is_some_and(|of| of.updateable);
    let offered = updatable_fields(record.object).iter().filter(|name| !is_text_of_code(name));
    let fields = offered.filter_map(|name| {
        let field = described.field(name)?;
        let value: FieldValue = row.value(name).map(Into::into).unwrap_or_default();
        let (name, label) = (field.name.clone(), field.label.clone());
        let may_edit = field.updateable && policy_of(settings, &name).0.lets(value.is_empty());
        let controller = controller_of(described, field).map(|controller| controller.name.clone());
        let choices = choices(described, field);
        Some(CurrentField { name, label, value, may_edit, choices, controller })
    });
    CurrentRecord {
        record,
        record_url: opened.connection.record_url(record.id),
        may_edit: may_edit && described.summary.updateable && !is_converted,
        is_converted,
        fields: fields.collect(),
    }
}
