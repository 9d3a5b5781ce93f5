//! The common troubles that keep a connection from working.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::capabilities::connecting;
use shared::kernel;
use utoipa::ToSchema;

use super::connections::{ConnectionState, Trouble};
use super::network_access::NetworkAccess;
use crate::callers::{Admin, At};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// One check of a connection.
    Check of connecting::Check {
        AppInstalled RefreshTokenPolicy SessionTimeout SessionIpLock NetworkAccess ApiEnabled
        FieldVisibility IntegrationUser SameOrg DataKey
    }

    /// The finding.
    Finding of connecting::Finding { Ok Warning Problem CannotBeSeen NotChecked }
}

/// A connection, check by check.
#[derive(Serialize, ToSchema)]
pub(crate) struct Doctor {
    #[schema(value_type = ConnectionState)]
    state: kernel::ConnectionState,
    #[schema(required = true)]
    trouble: Option<Trouble>,
    checks: Vec<Diagnosis>,
    network_access: NetworkAccess,
}

/// One check.
#[derive(Serialize, ToSchema)]
pub(crate) struct Diagnosis {
    #[schema(value_type = Check)]
    check: connecting::Check,
    #[schema(value_type = Finding)]
    finding: connecting::Finding,
    evidence: String,
    /// The clicks in Salesforce's Setup.
    steps: &'static [&'static str],
}

impl From<connecting::Diagnosis> for Diagnosis {
    fn from(diagnosis: connecting::Diagnosis) -> Self {
        let connecting::Diagnosis { check, finding, evidence, steps } = diagnosis;
        Self { check, finding, evidence, steps }
    }
}

/// Show the common troubles of a connection, with evidence and the clicks that mend them
#[utoipa::path(get, path = "/doctor", tag = "connections", operation_id = "showDoctor",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "Check by check", body = Doctor), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<Doctor>, Problem> {
    let found = api.inspections.diagnose(place.environment()).await?;
    Ok(Json(Doctor {
        state: found.connection.state,
        trouble: found.connection.trouble.map(Trouble::from),
        checks: found.checks.into_iter().map(Diagnosis::from).collect(),
        network_access: api.network_access.as_ref().into(),
    }))
}
