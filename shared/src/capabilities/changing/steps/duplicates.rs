//! Our own look for the same person, before a record is created: by e-mail address, and by name in
//! the same company. The same company is looked for by name, and by website. The org's duplicate
//! rules come after it.

use super::{ChangeSteps, Making};
use crate::capabilities::changing::{Duplicate, FieldValue, Values};
use crate::capabilities::custody::GrantError;
use crate::kernel::SObject;
use crate::salesforce::{Condition, FieldValues, QueryScope, Select};
use crate::work::WorkError;

/// How many records of one object are told.
const MOST: u64 = 5;

impl ChangeSteps {
    /// The records that the seller sees and that look like the one to be created: among leads and
    /// contacts for one of these, and among accounts for an account.
    pub(super) async fn duplicates(
        &self,
        making: &Making,
        object: SObject,
    ) -> Result<Vec<Duplicate>, GrantError> {
        let mut found = Vec::new();
        let among: &[SObject] = match object {
            SObject::Account => &[SObject::Account],
            _ => &[SObject::Contact, SObject::Lead],
        };
        for of in among.iter().copied() {
            let Some(condition) = alike(of, object, &making.values.to) else { continue };
            let select = Select::from(of.name()).fields(["Id"]).filter(condition).limit(MOST);
            let soql = select.build();
            let soql = &soql.map_err(|error| WorkError::reject("look for duplicates", error))?;
            let client = self.grants.app().client();
            let query =
                |session| async move { client.query(&session, QueryScope::Live, soql).await };
            let page = match self.grants.call(&making.opened, making.grantee(), query).await {
                Ok(page) => page.value,
                // The seller sees no such object, or not the field: there is nothing to tell them.
                Err(GrantError::Call(error))
                    if matches!(error.code(), Some("INVALID_FIELD" | "INVALID_TYPE")) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let ids = page.records.iter().filter_map(FieldValues::id);
            found.extend(ids.map(|id| Duplicate { object: of.name().to_owned(), id }));
        }
        Ok(found)
    }
}

/// The condition under which a record of `of` is alike; none where nothing can be compared.
fn alike(of: SObject, object: SObject, values: &Values) -> Option<Condition> {
    let text = |name: &str| values.get(name).and_then(FieldValue::text);
    let mut ways = Vec::new();
    if object == SObject::Account {
        let same = |name: &str| text(name).map(|value| Condition::eq(name, value));
        ways.extend(["Name", "Website"].into_iter().filter_map(same));
        return (!ways.is_empty()).then(|| Condition::any(ways));
    }
    if let Some(email) = text("Email") {
        ways.push(Condition::eq("Email", email));
    }
    let company = match of {
        SObject::Lead => "Company",
        _ => "AccountId",
    };
    // A lead's company is a text and a contact's is a record: only like is compared with like.
    if of == object
        && let (Some(first), Some(last), Some(at)) =
            (text("FirstName"), text("LastName"), text(company))
    {
        let same = [
            Condition::eq("FirstName", first),
            Condition::eq("LastName", last),
            Condition::eq(company, at),
        ];
        ways.push(Condition::all(same));
    }
    if ways.is_empty() {
        return None;
    }
    let any = Condition::any(ways);
    Some(match of {
        SObject::Lead => Condition::all([any, Condition::eq("IsConverted", false)]),
        _ => any,
    })
}
