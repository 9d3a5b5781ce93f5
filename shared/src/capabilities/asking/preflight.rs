//! Whether a seller can do in the CRM what the product does as them, looked at before they need it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::ask::Question;
use super::{AskError, Asking};
use crate::capabilities::connecting::WRITTEN;
use crate::capabilities::custody::LookupError;
use crate::capabilities::settings::Settings;
use crate::kernel::{SObject, SeatId, TenantEnvironment};
use crate::salesforce::{FieldDescribe, ObjectDescribe, SalesforceId};
use crate::work::boxed;

/// What the product does in the CRM as a seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SellerAction {
    /// Logs messages, calls, Smart Link views and requests to connect.
    LogActivities,
    /// Logs notes.
    LogNotes,
    /// Creates leads.
    CreateLeads,
    /// Creates contacts.
    CreateContacts,
    /// Creates accounts.
    CreateAccounts,
    /// Updates leads.
    UpdateLeads,
    /// Updates contacts.
    UpdateContacts,
    /// Updates accounts.
    UpdateAccounts,
}

/// What an object must let a seller do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Create rows.
    Create,
    /// Change rows.
    Edit,
}

/// What an action needs of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The action.
    pub action: SellerAction,
    /// The object's API name.
    pub object: &'static str,
    /// The right to its rows.
    pub right: Right,
    /// The fields that are written.
    pub fields: &'static [&'static str],
}

/// What a seller lacks of a need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// They do not see the object; the org may have it turned off.
    Object,
    /// They have no right to its rows.
    Right,
    /// They may not write these fields.
    Fields(Vec<&'static str>),
}

/// What a look at a seller's rights found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// The CRM user whom the seller authorized the product as.
    pub user: SalesforceId,
    /// When it was looked at.
    pub checked_at: Timestamp,
    /// What the admin has turned on, each with what is lacking.
    pub checks: Vec<(Need, Option<Lack>)>,
}

impl Asking {
    /// Looks at what a seller may do in the CRM of all that the admin has turned on. It writes
    /// nothing: an object's describe tells what this user may.
    ///
    /// # Errors
    /// When the seller must log in first, the org refuses them the API, or it does not answer.
    #[must_use]
    #[boxed]
    pub async fn preflight(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
    ) -> Result<Preflight, AskError> {
        let question = self.question(at, seat).await?;
        let needs = needs(&self.settings(at).await?);
        let mut checks = Vec::with_capacity(needs.len());
        let mut described: BTreeMap<&str, Option<ObjectDescribe>> = BTreeMap::new();
        for need in needs {
            if !described.contains_key(need.object) {
                described.insert(need.object, describe(&question, need.object).await?);
            }
            let lack = lack(&need, described.get(need.object).and_then(Option::as_ref));
            checks.push((need, lack));
        }
        Ok(Preflight { user: question.user().await?, checked_at: self.ports.clock.now(), checks })
    }
}

/// An object as the seller sees it; none where they see none.
async fn describe(
    question: &Question<'_>,
    object: &str,
) -> Result<Option<ObjectDescribe>, AskError> {
    let client = question.client();
    let describe = |session| async move { client.describe(&session, object).await };
    match question.ask(describe).await {
        Ok(reply) => Ok(Some(reply.value)),
        Err(AskError::Lookup(LookupError::NotFound(_))) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The fields that sellers' writes set in a task or a note.
fn written(object: SObject) -> &'static [&'static str] {
    WRITTEN.iter().find(|(of, _)| *of == object).map_or(&[][..], |(_, fields)| fields)
}

/// What the actions that an admin has turned on need.
fn needs(settings: &Settings) -> Vec<Need> {
    use SellerAction::{
        CreateAccounts, CreateContacts, CreateLeads, LogActivities, LogNotes, UpdateAccounts,
        UpdateContacts, UpdateLeads,
    };
    let logs_tasks = settings.log_messages
        || settings.log_calls
        || settings.log_smart_links
        || settings.log_connection_requests;
    let (classic, enhanced) = (!settings.enhanced_notes, settings.enhanced_notes);
    let (note, link) = (&["Title", "Content"][..], &["ContentDocumentId", "LinkedEntityId"][..]);
    let (lead, contact) = (&["LastName", "Company"][..], &["LastName", "AccountId"][..]);
    let (of_lead, of_contact) = (&["Title", "Company"][..], &["Title", "AccountId"][..]);
    let create = Right::Create;
    let all = [
        (logs_tasks, LogActivities, "Task", create, written(SObject::Task)),
        (settings.log_notes && classic, LogNotes, "Note", create, written(SObject::Note)),
        (settings.log_notes && enhanced, LogNotes, "ContentNote", create, note),
        (settings.log_notes && enhanced, LogNotes, "ContentDocumentLink", create, link),
        (settings.create_leads, CreateLeads, "Lead", create, lead),
        (settings.create_contacts, CreateContacts, "Contact", create, contact),
        (settings.create_accounts, CreateAccounts, "Account", create, &["Name"]),
        (settings.update_leads, UpdateLeads, "Lead", Right::Edit, of_lead),
        (settings.update_contacts, UpdateContacts, "Contact", Right::Edit, of_contact),
        (settings.update_accounts, UpdateAccounts, "Account", Right::Edit, &["Website"]),
    ];
    let on = all.into_iter().filter(|(is_on, ..)| *is_on);
    on.map(|(_, action, object, right, fields)| Need { action, object, right, fields }).collect()
}

/// What of a need an object's describe does not give.
fn lack(need: &Need, described: Option<&ObjectDescribe>) -> Option<Lack> {
    let Some(described) = described else { return Some(Lack::Object) };
    let (may, may_write): (bool, fn(&FieldDescribe) -> bool) = match need.right {
        Right::Create => (described.summary.createable, |field| field.createable),
        Right::Edit => (described.summary.updateable, |field| field.updateable),
    };
    if !may {
        return Some(Lack::Right);
    }
    let fields = need.fields.iter().copied();
    let lacking = fields.filter(|name| !described.field(name).is_some_and(may_write));
    let lacking: Vec<_> = lacking.collect();
    (!lacking.is_empty()).then_some(Lack::Fields(lacking))
}
