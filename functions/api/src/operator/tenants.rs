//! Tenants: all of them, making one, changing and removing it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use shared::capabilities::leaving::OffboardingError;
use shared::capabilities::seats::{Licences, TenantError, TenantWithConnections};
use shared::kernel::{self, Connection, Environment, TenantId};
use utoipa::{IntoParams, ToSchema};

use crate::admin::{ConnectionState, ReconnectReason, Tenant};
use crate::callers::{AtTenant, Service};
use crate::extract::{Body, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A tenant that is to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    /// The customer's name.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// True if the contract includes CRM sync at all.
    #[serde(default = "yes")]
    #[schema(default = true)]
    entitled: bool,
    /// The most seats that the contract has; null for as many as are added.
    #[serde(default)]
    #[schema(maximum = 1_000_000)]
    licences: Option<u32>,
}

/// What of a contract changes; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContractChange {
    /// True if the contract includes CRM sync at all. Taken away, it counts within five minutes.
    /// Null stays as it is.
    #[serde(default)]
    entitled: Option<bool>,
    /// The most seats that the contract has; null for as many as are added. Fewer than there are
    /// take no seat away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, maximum = 1_000_000)]
    licences: Option<Licences>,
}

/// What is given, null included: only what is left out is none.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Licences>, D::Error> {
    let licences = Option::deserialize(value)?;
    Ok(Some(licences.map_or(Licences::Unbounded, Licences::AtMost)))
}

fn yes() -> bool {
    true
}

/// Which tenants, and where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TenantListing {
    /// Only those that have a connection in this state
    #[param(value_type = Option<ConnectionState>, nullable = false)]
    #[serde(default)]
    state: Option<kernel::ConnectionState>,
    /// `next` of the page before
    #[param(value_type = Option<wire::TenantId>, nullable = false)]
    #[serde(default)]
    after: Option<TenantId>,
}

/// A page of tenants.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantsPage {
    /// The one that was made first at the begin. A page may be short, or empty, before the last.
    items: Vec<ListedTenant>,
    /// Where the next page begins; null after the last.
    #[schema(value_type = Option<wire::TenantId>, required = true)]
    next: Option<TenantId>,
}

/// A tenant in the list of all.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedTenant {
    #[schema(value_type = wire::TenantId)]
    tenant_id: TenantId,
    name: String,
    /// True if the contract includes CRM sync at all.
    entitled: bool,
    created_at: Timestamp,
    /// Its connections, by environment.
    #[schema(value_type = BTreeMap<String, ListedConnection>)]
    connections: BTreeMap<Environment, ListedConnection>,
}

/// A connection in the list of tenants: how it stands, and nothing of what it brought in.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedConnection {
    #[schema(value_type = ConnectionState)]
    state: kernel::ConnectionState,
    connected_at: Timestamp,
    /// Why it does not work.
    #[schema(value_type = Option<ReconnectReason>, required = true)]
    reason: Option<kernel::ReconnectReason>,
    /// Since when its data cannot be opened because the operator's key is disabled or denied.
    #[schema(required = true)]
    paused_since: Option<Timestamp>,
}

impl From<TenantWithConnections> for ListedTenant {
    fn from(TenantWithConnections { tenant, connections }: TenantWithConnections) -> Self {
        let listed = |connection: Connection| ListedConnection {
            state: connection.state,
            connected_at: connection.connected_at,
            reason: connection.trouble.map(|trouble| trouble.reason),
            paused_since: connection.paused_since,
        };
        let connections = connections.into_iter();
        Self {
            tenant_id: tenant.id,
            name: tenant.name,
            entitled: tenant.entitled,
            created_at: tenant.created_at,
            connections: connections.map(|found| (found.at.environment, listed(found))).collect(),
        }
    }
}

/// All tenants, with the state of their connections
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", operation_id = "listTenants",
    params(TenantListing), extensions(("x-roles" = json!(Service::<()>::ROLES))),
    responses((status = 200, description = "A page of them", body = TenantsPage), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    _: Service,
    Query(TenantListing { state, after }): Query<TenantListing>,
) -> Result<Json<TenantsPage>, Problem> {
    let page = api.tenants.list(after, state).await?;
    let items = page.tenants.into_iter().map(ListedTenant::from).collect();
    Ok(Json(TenantsPage { items, next: page.next }))
}

/// A tenant that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeTenant {
    #[schema(value_type = wire::TenantId)]
    tenant_id: TenantId,
}

/// Make a tenant
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", operation_id = "createTenant",
    extensions(("x-roles" = json!(Service::<()>::ROLES))),
    request_body(content = NewTenant, example = json!({ "name": "Acme" })),
    responses((status = 201, description = "It was made", body = MadeTenant), Problem))]
pub(crate) async fn create(
    State(api): State<Api>,
    _: Service,
    Body(NewTenant { name, entitled, licences }): Body<NewTenant>,
) -> Result<(StatusCode, Json<MadeTenant>), Problem> {
    let tenant = api.tenants.create(name, entitled, licences).await?;
    Ok((StatusCode::CREATED, Json(MadeTenant { tenant_id: tenant.id })))
}

/// Change what a contract includes: CRM sync at all, and how many seats
#[utoipa::path(patch, path = "", tag = "tenants", operation_id = "changeTenant",
    params(AtTenant), extensions(("x-roles" = json!(Service::<AtTenant>::ROLES))),
    request_body(content = ContractChange, example = json!({ "licences": 20 })),
    responses((status = 200, description = "The tenant as it is now", body = Tenant), Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Service(place): Service<AtTenant>,
    Body(ContractChange { entitled, licences }): Body<ContractChange>,
) -> Result<Json<Tenant>, Problem> {
    Ok(Json(api.tenants.change(place.tenant, entitled, licences).await?.into()))
}

/// Remove a tenant, once the purges of its connections have their certificates; those stay
#[utoipa::path(delete, path = "", tag = "tenants", operation_id = "removeTenant",
    params(AtTenant), extensions(("x-roles" = json!(Service::<AtTenant>::ROLES))),
    responses((status = 204, description = "It is not there any more"), Problem))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Service(place): Service<AtTenant>,
) -> Result<StatusCode, Problem> {
    api.offboarding.remove_tenant(place.tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<OffboardingError> for Problem {
    fn from(error: OffboardingError) -> Self {
        match error {
            OffboardingError::NotFound(what) => Self::not_found(what),
            OffboardingError::Connected(_) => Self::conflict("connected", error.to_string()),
            OffboardingError::Purging(_) => Self::conflict("purging", error.to_string()),
            OffboardingError::Work(error) => error.into(),
        }
    }
}

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::NotEntitled => Self::not_entitled(error.to_string()),
            TenantError::NotFound => Self::not_found("tenant"),
            TenantError::NoSeat => Self::not_found("seat"),
            TenantError::NoConnection => Self::not_found("connection"),
            TenantError::Name
            | TenantError::Email
            | TenantError::Aliases
            | TenantError::FederationId
            | TenantError::Licences
            | TenantError::TimeZone => Self::invalid(error.to_string()),
            TenantError::NoLicence(_) => Self::conflict("no_licence", error.to_string()),
            TenantError::EmailTaken => Self::conflict("email_taken", error.to_string()),
            TenantError::Work(error) => error.into(),
        }
    }
}
