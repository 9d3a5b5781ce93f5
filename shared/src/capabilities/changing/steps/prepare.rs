//! What is looked at before a change is claimed: the org's own rules as the seller meets them, and
//! the values that are there now.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{ChangeSteps, Effect, Making, Prepared};
use crate::capabilities::changing::described::{
    controllers, refusals_of_new, unwritable, wrong_values,
};
use crate::capabilities::changing::{ChangeValues, FieldValue, Refusal, Values, changed_since};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::capabilities::settings::{self, ContactOwner};
use crate::kernel::{Grantee, SObject};
use crate::salesforce::{FieldValues, ObjectDescribe, Record, Reply, SalesforceId, parse_datetime};
use crate::work::WorkError;

/// A record that is gone, as far as the seller may know.
const GONE: &str = "The record is not in the CRM any more, or you may not see it.";

/// The moment at which a row was last modified by anybody.
pub(super) const MODIFIED: &str = "LastModifiedDate";

impl ChangeSteps {
    /// Prepares an effect.
    pub(super) async fn prepare(
        &self,
        making: &Making,
        effect: Effect,
    ) -> Result<Prepared, GrantError> {
        match effect {
            Effect::Create(object) => self.prepare_create(making, object).await,
            Effect::Update => self.prepare_update(making).await,
            Effect::Delete => self.prepare_delete(making).await,
            Effect::Role(contact) => {
                let page = self.roles_of(making, contact).await?;
                let is_there = !page.value.records.is_empty();
                if is_there { Ok(Prepared::AsWanted) } else { claim(&page) }
            }
            Effect::Adopt => Ok(Prepared::AsWanted),
        }
    }

    async fn prepare_create(
        &self,
        making: &Making,
        object: SObject,
    ) -> Result<Prepared, GrantError> {
        let described = self.described(&making.opened, making.grantee(), object).await?;
        let refusals = refusals_of_new(&described.value, &making.values.to);
        if !refusals.is_empty() {
            return Ok(refused(&making.values, refusals));
        }
        if !making.values.create_anyway {
            let duplicates = self.duplicates(making, object).await?;
            if !duplicates.is_empty() {
                let message = if object == SObject::Account {
                    "The CRM has accounts that look like the same company. Take one of them, or \
                     create the account anyway."
                } else {
                    "The CRM has records that look like the same person. Link one of them, or \
                     create the record anyway."
                };
                let refusals = vec![Refusal::of("DUPLICATES_FOUND", message)];
                let values = making.values.clone();
                let values =
                    ChangeValues { refusals, duplicates, may_create_anyway: true, ..values };
                return Ok(Prepared::Refused(Box::new(values)));
            }
        }
        claim(&described)
    }

    /// Whose a new record is to be, where the admin wants it to be somebody else's than the
    /// seller's: the user who owns a contact's account, while they work there.
    pub(super) async fn owner_of_new(
        &self,
        making: &Making,
        effect: Effect,
    ) -> Result<Option<SalesforceId>, GrantError> {
        let at = making.opened.keys.scope().tenant_environment();
        let kept = self.store.read(&settings::keys::settings(at)).await.map_err(WorkError::from)?;
        let rule = kept.unwrap_or_default().settings.contact_owner;
        if effect != Effect::Create(SObject::Contact) || rule == ContactOwner::Seller {
            return Ok(None);
        }
        let account = making.values.to.get("AccountId").and_then(FieldValue::text);
        let Some(account) = account.and_then(|id| id.parse().ok()) else { return Ok(None) };
        let row = self.read(making, SObject::Account, account, &["OwnerId"]).await?;
        let owner = row.and_then(|row| row.value.text("OwnerId")?.parse().ok());
        let Some(owner) = owner else { return Ok(None) };
        let user = making.opened.records.one(SObject::User, owner).await;
        let user = user.map_err(WorkError::from)?;
        Ok(user.filter(|user| user.fields.is_true("IsActive")).map(|user| user.id))
    }

    async fn prepare_update(&self, making: &Making) -> Result<Prepared, GrantError> {
        let Some(record) = making.change.record() else { return Ok(Prepared::AsWanted) };
        let object = making.change.object();
        let values = &making.values;
        let described = self.described(&making.opened, making.grantee(), object).await?.value;
        // A field that the seller does not see cannot be read either.
        let refusals = unwritable(&described, &values.to, |field| field.updateable);
        if !refusals.is_empty() {
            return Ok(refused(values, refusals));
        }
        let controllers = controllers(&described, values.to.keys());
        let names: BTreeSet<&String> = values.to.keys().chain(controllers).collect();
        let Some(row) = self.row(making, object, record, names.iter().copied()).await? else {
            return Ok(refused(values, vec![Refusal::of("ENTITY_IS_DELETED", GONE)]));
        };
        if row.value.flag("IsConverted") == Some(true) {
            let message = "The lead was converted, and Salesforce lets nobody edit a converted \
                           lead. Update its contact.";
            return Ok(refused(values, vec![Refusal::of("CANNOT_UPDATE_CONVERTED_LEAD", message)]));
        }
        let now = values_of(&row.value, names.into_iter());
        if changed_since(&values.to, &now).is_empty() {
            return Ok(Prepared::AsWanted);
        }
        let mut after = now.clone();
        after.extend(values.to.clone());
        let refusals = wrong_values(&described, &values.to, &after);
        if !refusals.is_empty() {
            return Ok(refused(values, refusals));
        }
        let found = changed_since(&values.from, &now);
        if !found.is_empty() {
            let message = "Somebody changed these values since you looked. See both, and decide \
                           again.";
            let refusals = vec![Refusal::of("STALE", message).about(found.keys())];
            let values = ChangeValues { found, refusals, ..values.clone() };
            return Ok(Prepared::Refused(Box::new(values)));
        }
        claim(&row)
    }

    /// A record that was made here is deleted only as it was made.
    async fn prepare_delete(&self, making: &Making) -> Result<Prepared, GrantError> {
        let Some(record) = making.change.record() else { return Ok(Prepared::AsWanted) };
        let object = making.change.object();
        let Some(row) = self.row(making, object, record, []).await? else {
            return Ok(Prepared::AsWanted);
        };
        let modified = modified_at(&row.value);
        if modified != making.values.left_at || modified.is_none() {
            let message = "Somebody worked on the record since it was created here, so it is not \
                           deleted. Delete it in the CRM if nobody needs it.";
            return Ok(refused(&making.values, vec![Refusal::of("STALE", message)]));
        }
        claim(&row)
    }

    pub(super) async fn described(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        object: SObject,
    ) -> Result<Reply<ObjectDescribe>, GrantError> {
        let client = self.grants.app().client();
        let describe = |session| async move { client.describe(&session, object.name()).await };
        self.grants.call(opened, grantee, describe).await
    }

    /// Some fields of a record as the seller sees them; none when they see no such record.
    pub(super) async fn row<'a>(
        &self,
        making: &Making,
        object: SObject,
        record: SalesforceId,
        fields: impl IntoIterator<Item = &'a String>,
    ) -> Result<Option<Reply<Record>>, GrantError> {
        let mut names = vec!["Id", MODIFIED];
        if object == SObject::Lead {
            names.push("IsConverted");
        }
        names.extend(fields.into_iter().map(String::as_str));
        self.read(making, object, record, &names).await
    }

    /// Fields of a record, all that the seller may see where none is named.
    pub(super) async fn read(
        &self,
        making: &Making,
        object: SObject,
        record: SalesforceId,
        fields: &[&str],
    ) -> Result<Option<Reply<Record>>, GrantError> {
        let client = self.grants.app().client();
        let read =
            |session| async move { client.read(&session, object.name(), record, fields).await };
        match self.grants.call(&making.opened, making.grantee(), read).await {
            Ok(row) => Ok(Some(row)),
            Err(GrantError::Call(error)) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The fields of a contact's role in an opportunity.
pub(super) fn role_fields(values: &ChangeValues, contact: SalesforceId) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("ContactId".to_owned(), json!(contact));
    if let Some(role) = &values.role {
        fields.insert("OpportunityId".to_owned(), json!(role.opportunity));
        fields.extend(role.role.as_ref().map(|role| ("Role".to_owned(), json!(role))));
    }
    fields
}

/// The values of these fields in a row; null where there is none.
pub(super) fn values_of<'a>(row: &Record, fields: impl Iterator<Item = &'a String>) -> Values {
    fields.map(|name| (name.clone(), row.value(name).map(Into::into).unwrap_or_default())).collect()
}

/// When a row was last modified.
pub(super) fn modified_at(row: &Record) -> Option<jiff::Timestamp> {
    parse_datetime(&row.text(MODIFIED)?).ok()
}

fn refused(values: &ChangeValues, refusals: Vec<Refusal>) -> Prepared {
    Prepared::Refused(Box::new(ChangeValues { refusals, ..values.clone() }))
}

/// Nothing stands against a claim, by the clock of this answer.
fn claim<T>(reply: &Reply<T>) -> Result<Prepared, GrantError> {
    let time = reply.observed.server_date;
    let time = time
        .ok_or_else(|| WorkError::retry("prepare a change", "Salesforce's answer has no date"))?;
    Ok(Prepared::Claim(time))
}
