//! Links that log people in to the console, for a back end whose users are logged in already.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::seats::Role;
use shared::capabilities::sessions::{SessionError, Visitor};
use shared::kernel::{SeatId, TenantId};
use shared::work::WorkError;
use utoipa::ToSchema;

use crate::callers::Service;
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A subject's largest length, in characters.
const LONGEST_SUBJECT: usize = 320;

wire::named! {
    /// What somebody may do.
    ConsoleRole of shared::capabilities::seats::Role {
        Admin Seat Reporting VendorRep Service Operator
    }
}

/// Whom a link logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConsoleLink {
    /// The tenant whose console it opens; left out for who runs the product, whose only role is
    /// `service`.
    #[serde(default)]
    #[schema(value_type = Option<wire::TenantId>)]
    tenant: Option<TenantId>,
    /// Who they are, as the audit log is to name them.
    #[schema(min_length = 1, max_length = 320)]
    subject: String,
    #[schema(value_type = Vec<ConsoleRole>, min_items = 1, max_items = 6)]
    roles: BTreeSet<Role>,
    /// Their seat, if they have one.
    #[serde(default)]
    #[schema(value_type = Option<wire::SeatId>)]
    seat: Option<SeatId>,
}

/// A link to the console.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsoleLink {
    /// Where to send the person's browser. It logs in whoever follows it first: it belongs into no
    /// log.
    #[schema(format = "uri")]
    url: String,
    /// Until when it may be followed.
    expires_at: Timestamp,
}

/// Make a link that logs somebody in to the console, once and within ten minutes
#[utoipa::path(post, path = "/v1/console-links", tag = "operating",
    operation_id = "createConsoleLink",
    extensions(("x-roles" = json!(Service::<()>::ROLES))),
    request_body(content = NewConsoleLink, example = json!({
        "tenant": "ten_01KB5R8W3N0000000000000000", "subject": "ada", "roles": ["admin"],
    })),
    responses((status = 201, description = "The link", body = ConsoleLink), Problem))]
pub(crate) async fn create(
    State(api): State<Api>,
    _: Service,
    Body(new): Body<NewConsoleLink>,
) -> Result<(StatusCode, Json<ConsoleLink>), Problem> {
    let NewConsoleLink { tenant, subject, roles, seat } = new;
    let length = subject.trim().chars().count();
    if !(1..=LONGEST_SUBJECT).contains(&length) {
        return Err(Problem::invalid("subject must have 1 to 320 characters"));
    }
    if roles.is_empty() {
        return Err(Problem::invalid("roles must name one at least"));
    }
    let (link, expires_at) = api.sessions.invite(Visitor { tenant, subject, roles, seat }).await?;
    let url = format!("{}/console/login?link={}", api.public_base, link.expose());
    Ok((StatusCode::CREATED, Json(ConsoleLink { url, expires_at })))
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Port(error) => WorkError::from(error).into(),
            _ => Self::invalid(error.to_string()),
        }
    }
}
