//! A lead or contact as it is now, with what the seller may change.

use super::{AskError, Asking};
use crate::capabilities::changing::{FieldValue, policy_of, updatable_fields};
use crate::capabilities::importing::land_row;
use crate::capabilities::settings;
use crate::kernel::{ImportRunId, Reading, RecordRef, SeatId, TenantEnvironment};
use crate::salesforce::{Condition, FieldValues, QueryScope, Select};
use crate::store::Store;
use crate::work::WorkError;

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
}

impl Asking {
    /// A lead or contact as the seller sees it at this moment. What was read is taken among our
    /// records, so that badges are as fresh.
    ///
    /// # Errors
    /// When there is none that the seller sees, the seller must log in first, or Salesforce does
    /// not answer.
    pub async fn record(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        record: RecordRef,
    ) -> Result<CurrentRecord, AskError> {
        let RecordRef { object, id } = record;
        let names = updatable_fields(object);
        if names.is_empty() {
            return Err(AskError::Invalid("only leads and contacts are looked at"));
        }
        let question = self.question(at, seat).await?;
        let client = question.client();
        let described = question
            .ask(|session| async move { client.describe(&session, object.name()).await })
            .await?
            .value;
        let row = question
            .ask(|session| async move { client.read(&session, object.name(), id, &[]).await })
            .await?;
        let reading = Reading {
            run: ImportRunId::derived(&format!("look|{seat}|{id}")),
            step: 0,
            at: row.observed.server_date.unwrap_or_else(|| self.ports.clock.now()),
        };
        land_row(&self.ports, &question.opened, object, &row.value, reading).await?;
        let access = Select::from("UserRecordAccess").fields(["RecordId", "HasEditAccess"]).filter(
            Condition::all([
                Condition::eq("UserId", question.user().await?),
                Condition::eq("RecordId", id),
            ]),
        );
        let access =
            &access.build().map_err(|error| WorkError::reject("look at a record", error))?;
        let access = question
            .ask(|session| async move { client.query(&session, QueryScope::Live, access).await })
            .await?
            .value;
        let edits = access.records.first().and_then(|row| row.flag("HasEditAccess"));
        let is_converted = row.value.flag("IsConverted") == Some(true);
        let kept = Store::new(self.ports.clone()).read(&settings::keys::settings(at)).await?;
        let settings = kept.unwrap_or_default().settings;
        let fields = names.iter().filter_map(|name| {
            let field = described.field(name)?;
            let value: FieldValue = row.value.value(name).map(Into::into).unwrap_or_default();
            let (name, label) = (field.name.clone(), field.label.clone());
            let may_edit = field.updateable && policy_of(&settings, &name).0.lets(value.is_empty());
            Some(CurrentField { name, label, value, may_edit })
        });
        Ok(CurrentRecord {
            record,
            record_url: question.opened.connection.record_url(id),
            may_edit: edits == Some(true) && described.summary.updateable && !is_converted,
            is_converted,
            fields: fields.collect(),
        })
    }
}
