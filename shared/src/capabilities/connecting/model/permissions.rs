//! The permissions that each feature needs of the integration user, and those that an org was found
//! to give. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::kernel::SObject;

/// A feature that a customer loses when a field or an object is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Seeing which records are new, changed, merged or deleted.
    Import,
    /// Finding the directory's entity of a record.
    Matching,
    /// Showing how to reach a person.
    ContactInformation,
    /// Joining CRM users to seats.
    Seats,
    /// Saving the accounts and contacts of open opportunities.
    AutoSave,
    /// Recognising activities that are logged already.
    ActivityLog,
    /// Reporting on won opportunities.
    Roi,
}

/// The feature that needs a field.
#[must_use]
pub fn feature_of(object: SObject, field: &str) -> Feature {
    match (object, field) {
        (
            _,
            "Id" | "SystemModstamp" | "CreatedDate" | "LastModifiedDate" | "IsDeleted"
            | "MasterRecordId",
        ) => Feature::Import,
        (SObject::User | SObject::UserRole, _) => Feature::Seats,
        (SObject::Task | SObject::Event | SObject::Note, _) => Feature::ActivityLog,
        (SObject::Opportunity, "Amount" | "CloseDate" | "IsWon" | "Type" | "LeadSource") => {
            Feature::Roi
        }
        (
            SObject::Opportunity | SObject::OpportunityContactRole | SObject::AccountTeamMember,
            _,
        )
        | (_, "OwnerId") => Feature::AutoSave,
        (
            SObject::Contact | SObject::Lead,
            "Email" | "Phone" | "Fax" | "HasOptedOutOfEmail" | "MailingStreet" | "Street",
        ) => Feature::ContactInformation,
        _ => Feature::Matching,
    }
}

/// The fields that sellers' writes set, by object. The integration user need not be able to: the
/// whole import passes with one that may only view.
pub const WRITTEN: [(SObject, &[&str]); 2] = [
    (SObject::Task, &["Subject", "Description", "WhoId", "OwnerId", "Status", "ActivityDate"]),
    (SObject::Note, &["Title", "Body", "ParentId", "OwnerId"]),
];

/// An object as its describe shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VisibleObject {
    /// True if rows may be created.
    pub createable: bool,
    /// The visible fields; each is true if a new row may set it.
    pub fields: Vec<(String, bool)>,
}

/// A hidden field, and the feature that it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenField {
    /// Its API name.
    pub field: String,
    /// The feature that needs it.
    pub blocks: Feature,
}

/// The user's permissions for one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPermissions {
    /// The object.
    pub object: SObject,
    /// True if its rows can be read.
    pub readable: bool,
    /// True if an org may lack it, by its edition or because a feature is off.
    pub optional: bool,
    /// The features that need it, when it cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Feature>,
    /// Fields that cannot be seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<HiddenField>,
    /// The fields that sellers' writes set and this user may not. They are only a warning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_editable: Vec<String>,
}

impl ObjectPermissions {
    /// Compares the needed fields with a describe. None: the object is not there for the user.
    #[must_use]
    pub fn of(object: SObject, visible: Option<&VisibleObject>) -> Self {
        let Some(visible) = visible else {
            let mut blocks: Vec<Feature> =
                object.fields().iter().map(|field| feature_of(object, field)).collect();
            blocks.sort_unstable();
            blocks.dedup();
            return Self { readable: false, blocks, ..Self::unrestricted(object) };
        };
        let shown = |name: &str| visible.fields.iter().find(|(field, _)| field == name);
        let hidden = object.fields().iter().filter(|field| shown(field).is_none()).map(|field| {
            HiddenField { field: (*field).to_owned(), blocks: feature_of(object, field) }
        });
        let written = WRITTEN.iter().find(|(o, _)| *o == object).map_or(&[][..], |(_, f)| f);
        let may_set = |field: &str| visible.createable && shown(field).is_some_and(|(_, may)| *may);
        let not_editable = written.iter().filter(|field| !may_set(field));
        Self {
            hidden: hidden.collect(),
            not_editable: not_editable.map(|field| (*field).to_owned()).collect(),
            ..Self::unrestricted(object)
        }
    }

    fn unrestricted(object: SObject) -> Self {
        Self {
            object,
            readable: true,
            optional: object.optional(),
            blocks: Vec::new(),
            hidden: Vec::new(),
            not_editable: Vec::new(),
        }
    }

    /// True if a needed field or object cannot be seen.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        !self.optional && (!self.readable || !self.hidden.is_empty())
    }
}

/// The permissions that an org was found to give its integration user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// When.
    pub inspected_at: Timestamp,
    /// Why the org did not let itself be asked: Salesforce's code. None when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// True if the integration user is a person who has a seat; none when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_user: Option<bool>,
    /// Object by object.
    #[serde(default)]
    pub objects: Vec<ObjectPermissions>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_of(object: SObject) -> VisibleObject {
        let written = WRITTEN.iter().find(|(o, _)| *o == object).map_or(&[][..], |(_, f)| f);
        let fields = object.fields().iter().chain(written);
        let fields = fields.map(|field| ((*field).to_owned(), true)).collect();
        VisibleObject { createable: true, fields }
    }

    #[test]
    fn who_sees_everything_is_told_of_nothing() {
        for object in SObject::ALL {
            let found = ObjectPermissions::of(object, Some(&all_of(object)));
            assert_eq!(found, ObjectPermissions::unrestricted(object));
            assert!(!found.is_blocked());
        }
    }

    #[test]
    fn a_hidden_field_blocks_the_feature_that_needs_it() {
        let mut visible = all_of(SObject::Contact);
        visible.fields.retain(|(field, _)| field != "Email" && field != "OwnerId");
        let found = ObjectPermissions::of(SObject::Contact, Some(&visible));
        let hidden: Vec<_> = found.hidden.iter().map(|h| (h.field.as_str(), h.blocks)).collect();
        assert_eq!(
            hidden,
            [("Email", Feature::ContactInformation), ("OwnerId", Feature::AutoSave)]
        );
        assert!(found.is_blocked());
    }

    #[test]
    fn what_is_only_not_editable_blocks_nothing() {
        let mut visible = all_of(SObject::Task);
        visible.createable = false;
        let found = ObjectPermissions::of(SObject::Task, Some(&visible));
        assert_eq!(found.not_editable.len(), 6);
        assert!(!found.is_blocked());
    }

    #[test]
    fn an_object_that_is_not_there_names_what_needs_it() {
        let found = ObjectPermissions::of(SObject::Opportunity, None);
        assert_eq!(found.blocks, [Feature::Import, Feature::AutoSave, Feature::Roi]);
        assert!(found.is_blocked());
        let found = ObjectPermissions::of(SObject::AccountTeamMember, None);
        assert!(!found.is_blocked(), "an edition may lack it");
    }

    #[test]
    fn every_object_that_needs_access_blocks_when_it_cannot_be_read() {
        let needed = [
            SObject::Account,
            SObject::Contact,
            SObject::Lead,
            SObject::Opportunity,
            SObject::OpportunityContactRole,
            SObject::Task,
            SObject::User,
            SObject::UserRole,
        ];
        for object in needed {
            assert!(ObjectPermissions::of(object, None).is_blocked(), "{object}");
        }
    }
}
