//! How a person is reached: the contact data of their record, as this seller may see it.

use jiff::Timestamp;
use matching::EntityKind;

use super::{AskError, Asking};
use crate::capabilities::custody::LookupError;
use crate::kernel::{EntityId, RecordRef, SObject, SeatId, TenantEnvironment};
use crate::salesforce::{FieldValues, ObjectDescribe, Record};
use crate::work::boxed;

/// The fields that hold an address to write or call to, in the order in which they are shown.
const REACHED_BY: [&str; 7] =
    ["Email", "Phone", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone", "Fax"];

/// The parts of a postal address, without what stands before them in a contact.
const ADDRESS: [&str; 5] = ["Street", "PostalCode", "City", "State", "Country"];

/// How a person is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactData {
    /// The record that the person is linked to.
    pub record: RecordRef,
    /// Where a browser opens it.
    pub record_url: String,
    /// When the CRM had these values, by its own clock.
    pub as_of: Timestamp,
    /// Mail addresses and numbers, those that are filled in and that the seller sees.
    pub points: Vec<ContactPoint>,
    /// The parts of the postal address, in the same way.
    pub address: Vec<ContactPoint>,
    /// What the person allows.
    pub consent: Consent,
}

/// A field that holds a way to reach somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactPoint {
    /// The field's API name.
    pub field: String,
    /// The field's name as the org shows it.
    pub label: String,
    /// What it holds.
    pub value: String,
}

/// What a person does not want, as the CRM has it; none where the seller may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// They are not to be called.
    pub do_not_call: Option<bool>,
    /// They want no mail.
    pub opted_out_of_email: Option<bool>,
    /// They want no fax.
    pub opted_out_of_fax: Option<bool>,
}

impl Asking {
    /// How a person of the directory is reached, by the record that they are linked to, read at
    /// this moment as the seller: a record or a field that the CRM does not show them is not told.
    /// What was read is taken among our records.
    ///
    /// # Errors
    /// When the person is linked to no record, the seller does not see it or must log in first, or
    /// Salesforce does not answer.
    #[must_use]
    #[boxed]
    pub async fn contact_data(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        person: &EntityId,
    ) -> Result<ContactData, AskError> {
        let question = self.question(at, seat).await?;
        let opened = &question.opened;
        let link = opened.keys.entity(EntityKind::Person, person);
        let link = opened.store.read(&link).await?.and_then(|link| link.matched);
        let record = link.ok_or(LookupError::NotFound("record of this person"))?;
        let (described, row) = self.look(&question, record).await?;
        let parts = ADDRESS.map(|part| match record.object {
            SObject::Contact => format!("Mailing{part}"),
            _ => part.to_owned(),
        });
        Ok(ContactData {
            record,
            record_url: opened.connection.record_url(record.id),
            as_of: row.observed.server_date.unwrap_or_else(|| self.ports.clock.now()),
            points: points(&described, &row.value, REACHED_BY),
            address: points(&described, &row.value, parts.each_ref().map(String::as_str)),
            consent: Consent {
                do_not_call: row.value.flag("DoNotCall"),
                opted_out_of_email: row.value.flag("HasOptedOutOfEmail"),
                opted_out_of_fax: row.value.flag("HasOptedOutOfFax"),
            },
        })
    }
}

/// Those of some fields that the seller sees and that are filled in.
fn points<const N: usize>(
    described: &ObjectDescribe,
    row: &Record,
    names: [&str; N],
) -> Vec<ContactPoint> {
    let point = |name: &str| {
        let field = described.field(name)?;
        let value = row.text(name).filter(|value| !value.trim().is_empty())?.into_owned();
        Some(ContactPoint { field: field.name.clone(), label: field.label.clone(), value })
    };
    names.into_iter().filter_map(point).collect()
}
