//! The fields that a seller may write. Pure.

use std::fmt;

use super::{ChangeKind, ChangeValues, FieldValue, Values};
use crate::capabilities::settings::{Settings, UpdatePolicy};
use crate::kernel::SObject;
use crate::salesforce::SalesforceId;

/// No form has as many fields.
const MOST_FIELDS: usize = 100;

/// The longest text of a field, in characters: Salesforce's bound of a long text area.
const LONGEST_TEXT: usize = 131_072;

/// What no seller sets by a form: who owns it is their own matter in the CRM, and the rest is
/// Salesforce's.
const NEVER: [&str; 9] = [
    "Id",
    "OwnerId",
    "IsDeleted",
    "IsConverted",
    "MasterRecordId",
    "CreatedDate",
    "CreatedById",
    "LastModifiedById",
    "SystemModstamp",
];

/// The only fields that an update may touch: title, company, where the account is, and what an
/// account tells of its company.
const UPDATED_LEAD: [&str; 9] = [
    "Title",
    "Company",
    "Street",
    "City",
    "State",
    "PostalCode",
    "Country",
    "StateCode",
    "CountryCode",
];
const UPDATED_CONTACT: [&str; 9] = [
    "Title",
    "AccountId",
    "MailingStreet",
    "MailingCity",
    "MailingState",
    "MailingPostalCode",
    "MailingCountry",
    "MailingStateCode",
    "MailingCountryCode",
];

const UPDATED_ACCOUNT: [&str; 11] = [
    "Website",
    "Phone",
    "Industry",
    "NumberOfEmployees",
    "BillingStreet",
    "BillingCity",
    "BillingState",
    "BillingPostalCode",
    "BillingCountry",
    "BillingStateCode",
    "BillingCountryCode",
];

/// A field that cannot be as somebody wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field that was named; none where one is missing or there are too many.
    pub field: Option<String>,
    /// What is wrong, in words for the caller.
    pub reason: String,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field} {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// The fields of a lead, a contact or an account that a seller may update. Of another object there
/// are none: sellers neither create nor update it.
#[must_use]
pub fn updatable_fields(object: SObject) -> &'static [&'static str] {
    match object {
        SObject::Lead => &UPDATED_LEAD,
        SObject::Contact => &UPDATED_CONTACT,
        SObject::Account => &UPDATED_ACCOUNT,
        _ => &[],
    }
}

/// How the admin lets an update touch a field, and the name of the setting that says so.
#[must_use]
pub fn policy_of(settings: &Settings, field: &str) -> (UpdatePolicy, &'static str) {
    match field {
        "Title" => (settings.update_title, "update_title"),
        "Company" | "AccountId" | "Website" | "Phone" | "Industry" | "NumberOfEmployees" => {
            (settings.update_company, "update_company")
        }
        _ => (settings.update_address, "update_address"),
    }
}

/// What of a change is against the admin's rules.
pub(super) fn against_rules(
    settings: &Settings,
    what: ChangeKind,
    values: &ChangeValues,
) -> Vec<FieldProblem> {
    let is_of_a_person =
        matches!(what, ChangeKind::Create { object } if object != SObject::Account);
    if is_of_a_person
        && settings.require_email
        && values.to.get("Email").is_none_or(FieldValue::is_empty)
    {
        let reason = "must be given; the setting is require_email".to_owned();
        return vec![FieldProblem { field: Some("Email".to_owned()), reason }];
    }
    against_policy(settings, &values.from)
}

/// What of an update the admin does not let sellers do. `from` is what the seller saw.
fn against_policy(settings: &Settings, from: &Values) -> Vec<FieldProblem> {
    let problem = |(field, seen): (&String, &FieldValue)| {
        let (policy, setting) = policy_of(settings, field);
        let reason = match policy {
            policy if policy.lets(seen.is_empty()) => return None,
            UpdatePolicy::Never => format!("is not updated; the setting is {setting}"),
            _ => format!("is filled in where it is empty, not replaced; the setting is {setting}"),
        };
        Some(FieldProblem { field: Some(field.clone()), reason })
    };
    from.iter().filter_map(problem).collect()
}

/// The values of a new lead or contact, with the admin's lead source where the seller names none.
pub(super) fn with_lead_source(
    settings: &Settings,
    what: ChangeKind,
    mut values: ChangeValues,
) -> ChangeValues {
    if let ChangeKind::Create { object: SObject::Lead | SObject::Contact } = what
        && let Some(source) = &settings.lead_source
    {
        let own = values.to.entry("LeadSource".to_owned()).or_default();
        if own.is_empty() {
            *own = source.as_str().into();
        }
    }
    values
}

/// The fields without which a record of the object is not created.
fn needed(object: SObject) -> &'static [&'static str] {
    match object {
        SObject::Lead => &["LastName", "Company"],
        SObject::Account => &["Name"],
        _ => &["LastName", "AccountId"],
    }
}

/// The values with surrounding space left out: Salesforce would leave it out, and a look-up of what
/// was made compares.
///
/// # Errors
/// Every field that no seller may write, and every value that no field holds.
pub(super) fn checked(what: ChangeKind, given: Values) -> Result<Values, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut problem = |field: Option<&str>, reason: &str| {
        problems.push(FieldProblem { field: field.map(str::to_owned), reason: reason.to_owned() });
    };
    let (object, creates) = match what {
        ChangeKind::Create { object } => (object, true),
        ChangeKind::Update { record } | ChangeKind::Delete { record } => (record.object, false),
    };
    if updatable_fields(object).is_empty() {
        problem(None, "only leads, contacts and accounts are created and updated");
    }
    if given.is_empty() {
        problem(None, "no field is given");
    }
    if given.len() > MOST_FIELDS {
        problem(None, "more than 100 fields are given");
    }
    for (name, value) in &given {
        if !is_field_name(name) {
            problem(Some(name), "is no field's API name");
        } else if creates && NEVER.iter().any(|never| never.eq_ignore_ascii_case(name)) {
            problem(Some(name), "is not the seller's to set");
        } else if !creates && !updatable_fields(object).contains(&name.as_str()) {
            let reason = "is none of the fields that are updated: title, company, address";
            problem(Some(name), reason);
        } else if let Some(reason) = wrong_value(value) {
            problem(Some(name), reason);
        } else if name == "AccountId" && !is_account(value) {
            problem(Some(name), "must be the id of an account");
        }
    }
    for name in needed(object).iter().filter(|_| creates) {
        if given.get(*name).is_none_or(FieldValue::is_empty) {
            problem(Some(name), "must be given");
        }
    }
    if problems.is_empty() { Ok(given.into_iter().map(trimmed).collect()) } else { Err(problems) }
}

fn trimmed((name, value): (String, FieldValue)) -> (String, FieldValue) {
    let value = match value.text() {
        _ if value.is_empty() => FieldValue::default(),
        Some(text) => text.trim().into(),
        None => value,
    };
    (name, value)
}

fn wrong_value(value: &FieldValue) -> Option<&'static str> {
    let text = value.text()?;
    if text.contains('\0') {
        Some("holds a null character")
    } else if text.chars().nth(LONGEST_TEXT).is_some() {
        Some("is longer than 131,072 characters")
    } else {
        None
    }
}

fn is_account(value: &FieldValue) -> bool {
    let id: Option<SalesforceId> = value.text().and_then(|text| text.trim().parse().ok());
    id.is_some_and(|id| id.as_str().starts_with("001"))
}

/// True for what may be an API name: letters, digits and single underscores, a letter first.
fn is_field_name(name: &str) -> bool {
    name.len() <= 255
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
