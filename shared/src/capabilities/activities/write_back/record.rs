//! The record that an activity is about, as Salesforce has it now.
//!
//! Imports are minutes behind. Meanwhile a lead may be converted, and a record merged into another
//! or deleted: Salesforce is asked what became of it.

use jiff::Timestamp;

use super::WriteBack;
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::kernel::{Grantee, RecordRef, SObject};
use crate::salesforce::{Condition, FieldValues, QueryScope, SalesforceId, Select};
use crate::work::WorkError;

/// How often a record is followed to the one as which it goes on: a lead is converted to a contact,
/// and that is merged, perhaps more than once.
const MOST_HOPS: usize = 5;

/// A record as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadRecord {
    pub(super) record: RecordRef,
    /// When, by Salesforce's clock: no row about it can have been made by us before.
    pub(super) server_time: Timestamp,
    /// True if a lead on the way to it was converted.
    pub(super) was_converted: bool,
}

/// What a look at a record found.
enum Found {
    Here(ReadRecord),
    GoesOnAs(RecordRef),
    WasConvertedTo(RecordRef),
    Deleted,
}

impl WriteBack {
    /// Reads a record as the seller sees it, or the one as which it goes on: a converted lead's
    /// contact, a merged record's survivor. None when it is deleted and goes on as none.
    pub(super) async fn read_record(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        record: RecordRef,
    ) -> Result<Option<ReadRecord>, GrantError> {
        let (mut record, mut was_converted) = (record, false);
        for _ in 0..MOST_HOPS {
            record = match self.look_at(opened, grantee, record).await? {
                Found::Here(read) => return Ok(Some(ReadRecord { was_converted, ..read })),
                Found::GoesOnAs(next) => next,
                Found::WasConvertedTo(contact) => {
                    was_converted = true;
                    contact
                }
                Found::Deleted => return Ok(None),
            };
        }
        Err(WorkError::retry("read a record", "it was merged again and again").into())
    }

    async fn look_at(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        record: RecordRef,
    ) -> Result<Found, GrantError> {
        let fields: &[&str] = match record.object {
            SObject::Lead => &["Id", "IsConverted", "ConvertedContactId"],
            _ => &["Id"],
        };
        let client = self.grants.app().client();
        let (object, id) = (record.object.name(), record.id);
        let read = self
            .grants
            .call(opened, grantee, |session| async move {
                client.read(&session, object, id, fields).await
            })
            .await;
        let reply = match read {
            Err(GrantError::Call(error)) if error.is_not_found() => {
                let fate = self.fate_of(opened, grantee, record).await?;
                return fate.ok_or(GrantError::Call(error));
            }
            read => read?,
        };
        let contact = reply.value.text("ConvertedContactId");
        if let Some(contact) = contact.filter(|_| reply.value.flag("IsConverted") == Some(true)) {
            return Ok(Found::WasConvertedTo(followed(SObject::Contact, &contact)?));
        }
        let server_time = reply
            .observed
            .server_date
            .ok_or_else(|| WorkError::retry("read a record", "Salesforce's answer has no date"))?;
        Ok(Found::Here(ReadRecord { record, server_time, was_converted: false }))
    }

    /// What became of a record that is not found; none when the seller may not see even that.
    async fn fate_of(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        RecordRef { object, id }: RecordRef,
    ) -> Result<Option<Found>, GrantError> {
        let select = Select::from(object.name()).fields(["Id", "IsDeleted", "MasterRecordId"]);
        let soql = &select
            .filter(Condition::eq("Id", id))
            .build()
            .map_err(|error| WorkError::reject("look for a deleted record", error))?;
        let client = self.grants.app().client();
        let page = self
            .grants
            .call(opened, grantee, |session| async move {
                client.query(&session, QueryScope::All, soql).await
            })
            .await?
            .value;
        let Some(row) = page.records.first() else { return Ok(None) };
        Ok(match row.text("MasterRecordId") {
            Some(master) => Some(Found::GoesOnAs(followed(object, &master)?)),
            None => (row.flag("IsDeleted") == Some(true)).then_some(Found::Deleted),
        })
    }
}

fn followed(object: SObject, id: &str) -> Result<RecordRef, WorkError> {
    let id: Result<SalesforceId, _> = id.parse();
    Ok(RecordRef { object, id: id.map_err(|error| WorkError::reject("follow a record", error))? })
}
