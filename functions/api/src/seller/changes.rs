//! Leads, contacts and accounts that sellers create, update and take back in the CRM.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::activities::HoldReason;
use shared::capabilities::changing::{
    self, ChangeError, ChangeKind, ChangeState, ChangeValues, FieldValue, NewChange,
    OpportunityRole, Values,
};
use shared::capabilities::custody::OpenGeneration;
use shared::kernel::{ChangeId, EntityId, RecordRef, SObject, SeatId};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::activities::idempotency_key;
use super::authorizations::login_url;
use crate::callers::{AtChange, AtSeat, OwnSeat, SeatOrAdmin};
use crate::extract::{Body, Place, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// What a seller wants changed in the CRM.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ChangeRequest {
    /// Create a lead, a contact or an account. The seller becomes its owner.
    Create {
        /// Lead, Contact or Account.
        #[schema(value_type = wire::SObject)]
        object: SObject,
        /// The person of the directory whom the record is about: it becomes their match.
        #[serde(default)]
        #[schema(value_type = Option<wire::EntityId>, nullable = false)]
        person_id: Option<EntityId>,
        /// The company of the directory that a new account is about: it becomes its match.
        #[serde(default)]
        #[schema(value_type = Option<wire::EntityId>, nullable = false)]
        company_id: Option<EntityId>,
        /// Values by the API names of fields, as the form names them. `LastName`, and `Company` of
        /// a lead or `AccountId` of a contact, must be given; of an account, its `Name`.
        #[schema(value_type = BTreeMap<String, wire::FieldValue>)]
        fields: Values,
        /// The part that a new contact has in an opportunity.
        #[serde(default)]
        #[schema(nullable = false)]
        opportunity: Option<RoleInOpportunity>,
        /// Create it although records that look like the same person or company were found.
        #[serde(default)]
        #[schema(required = false)]
        create_anyway: bool,
    },
    /// Update title, company or address of a lead or contact, or what an account tells of its
    /// company.
    Update {
        /// Lead, Contact or Account.
        #[schema(value_type = wire::SObject)]
        object: SObject,
        #[schema(value_type = wire::SalesforceId)]
        record_id: SalesforceId,
        /// The person of the directory whom the record is about.
        #[serde(default)]
        #[schema(value_type = Option<wire::EntityId>, nullable = false)]
        person_id: Option<EntityId>,
        /// The company of the directory that an account is about.
        #[serde(default)]
        #[schema(value_type = Option<wire::EntityId>, nullable = false)]
        company_id: Option<EntityId>,
        /// By the API names of fields.
        fields: BTreeMap<String, FieldUpdate>,
    },
}

/// The part of a contact in an opportunity.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleInOpportunity {
    #[schema(value_type = wire::SalesforceId)]
    opportunity_id: SalesforceId,
    /// The role, as the form lists it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    role: Option<String>,
}

/// A field's value as the seller saw it, and as they want it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldUpdate {
    /// Null for an empty field. Where the CRM has another value by now, nothing is written.
    #[schema(value_type = wire::FieldValue)]
    from: FieldValue,
    #[schema(value_type = wire::FieldValue)]
    to: FieldValue,
}

/// A change, and where it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Change {
    #[schema(value_type = wire::ChangeId)]
    change_id: ChangeId,
    #[schema(value_type = wire::SeatId)]
    seat: SeatId,
    kind: KindOfChange,
    #[schema(value_type = wire::SObject)]
    object: SObject,
    /// The record; null before it is created.
    #[schema(value_type = Option<wire::SalesforceId>, required = true)]
    record_id: Option<SalesforceId>,
    /// Where a browser opens it.
    #[schema(format = "uri", required = true)]
    record_url: Option<String>,
    /// Null for an account.
    #[schema(value_type = Option<wire::EntityId>, required = true)]
    person_id: Option<EntityId>,
    /// The company that an account is about; null for a lead or contact.
    #[schema(value_type = Option<wire::EntityId>, required = true)]
    company_id: Option<EntityId>,
    asked_at: Timestamp,
    state: StateOfChange,
    /// Why it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<super::activities::HoldReason>, nullable = false)]
    reason: Option<HoldReason>,
    /// Where the seller logs in, when that is what it waits for: a POST there begins the login. The
    /// change is kept, and made after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", nullable = false)]
    login_url: Option<String>,
    /// The values to write.
    #[schema(value_type = BTreeMap<String, wire::FieldValue>)]
    to: Values,
    /// The values that the seller saw.
    #[schema(value_type = BTreeMap<String, wire::FieldValue>)]
    from: Values,
    /// Values that the CRM has in the place of those that the seller saw.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, wire::FieldValue>)]
    found: Values,
    /// The values as they were read back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, wire::FieldValue>)]
    left: Values,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    opportunity: Option<RoleInOpportunity>,
    /// Why it was refused, or why the contact's part in the opportunity was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<Refusal>,
    /// Records that look like the same person or company.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    duplicates: Vec<DuplicateRecord>,
    /// The org lets it be created beside them: with `create_anyway`, under a new key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    may_create_anyway: bool,
    /// The change that it undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::ChangeId>, nullable = false)]
    undoes: Option<ChangeId>,
    /// The change that set out to undo it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::ChangeId>, nullable = false)]
    undone_by: Option<ChangeId>,
}

/// What a change does.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindOfChange {
    Create,
    Update,
    Delete,
}

/// Where a change stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateOfChange {
    Queued,
    Held,
    Made,
    Refused,
    Withdrawn,
}

/// One reason why a change was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refusal {
    /// Salesforce's error code, or ours.
    code: String,
    /// What is wrong, and what to do about it.
    message: String,
    fields: Vec<String>,
}

/// A record that looks like the same person or company.
#[derive(Serialize, ToSchema)]
pub(crate) struct DuplicateRecord {
    /// The name of its object.
    object: String,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    /// Where a browser opens it.
    #[schema(format = "uri")]
    record_url: String,
}

/// A page of a seat's changes.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangeList {
    items: Vec<Change>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

impl Change {
    pub(super) fn of(
        api: &Api,
        opened: &OpenGeneration,
        change: changing::Change,
        values: ChangeValues,
    ) -> Self {
        let connection = &opened.connection;
        let (object, record_id) = (change.object(), change.record());
        let (state, reason) = match change.state {
            // To a caller a claimed change still waits for its outcome.
            ChangeState::Queued | ChangeState::Claimed { .. } => (StateOfChange::Queued, None),
            ChangeState::Held { reason } => (StateOfChange::Held, Some(reason)),
            ChangeState::Made => (StateOfChange::Made, None),
            ChangeState::Refused { .. } => (StateOfChange::Refused, None),
            ChangeState::Withdrawn => (StateOfChange::Withdrawn, None),
        };
        let waits_for_login = reason == Some(HoldReason::CrmLoginRequired);
        let duplicates = values.duplicates.into_iter().map(|found| DuplicateRecord {
            record_url: connection.record_url(found.id),
            object: found.object,
            record_id: found.id,
        });
        Self {
            change_id: change.id,
            seat: change.seat,
            kind: match change.what {
                ChangeKind::Create { .. } => KindOfChange::Create,
                ChangeKind::Update { .. } => KindOfChange::Update,
                ChangeKind::Delete { .. } => KindOfChange::Delete,
            },
            object,
            record_id,
            record_url: record_id.map(|id| connection.record_url(id)),
            asked_at: change.asked_at,
            state,
            reason,
            login_url: waits_for_login.then(|| login_url(api, connection.at, change.seat)),
            to: values.to,
            from: values.from,
            found: values.found,
            left: values.left,
            opportunity: values.role.map(|role| RoleInOpportunity {
                opportunity_id: role.opportunity,
                role: role.role,
            }),
            refusals: values.refusals.into_iter().map(Refusal::from).collect(),
            duplicates: duplicates.collect(),
            may_create_anyway: values.may_create_anyway,
            undoes: change.undoes,
            undone_by: change.undone_by,
            person_id: change.entity.clone().filter(|_| object != SObject::Account),
            company_id: change.entity.filter(|_| object == SObject::Account),
        }
    }
}

impl From<changing::Refusal> for Refusal {
    fn from(changing::Refusal { code, message, fields }: changing::Refusal) -> Self {
        Self { code, message, fields }
    }
}

pub(super) fn new_change(
    seat: SeatId,
    key: &str,
    request: ChangeRequest,
) -> Result<NewChange, Problem> {
    let idempotency_key = key.to_owned();
    Ok(match request {
        ChangeRequest::Create {
            object,
            person_id,
            company_id,
            fields,
            opportunity,
            create_anyway,
        } => NewChange {
            seat,
            idempotency_key,
            what: ChangeKind::Create { object },
            entity: entity(object, person_id, company_id)?,
            to: fields,
            from: Values::new(),
            role: opportunity
                .map(|of| OpportunityRole { opportunity: of.opportunity_id, role: of.role }),
            create_anyway,
        },
        ChangeRequest::Update { object, record_id, person_id, company_id, fields } => {
            let (from, to) = fields
                .into_iter()
                .map(|(name, FieldUpdate { from, to })| ((name.clone(), from), (name, to)))
                .unzip();
            NewChange {
                seat,
                idempotency_key,
                what: ChangeKind::Update { record: RecordRef { object, id: record_id } },
                entity: entity(object, person_id, company_id)?,
                to,
                from,
                role: None,
                create_anyway: false,
            }
        }
    })
}

/// The entity of the directory that a record of `object` is about.
fn entity(
    object: SObject,
    person: Option<EntityId>,
    company: Option<EntityId>,
) -> Result<Option<EntityId>, Problem> {
    match (object, person, company) {
        (SObject::Account, None, company) => Ok(company),
        (SObject::Account, Some(_), _) => {
            Err(Problem::invalid("an account is about a company: leave person_id out"))
        }
        (_, person, None) => Ok(person),
        (_, _, Some(_)) => {
            let detail = "a lead or contact is about a person: leave company_id out";
            Err(Problem::invalid(detail))
        }
    }
}

/// Create or update a lead, a contact or an account in the CRM, as the seller
///
/// It is checked against the org as the seller sees it, made, and read back; ask for the change to
/// learn what became of it. One that waits for a login is kept and made after it.
#[utoipa::path(post, path = "/seats/{seat}/changes", tag = "activities",
    operation_id = "postChange",
    params(AtSeat,
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 200, description =
            "The same key and body again is the same change; the same key with another body is \
             refused.")),
    extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = ChangeRequest, example = json!({
        "kind": "create",
        "object": "Lead",
        "person_id": "pr_1",
        "fields": { "FirstName": "Noor", "LastName": "Castellan", "Company": "Acme" },
    })),
    responses(
        (status = 202, body = Change,
            description = "It is taken in; if it is held already, the answer says for what"),
        Problem))]
pub(crate) async fn post(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    headers: HeaderMap,
    Body(request): Body<ChangeRequest>,
) -> Result<(StatusCode, Json<Change>), Problem> {
    let at = place.environment();
    let new = new_change(place.seat, idempotency_key(&headers)?, request)?;
    let change = api.changes.post(at, new).await?;
    shown(&api, at, &change).await.map(|change| (StatusCode::ACCEPTED, change))
}

/// List a seat's changes, the newest first
#[utoipa::path(get, path = "/seats/{seat}/changes", tag = "activities",
    operation_id = "listChanges",
    params(AtSeat, Place),
    extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses((status = 200, description = "A page of them", body = ChangeList), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
    Query(Place { cursor }): Query<Place>,
) -> Result<Json<ChangeList>, Problem> {
    let at = place.environment();
    let (opened, page) = api.changes.page(at, place.seat, cursor.as_deref()).await?;
    let items = page.items.into_iter();
    let items = items.map(|(change, values)| Change::of(&api, &opened, change, values));
    Ok(Json(ChangeList { items: items.collect(), next: page.next }))
}

/// Show a change and where it stands
#[utoipa::path(get, path = "/seats/{seat}/changes/{change}", tag = "activities",
    operation_id = "showChange",
    params(AtChange), extensions(("x-roles" = json!(SeatOrAdmin::<AtChange>::ROLES))),
    responses((status = 200, description = "The change", body = Change), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtChange>,
) -> Result<Json<Change>, Problem> {
    let found = api.changes.get(place.environment(), place.seat, place.change).await?;
    let (opened, change, values) = found;
    Ok(Json(Change::of(&api, &opened, change, values)))
}

/// Take a change back that is not being made yet
#[utoipa::path(delete, path = "/seats/{seat}/changes/{change}", tag = "activities",
    operation_id = "withdrawChange",
    params(AtChange), extensions(("x-roles" = json!(OwnSeat::<AtChange>::ROLES))),
    responses((status = 200, description = "It is withdrawn", body = Change), Problem))]
pub(crate) async fn withdraw(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtChange>,
) -> Result<Json<Change>, Problem> {
    let at = place.environment();
    let change = api.changes.withdraw(at, place.seat, place.change).await?;
    shown(&api, at, &change).await
}

/// Undo a change that is made
///
/// An update is undone by the values that were there before, the creation of a lead or contact by
/// deleting it: both only where nobody changed them since. A new account stays, since Salesforce
/// deletes its contacts with it. The undoing is a change of its own.
#[utoipa::path(post, path = "/seats/{seat}/changes/{change}/undo", tag = "activities",
    operation_id = "undoChange",
    params(AtChange), extensions(("x-roles" = json!(OwnSeat::<AtChange>::ROLES))),
    responses((status = 202, description = "The undoing", body = Change), Problem))]
pub(crate) async fn undo(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtChange>,
) -> Result<(StatusCode, Json<Change>), Problem> {
    let at = place.environment();
    let undoing = api.changes.undo(at, place.seat, place.change).await?;
    shown(&api, at, &undoing).await.map(|undoing| (StatusCode::ACCEPTED, undoing))
}

async fn shown(
    api: &Api,
    at: shared::kernel::TenantEnvironment,
    change: &changing::Change,
) -> Result<Json<Change>, Problem> {
    let (opened, change, values) = api.changes.get(at, change.seat, change.id).await?;
    Ok(Json(Change::of(api, &opened, change, values)))
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Lookup(error) => error.into(),
            ChangeError::NoSeat => Self::seat_required(),
            ChangeError::NotConnected => Self::conflict("not_connected", error.to_string()),
            ChangeError::TurnedOff(_) => Self::conflict("turned_off", error.to_string()),
            ChangeError::KeyReused => Self::conflict("key_reused", error.to_string()),
            ChangeError::Conflict(why) => Self::conflict("not_now", why.to_owned()),
            ChangeError::Invalid(_) => Self::invalid(error.to_string()),
            ChangeError::Cursor(error) => Self::bad_cursor(error.to_string()),
        }
    }
}
