//! The Salesforce objects that are imported, and the fields read of each.
//!
//! This is the read allow-list for imports: nothing else is ever selected. Most of the list is the
//! appendix of the product's technical guide. A field beyond that says why it is needed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An imported object. The order is the order in which an import starts them: owners first, then
/// what is matched, then what decides auto-save, then activities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each variant is the Salesforce object of that name")]
pub enum SObject {
    User,
    UserRole,
    Account,
    Contact,
    Lead,
    Opportunity,
    OpportunityContactRole,
    AccountTeamMember,
    Task,
    Event,
    Note,
}

impl SObject {
    /// All imported objects, in import order.
    pub const ALL: [Self; 11] = [
        Self::User,
        Self::UserRole,
        Self::Account,
        Self::Contact,
        Self::Lead,
        Self::Opportunity,
        Self::OpportunityContactRole,
        Self::AccountTeamMember,
        Self::Task,
        Self::Event,
        Self::Note,
    ];

    /// The objects that matching and auto-save need. They are imported first and handed over at
    /// once.
    pub const MATCHED_FIRST: [Self; 8] = [
        Self::User,
        Self::UserRole,
        Self::Account,
        Self::Contact,
        Self::Lead,
        Self::Opportunity,
        Self::OpportunityContactRole,
        Self::AccountTeamMember,
    ];

    /// Activities; imported while the rest is being matched. They are the most rows of many orgs.
    pub const ACTIVITIES: [Self; 3] = [Self::Task, Self::Event, Self::Note];

    /// The API name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::UserRole => "UserRole",
            Self::Account => "Account",
            Self::Contact => "Contact",
            Self::Lead => "Lead",
            Self::Opportunity => "Opportunity",
            Self::OpportunityContactRole => "OpportunityContactRole",
            Self::AccountTeamMember => "AccountTeamMember",
            Self::Task => "Task",
            Self::Event => "Event",
            Self::Note => "Note",
        }
    }

    /// The fields read, `Id` and `SystemModstamp` first.
    #[must_use]
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::User => &USER,
            Self::UserRole => &["Id", "SystemModstamp", "Name", "ParentRoleId", "LastModifiedDate"],
            Self::Account => &ACCOUNT,
            Self::Contact => &CONTACT,
            Self::Lead => &LEAD,
            Self::Opportunity => &OPPORTUNITY,
            Self::OpportunityContactRole => &OPPORTUNITY_CONTACT_ROLE,
            Self::AccountTeamMember => &ACCOUNT_TEAM_MEMBER,
            Self::Task => &TASK,
            Self::Event => &EVENT,
            Self::Note => &["Id", "SystemModstamp", "ParentId", "Title", "OwnerId", "IsDeleted"],
        }
    }

    /// Fields that are read besides, of orgs that have them: no org need have them, so that none is
    /// told to show them.
    #[must_use]
    pub fn optional_fields(self) -> &'static [&'static str] {
        match self {
            // An org has it once several currencies are turned on.
            Self::Opportunity => &["CurrencyIsoCode"],
            // Used where people log in by single sign-on.
            Self::User => &["FederationIdentifier"],
            _ => &[],
        }
    }

    /// True if rows can be deleted at all. Users are deactivated, and roles have no such field.
    #[must_use]
    pub fn has_is_deleted(self) -> bool {
        !matches!(self, Self::User | Self::UserRole)
    }

    /// True if `query` hides rows that are still in the org: activities are archived after a year.
    #[must_use]
    pub fn is_archived(self) -> bool {
        matches!(self, Self::Task | Self::Event)
    }

    /// The form in which a field's value is kept. REST and Bulk write moments and numbers
    /// differently, so each value is brought into one form.
    #[must_use]
    pub fn field_form(name: &str) -> FieldForm {
        match name {
            "SystemModstamp" | "CreatedDate" | "LastModifiedDate" | "LastReferencedDate"
            | "LastViewedDate" => FieldForm::Moment,
            "AnnualRevenue" | "NumberOfEmployees" | "Amount" => FieldForm::Number,
            _ => FieldForm::Text,
        }
    }

    /// True if deletions made directly on a row show in `IsDeleted`. Team members and contact roles
    /// bypass the recycle bin; users and roles have no such field.
    #[must_use]
    pub fn deletions_show(self) -> bool {
        !matches!(
            self,
            Self::User | Self::UserRole | Self::OpportunityContactRole | Self::AccountTeamMember
        )
    }

    /// True if an org may lack the object because a feature is off.
    #[must_use]
    pub fn optional(self) -> bool {
        self == Self::AccountTeamMember
    }
}

/// The form of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldForm {
    /// As it came.
    Text,
    /// A moment, in milliseconds and UTC.
    Moment,
    /// A decimal number without needless zeros or exponents.
    Number,
}

impl fmt::Display for SObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no imported object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an imported object")]
pub struct ParseSObjectError;

impl FromStr for SObject {
    type Err = ParseSObjectError;

    fn from_str(text: &str) -> Result<Self, ParseSObjectError> {
        Self::ALL.into_iter().find(|o| o.name() == text).ok_or(ParseSObjectError)
    }
}

const USER: [&str; 14] = [
    "Id",
    "SystemModstamp",
    "Name",
    "Department",
    "Email",
    "FirstName",
    "LastName",
    "Title",
    "Phone",
    "MobilePhone",
    "IsActive",
    "UserRoleId",
    "CreatedDate",
    "LastModifiedDate",
];

const ACCOUNT: [&str; 33] = [
    "Id",
    "SystemModstamp",
    "Name",
    "Website",
    "AnnualRevenue",
    "NumberOfEmployees",
    "Phone",
    "Industry",
    "Type",
    "BillingStreet",
    "BillingCity",
    "BillingState",
    "BillingCountry",
    "BillingPostalCode",
    "CreatedDate",
    "LastModifiedDate",
    "OwnerId",
    "Description",
    "Fax",
    "ParentId",
    "ShippingCity",
    "ShippingCountry",
    "ShippingPostalCode",
    "ShippingState",
    "ShippingStreet",
    "LastReferencedDate",
    "LastViewedDate",
    "Rating",
    "TickerSymbol",
    "Ownership",
    // Beyond the appendix: a merged account names its survivor, and a deleted one must go.
    "MasterRecordId",
    "IsDeleted",
    "LastActivityDate",
];

const CONTACT: [&str; 26] = [
    "Id",
    "SystemModstamp",
    "AccountId",
    "CreatedDate",
    "Department",
    "Description",
    "Email",
    "Fax",
    "FirstName",
    "LastActivityDate",
    "LastName",
    "LastModifiedDate",
    "LastReferencedDate",
    "LastViewedDate",
    "LeadSource",
    "MailingStreet",
    "MailingCity",
    "MailingCountry",
    "MailingState",
    "Name",
    "Phone",
    "Title",
    // Beyond the appendix: the rule "contacts that I own" needs the owner; merges and deletions
    // must be followed.
    "OwnerId",
    "MasterRecordId",
    "IsDeleted",
    "HasOptedOutOfEmail",
];

const LEAD: [&str; 30] = [
    "Id",
    "SystemModstamp",
    "City",
    "Company",
    "ConvertedAccountId",
    "ConvertedContactId",
    "ConvertedDate",
    "ConvertedOpportunityId",
    "Country",
    "CreatedDate",
    "Email",
    "FirstName",
    "Industry",
    "IsConverted",
    "IsUnreadByOwner",
    "LastActivityDate",
    "LastName",
    "LastReferencedDate",
    "LastViewedDate",
    "LeadSource",
    "OwnerId",
    "Phone",
    "State",
    "Status",
    "Street",
    "Title",
    "Website",
    "LastModifiedDate",
    "MasterRecordId",
    "IsDeleted",
];

const OPPORTUNITY: [&str; 18] = [
    "Id",
    "SystemModstamp",
    "AccountId",
    "Amount",
    "CloseDate",
    "CreatedDate",
    "IsClosed",
    "IsWon",
    "LastActivityDate",
    "LastReferencedDate",
    "LastViewedDate",
    "LeadSource",
    "Name",
    "OwnerId",
    "StageName",
    "Type",
    "LastModifiedDate",
    "IsDeleted",
];

const OPPORTUNITY_CONTACT_ROLE: [&str; 9] = [
    "Id",
    "SystemModstamp",
    "ContactId",
    "IsPrimary",
    "OpportunityId",
    "Role",
    "CreatedDate",
    "LastModifiedDate",
    "IsDeleted",
];

const ACCOUNT_TEAM_MEMBER: [&str; 11] = [
    "Id",
    "SystemModstamp",
    "AccountId",
    "AccountAccessLevel",
    "ContactAccessLevel",
    "CreatedDate",
    "IsDeleted",
    "LastModifiedDate",
    "OpportunityAccessLevel",
    "TeamMemberRole",
    "UserId",
];

const TASK: [&str; 11] = [
    "Id",
    "SystemModstamp",
    "WhoId",
    "WhatId",
    "OwnerId",
    "Subject",
    "Status",
    "ActivityDate",
    "TaskSubtype",
    "CreatedDate",
    "IsDeleted",
];

const EVENT: [&str; 11] = [
    "Id",
    "SystemModstamp",
    "OwnerId",
    "Subject",
    "WhoId",
    "WhatId",
    "Type",
    "IsPrivate",
    "IsGroupEvent",
    "IsRecurrence",
    "IsDeleted",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_read_by_id_and_stamp() {
        for object in SObject::ALL {
            assert_eq!(object.fields()[..2], ["Id", "SystemModstamp"], "{object}");
            assert_eq!(object.name().parse(), Ok(object));
        }
        let waves = [&SObject::MATCHED_FIRST[..], &SObject::ACTIVITIES].concat();
        assert_eq!(waves, SObject::ALL, "every object is in a wave, in import order");
    }

    #[test]
    fn no_field_is_named_twice() {
        for object in SObject::ALL {
            let all = [object.fields(), object.optional_fields()].concat();
            let mut fields = all.clone();
            fields.sort_unstable();
            fields.dedup();
            assert_eq!(fields.len(), all.len(), "{object}");
        }
    }

    #[test]
    fn what_incidents_have_taught_never_to_read_is_absent() {
        for name in ["Case", "Attachment", "EmailMessage", "ContentVersion"] {
            assert!(name.parse::<SObject>().is_err());
        }
    }
}
