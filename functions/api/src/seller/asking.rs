//! What is asked of Salesforce as the seller, while they wait. On AWS a function of its own serves
//! these routes: it alone may open seats' grants.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::asking::{self, AskError, MOST_RECORDS};
use shared::capabilities::changing::FieldValue;
use shared::kernel::{RecordRef, SObject, SeatId, TenantEnvironment};
use shared::salesforce::SalesforceId;
use utoipa::{IntoParams, ToSchema};

use super::authorizations::login_url;
use crate::callers::{AtSeat, AtSeatForm, AtSeatObject, OwnSeat};
use crate::extract::{Body, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// The form for a new lead, contact or account, as the org shows it to this seller.
#[derive(Serialize, ToSchema)]
pub(crate) struct Form {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    fields: Vec<FormField>,
    /// The record types to choose from: the value of `RecordTypeId`.
    record_types: Vec<RecordType>,
    /// The roles that a contact may have in an opportunity.
    roles: Vec<Choice>,
}

/// A field of a form.
#[derive(Serialize, ToSchema)]
pub(crate) struct FormField {
    /// Its API name.
    name: String,
    label: String,
    /// Salesforce's type, such as `picklist`.
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    /// Most characters of a text; 0 where there is no bound.
    length: u32,
    /// What may be chosen; empty for what is typed.
    choices: Vec<Choice>,
    /// The field that decides what may be chosen.
    #[schema(required = true)]
    controller: Option<String>,
    /// The objects that a lookup leads to.
    refers_to: Vec<String>,
}

/// A value that may be chosen.
#[derive(Serialize, ToSchema)]
pub(crate) struct Choice {
    value: String,
    label: String,
    /// Taken when nothing is chosen.
    is_default: bool,
    /// The values of the controlling field that it goes with; null where there is no such field.
    #[schema(value_type = Option<Vec<wire::FieldValue>>, required = true)]
    goes_with: Option<Vec<FieldValue>>,
}

/// A record type.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecordType {
    record_type_id: String,
    name: String,
    /// The seller's own default.
    is_default: bool,
}

/// What to search for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountSearch {
    /// How the account's name begins
    #[param(min_length = 2, max_length = 255)]
    name: String,
}

/// The accounts that a search found, by name; at most 20.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountHits {
    items: Vec<AccountHit>,
}

/// An account of the org.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountHit {
    #[schema(value_type = wire::SalesforceId)]
    account_id: SalesforceId,
    name: String,
    #[schema(required = true)]
    city: Option<String>,
}

/// A lead, contact or account as it is now.
#[derive(Serialize, ToSchema)]
pub(crate) struct CurrentRecord {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    /// Where a browser opens it.
    #[schema(format = "uri")]
    record_url: String,
    /// The seller may edit this record.
    may_edit: bool,
    /// It is a lead that was converted.
    is_converted: bool,
    /// The fields that an update may touch and that the seller sees.
    fields: Vec<CurrentField>,
}

/// A field's value now.
#[derive(Serialize, ToSchema)]
pub(crate) struct CurrentField {
    /// Its API name.
    name: String,
    label: String,
    #[schema(value_type = wire::FieldValue)]
    value: FieldValue,
    /// The seller may edit it.
    may_edit: bool,
    /// What may be chosen; empty for what is typed.
    choices: Vec<Choice>,
    /// The field that decides what may be chosen.
    #[schema(required = true)]
    controller: Option<String>,
}

impl From<asking::Form> for Form {
    fn from(form: asking::Form) -> Self {
        let record_types = form.record_types.into_iter().map(|of| RecordType {
            record_type_id: of.record_type_id,
            name: of.name,
            is_default: of.default_record_type_mapping,
        });
        Self {
            object: form.object,
            fields: form.fields.into_iter().map(FormField::from).collect(),
            record_types: record_types.collect(),
            roles: form.roles.into_iter().map(Choice::from).collect(),
        }
    }
}

impl From<asking::FormField> for FormField {
    fn from(field: asking::FormField) -> Self {
        Self {
            name: field.name,
            label: field.label,
            kind: field.kind,
            required: field.required,
            length: field.length,
            choices: field.choices.into_iter().map(Choice::from).collect(),
            controller: field.controller,
            refers_to: field.refers_to,
        }
    }
}

impl From<asking::Choice> for Choice {
    fn from(choice: asking::Choice) -> Self {
        let asking::Choice { value, label, is_default, goes_with } = choice;
        Self { value, label, is_default, goes_with }
    }
}

impl From<asking::CurrentRecord> for CurrentRecord {
    fn from(found: asking::CurrentRecord) -> Self {
        let fields = found.fields.into_iter().map(|field| CurrentField {
            name: field.name,
            label: field.label,
            value: field.value,
            may_edit: field.may_edit,
            choices: field.choices.into_iter().map(Choice::from).collect(),
            controller: field.controller,
        });
        Self {
            object: found.record.object,
            record_id: found.record.id,
            record_url: found.record_url,
            may_edit: found.may_edit,
            is_converted: found.is_converted,
            fields: fields.collect(),
        }
    }
}

/// The form for a new lead, contact or account, with what the org requires at this moment
#[utoipa::path(get, path = "/seats/{seat}/crm/forms/{object}", tag = "activities",
    operation_id = "showForm",
    params(AtSeatForm), extensions(("x-roles" = json!(OwnSeat::<AtSeatForm>::ROLES))),
    responses((status = 200, description = "The form", body = Form), Problem))]
pub(crate) async fn form(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatForm>,
) -> Result<Json<Form>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let form = api.asking.form(at, seat, place.object).await;
    Ok(Json(form.map_err(|error| no_answer(&api, at, seat, error))?.into()))
}

/// Search the CRM's accounts by the beginning of their names
#[utoipa::path(get, path = "/seats/{seat}/crm/accounts", tag = "activities",
    operation_id = "searchAccounts",
    params(AtSeat, AccountSearch), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    responses((status = 200, description = "The accounts", body = AccountHits), Problem))]
pub(crate) async fn accounts(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Query(AccountSearch { name }): Query<AccountSearch>,
) -> Result<Json<AccountHits>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let hits = api.asking.accounts(at, seat, &name).await;
    let hits = hits.map_err(|error| no_answer(&api, at, seat, error))?.into_iter();
    let items = hits.map(|hit| AccountHit { account_id: hit.id, name: hit.name, city: hit.city });
    Ok(Json(AccountHits { items: items.collect() }))
}

/// Show a lead, contact or account as it is in the CRM now, with what the seller may change
#[utoipa::path(get, path = "/seats/{seat}/crm/records/{object}/{record}", tag = "activities",
    operation_id = "showCurrentRecord",
    params(AtSeatObject), extensions(("x-roles" = json!(OwnSeat::<AtSeatObject>::ROLES))),
    responses((status = 200, description = "The record", body = CurrentRecord), Problem))]
pub(crate) async fn record(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeatObject>,
) -> Result<Json<CurrentRecord>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let record = RecordRef { object: place.object, id: place.record };
    let found = api.asking.record(at, seat, record).await;
    let found = found.map_err(|error| no_answer(&api, at, seat, error))?;
    Ok(Json(found.into()))
}

/// Leads, contacts and accounts to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordsToShow {
    #[schema(min_items = 1, max_items = 100)]
    records: Vec<CrmRecord>,
}

/// A record of the org.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CrmRecord {
    /// `Lead` or `Contact`; to be looked at, `Account` too.
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
}

impl From<CrmRecord> for RecordRef {
    fn from(CrmRecord { object, record_id: id }: CrmRecord) -> Self {
        Self { object, id }
    }
}

/// Leads, contacts and accounts as they are now.
#[derive(Serialize, ToSchema)]
pub(crate) struct CurrentRecords {
    /// In the order in which they were asked for, without those that the seller does not see.
    items: Vec<CurrentRecord>,
}

/// Show up to 100 records as they are in the CRM now, with what the seller may change
#[utoipa::path(post, path = "/seats/{seat}/crm/records", tag = "activities",
    operation_id = "showCurrentRecords",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = RecordsToShow, example = json!({
        "records": [{ "object": "Lead", "record_id": "00Q000000000001EAA" }],
    })),
    responses((status = 200, description = "The records", body = CurrentRecords), Problem))]
pub(crate) async fn records(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Body(RecordsToShow { records }): Body<RecordsToShow>,
) -> Result<Json<CurrentRecords>, Problem> {
    if !(1..=MOST_RECORDS).contains(&records.len()) {
        let detail = format!("from 1 to {MOST_RECORDS} records are looked at at once");
        return Err(Problem::invalid(detail).at("/records".to_owned()));
    }
    let (at, seat) = (place.environment(), place.seat);
    let records: Vec<RecordRef> = records.into_iter().map(RecordRef::from).collect();
    let found = api.asking.records(at, seat, &records).await;
    let found = found.map_err(|error| no_answer(&api, at, seat, error))?;
    Ok(Json(CurrentRecords { items: found.into_iter().map(CurrentRecord::from).collect() }))
}

/// A test note, as Salesforce gave it back.
#[derive(Serialize, ToSchema)]
pub(crate) struct TestNote {
    /// `Note`, or `ContentNote` by the setting `enhanced_notes`.
    object: &'static str,
    title: String,
    /// Its text; HTML in a `ContentNote`.
    body: String,
    note_id: String,
    /// Where a browser shows the record that it was written on.
    #[schema(format = "uri")]
    record_url: String,
    /// It is in the CRM no more.
    removed: bool,
    /// Why it is still there, in Salesforce's words: it is to be deleted by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    left_because: Option<String>,
}

/// Write a note on a lead or contact as the seller, read it back, and remove it
///
/// What a broken call left in the CRM is removed by the next one.
#[utoipa::path(post, path = "/seats/{seat}/crm/test-note", tag = "activities",
    operation_id = "testNote",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = CrmRecord, example = json!({
        "object": "Lead",
        "record_id": "00Q000000000001EAA",
    })),
    responses((status = 200, description = "The note as it was read back", body = TestNote),
        Problem))]
pub(crate) async fn test_note(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Body(record): Body<CrmRecord>,
) -> Result<Json<TestNote>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let tested = api.asking.test_note(at, seat, record.into()).await;
    let tested = tested.map_err(|error| no_answer(&api, at, seat, error))?;
    Ok(Json(TestNote {
        object: tested.object.name(),
        title: tested.title,
        body: tested.body,
        note_id: tested.id.to_string(),
        record_url: tested.record_url,
        removed: tested.left.is_none(),
        left_because: tested.left,
    }))
}

/// The problem of a question without an answer. Who must log in is told where.
pub(super) fn no_answer(
    api: &Api,
    at: TenantEnvironment,
    seat: SeatId,
    error: AskError,
) -> Problem {
    match error {
        AskError::Lookup(error) => error.into(),
        AskError::LoginRequired => Problem::login_required(login_url(api, at, seat)),
        AskError::ReconnectRequired => Problem::not_working(),
        AskError::Invalid(why) => Problem::invalid(why),
        AskError::Refused { code, message } => {
            Problem::conflict("crm_refused", format!("{message} ({code})"))
        }
        AskError::Later(wait) => Problem::later(wait),
    }
}
