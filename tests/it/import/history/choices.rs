//! The fields that the org's admin adds, shows and hides, and those that they choose to import.

use serde_json::{Value, json};
use shared::capabilities::importing::{AccountModel, FieldMapping};
use shared::kernel::{Author, SObject};

use super::super::compare::large_accounts;
use super::History;

/// A field that the admin added, which can take a standard one's place.
pub(super) struct CustomField {
    object: SObject,
    standard: &'static str,
    name: &'static str,
    kind: &'static str,
}

/// The integration user's profile.
const PROFILE: &str = "Integration";

/// The org's formula, a contact's.
pub(super) const FORMULA: &str = "Role__c";

const CUSTOM_FIELDS: [CustomField; 6] = [
    custom(SObject::Account, "NumberOfEmployees", "Staff__c", "double"),
    custom(SObject::Contact, "Email", "Work_Email__c", "email"),
    custom(SObject::Contact, "Title", FORMULA, "string(80) calculated"),
    custom(SObject::Lead, "Company", "Firm__c", "string(80)"),
    custom(SObject::Opportunity, "Amount", "Expected__c", "currency"),
    custom(SObject::Task, "Subject", "Topic__c", "string(80)"),
];

/// Standard fields that the profile may hide as well; the import goes without them.
const STANDARD_FIELDS: [&str; 3] =
    ["Account.AnnualRevenue", "Opportunity.Amount", "Task.ActivityDate"];

const fn custom(
    object: SObject,
    standard: &'static str,
    name: &'static str,
    kind: &'static str,
) -> CustomField {
    CustomField { object, standard, name, kind }
}

/// The org before anything happens in it.
pub(in super::super) fn new_org() -> Value {
    let declared = |own: &CustomField| format!("{}.{} {}", own.object, own.name, own.kind);
    let fields: Vec<String> = CUSTOM_FIELDS.iter().map(declared).collect();
    json!({ "my_domain": "history", "custom_fields": fields })
}

impl History {
    /// Values for an object's custom fields: each one new, none, or as it was.
    pub(super) fn set_custom_fields(&mut self, object: &str, fields: &mut Value) {
        for own in CUSTOM_FIELDS.iter().filter(|own| own.object.name() == object) {
            match self.random.u8(..4) {
                0 => {}
                1 => fields[own.name] = Value::Null,
                _ => fields[own.name] = self.custom_value(own),
            }
        }
    }

    fn custom_value(&mut self, own: &CustomField) -> Value {
        let number = self.random.u32(..100_000);
        match own.kind {
            "double" | "currency" => json!(f64::from(number) / 4.0),
            "email" => json!(format!("work{number}@history.example")),
            _ => json!(self.text()),
        }
    }

    /// Has the profile of the integration user hide some fields, or show all of them.
    pub(super) fn hide_fields(&mut self) -> String {
        let mut hidden = serde_json::Map::new();
        let show_all = self.random.bool();
        let custom = CUSTOM_FIELDS.iter().map(|own| format!("{}.{}", own.object, own.name));
        for field in custom.chain(STANDARD_FIELDS.map(str::to_owned)) {
            if !show_all && self.random.bool() {
                hidden.insert(field, json!({ "read": false }));
            }
        }
        let line = format!("profile without {:?}", hidden.keys());
        self.put_profile(&json!({ "name": PROFILE, "fields": hidden }));
        line
    }

    fn put_profile(&self, profile: &Value) {
        let profile = serde_json::from_value(profile.clone()).unwrap();
        self.world.control().put_profile(&self.world.org, profile).unwrap();
    }

    /// Gives the integration user a profile of its own.
    pub(super) fn assign_profile(&self) {
        self.put_profile(&json!({ "name": PROFILE }));
        let (control, org) = (self.world.control(), &self.world.org);
        control.assign_profile(org, &format!("admin@{org}.example"), PROFILE).unwrap();
    }

    /// The admin chooses something else, by the use case that the API calls; it may die of it.
    pub(super) async fn choose(&mut self) {
        let at = self.world.at();
        let (what, yes) = (self.random.u8(..3), self.random.bool());
        let mut mappings = Vec::new();
        for own in CUSTOM_FIELDS.iter().filter(|_| self.random.bool()) {
            let (field, custom_field) = (own.standard.to_owned(), own.name.to_owned());
            mappings.push(FieldMapping { object: own.object, field, custom_field });
        }
        let selections = &self.world.functions.selections;
        let chosen = match what {
            0 => selections.map(at, mappings, &Author::Service).await,
            1 => {
                let filters = if yes { large_accounts() } else { Vec::new() };
                selections.filter(at, filters, &Author::Service).await
            }
            _ => {
                let accounts = if yes { AccountModel::Person } else { AccountModel::Business };
                selections.set_accounts(at, accounts, &Author::Service).await
            }
        };
        self.world.fuse.restart();
        self.log.push(match chosen {
            Ok(chosen) => {
                let mapped = chosen.mappings.iter().map(|m| m.custom_field.as_str());
                let mapped: Vec<&str> = mapped.collect();
                let large = !chosen.filters.is_empty();
                format!("chosen {mapped:?}, large only {large}, {:?}", chosen.accounts)
            }
            Err(error) => format!("not chosen: {error}"),
        });
    }
}
