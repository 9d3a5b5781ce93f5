//! The form for a new lead, contact or account, as the org would show it to this seller.

use super::{AskError, Asking};
use crate::capabilities::changing::{FieldValue, code_beside, controller_of, updatable_fields};
use crate::capabilities::settings::Settings;
use crate::kernel::{SObject, SeatId, TenantEnvironment};
use crate::salesforce::{FieldDescribe, ObjectDescribe, PicklistValue, RecordTypeInfo};
use crate::work::boxed;

/// The fields that a form has wherever the org and the seller have them, in this order.
const LEAD: [&str; 14] = [
    "FirstName",
    "LastName",
    "Company",
    "Title",
    "Email",
    "Phone",
    "LeadSource",
    "Street",
    "City",
    "PostalCode",
    "State",
    "StateCode",
    "Country",
    "CountryCode",
];
const CONTACT: [&str; 14] = [
    "FirstName",
    "LastName",
    "AccountId",
    "Title",
    "Email",
    "Phone",
    "LeadSource",
    "MailingStreet",
    "MailingCity",
    "MailingPostalCode",
    "MailingState",
    "MailingStateCode",
    "MailingCountry",
    "MailingCountryCode",
];

const ACCOUNT: [&str; 12] = [
    "Name",
    "Website",
    "Phone",
    "Industry",
    "NumberOfEmployees",
    "BillingStreet",
    "BillingCity",
    "BillingPostalCode",
    "BillingState",
    "BillingStateCode",
    "BillingCountry",
    "BillingCountryCode",
];

/// What the form always requires.
const NEEDED: [&str; 4] = ["LastName", "Company", "AccountId", "Name"];

/// A form.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// Lead, Contact or Account.
    pub object: SObject,
    /// Its fields, in the order of the form.
    pub fields: Vec<FormField>,
    /// The record types that the seller may choose from; none where the org has none.
    pub record_types: Vec<RecordTypeInfo>,
    /// The roles that a contact may have in an opportunity; empty for another object, or where the
    /// seller may not give one.
    pub roles: Vec<Choice>,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq)]
pub struct FormField {
    /// Its API name.
    pub name: String,
    /// Its name as the org shows it.
    pub label: String,
    /// Salesforce's type, such as `picklist`.
    pub kind: String,
    /// It must be filled in.
    pub required: bool,
    /// Most characters of a text; 0 where there is no bound.
    pub length: u32,
    /// What may be chosen; empty for what is typed.
    pub choices: Vec<Choice>,
    /// The field that decides what may be chosen.
    pub controller: Option<String>,
    /// What a lookup leads to.
    pub refers_to: Vec<String>,
}

/// A value that may be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// As it is stored.
    pub value: String,
    /// As the org shows it.
    pub label: String,
    /// Taken when nothing is chosen.
    pub is_default: bool,
    /// The values of the controlling field that it goes with; none where there is no such field.
    pub goes_with: Option<Vec<FieldValue>>,
}

impl Asking {
    /// The form for a new lead, contact or account, read from the org at this moment: required
    /// custom fields, picklists, dependent ones, record types. What the admin requires or sets
    /// besides stands in it.
    ///
    /// # Errors
    /// When the seller must log in first, may not create such records, or Salesforce does not
    /// answer.
    #[must_use]
    #[boxed]
    pub async fn form(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        object: SObject,
    ) -> Result<Form, AskError> {
        if updatable_fields(object).is_empty() {
            return Err(AskError::Invalid("only leads, contacts and accounts are created"));
        }
        let question = self.question(at, seat).await?;
        let client = question.client();
        let describe = |object: SObject| {
            question
                .ask(move |session| async move { client.describe(&session, object.name()).await })
        };
        let described = describe(object).await?.value;
        if !described.summary.createable {
            return Err(AskError::Refused {
                code: "INSUFFICIENT_ACCESS".to_owned(),
                message: format!(
                    "You may not create records of {} in the CRM. Its admin gives the right.",
                    described.summary.label
                ),
            });
        }
        let roles = if object == SObject::Contact {
            roles(describe(SObject::OpportunityContactRole).await)?
        } else {
            Vec::new()
        };
        Ok(ruled(form(object, &described, roles), &self.settings(at).await?))
    }
}

/// A form with the admin's own rules: an e-mail address is required, and a source is chosen.
fn ruled(mut form: Form, settings: &Settings) -> Form {
    if form.object == SObject::Account {
        return form;
    }
    for field in &mut form.fields {
        if field.name == "Email" {
            field.required |= settings.require_email;
        }
        if let Some(source) = settings.lead_source.as_ref().filter(|_| field.name == "LeadSource") {
            for choice in &mut field.choices {
                choice.is_default = choice.value == *source;
            }
        }
    }
    form
}

/// The roles that the org lists; none where the seller may not give one.
fn roles(
    described: Result<crate::salesforce::Reply<ObjectDescribe>, AskError>,
) -> Result<Vec<Choice>, AskError> {
    let described = match described {
        Ok(reply) => reply.value,
        Err(AskError::Lookup(_) | AskError::Refused { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let role =
        described.field("Role").filter(|role| role.createable && described.summary.createable);
    Ok(role.map(|role| choices(&described, role)).unwrap_or_default())
}

/// The form of an object. Pure.
fn form(object: SObject, described: &ObjectDescribe, roles: Vec<Choice>) -> Form {
    let usual: &[&str] = match object {
        SObject::Lead => &LEAD,
        SObject::Account => &ACCOUNT,
        _ => &CONTACT,
    };
    let may_set = |name: &&str| described.field(name).filter(|field| field.createable);
    let is_text_of_code = |name: &str| code_beside(described, name).is_some_and(|of| of.createable);
    let usual_fields = usual.iter().filter(|name| !is_text_of_code(name)).filter_map(may_set);
    let is_usual = |field: &&FieldDescribe| usual.contains(&field.name.as_str());
    let asked_besides = described.fields.iter().filter(|field| {
        field.is_required_on_create() && field.name != "OwnerId" && !is_usual(field)
    });
    let fields = usual_fields.chain(asked_besides).map(|field| FormField {
        name: field.name.clone(),
        label: field.label.clone(),
        kind: field.kind.clone(),
        required: field.is_required_on_create() || NEEDED.contains(&field.name.as_str()),
        length: field.length,
        choices: choices(described, field),
        controller: controller_of(described, field).map(|controller| controller.name.clone()),
        refers_to: field.reference_to.clone(),
    });
    let own_types = described.record_type_infos.iter();
    let record_types = own_types.filter(|of| of.available && !of.master).cloned().collect();
    Form { object, fields: fields.collect(), record_types, roles }
}

/// What may be chosen of a field's list.
pub(super) fn choices(described: &ObjectDescribe, field: &FieldDescribe) -> Vec<Choice> {
    let controller = controller_of(described, field);
    let listed = field.picklist_values.iter().filter(|listed| listed.active);
    let choices = listed.map(|listed| Choice {
        value: listed.value.clone(),
        label: listed.label.clone().unwrap_or_else(|| listed.value.clone()),
        is_default: listed.default_value,
        goes_with: controller.map(|controller| goes_with(listed, controller)),
    });
    choices.collect()
}

/// The controlling field's values that a value goes with.
fn goes_with(listed: &PicklistValue, controller: &FieldDescribe) -> Vec<FieldValue> {
    if controller.kind == "boolean" {
        let states = [false, true].into_iter().enumerate();
        return states
            .filter(|(n, _)| listed.goes_with(*n))
            .map(|(_, on)| FieldValue::Flag(on))
            .collect();
    }
    let values = controller.picklist_values.iter().enumerate();
    let values = values.filter(|(n, _)| listed.goes_with(*n));
    values.map(|(_, value)| value.value.as_str().into()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn described(fields: &Value) -> ObjectDescribe {
        let describe = json!({ "name": "Lead", "label": "Lead", "createable": true,
            "fields": fields, "recordTypeInfos": [
                { "recordTypeId": "012000000000000AAA", "name": "Master", "available": true,
                    "master": true },
                { "recordTypeId": "012000000000001AAA", "name": "Partner", "available": true },
                { "recordTypeId": "012000000000002AAA", "name": "Hidden", "available": false },
            ] });
        serde_json::from_value(describe).unwrap()
    }

    fn field(name: &str, kind: &str, more: &Value) -> Value {
        let mut field = json!({ "name": name, "label": name, "type": kind, "createable": true,
            "nillable": true });
        field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        field
    }

    #[test]
    fn a_form_has_the_usual_fields_in_order_and_what_the_org_requires_besides() {
        let form = form(
            SObject::Lead,
            &described(&json!([
                field("Budget__c", "currency", &json!({ "nillable": false })),
                field("Optional__c", "string", &json!({})),
                field("LastName", "string", &json!({ "nillable": false, "length": 80 })),
                field("FirstName", "string", &json!({ "createable": false })),
                field("Company", "string", &json!({})),
                field("State", "string", &json!({})),
                field("StateCode", "picklist", &json!({})),
                field("OwnerId", "reference", &json!({ "nillable": false })),
            ])),
            Vec::new(),
        );
        let told: Vec<_> = form.fields.iter().map(|f| (f.name.as_str(), f.required)).collect();
        let expected =
            [("LastName", true), ("Company", true), ("StateCode", false), ("Budget__c", true)];
        assert_eq!(told, expected);
        let types: Vec<_> = form.record_types.iter().map(|of| of.name.as_str()).collect();
        assert_eq!(types, ["Partner"]);
    }

    #[test]
    fn a_dependent_value_names_the_values_that_it_goes_with() {
        fn value(value: &str, valid_for: Option<&str>, active: bool) -> Value {
            json!({ "value": value, "label": value, "active": active, "validFor": valid_for })
        }
        let countries = json!({ "picklistValues": [
            value("DE", None, true), value("US", None, true) ] });
        let states = json!({ "dependentPicklist": true, "controllerName": "CountryCode",
            "picklistValues": [ value("BY", Some("gAAA"), true), value("TX", Some("QAAA"), true),
                value("Old", Some("gAAA"), false) ] });
        let form = form(
            SObject::Lead,
            &described(&json!([
                field("CountryCode", "picklist", &countries),
                field("StateCode", "picklist", &states),
            ])),
            Vec::new(),
        );
        let states = form.fields.iter().find(|field| field.name == "StateCode").unwrap();
        let told: Vec<_> =
            states.choices.iter().map(|c| (c.value.as_str(), c.goes_with.clone())).collect();
        let expected = [("BY", Some(vec!["DE".into()])), ("TX", Some(vec!["US".into()]))];
        assert_eq!(
            (told.as_slice(), states.controller.as_deref()),
            (&expected[..], Some("CountryCode"))
        );
    }
}
