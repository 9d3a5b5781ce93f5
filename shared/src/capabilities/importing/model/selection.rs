//! The admin's choice of what is imported: custom fields in the place of standard ones, rows by
//! condition, business or person accounts.
//!
//! A choice is made against what the org shows its integration user, and applied against what it
//! shows when an import begins, which may be less.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::org_field::shown;
use super::{FilterCondition, OrgField, RowCondition, RowValue, ValueType};
use crate::kernel::{FieldForm, Gone, SObject};

/// A custom field that takes a standard field's place, one for one, in everything that is done
/// with the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMapping {
    /// Of which object.
    pub object: SObject,
    /// The standard field.
    pub field: String,
    /// The custom field that is read in its place.
    pub custom_field: String,
}

/// Which rows of an object are imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFilter {
    /// Of which object.
    pub object: SObject,
    /// All of them must hold.
    pub conditions: Vec<FilterCondition>,
}

/// The customers of an org: companies or persons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountModel {
    /// Companies, with contacts.
    #[default]
    Business,
    /// Persons: only their contacts are imported, no accounts and no account teams.
    Person,
}

/// Who changed a selection, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectionChange {
    /// When.
    pub at: Timestamp,
    /// Who: the subject of their token; none for a token without one.
    #[serde(default)]
    pub by: Option<String>,
    /// The part that was changed.
    pub set: SelectionPart,
}

/// A part of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum SelectionPart {
    /// The field mappings.
    Mappings,
    /// The record filters.
    Filters,
    /// The account model.
    Accounts,
}

/// How many changes are remembered.
const CHANGES: usize = 100;

/// The most conditions on one object: a query must fit an address.
const MOST_CONDITIONS: usize = 20;

/// The choice of what is imported from an org.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Custom fields in the place of standard ones.
    pub mappings: Vec<FieldMapping>,
    /// Which rows.
    pub filters: Vec<RecordFilter>,
    /// Companies or persons.
    pub accounts: AccountModel,
    /// Who set what, the newest last.
    pub changes: Vec<SelectionChange>,
}

/// A part of a selection that the org does not allow, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{object}.{field}: {reason}")]
pub struct SelectionProblem {
    /// Of which object.
    pub object: SObject,
    /// Which field.
    pub field: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// The fields and rows that are read of one object: a selection as far as the org allows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectSelection {
    /// The custom field that is read in the place of a standard one, by the standard one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// Our fields that the integration user cannot see: not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Fields that no org need have, and that this one has: read besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub besides: Vec<String>,
    /// Conditions that hold of every row that is read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<RowCondition>,
    /// Nothing of the object is imported.
    pub excluded: bool,
    /// A column is a formula.
    pub calculated: bool,
    /// Mappings that the org does not allow any more: the standard field is read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<SelectionProblem>,
}

impl ObjectSelection {
    /// The field that is read for a field of ours.
    #[must_use]
    pub fn column<'a>(&'a self, field: &'a str) -> &'a str {
        self.columns.get(field).map_or(field, String::as_str)
    }

    /// True if a field of ours is not read.
    #[must_use]
    pub fn hides(&self, field: &str) -> bool {
        self.hidden.iter().any(|hidden| hidden == field)
    }

    /// True if a field is read that no org need have.
    #[must_use]
    pub fn reads_besides(&self, field: &str) -> bool {
        self.besides.iter().any(|besides| besides == field)
    }

    /// The fields that are read of an object.
    pub fn read_fields(&self, object: SObject) -> impl Iterator<Item = &str> {
        let seen = object.fields().iter().filter(|field| !self.hides(field));
        seen.map(|field| self.column(field)).chain(self.besides.iter().map(String::as_str))
    }

    /// True if the org shows every field that is read.
    #[must_use]
    pub fn is_shown(&self, object: SObject, fields: &[OrgField]) -> bool {
        self.read_fields(object).all(|name| fields.iter().any(|field| field.name == name))
    }

    /// The reason for which a record goes that is not among the org's ids.
    #[must_use]
    pub fn reason_for_unseen(&self) -> Gone {
        if self.excluded || !self.conditions.is_empty() {
            Gone::OutsideFilter
        } else {
            Gone::Unseen
        }
    }

    /// A digest of the fields and conditions that an object is read by. If it is not that of the
    /// last import, the object is read again, whole: a field that is new in our own list reaches
    /// the rows that nobody changed, too.
    #[must_use]
    pub fn digest(&self, object: SObject) -> String {
        self.digest_of(object.fields())
    }

    fn digest_of(&self, fields: &[&str]) -> String {
        let seen = fields.iter().filter(|field| !self.hides(field));
        let read: Vec<(&str, &str)> = seen.map(|&field| (field, self.column(field))).collect();
        let text = if self.besides.is_empty() {
            serde_json::to_string(&(read, &self.conditions, self.excluded))
        } else {
            serde_json::to_string(&(read, &self.conditions, self.excluded, &self.besides))
        };
        blake3::hash(text.unwrap_or_default().as_bytes()).to_hex()[..32].to_owned()
    }
}

impl Selection {
    /// The fields and rows to read of an object that the org describes by `fields`.
    ///
    /// # Errors
    /// A condition that cannot be put to Salesforce: to import more than was chosen would be worse
    /// than to import nothing.
    pub fn of(
        &self,
        object: SObject,
        fields: &[OrgField],
    ) -> Result<ObjectSelection, SelectionProblem> {
        let mut selected = ObjectSelection::default();
        if self.accounts == AccountModel::Person {
            selected.excluded = matches!(object, SObject::Account | SObject::AccountTeamMember);
            if object == SObject::Contact {
                selected.conditions.push(person_accounts(fields)?);
            }
        }
        for filter in self.filters.iter().filter(|filter| filter.object == object) {
            for condition in &filter.conditions {
                let refused = |reason| problem(object, &condition.field, reason);
                selected.conditions.push(condition.checked(fields).map_err(refused)?);
            }
        }
        for mapping in self.mappings.iter().filter(|mapping| mapping.object == object) {
            match mapping.checked(fields) {
                Ok(custom) => {
                    selected.calculated |= custom.calculated;
                    selected.columns.insert(mapping.field.clone(), custom.name.clone());
                }
                Err(reason) => {
                    selected.dropped.push(problem(object, &mapping.field, reason));
                }
            }
        }
        if !selected.excluded {
            let shown = |name: &str| fields.iter().any(|field| field.name == name);
            let hidden = object.fields().iter().filter(|name| !shown(selected.column(name)));
            selected.hidden = hidden.map(|&name| name.to_owned()).collect();
            let besides = object.optional_fields().iter().filter(|name| shown(name));
            selected.besides = besides.map(|&name| name.to_owned()).collect();
        }
        Ok(selected)
    }

    /// Adds a change to the list of changes.
    pub fn record_change(&mut self, at: Timestamp, by: Option<String>, set: SelectionPart) {
        self.changes.push(SelectionChange { at, by, set });
        let over = self.changes.len().saturating_sub(CHANGES);
        self.changes.drain(..over);
    }
}

/// The condition that a contact is a person account's.
///
/// # Errors
/// The org has no person accounts.
pub fn person_accounts(contact: &[OrgField]) -> Result<RowCondition, SelectionProblem> {
    const FIELD: &str = "IsPersonAccount";
    if contact.iter().any(|field| field.name == FIELD) {
        return Ok(RowCondition::equals(FIELD, RowValue::Boolean(true)));
    }
    let reason = "the org has no person accounts, or the integration user does not see this field";
    Err(problem(SObject::Contact, FIELD, reason.to_owned()))
}

/// The problems of mappings, given the fields that the org shows of each object.
#[must_use]
pub fn check_mappings<'a>(
    mappings: &[FieldMapping],
    shown: impl Fn(SObject) -> &'a [OrgField],
) -> Vec<SelectionProblem> {
    let mut problems = Vec::new();
    let (mut fields, mut customs) = (BTreeSet::new(), BTreeSet::new());
    for mapping in mappings {
        let FieldMapping { object, field, custom_field } = mapping;
        let mut refuse = |reason| problems.push(problem(*object, field, reason));
        if !fields.insert((object, field)) {
            refuse("it is mapped twice; a field has one custom field".to_owned());
        } else if !customs.insert((object, custom_field.to_ascii_lowercase())) {
            refuse(format!("{custom_field} stands for another field already"));
        } else if let Err(reason) = mapping.checked(shown(*object)) {
            refuse(reason);
        }
    }
    problems
}

/// The problems of filters, given the fields that the org shows of each object.
#[must_use]
pub fn check_filters<'a>(
    filters: &[RecordFilter],
    shown: impl Fn(SObject) -> &'a [OrgField],
) -> Vec<SelectionProblem> {
    let mut problems = Vec::new();
    let mut objects = BTreeSet::new();
    for RecordFilter { object, conditions } in filters {
        if !objects.insert(object) {
            let reason = "the object has two filters; put all conditions into one";
            problems.push(problem(*object, "", reason.to_owned()));
        }
        if conditions.is_empty() || conditions.len() > MOST_CONDITIONS {
            let reason = format!("a filter has 1 to {MOST_CONDITIONS} conditions");
            problems.push(problem(*object, "", reason));
        }
        let refused = conditions.iter().filter_map(|condition| {
            let reason = condition.checked(shown(*object)).err()?;
            Some(problem(*object, &condition.field, reason))
        });
        problems.extend(refused);
    }
    problems
}

fn problem(object: SObject, field: &str, reason: String) -> SelectionProblem {
    SelectionProblem { object, field: field.to_owned(), reason }
}

/// Fields that the import itself, or the pipeline, goes by.
const NEVER_MAPPED: [&str; 9] = [
    "CreatedDate",
    "LastModifiedDate",
    "LastActivityDate",
    "LastReferencedDate",
    "LastViewedDate",
    "SystemModstamp",
    "StageName",
    "ConvertedDate",
    "IsDeleted",
];

impl FieldMapping {
    /// The custom field, when it can take the standard field's place.
    fn checked<'a>(&self, fields: &'a [OrgField]) -> Result<&'a OrgField, String> {
        let standard = shown(fields, &self.field);
        let type_of_standard = self.type_of(standard)?;
        let name = &self.custom_field;
        let Some(custom) = shown(fields, name) else {
            return Err(format!("the org shows the integration user no field {name}"));
        };
        if !custom.custom {
            return Err(format!("{name} is no custom field"));
        }
        if !custom.importable {
            return Err(format!("{name} is of the type {}, which cannot be imported", custom.kind));
        }
        match ValueType::of(&custom.kind) {
            Some(found) if found == type_of_standard => Ok(custom),
            _ => Err(format!("it holds a {type_of_standard}, {name} is a {}", custom.kind)),
        }
    }

    /// The type of the standard field, if another field may stand in its place.
    fn type_of(&self, standard: Option<&OrgField>) -> Result<ValueType, String> {
        let field = self.field.as_str();
        if !self.object.fields().contains(&field) {
            return Err("it is no standard field that is imported".to_owned());
        }
        let found = match standard {
            Some(standard) => ValueType::of(&standard.kind),
            // Hidden: that may be why another is to take its place.
            None if field.starts_with("Is") || field.ends_with("Id") => None,
            None if SObject::field_form(field) == FieldForm::Number => Some(ValueType::Number),
            None if field.ends_with("Date") => Some(ValueType::Date),
            None => Some(ValueType::Text),
        };
        match found {
            Some(found @ (ValueType::Text | ValueType::Number | ValueType::Date))
                if !NEVER_MAPPED.contains(&field) =>
            {
                Ok(found)
            }
            _ => Err("nothing can take its place: the import itself goes by it".to_owned()),
        }
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
