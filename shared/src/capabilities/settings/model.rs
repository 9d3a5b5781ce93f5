//! The settings of an environment, what a patch makes of them, and what is remembered of a change.
//! Pure.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strum::{EnumIter, IntoEnumIterator};

use crate::kernel::Signature;
use crate::salesforce::SalesforceId;

/// No stage and no lead source is longer, in characters: Salesforce's bound of a picklist value.
const LONGEST_VALUE: usize = 255;

/// How many entries a list has at most before an admin says otherwise.
const MOST_SAVED: u32 = 50_000;

/// How many an admin may allow.
const MOST_SAVED_EVER: u64 = 100_000;

/// The longest that something may stay which no rule calls for any more, in days.
const LONGEST_GRACE: u64 = 365;

/// The switches that an admin may set for an environment. After connecting, every type of activity
/// is logged. All else waits for the admin's answer: what was saved is never taken away again, and
/// a feature is on when somebody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Save for sellers what the rules below say.
    pub auto_save: bool,
    /// Save for sellers the accounts of their open opportunities.
    pub save_opportunity_accounts: bool,
    /// Save for sellers the people of their open opportunities.
    pub save_opportunity_people: bool,
    /// Save for sellers the accounts that they own.
    pub save_owned_accounts: bool,
    /// Save for sellers the accounts on whose team they are.
    pub save_team_accounts: bool,
    /// Save for sellers the contacts of accounts that they own, and the leads who work there.
    pub save_people_of_owned_accounts: bool,
    /// Save for sellers the leads and contacts that they own.
    pub save_owned_people: bool,
    /// Only opportunities at or after the stage of this API name count; none means every open one
    /// ("Not Sure").
    pub stage: Option<String>,
    /// Opportunities at that very stage do not count, only those after it.
    pub after_stage: bool,
    /// How many accounts are saved for a seller at most.
    pub most_saved_accounts: u32,
    /// How many people are saved for a seller at most.
    pub most_saved_people: u32,
    /// Days after which something that no rule calls for any more leaves a seller's list; none
    /// leaves it there for good.
    pub unsave_after_days: Option<u16>,
    /// Log messages and `InMails`.
    pub log_messages: bool,
    /// Log notes.
    pub log_notes: bool,
    /// Let sellers create leads in the CRM.
    pub create_leads: bool,
    /// Let sellers create contacts in the CRM.
    pub create_contacts: bool,
    /// Let sellers create accounts in the CRM.
    pub create_accounts: bool,
    /// Let sellers update leads in the CRM.
    pub update_leads: bool,
    /// Let sellers update contacts in the CRM.
    pub update_contacts: bool,
    /// Let sellers update accounts in the CRM.
    pub update_accounts: bool,
    /// Let sellers approve many changes at once.
    pub bulk_changes: bool,
    /// What stands as the source of a new lead or contact whose seller names none.
    pub lead_source: Option<String>,
    /// Refuse a new lead or contact without an e-mail address.
    pub require_email: bool,
    /// How an update may touch a title.
    pub update_title: UpdatePolicy,
    /// How an update may touch a lead's company, a contact's account, and what an account tells of
    /// its company.
    pub update_company: UpdatePolicy,
    /// How an update may touch an address.
    pub update_address: UpdatePolicy,
    /// Whose a new contact is.
    pub contact_owner: ContactOwner,
    /// Log views of Smart Links.
    pub log_smart_links: bool,
    /// Log calls.
    pub log_calls: bool,
    /// Log connection requests.
    pub log_connection_requests: bool,
    /// Let sellers choose the opportunity that an activity is about.
    pub log_on_opportunities: bool,
    /// Take in calls that were not begun on a phone, too.
    pub desktop_calls: bool,
    /// Log notes as `ContentNote`, Salesforce's enhanced notes, and not as classic ones.
    pub enhanced_notes: bool,
    /// Refuse what is about a converted lead; else it goes to the contact that the lead became.
    pub refuse_converted_leads: bool,
    /// The record type of a message's Task; none leaves it to the org.
    pub record_type_message: Option<SalesforceId>,
    /// The record type of an `InMail`'s Task.
    pub record_type_inmail: Option<SalesforceId>,
    /// The record type of a call's Task.
    pub record_type_call: Option<SalesforceId>,
    /// The record type of a Smart Link view's Task.
    pub record_type_smart_link_view: Option<SalesforceId>,
    /// The record type of a connection request's Task.
    pub record_type_connection_request: Option<SalesforceId>,
    /// Report on won deals. Off until an admin asks for it: the report shows revenue.
    pub roi: bool,
    /// Show profiles inside the CRM.
    pub embedded_profile: bool,
    /// Point out records whose person has left the company.
    pub data_validation: bool,
    /// Hide opportunity data from who does not own it.
    pub restricted_data: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auto_save: false,
            save_opportunity_accounts: true,
            save_opportunity_people: true,
            save_owned_accounts: false,
            save_team_accounts: false,
            save_people_of_owned_accounts: false,
            save_owned_people: false,
            stage: None,
            after_stage: false,
            most_saved_accounts: MOST_SAVED,
            most_saved_people: MOST_SAVED,
            unsave_after_days: None,
            log_messages: true,
            log_notes: true,
            create_leads: false,
            create_contacts: false,
            create_accounts: false,
            update_leads: false,
            update_contacts: false,
            update_accounts: false,
            bulk_changes: false,
            lead_source: None,
            require_email: false,
            update_title: UpdatePolicy::default(),
            update_company: UpdatePolicy::default(),
            update_address: UpdatePolicy::default(),
            contact_owner: ContactOwner::default(),
            log_smart_links: true,
            log_calls: true,
            log_connection_requests: true,
            log_on_opportunities: false,
            desktop_calls: false,
            enhanced_notes: false,
            refuse_converted_leads: false,
            record_type_message: None,
            record_type_inmail: None,
            record_type_call: None,
            record_type_smart_link_view: None,
            record_type_connection_request: None,
            roi: false,
            embedded_profile: false,
            data_validation: false,
            restricted_data: false,
        }
    }
}

/// How an update may touch a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, EnumIter)]
#[serde(rename_all = "snake_case")]
pub enum UpdatePolicy {
    /// Not at all.
    Never,
    /// Only where the CRM has no value.
    FillBlank,
    /// Whatever the CRM has.
    #[default]
    Overwrite,
}

impl UpdatePolicy {
    /// True if an update may touch a field that has no value so far, or has one.
    #[must_use]
    pub fn lets(self, is_blank: bool) -> bool {
        match self {
            Self::Never => false,
            Self::FillBlank => is_blank,
            Self::Overwrite => true,
        }
    }
}

/// Whose a record is that a seller creates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, EnumIter)]
#[serde(rename_all = "snake_case")]
pub enum ContactOwner {
    /// The seller's.
    #[default]
    Seller,
    /// That of the user who owns its account, while they work there.
    AccountOwner,
}

/// What is turned on and off together: the types of activities that are logged.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter,
)]
#[serde(rename_all = "snake_case")]
pub enum LogType {
    /// Messages and `InMails`.
    Messages,
    /// Views of Smart Links.
    SmartLinks,
    /// Notes.
    Notes,
    /// Calls.
    Calls,
    /// Connection requests.
    ConnectionRequests,
}

/// A rule by which something is saved for a seller. An admin says which may hold, and each seller
/// leaves out what they do not want.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumIter,
)]
#[serde(rename_all = "snake_case")]
pub enum SavingRule {
    /// The accounts of the seller's open opportunities.
    OpportunityAccounts,
    /// The people of the seller's open opportunities.
    OpportunityPeople,
    /// The accounts that the seller owns.
    OwnedAccounts,
    /// The accounts on whose team the seller is.
    TeamAccounts,
    /// The contacts of the accounts that the seller owns, and the leads who work there.
    PeopleOfOwnedAccounts,
    /// The leads and contacts that the seller owns.
    OwnedPeople,
}

/// The settings as they are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptSettings {
    /// The settings.
    pub settings: Settings,
    /// Counts their changes; 0 before the first. Callers know it as the revision.
    pub changes: u64,
    /// The change that last touched what auto-save goes by; 0 before the first.
    pub rules: u64,
    /// Who made the last change, and when; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signature>,
}

/// A change of the settings, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsChange {
    /// The count of changes with this one.
    pub number: u64,
    /// Who made it, and when.
    pub signed: Signature,
    /// What it changed.
    pub changed: Vec<ChangedSetting>,
}

/// A setting before and after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedSetting {
    /// Its name.
    pub name: String,
    /// Its value before.
    pub before: SettingValue,
    /// Its value after.
    pub after: SettingValue,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// A switch.
    Switch(bool),
    /// A number of entries or days.
    Number(u64),
    /// A stage's API name, a lead source, a record type's id, or one of an enumeration's names.
    Name(String),
    /// No stage, lead source, record type or number of days.
    Null(()),
}

/// A JSON merge patch (RFC 7396) of the settings, as somebody sent it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SettingsPatch(pub Map<String, Value>);

impl From<Value> for SettingValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(switch) => Self::Switch(switch),
            Value::Number(number) => number.as_u64().map_or(Self::Null(()), Self::Number),
            Value::String(name) => Self::Name(name),
            _ => Self::Null(()),
        }
    }
}

/// A setting that cannot be as somebody wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// The name that was given.
    pub name: String,
    /// Why not, in words that follow the name.
    pub reason: &'static str,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.reason)
    }
}

impl Settings {
    /// True if activities of a type are logged.
    #[must_use]
    pub fn logs(&self, kind: LogType) -> bool {
        match kind {
            LogType::Messages => self.log_messages,
            LogType::SmartLinks => self.log_smart_links,
            LogType::Notes => self.log_notes,
            LogType::Calls => self.log_calls,
            LogType::ConnectionRequests => self.log_connection_requests,
        }
    }

    /// These settings with the values that a patch names, and all others as they are. A null resets
    /// the stage, the lead source, a record type or the days until something is unsaved; a switch
    /// has no null.
    ///
    /// # Errors
    /// Every name that is no setting's, and every value that is none of its setting's.
    pub fn patched(
        &self,
        SettingsPatch(patch): &SettingsPatch,
    ) -> Result<Self, Vec<SettingProblem>> {
        let mut values = self.values();
        let mut problems = Vec::new();
        for (name, value) in patch {
            let reason = match values.get_mut(name) {
                None => Some("is no setting"),
                Some(Value::Bool(switch)) => match value {
                    Value::Bool(wanted) => {
                        *switch = *wanted;
                        None
                    }
                    _ => Some("must be true or false"),
                },
                Some(other) => {
                    let reason = why_not(name, value);
                    if reason.is_none() {
                        *other = value.clone();
                    }
                    reason
                }
            };
            problems.extend(reason.map(|reason| SettingProblem { name: name.clone(), reason }));
        }
        if !problems.is_empty() {
            problems.sort_by(|left, right| left.name.cmp(&right.name));
            return Err(problems);
        }
        // Each value was checked against its setting, so this cannot fail.
        Ok(serde_json::from_value(Value::Object(values)).unwrap_or_else(|_| self.clone()))
    }

    /// What differs in `after`, by name.
    #[must_use]
    pub fn changes_to(&self, after: &Self) -> Vec<ChangedSetting> {
        let mut afterwards = after.values();
        let pairs = self.values().into_iter().filter_map(|(name, before)| {
            let after = afterwards.remove(&name)?;
            Some(ChangedSetting { name, before: before.into(), after: after.into() })
        });
        let mut changed: Vec<_> = pairs.filter(|pair| pair.before != pair.after).collect();
        changed.sort_by(|left, right| left.name.cmp(&right.name));
        changed
    }

    /// True if auto-save may go by a rule.
    #[must_use]
    pub fn saves(&self, rule: SavingRule) -> bool {
        self.auto_save
            && match rule {
                SavingRule::OpportunityAccounts => self.save_opportunity_accounts,
                SavingRule::OpportunityPeople => self.save_opportunity_people,
                SavingRule::OwnedAccounts => self.save_owned_accounts,
                SavingRule::TeamAccounts => self.save_team_accounts,
                SavingRule::PeopleOfOwnedAccounts => self.save_people_of_owned_accounts,
                SavingRule::OwnedPeople => self.save_owned_people,
            }
    }

    /// True if a rule looks at opportunities.
    #[must_use]
    pub fn saves_by_deals(&self) -> bool {
        self.saves(SavingRule::OpportunityAccounts) || self.saves(SavingRule::OpportunityPeople)
    }

    /// True if a rule looks at who owns a record, or works with it.
    #[must_use]
    pub fn saves_by_owners(&self) -> bool {
        self.saves(SavingRule::OwnedAccounts)
            || self.saves(SavingRule::TeamAccounts)
            || self.saves(SavingRule::PeopleOfOwnedAccounts)
            || self.saves(SavingRule::OwnedPeople)
    }

    /// True if what no rule calls for any more leaves the lists some day.
    #[must_use]
    pub fn lets_go(&self) -> bool {
        self.auto_save && self.unsave_after_days.is_some()
    }

    /// True if auto-save goes by the same rules in `after`.
    #[must_use]
    pub fn saves_as(&self, after: &Self) -> bool {
        let stage = (&self.stage, self.after_stage) == (&after.stage, after.after_stage);
        let bounds =
            |of: &Self| (of.most_saved_accounts, of.most_saved_people, of.unsave_after_days);
        stage
            && bounds(self) == bounds(after)
            && SavingRule::iter().all(|rule| self.saves(rule) == after.saves(rule))
    }

    /// The settings by name.
    fn values(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            _ => Map::new(),
        }
    }
}

/// Why a value cannot be that of a setting that is no switch; none when it can.
fn why_not(name: &str, value: &Value) -> Option<&'static str> {
    if name.starts_with("most_saved_") {
        return (!is_number(value, MOST_SAVED_EVER))
            .then_some("must be a whole number from 1 to 100000");
    }
    if name == "unsave_after_days" {
        let reason = "must be a number of days from 1 to 365, or null to let nothing go";
        return (!value.is_null() && !is_number(value, LONGEST_GRACE)).then_some(reason);
    }
    if name.starts_with("record_type_") {
        return (!is_record_type(value)).then_some(
            "must be the id of a record type of Task, which begins with 012, or null for the \
             org's own choice",
        );
    }
    if name == "contact_owner" {
        return (!is_one_of::<ContactOwner>(value)).then_some("must be seller or account_owner");
    }
    if name.starts_with("update_") {
        let reason = "must be never, fill_blank or overwrite";
        return (!is_one_of::<UpdatePolicy>(value)).then_some(reason);
    }
    if name == "lead_source" {
        let reason = "must be a lead source of at most 255 characters, or null for none";
        return (!is_picklist_value(value)).then_some(reason);
    }
    (!is_picklist_value(value)).then_some(
        "must be a stage's API name of at most 255 characters, or null for every open opportunity",
    )
}

/// True if a value is one of an enumeration's names.
fn is_one_of<T: DeserializeOwned>(value: &Value) -> bool {
    T::deserialize(value).is_ok()
}

/// True for a whole number from 1 to `most`.
fn is_number(value: &Value, most: u64) -> bool {
    value.as_u64().is_some_and(|number| (1..=most).contains(&number))
}

/// True if a value can be a record type: its id, or none.
fn is_record_type(value: &Value) -> bool {
    let id = value.as_str().and_then(|text| text.parse::<SalesforceId>().ok());
    value.is_null() || id.is_some_and(|id| id.as_str().starts_with("012"))
}

/// True if a value can be one of a picklist's, such as a stage, or none.
fn is_picklist_value(value: &Value) -> bool {
    let is_name = |name: &str| !name.trim().is_empty() && name.chars().count() <= LONGEST_VALUE;
    value.is_null() || value.as_str().is_some_and(is_name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use strum::IntoEnumIterator;

    use super::*;

    fn patch(patch: &Value) -> SettingsPatch {
        SettingsPatch(patch.as_object().unwrap().clone())
    }

    fn patched(wanted: &Value) -> Result<Settings, Vec<String>> {
        let before = Settings {
            stage: Some("Proposal".to_owned()),
            log_notes: false,
            ..Settings::default()
        };
        let after = before.patched(&patch(wanted));
        after.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let before = patched(&json!({})).unwrap();
        let roi = patched(&json!({ "roi": true })).unwrap();
        assert_eq!(roi, Settings { roi: true, ..before.clone() });
        let any_stage = patched(&json!({ "stage": null })).unwrap();
        assert_eq!(any_stage, Settings { stage: None, ..before.clone() });
        let stage = patched(&json!({ "stage": "Won" })).unwrap();
        assert_eq!(stage, Settings { stage: Some("Won".to_owned()), ..before });
    }

    #[test]
    fn before_anybody_answers_activities_are_logged_and_nothing_else_is_done() {
        let values = Settings::default().values().into_iter();
        let on = values.filter(|(_, value)| *value == json!(true)).map(|(name, _)| name);
        let on: BTreeSet<_> = on.collect();
        let expected = [
            "log_calls",
            "log_connection_requests",
            "log_messages",
            "log_notes",
            "log_smart_links",
            "save_opportunity_accounts",
            "save_opportunity_people",
        ];
        assert_eq!(on, BTreeSet::from(expected.map(str::to_owned)));
        let saves = |rule| Settings::default().saves(rule);
        assert!(!SavingRule::iter().any(saves), "the rules rest while auto-save is off");
        assert!(LogType::iter().all(|kind| Settings::default().logs(kind)));
        assert_eq!(Settings::default().stage, None, "no stage is every stage");
    }

    #[test]
    fn every_unknown_name_and_every_wrong_value_is_told_at_once() {
        let long = "x".repeat(256);
        let wrong = json!({ "log_note": true, "stag": "Won", "roi": null, "auto_save": "true" });
        let told = patched(&wrong).unwrap_err();
        assert_eq!(
            told,
            [
                "auto_save must be true or false",
                "log_note is no setting",
                "roi must be true or false",
                "stag is no setting",
            ]
        );
        for stage in [json!(7), json!(" "), json!(long), json!(["Won"])] {
            assert_eq!(patched(&json!({ "stage": stage })).unwrap_err().len(), 1, "{stage}");
        }
    }

    #[test]
    fn a_change_tells_each_setting_before_and_after() {
        let before = Settings::default();
        let after = before.patched(&patch(&json!({ "stage": "Won", "roi": true })));
        let changed = before.changes_to(&after.unwrap());
        let of = |name: &str, before: Value, after: Value| {
            let (before, after) = (before.into(), after.into());
            ChangedSetting { name: name.into(), before, after }
        };
        let expected =
            [of("roi", json!(false), json!(true)), of("stage", Value::Null, json!("Won"))];
        assert_eq!(changed, expected);
        assert_eq!(before.changes_to(&before), []);
    }

    #[test]
    fn a_record_type_is_an_id_of_one_or_none() {
        let of = |value: Value| patched(&json!({ "record_type_call": value }));
        let set = of(json!("012000000000001")).unwrap();
        assert_eq!(set.record_type_call.unwrap().as_str(), "012000000000001AAA");
        assert_eq!(of(Value::Null).unwrap().record_type_call, None);
        for wrong in [json!("003000000000001AAA"), json!("Call"), json!(""), json!(12)] {
            let told = of(wrong.clone()).unwrap_err();
            assert!(told[0].starts_with("record_type_call must be the id"), "{wrong}: {told:?}");
        }
    }

    #[test]
    fn a_list_has_room_for_a_hundred_thousand_and_lets_nothing_go_within_a_day() {
        let of = |name: &str, value: &Value| patched(&json!({ name: value }));
        assert_eq!(of("most_saved_people", &json!(100_000)).unwrap().most_saved_people, 100_000);
        assert_eq!(of("unsave_after_days", &json!(365)).unwrap().unsave_after_days, Some(365));
        assert_eq!(of("unsave_after_days", &Value::Null).unwrap().unsave_after_days, None);
        let wrong = [json!(0), json!(-1), json!(1.5), json!("7"), json!(true), json!(100_001)];
        for value in &wrong {
            for name in ["most_saved_accounts", "most_saved_people", "unsave_after_days"] {
                assert!(of(name, value).unwrap_err()[0].starts_with(name), "{name} {value}");
            }
        }
        assert!(of("most_saved_people", &Value::Null).is_err(), "a list has some end");
    }

    #[test]
    fn every_setting_can_be_patched() {
        for (name, value) in Settings::default().values() {
            let named = match name.as_str() {
                "stage" => json!("Won"),
                "contact_owner" => json!("account_owner"),
                "most_saved_accounts" | "most_saved_people" | "unsave_after_days" => json!(7),
                _ if name.starts_with("update_") => json!("fill_blank"),
                _ => json!("012000000000001AAA"),
            };
            let other = value.as_bool().map_or(named, |switch| json!(!switch));
            let patch = SettingsPatch(Map::from_iter([(name.clone(), other.clone())]));
            let after = Settings::default().patched(&patch).unwrap();
            assert_eq!(after.values()[&name], other, "{name}");
        }
    }
}
