//! The lines that belong to a tenant, whatever org is connected. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capabilities::importing::{
    AccountModel, FieldMapping, ImportSettings, RecordFilter, Selection, SelectionChange,
};
use crate::capabilities::linking::KeptMatchRules;
use crate::capabilities::seats::{CrmVote, Role, Seat, Tenant};
use crate::capabilities::settings::{
    ContactOwner, KeptSettings, SeatChoices, SeatSwitch, Settings, UpdatePolicy,
};
use crate::kernel::{Environment, SeatId, Signature, TenantId};
use crate::salesforce::SalesforceId;

/// The contract.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedTenant {
    /// The customer's name.
    pub name: String,
    /// True if the contract includes CRM sync at all.
    pub entitled: bool,
    /// The most seats that the contract has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licences: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A licensed user. The id stays: tokens name it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedSeat {
    /// Its id.
    pub seat: SeatId,
    /// The e-mail address.
    pub email: String,
    /// Other addresses under which the CRM may know the user.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<String>,
    /// The id by which the user logs in everywhere.
    #[serde(default)]
    pub federation_id: Option<String>,
    /// The user's name.
    pub name: String,
    /// An IANA time zone.
    pub time_zone: String,
    /// The roles.
    pub roles: BTreeSet<Role>,
}

/// A vote for another CRM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedVote {
    /// The other CRM.
    pub crm: String,
    /// When the tenant asked for it first.
    pub voted_at: Timestamp,
}

/// An environment's switches.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct MovedSettings {
    /// Of which environment.
    pub environment: Environment,
    /// Save for sellers what the rules say.
    pub auto_save: bool,
    /// Save for sellers the accounts of their open opportunities.
    #[serde(default = "on")]
    pub save_opportunity_accounts: bool,
    /// Save for sellers the people of their open opportunities.
    #[serde(default = "on")]
    pub save_opportunity_people: bool,
    /// Save for sellers the accounts that they own.
    #[serde(default)]
    pub save_owned_accounts: bool,
    /// Save for sellers the accounts on whose team they are.
    #[serde(default)]
    pub save_team_accounts: bool,
    /// Save for sellers the contacts of accounts that they own, and the leads who work there.
    #[serde(default)]
    pub save_people_of_owned_accounts: bool,
    /// Save for sellers the leads and contacts that they own.
    #[serde(default)]
    pub save_owned_people: bool,
    /// The stage from which opportunities count; none for every open one.
    pub stage: Option<String>,
    /// Opportunities at that very stage do not count.
    #[serde(default)]
    pub after_stage: bool,
    /// How many accounts are saved for a seller at most.
    #[serde(default = "most_saved_accounts")]
    pub most_saved_accounts: u32,
    /// How many people are saved for a seller at most.
    #[serde(default = "most_saved_people")]
    pub most_saved_people: u32,
    /// Days after which something that no rule calls for any more leaves a list.
    #[serde(default)]
    pub unsave_after_days: Option<u16>,
    /// Log messages and `InMails`.
    pub log_messages: bool,
    /// Log notes.
    pub log_notes: bool,
    /// Let sellers create leads.
    #[serde(default)]
    pub create_leads: bool,
    /// Let sellers create contacts.
    #[serde(default)]
    pub create_contacts: bool,
    /// Let sellers create accounts.
    #[serde(default)]
    pub create_accounts: bool,
    /// Let sellers update leads.
    #[serde(default)]
    pub update_leads: bool,
    /// Let sellers update contacts.
    #[serde(default)]
    pub update_contacts: bool,
    /// Let sellers update accounts.
    #[serde(default)]
    pub update_accounts: bool,
    /// Let sellers approve many changes at once.
    #[serde(default)]
    pub bulk_changes: bool,
    /// What stands as the source of a new lead or contact whose seller names none.
    #[serde(default)]
    pub lead_source: Option<String>,
    /// Refuse a new lead or contact without an e-mail address.
    #[serde(default)]
    pub require_email: bool,
    /// How an update may touch a title.
    #[serde(default)]
    pub update_title: UpdatePolicy,
    /// How an update may touch a lead's company, a contact's account, and what an account tells of
    /// its company.
    #[serde(default)]
    pub update_company: UpdatePolicy,
    /// How an update may touch an address.
    #[serde(default)]
    pub update_address: UpdatePolicy,
    /// Whose a new contact is.
    #[serde(default)]
    pub contact_owner: ContactOwner,
    /// Log views of Smart Links.
    #[serde(default = "on")]
    pub log_smart_links: bool,
    /// Log calls.
    #[serde(default = "on")]
    pub log_calls: bool,
    /// Log connection requests.
    #[serde(default = "on")]
    pub log_connection_requests: bool,
    /// Let sellers choose the opportunity that an activity is about.
    #[serde(default)]
    pub log_on_opportunities: bool,
    /// Take in calls that were not begun on a phone, too.
    #[serde(default)]
    pub desktop_calls: bool,
    /// Log notes as `ContentNote`, Salesforce's enhanced notes, and not as classic ones.
    #[serde(default)]
    pub enhanced_notes: bool,
    /// Refuse what is about a converted lead; else it goes to the contact that it became.
    #[serde(default)]
    pub refuse_converted_leads: bool,
    /// The record type of a message's Task.
    #[serde(default)]
    pub record_type_message: Option<SalesforceId>,
    /// The record type of an `InMail`'s Task.
    #[serde(default)]
    pub record_type_inmail: Option<SalesforceId>,
    /// The record type of a call's Task.
    #[serde(default)]
    pub record_type_call: Option<SalesforceId>,
    /// The record type of a Smart Link view's Task.
    #[serde(default)]
    pub record_type_smart_link_view: Option<SalesforceId>,
    /// The record type of a connection request's Task.
    #[serde(default)]
    pub record_type_connection_request: Option<SalesforceId>,
    /// Report on won deals.
    pub roi: bool,
    /// Show profiles inside the CRM.
    pub embedded_profile: bool,
    /// Point out records whose person has left the company.
    pub data_validation: bool,
    /// Hide opportunity data from who does not own it. Lines of earlier releases do not say so.
    #[serde(default)]
    pub restricted_data: bool,
    /// How often they were changed: callers know it as the revision.
    pub changes: u64,
    /// The change that last touched what auto-save goes by.
    pub rules: u64,
    /// Who made the last change, and when; none before the first.
    pub signed: Option<Signature>,
}

/// What is logged of a seat in an environment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedSeatLogging {
    /// Of which environment.
    pub environment: Environment,
    /// Of which seat.
    pub seat: SeatId,
    /// The admin's switch, if one was set.
    pub switch: Option<SeatSwitch>,
    /// The seller's choices.
    pub choices: SeatChoices,
}

/// The settings of an environment's imports.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedImportSettings {
    /// Of which environment.
    pub environment: Environment,
    /// Minutes from one scheduled import to the next.
    pub every_minutes: u32,
    /// True if the schedule is paused.
    pub schedule_paused: bool,
    /// The percentage of the org's calls at which imports stand back.
    pub api_percent: u8,
    /// Calls that imports leave untouched.
    pub api_reserve: u64,
    /// Hours after which objects with formulas are read whole.
    pub formula_refresh_hours: u16,
}

/// The choice of what an environment's imports read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedSelection {
    /// Of which environment.
    pub environment: Environment,
    /// Custom fields in the place of standard ones.
    pub mappings: Vec<FieldMapping>,
    /// Which rows.
    pub filters: Vec<RecordFilter>,
    /// Companies or persons.
    pub accounts: AccountModel,
    /// Who set what, the newest last.
    pub changes: Vec<SelectionChange>,
}

/// An environment's rules of matching.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovedMatchRules {
    /// Of which environment.
    pub environment: Environment,
    /// As they are kept.
    pub kept: KeptMatchRules,
}

/// What was done before there was a switch for it.
fn on() -> bool {
    true
}

/// How many accounts a list had room for before there was a setting for it.
fn most_saved_accounts() -> u32 {
    Settings::default().most_saved_accounts
}

/// How many people a list had room for before there was a setting for it.
fn most_saved_people() -> u32 {
    Settings::default().most_saved_people
}

impl MovedTenant {
    /// The contract as a line has it.
    #[must_use]
    pub fn of(tenant: Tenant) -> Self {
        let Tenant { id: _, name, entitled, licences, seats_added: _, created_at } = tenant;
        Self { name, entitled, licences, created_at }
    }

    /// The contract that the line tells of, under this id.
    #[must_use]
    pub fn into_tenant(self, id: TenantId) -> Tenant {
        let Self { name, entitled, licences, created_at } = self;
        Tenant { id, name, entitled, licences, seats_added: 0, created_at }
    }
}

impl MovedSeat {
    /// The seat as a line has it.
    #[must_use]
    pub fn of(seat: Seat) -> Self {
        let Seat { id, tenant: _, email, aliases, federation_id, name, time_zone, roles } = seat;
        Self { seat: id, email, aliases, federation_id, name, time_zone, roles }
    }

    /// The seat of a tenant that the line tells of.
    #[must_use]
    pub fn into_seat(self, tenant: TenantId) -> Seat {
        let Self { seat, email, aliases, federation_id, name, time_zone, roles } = self;
        Seat { id: seat, tenant, email, aliases, federation_id, name, time_zone, roles }
    }
}

impl MovedVote {
    /// The vote as a line has it.
    #[must_use]
    pub fn of(vote: CrmVote) -> Self {
        let CrmVote { crm, voted_at } = vote;
        Self { crm, voted_at }
    }

    /// The vote that the line tells of.
    #[must_use]
    pub fn into_vote(self) -> CrmVote {
        let Self { crm, voted_at } = self;
        CrmVote { crm, voted_at }
    }
}

impl MovedSettings {
    /// An environment's switches as a line has them.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "each setting is named twice, lest one be forgotten")]
    pub fn of(environment: Environment, kept: KeptSettings) -> Self {
        let KeptSettings { settings, changes, rules, signed } = kept;
        let Settings {
            auto_save,
            save_opportunity_accounts,
            save_opportunity_people,
            save_owned_accounts,
            save_team_accounts,
            save_people_of_owned_accounts,
            save_owned_people,
            stage,
            after_stage,
            most_saved_accounts,
            most_saved_people,
            unsave_after_days,
            log_messages,
            log_notes,
            create_leads,
            create_contacts,
            create_accounts,
            update_leads,
            update_contacts,
            update_accounts,
            bulk_changes,
            lead_source,
            require_email,
            update_title,
            update_company,
            update_address,
            contact_owner,
            log_smart_links,
            log_calls,
            log_connection_requests,
            log_on_opportunities,
            desktop_calls,
            enhanced_notes,
            refuse_converted_leads,
            record_type_message,
            record_type_inmail,
            record_type_call,
            record_type_smart_link_view,
            record_type_connection_request,
            roi,
            embedded_profile,
            data_validation,
            restricted_data,
        } = settings;
        Self {
            environment,
            auto_save,
            save_opportunity_accounts,
            save_opportunity_people,
            save_owned_accounts,
            save_team_accounts,
            save_people_of_owned_accounts,
            save_owned_people,
            stage,
            after_stage,
            most_saved_accounts,
            most_saved_people,
            unsave_after_days,
            log_messages,
            log_notes,
            create_leads,
            create_contacts,
            create_accounts,
            update_leads,
            update_contacts,
            update_accounts,
            bulk_changes,
            lead_source,
            require_email,
            update_title,
            update_company,
            update_address,
            contact_owner,
            log_smart_links,
            log_calls,
            log_connection_requests,
            log_on_opportunities,
            desktop_calls,
            enhanced_notes,
            refuse_converted_leads,
            record_type_message,
            record_type_inmail,
            record_type_call,
            record_type_smart_link_view,
            record_type_connection_request,
            roi,
            embedded_profile,
            data_validation,
            restricted_data,
            changes,
            rules,
            signed,
        }
    }

    /// The switches that the line tells of.
    #[must_use]
    pub fn into_settings(self) -> KeptSettings {
        let settings = Settings {
            auto_save: self.auto_save,
            save_opportunity_accounts: self.save_opportunity_accounts,
            save_opportunity_people: self.save_opportunity_people,
            save_owned_accounts: self.save_owned_accounts,
            save_team_accounts: self.save_team_accounts,
            save_people_of_owned_accounts: self.save_people_of_owned_accounts,
            save_owned_people: self.save_owned_people,
            stage: self.stage,
            after_stage: self.after_stage,
            most_saved_accounts: self.most_saved_accounts,
            most_saved_people: self.most_saved_people,
            unsave_after_days: self.unsave_after_days,
            log_messages: self.log_messages,
            log_notes: self.log_notes,
            create_leads: self.create_leads,
            create_contacts: self.create_contacts,
            create_accounts: self.create_accounts,
            update_leads: self.update_leads,
            update_contacts: self.update_contacts,
            update_accounts: self.update_accounts,
            bulk_changes: self.bulk_changes,
            lead_source: self.lead_source,
            require_email: self.require_email,
            update_title: self.update_title,
            update_company: self.update_company,
            update_address: self.update_address,
            contact_owner: self.contact_owner,
            log_smart_links: self.log_smart_links,
            log_calls: self.log_calls,
            log_connection_requests: self.log_connection_requests,
            log_on_opportunities: self.log_on_opportunities,
            desktop_calls: self.desktop_calls,
            enhanced_notes: self.enhanced_notes,
            refuse_converted_leads: self.refuse_converted_leads,
            record_type_message: self.record_type_message,
            record_type_inmail: self.record_type_inmail,
            record_type_call: self.record_type_call,
            record_type_smart_link_view: self.record_type_smart_link_view,
            record_type_connection_request: self.record_type_connection_request,
            roi: self.roi,
            embedded_profile: self.embedded_profile,
            data_validation: self.data_validation,
            restricted_data: self.restricted_data,
        };
        let Self { changes, rules, signed, .. } = self;
        KeptSettings { settings, changes, rules, signed }
    }
}

impl MovedImportSettings {
    /// The settings of an environment's imports as a line has them.
    #[must_use]
    pub fn of(environment: Environment, settings: &ImportSettings) -> Self {
        Self {
            environment,
            every_minutes: settings.every_minutes,
            schedule_paused: settings.schedule_paused,
            api_percent: settings.api_percent,
            api_reserve: settings.api_reserve,
            formula_refresh_hours: settings.formula_refresh_hours,
        }
    }

    /// The settings that the line tells of.
    #[must_use]
    pub fn into_settings(self) -> ImportSettings {
        ImportSettings {
            every_minutes: self.every_minutes,
            schedule_paused: self.schedule_paused,
            api_percent: self.api_percent,
            api_reserve: self.api_reserve,
            formula_refresh_hours: self.formula_refresh_hours,
        }
    }
}

impl MovedSelection {
    /// An environment's choice as a line has it.
    #[must_use]
    pub fn of(environment: Environment, selection: Selection) -> Self {
        let Selection { mappings, filters, accounts, changes } = selection;
        Self { environment, mappings, filters, accounts, changes }
    }

    /// The choice that the line tells of.
    #[must_use]
    pub fn into_selection(self) -> Selection {
        let Self { environment: _, mappings, filters, accounts, changes } = self;
        Selection { mappings, filters, accounts, changes }
    }
}
