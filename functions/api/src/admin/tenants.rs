//! The tenant.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::seats;
use shared::kernel::TenantId;
use utoipa::ToSchema;

use crate::callers::{Admin, AtTenant};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A customer contract.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tenant {
    #[schema(value_type = wire::TenantId)]
    id: TenantId,
    /// The customer's name.
    name: String,
    /// True if the contract includes CRM sync at all.
    entitled: bool,
    /// The most seats that the contract has; null for as many as are added.
    #[schema(required = true)]
    licences: Option<u32>,
    created_at: Timestamp,
}

impl From<seats::Tenant> for Tenant {
    fn from(tenant: seats::Tenant) -> Self {
        let seats::Tenant { id, name, entitled, licences, seats_added: _, created_at } = tenant;
        Self { id, name, entitled, licences, created_at }
    }
}

/// A tenant
#[utoipa::path(get, path = "", tag = "tenants", operation_id = "showTenant",
    params(AtTenant), extensions(("x-roles" = json!(Admin::<AtTenant>::ROLES))),
    responses((status = 200, description = "The tenant", body = Tenant), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<AtTenant>,
) -> Result<Json<Tenant>, Problem> {
    Ok(Json(api.tenants.get(place.tenant).await?.into()))
}
