//! The switches and the stage of an environment, who changed them, and what they were before.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::settings::{self, KeptSettings, SettingValue, SettingsError};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::author::Author;
use crate::callers::{Acting, Admin, At};
use crate::extract::{Body, IfMatch, Tagged};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// How an update may touch a field: not at all, only where the CRM has no value, or whatever it
    /// has.
    UpdatePolicy of settings::UpdatePolicy { Never FillBlank Overwrite }

    /// Whose a new contact is: the seller's, or that of the user who owns its account.
    ContactOwner of settings::ContactOwner { Seller AccountOwner }
}

/// The settings of an environment, which an admin may change.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Settings {
    /// Save for sellers what the rules below say.
    auto_save: bool,
    /// Save for sellers the accounts of their open opportunities.
    save_opportunity_accounts: bool,
    /// Save for sellers the people of their open opportunities.
    save_opportunity_people: bool,
    /// Save for sellers the accounts that they own.
    save_owned_accounts: bool,
    /// Save for sellers the accounts on whose team they are.
    save_team_accounts: bool,
    /// Save for sellers the contacts of accounts that they own, and the leads who work there.
    save_people_of_owned_accounts: bool,
    /// Save for sellers the leads and contacts that they own.
    save_owned_people: bool,
    /// Only opportunities at or after the stage of this API name count; null for every open one.
    #[schema(required = true)]
    stage: Option<String>,
    /// Opportunities at that very stage do not count, only those after it.
    after_stage: bool,
    /// How many accounts are saved for a seller at most.
    most_saved_accounts: u32,
    /// How many people are saved for a seller at most.
    most_saved_people: u32,
    /// Days after which something that no rule calls for any more leaves a seller's list; null
    /// leaves it there for good.
    #[schema(required = true)]
    unsave_after_days: Option<u16>,
    /// Log messages and InMails.
    log_messages: bool,
    /// Log notes.
    log_notes: bool,
    /// Let sellers create leads in the CRM.
    create_leads: bool,
    /// Let sellers create contacts in the CRM.
    create_contacts: bool,
    /// Let sellers create accounts in the CRM.
    create_accounts: bool,
    /// Let sellers update leads in the CRM.
    update_leads: bool,
    /// Let sellers update contacts in the CRM.
    update_contacts: bool,
    /// Let sellers update accounts in the CRM.
    update_accounts: bool,
    /// Let sellers approve many changes at once.
    bulk_changes: bool,
    /// What stands as the source of a new lead or contact whose seller names none; null for none.
    #[schema(required = true)]
    lead_source: Option<String>,
    /// Refuse a new lead or contact without an e-mail address.
    require_email: bool,
    /// How an update may touch a title.
    #[schema(value_type = UpdatePolicy)]
    update_title: settings::UpdatePolicy,
    /// How an update may touch a lead's company, a contact's account, and what an account tells of
    /// its company.
    #[schema(value_type = UpdatePolicy)]
    update_company: settings::UpdatePolicy,
    /// How an update may touch an address.
    #[schema(value_type = UpdatePolicy)]
    update_address: settings::UpdatePolicy,
    /// Whose a new contact is.
    #[schema(value_type = ContactOwner)]
    contact_owner: settings::ContactOwner,
    /// Log views of Smart Links.
    log_smart_links: bool,
    /// Log calls.
    log_calls: bool,
    /// Log connection requests.
    log_connection_requests: bool,
    /// Let sellers choose the opportunity that an activity is about.
    log_on_opportunities: bool,
    /// Take in calls that were not begun on a phone, too.
    desktop_calls: bool,
    /// Log notes as Salesforce's enhanced notes, and not as classic ones.
    enhanced_notes: bool,
    /// Refuse what is about a converted lead; else it goes to the contact that it became.
    refuse_converted_leads: bool,
    /// The record type of a message's Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    record_type_message: Option<SalesforceId>,
    /// The record type of an InMail's Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    record_type_inmail: Option<SalesforceId>,
    /// The record type of a call's Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    record_type_call: Option<SalesforceId>,
    /// The record type of a Smart Link view's Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    record_type_smart_link_view: Option<SalesforceId>,
    /// The record type of a connection request's Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    record_type_connection_request: Option<SalesforceId>,
    /// Report on won deals.
    roi: bool,
    /// Show profiles inside the CRM.
    embedded_profile: bool,
    /// Point out records whose person has left the company.
    data_validation: bool,
    /// Hide opportunity data from who does not own it.
    restricted_data: bool,
    /// Counts the changes; 0 before the first. The `ETag` is the same number in quotes.
    revision: u64,
    #[schema(required = true)]
    changed_at: Option<Timestamp>,
    #[schema(required = true)]
    changed_by: Option<Author>,
}

impl From<KeptSettings> for Settings {
    fn from(kept: KeptSettings) -> Self {
        let KeptSettings { settings, changes: revision, signed, .. } = kept;
        let (changed_at, changed_by) = signed.map(|signed| (signed.at, signed.by.into())).unzip();
        Self {
            auto_save: settings.auto_save,
            save_opportunity_accounts: settings.save_opportunity_accounts,
            save_opportunity_people: settings.save_opportunity_people,
            save_owned_accounts: settings.save_owned_accounts,
            save_team_accounts: settings.save_team_accounts,
            save_people_of_owned_accounts: settings.save_people_of_owned_accounts,
            save_owned_people: settings.save_owned_people,
            stage: settings.stage,
            after_stage: settings.after_stage,
            most_saved_accounts: settings.most_saved_accounts,
            most_saved_people: settings.most_saved_people,
            unsave_after_days: settings.unsave_after_days,
            log_messages: settings.log_messages,
            log_notes: settings.log_notes,
            create_leads: settings.create_leads,
            create_contacts: settings.create_contacts,
            create_accounts: settings.create_accounts,
            update_leads: settings.update_leads,
            update_contacts: settings.update_contacts,
            update_accounts: settings.update_accounts,
            bulk_changes: settings.bulk_changes,
            lead_source: settings.lead_source,
            require_email: settings.require_email,
            update_title: settings.update_title,
            update_company: settings.update_company,
            update_address: settings.update_address,
            contact_owner: settings.contact_owner,
            log_smart_links: settings.log_smart_links,
            log_calls: settings.log_calls,
            log_connection_requests: settings.log_connection_requests,
            log_on_opportunities: settings.log_on_opportunities,
            desktop_calls: settings.desktop_calls,
            enhanced_notes: settings.enhanced_notes,
            refuse_converted_leads: settings.refuse_converted_leads,
            record_type_message: settings.record_type_message,
            record_type_inmail: settings.record_type_inmail,
            record_type_call: settings.record_type_call,
            record_type_smart_link_view: settings.record_type_smart_link_view,
            record_type_connection_request: settings.record_type_connection_request,
            roi: settings.roi,
            embedded_profile: settings.embedded_profile,
            data_validation: settings.data_validation,
            restricted_data: settings.restricted_data,
            revision,
            changed_at,
            changed_by,
        }
    }
}

impl From<KeptSettings> for Tagged<Settings> {
    fn from(kept: KeptSettings) -> Self {
        Self { revision: kept.changes, body: kept.into() }
    }
}

/// The settings to change, and no others.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[expect(dead_code, reason = "only its schema: the patch itself is read by the settings")]
pub(crate) struct SettingsPatch {
    #[serde(default)]
    #[schema(required = false)]
    auto_save: bool,
    #[serde(default)]
    #[schema(required = false)]
    save_opportunity_accounts: bool,
    #[serde(default)]
    #[schema(required = false)]
    save_opportunity_people: bool,
    #[serde(default)]
    #[schema(required = false)]
    save_owned_accounts: bool,
    #[serde(default)]
    #[schema(required = false)]
    save_team_accounts: bool,
    #[serde(default)]
    #[schema(required = false)]
    save_people_of_owned_accounts: bool,
    #[serde(default)]
    #[schema(required = false)]
    save_owned_people: bool,
    /// A stage's API name; null for every open opportunity.
    #[schema(max_length = 255)]
    stage: Option<String>,
    #[serde(default)]
    #[schema(required = false)]
    after_stage: bool,
    #[serde(default)]
    #[schema(required = false, minimum = 1, maximum = 100_000)]
    most_saved_accounts: u32,
    #[serde(default)]
    #[schema(required = false, minimum = 1, maximum = 100_000)]
    most_saved_people: u32,
    /// Null leaves what was saved for good.
    #[schema(minimum = 1, maximum = 365)]
    unsave_after_days: Option<u16>,
    #[serde(default)]
    #[schema(required = false)]
    log_messages: bool,
    #[serde(default)]
    #[schema(required = false)]
    log_notes: bool,
    #[serde(default)]
    #[schema(required = false)]
    create_leads: bool,
    #[serde(default)]
    #[schema(required = false)]
    create_contacts: bool,
    #[serde(default)]
    #[schema(required = false)]
    create_accounts: bool,
    #[serde(default)]
    #[schema(required = false)]
    update_leads: bool,
    #[serde(default)]
    #[schema(required = false)]
    update_contacts: bool,
    #[serde(default)]
    #[schema(required = false)]
    update_accounts: bool,
    #[serde(default)]
    #[schema(required = false)]
    bulk_changes: bool,
    /// A lead source; null for none.
    #[schema(max_length = 255)]
    lead_source: Option<String>,
    #[serde(default)]
    #[schema(required = false)]
    require_email: bool,
    #[serde(default)]
    #[schema(value_type = UpdatePolicy, required = false)]
    update_title: settings::UpdatePolicy,
    #[serde(default)]
    #[schema(value_type = UpdatePolicy, required = false)]
    update_company: settings::UpdatePolicy,
    #[serde(default)]
    #[schema(value_type = UpdatePolicy, required = false)]
    update_address: settings::UpdatePolicy,
    #[serde(default)]
    #[schema(value_type = ContactOwner, required = false)]
    contact_owner: settings::ContactOwner,
    #[serde(default)]
    #[schema(required = false)]
    log_smart_links: bool,
    #[serde(default)]
    #[schema(required = false)]
    log_calls: bool,
    #[serde(default)]
    #[schema(required = false)]
    log_connection_requests: bool,
    #[serde(default)]
    #[schema(required = false)]
    log_on_opportunities: bool,
    #[serde(default)]
    #[schema(required = false)]
    desktop_calls: bool,
    #[serde(default)]
    #[schema(required = false)]
    enhanced_notes: bool,
    #[serde(default)]
    #[schema(required = false)]
    refuse_converted_leads: bool,
    /// The id of a record type of Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>)]
    record_type_message: Option<SalesforceId>,
    /// The id of a record type of Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>)]
    record_type_inmail: Option<SalesforceId>,
    /// The id of a record type of Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>)]
    record_type_call: Option<SalesforceId>,
    /// The id of a record type of Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>)]
    record_type_smart_link_view: Option<SalesforceId>,
    /// The id of a record type of Task; null leaves it to the org.
    #[schema(value_type = Option<wire::SalesforceId>)]
    record_type_connection_request: Option<SalesforceId>,
    #[serde(default)]
    #[schema(required = false)]
    roi: bool,
    #[serde(default)]
    #[schema(required = false)]
    embedded_profile: bool,
    #[serde(default)]
    #[schema(required = false)]
    data_validation: bool,
    #[serde(default)]
    #[schema(required = false)]
    restricted_data: bool,
}

/// The last changes of the settings, the newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsHistory {
    items: Vec<SettingsChange>,
}

/// A change of the settings.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsChange {
    /// The revision that it led to.
    revision: u64,
    changed_at: Timestamp,
    changed_by: Author,
    changes: Vec<ChangedSetting>,
}

/// A setting before and after a change.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangedSetting {
    name: String,
    #[schema(value_type = Value)]
    before: SettingValue,
    #[schema(value_type = Value)]
    after: SettingValue,
}

impl From<settings::ChangedSetting> for ChangedSetting {
    fn from(changed: settings::ChangedSetting) -> Self {
        let settings::ChangedSetting { name, before, after } = changed;
        Self { name, before, after }
    }
}

impl From<settings::SettingsChange> for SettingsChange {
    fn from(change: settings::SettingsChange) -> Self {
        let settings::SettingsChange { number, signed, changed } = change;
        Self {
            revision: number,
            changed_at: signed.at,
            changed_by: signed.by.into(),
            changes: changed.into_iter().map(ChangedSetting::from).collect(),
        }
    }
}

/// The switches and the stage
#[utoipa::path(get, path = "/settings", tag = "connections", operation_id = "showSettings",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 200, description = "The settings", body = Settings,
            headers(("ETag" = String, description = "Their revision"))),
        Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Tagged<Settings>, Problem> {
    Ok(api.settings.get(place.environment()).await?.into())
}

/// Change the settings that are named
///
/// A JSON merge patch (RFC 7396), as `application/json` or `application/merge-patch+json`: what is
/// left out stays as it is. An unknown name is refused. Null resets the stage, the lead source and
/// record types, and is refused for a switch.
#[utoipa::path(patch, path = "/settings", tag = "connections", operation_id = "changeSettings",
    params(At, ("If-Match" = Option<String>, Header, description =
        "Change them only at this revision, as the `ETag` gave it; else 412")),
    extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = SettingsPatch, example = json!({ "stage": "Proposal" })),
    responses(
        (status = 200, description = "The settings as they are now", body = Settings,
            headers(("ETag" = String, description = "Their revision"))),
        Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    IfMatch(revisions): IfMatch,
    Body(patch): Body<settings::SettingsPatch>,
) -> Result<Tagged<Settings>, Problem> {
    let at = place.environment();
    Ok(api.settings.patch(at, &patch, revisions.as_ref(), &by).await?.into())
}

/// Who changed which setting when; the last 200 changes
#[utoipa::path(get, path = "/settings/history", tag = "connections",
    operation_id = "listSettingsChanges",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The changes", body = SettingsHistory), Problem))]
pub(crate) async fn history(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<SettingsHistory>, Problem> {
    let changes = api.settings.history(place.environment()).await?;
    Ok(Json(SettingsHistory { items: changes.into_iter().map(SettingsChange::from).collect() }))
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Work(error) => error.into(),
            SettingsError::Stale { .. } => Self::stale(error.to_string()),
            SettingsError::Refused(_) => Self::invalid(error.to_string()),
        }
    }
}
