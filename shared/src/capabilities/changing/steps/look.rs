//! Looking for what a claimed request may have made.

use jiff::Timestamp;

use super::prepare::values_of;
use super::{ChangeSteps, Effect, Making};
use crate::capabilities::changing::{FieldValue, changed_since};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::kernel::{Grantee, SObject};
use crate::salesforce::{
    Condition, FieldValues, QueryPage, QueryScope, Reply, SalesforceId, Select, Soql, SoqlError,
};
use crate::work::WorkError;

/// Texts by which a record is known again. Salesforce compares them without regard to case.
const KNOWN_BY: [&str; 5] = ["FirstName", "LastName", "Company", "Email", "Name"];

/// What a look found.
pub(super) enum Look {
    /// It was carried out; the record is told where one was created.
    Made(Option<SalesforceId>),
    /// The CRM does not show it, yet.
    NotMade,
}

impl ChangeSteps {
    pub(super) async fn look_for(
        &self,
        making: &Making,
        effect: Effect,
        since: Timestamp,
    ) -> Result<Look, GrantError> {
        let record = making.change.record();
        let values = &making.values;
        match (effect, record) {
            (Effect::Create(object), _) => self.look_for_created(making, object, since).await,
            (Effect::Role(contact), _) => {
                let page = self.roles_of(making, contact).await?.value;
                let role = page.records.first().and_then(FieldValues::id);
                Ok(role.map_or(Look::NotMade, |id| Look::Made(Some(id))))
            }
            (Effect::Update, Some(record)) => {
                let (object, fields) = (making.change.object(), values.to.keys());
                let Some(row) = self.row(making, object, record, fields.clone()).await? else {
                    return Ok(Look::NotMade);
                };
                let now = values_of(&row.value, fields);
                let is_made = changed_since(&values.to, &now).is_empty();
                Ok(if is_made { Look::Made(None) } else { Look::NotMade })
            }
            (Effect::Delete, Some(record)) => {
                let row = self.row(making, making.change.object(), record, []).await?;
                Ok(if row.is_none() { Look::Made(None) } else { Look::NotMade })
            }
            (Effect::Update | Effect::Delete | Effect::Adopt, _) => Ok(Look::Made(None)),
        }
    }

    /// A record with the same name that this user made since the claim is the change's own.
    async fn look_for_created(
        &self,
        making: &Making,
        object: SObject,
        since: Timestamp,
    ) -> Result<Look, GrantError> {
        let grant = self.grants.state(&making.opened, making.grantee()).await?;
        let user = grant.ok_or(GrantError::Missing)?.user_id;
        let mut made =
            vec![Condition::eq("CreatedById", user), Condition::ge("CreatedDate", since)];
        let text = |name: &str| making.values.to.get(name).and_then(FieldValue::text);
        made.extend(KNOWN_BY.iter().filter_map(|name| Some(Condition::eq(name, text(name)?))));
        let select = Select::from(object.name()).fields(["Id"]).filter(Condition::all(made));
        let page = self.asked(&making.opened, making.grantee(), select.limit(1).build()).await?;
        let found = page.value.records.first().and_then(FieldValues::id);
        Ok(found.map_or(Look::NotMade, |id| Look::Made(Some(id))))
    }

    /// The roles that a contact has in the change's opportunity.
    pub(super) async fn roles_of(
        &self,
        making: &Making,
        contact: SalesforceId,
    ) -> Result<Reply<QueryPage>, GrantError> {
        let mut same = vec![Condition::eq("ContactId", contact)];
        let role = making.values.role.as_ref();
        same.extend(role.map(|role| Condition::eq("OpportunityId", role.opportunity)));
        let object = SObject::OpportunityContactRole.name();
        let select = Select::from(object).fields(["Id"]).filter(Condition::all(same)).limit(1);
        self.asked(&making.opened, making.grantee(), select.build()).await
    }

    async fn asked(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        soql: Result<Soql, SoqlError>,
    ) -> Result<Reply<QueryPage>, GrantError> {
        let soql = &soql.map_err(|error| WorkError::reject("look a change up", error))?;
        let client = self.grants.app().client();
        let query = |session| async move { client.query(&session, QueryScope::Live, soql).await };
        self.grants.call(opened, grantee, query).await
    }
}
