//! What stands in the way of an activity, in the words of a seller, and what mends it. Pure.

use serde::Serialize;

use super::{ActivityState, HoldReason, LEAD_CONVERTED, NotLogged, SEAT_REMOVED};
use crate::capabilities::connecting::Check;

/// Who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhoActs {
    /// The seller.
    Seller,
    /// The admin of the CRM.
    CrmAdmin,
    /// Nobody: it stays as it is.
    Nobody,
}

/// What a code means to a seller, and what mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fix {
    /// What happened.
    pub why: &'static str,
    /// Who acts.
    pub who: WhoActs,
    /// What they do, step by step; in Setup the same clicks as the connection doctor's.
    pub steps: &'static [&'static str],
}

/// Where an activity stands, why, and what would change that; none once it is logged. Whatever it
/// is, what the seller sent was delivered long before.
#[must_use]
pub fn explain(state: &ActivityState) -> Option<Fix> {
    let of = |why, who, steps| Some(Fix { why, who, steps });
    match state {
        ActivityState::Logged { .. } | ActivityState::LoggedBefore { .. } => None,
        ActivityState::Queued | ActivityState::Claimed { .. } => {
            of("It is on its way into the CRM and waits for its turn.", WhoActs::Nobody, &[])
        }
        ActivityState::Held { reason: HoldReason::NoCrmRecord } => of(
            "This person or company has no record in the CRM. It is logged once there is one.",
            WhoActs::Seller,
            &["Match it to a record, or create one in the CRM"],
        ),
        ActivityState::Held { reason: HoldReason::CrmLoginRequired } => of(
            "You are not logged in to the CRM. It is logged once you are.",
            WhoActs::Seller,
            &["Log in to the CRM by login_url"],
        ),
        ActivityState::Held { reason: HoldReason::ReconnectRequired } => of(
            "The connection to the CRM does not work. It is logged once it works again.",
            WhoActs::CrmAdmin,
            &["Authorize the connection again; the connection doctor says why it stopped"],
        ),
        ActivityState::NotLogged { reason: NotLogged::PrivateNote } => of(
            "It is a private note and stays out of the CRM.",
            WhoActs::Seller,
            &["Post it anew and say that this very note is to be logged"],
        ),
        ActivityState::NotLogged { reason: NotLogged::SellerChoice } => of(
            "You turned logging off for it.",
            WhoActs::Seller,
            &["Turn logging on again; this one is logged when it is posted anew"],
        ),
        ActivityState::NotLogged { reason: NotLogged::ConversationOff } => of(
            "You turned logging off for this conversation.",
            WhoActs::Seller,
            &["Turn the conversation on again; this one is logged when it is posted anew"],
        ),
        ActivityState::Withdrawn => of("You took it back.", WhoActs::Nobody, &[]),
        ActivityState::Failed { code, .. } => Some(fix_of(code)),
    }
}

/// What a code of Salesforce's, or of ours, means and what mends it.
#[must_use]
pub fn fix_of(code: &str) -> Fix {
    let known = of_access(code).or_else(|| of_records(code)).or_else(|| of_setup(code));
    known.unwrap_or(Fix {
        why: "Salesforce refused it; its own words say why.",
        who: WhoActs::CrmAdmin,
        steps: &["Look the code up in Salesforce's help, mend it, then try again"],
    })
}

/// What stands in the way of the seller.
fn of_access(code: &str) -> Option<Fix> {
    let of = |why, who, steps| Some(Fix { why, who, steps });
    match code {
        "INSUFFICIENT_ACCESS_OR_READONLY"
        | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"
        | "INSUFFICIENT_ACCESS"
        | "NOT_FOUND" => of(
            "You may not write to this record in Salesforce.",
            WhoActs::CrmAdmin,
            &[
                "Setup > Security > Sharing Settings: give the seller Read access to the record, \
                 for a note Edit access",
                "Setup > Users > Profiles > the seller's profile > General User Permissions: Edit \
                 Tasks",
            ],
        ),
        "INVALID_FIELD_FOR_INSERT_UPDATE" | "INVALID_FIELD" => of(
            "Salesforce does not let you write one of the fields.",
            WhoActs::CrmAdmin,
            Check::FieldVisibility.steps(),
        ),
        "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED" | "FUNCTIONALITY_NOT_ENABLED" => of(
            "Salesforce does not let you use its API.",
            WhoActs::CrmAdmin,
            Check::ApiEnabled.steps(),
        ),
        "INACTIVE_OWNER_OR_USER" => of(
            "Your user in Salesforce is not active.",
            WhoActs::CrmAdmin,
            &["Setup > Users > the seller: tick Active"],
        ),
        _ => None,
    }
}

/// What is wrong with what it is about.
fn of_records(code: &str) -> Option<Fix> {
    let of = |why, who, steps| Some(Fix { why, who, steps });
    match code {
        LEAD_CONVERTED | "CANNOT_UPDATE_CONVERTED_LEAD" => of(
            "The lead was converted in Salesforce and is read-only. Nothing can be written back to \
             it. What you sent was delivered.",
            WhoActs::Seller,
            &["Match the person to the contact that the lead became, then try again"],
        ),
        SEAT_REMOVED => of(
            "The seat was removed before this was logged.",
            WhoActs::Nobody,
            &["Post it again from a seat of the contract, if it is still to be logged"],
        ),
        "INVALID_CROSS_REFERENCE_KEY" | "MALFORMED_ID" | "FIELD_INTEGRITY_EXCEPTION" => of(
            "Something that it points to is not there for you: a record type, an opportunity or \
             the record itself.",
            WhoActs::CrmAdmin,
            &[
                "Check the settings record_type_…: each is a record type of Task in this org",
                "Setup > Users > Profiles > the seller's profile > Record Type Settings > Tasks: \
                 assign it",
            ],
        ),
        _ => None,
    }
}

/// What the org's own set-up asks for.
fn of_setup(code: &str) -> Option<Fix> {
    let of = |why, who, steps| Some(Fix { why, who, steps });
    match code {
        "INVALID_TYPE" => of(
            "This org does not have the kind of record that notes are written as.",
            WhoActs::CrmAdmin,
            &[
                "Setup > Notes Settings: Enable Notes, for enhanced notes",
                "Or turn the setting enhanced_notes off, to write classic ones",
            ],
        ),
        "FIELD_CUSTOM_VALIDATION_EXCEPTION" | "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" => of(
            "A rule of your company's Salesforce refuses it; its own words say what is missing.",
            WhoActs::CrmAdmin,
            &["Setup > Object Manager > Task > Validation Rules, and Triggers: let pass what the \
                 product writes, which its subject tells"],
        ),
        "REQUIRED_FIELD_MISSING" => of(
            "Your company's Salesforce requires a field that the product does not fill.",
            WhoActs::CrmAdmin,
            &["Setup > Object Manager > Task > Fields & Relationships > the field: give it a \
                 default, or clear Required"],
        ),
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" => of(
            "Your company's Salesforce does not have the status Completed.",
            WhoActs::CrmAdmin,
            &["Setup > Object Manager > Task > Fields & Relationships > Status: add Completed, \
                 also to the record type"],
        ),
        "STORAGE_LIMIT_EXCEEDED" => of(
            "Your company's Salesforce has no room left.",
            WhoActs::CrmAdmin,
            &["Setup > Data > Storage Usage: make room, or buy some"],
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_what_happened_and_what_to_do() {
        for code in [
            "CANNOT_UPDATE_CONVERTED_LEAD",
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "REQUIRED_FIELD_MISSING",
            "STORAGE_LIMIT_EXCEEDED",
            "SEAT_REMOVED",
            "SOMETHING_NEW",
        ] {
            let fix = fix_of(code);
            assert!(fix.why.ends_with('.') && !fix.steps.is_empty(), "{code}: {fix:?}");
        }
        assert_eq!(fix_of("SOMETHING_NEW").why, fix_of("").why, "an unknown code is told as such");
    }

    #[test]
    fn whoever_waits_is_told_for_what_and_only_what_is_logged_needs_no_word() {
        let held = |reason| ActivityState::Held { reason };
        let login = explain(&held(HoldReason::CrmLoginRequired)).unwrap();
        assert_eq!(login.who, WhoActs::Seller);
        let broken = explain(&held(HoldReason::ReconnectRequired)).unwrap();
        assert_eq!(broken.who, WhoActs::CrmAdmin);
        let failed = ActivityState::Failed { code: LEAD_CONVERTED.into(), message: "m".into() };
        assert!(explain(&failed).unwrap().why.contains("was delivered"));
        let salesforce_id = "00T000000000001EAA".parse().unwrap();
        assert_eq!(explain(&ActivityState::Logged { salesforce_id }), None);
    }

    #[test]
    fn what_the_doctor_mends_is_mended_by_the_doctors_clicks() {
        assert_eq!(fix_of("API_DISABLED_FOR_ORG").steps, Check::ApiEnabled.steps());
        assert_eq!(fix_of("INVALID_FIELD").steps, Check::FieldVisibility.steps());
    }
}
