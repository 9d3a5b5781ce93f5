//! The addresses that an org must let in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::capabilities::connecting;
use utoipa::ToSchema;

use crate::callers::Anyone;
use crate::problem::Problem;
use crate::state::Api;

/// The addresses from which this deployment calls Salesforce.
#[derive(Serialize, ToSchema)]
pub(crate) struct NetworkAccess {
    /// Changes with the list.
    version: String,
    /// The ranges, such as 203.0.113.7/32. Empty: calls come from any address of the region.
    ranges: Vec<String>,
    /// The clicks in Salesforce's Setup.
    steps: &'static [&'static str],
}

impl From<&connecting::NetworkAccess> for NetworkAccess {
    fn from(access: &connecting::NetworkAccess) -> Self {
        let connecting::NetworkAccess { version, ranges, steps } = access;
        Self { version: version.clone(), ranges: ranges.clone(), steps }
    }
}

/// The addresses that an org must let in
#[utoipa::path(get, path = "/v1/network-access", tag = "connections",
    operation_id = "showNetworkAccess",
    extensions(("x-roles" = json!(Anyone::ROLES))),
    responses(
        (status = 200, description = "The ranges, and where to add them", body = NetworkAccess),
        Problem))]
pub(crate) async fn show(State(api): State<Api>, _: Anyone) -> Json<NetworkAccess> {
    Json(api.network_access.as_ref().into())
}
