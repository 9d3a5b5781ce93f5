//! The connection: authorizing it, looking at it, disconnecting it.

use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderName, StatusCode};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use shared::capabilities::connecting::{Begun, ConnectError};
use shared::capabilities::leaving::PurgeError;
use shared::kernel::{self, AUTHORIZATION_MINUTES, Environment, Generation, Grantee};
use utoipa::ToSchema;

use super::purges;
use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// Where a connection stands. `reconnect_required`: no data moves, work is kept, for three
    /// days. `lapsed`: those passed; nothing is taken in any more, what was kept is done after a
    /// reconnect and purged 27 days later. `disconnected`: being purged; once that is done there is
    /// no connection.
    ConnectionState of shared::kernel::ConnectionState {
        Connected ReconnectRequired Lapsed Disconnected
    }

    /// Why a connection does not work.
    ReconnectReason of shared::kernel::ReconnectReason {
        GrantDead UserInactive AppNotInstalled UserNotApproved AccessRestricted
        TokenRefused OtherOrg
    }
}

/// Where the person logs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// A My Domain such as acme.my.salesforce.com; empty for the usual login page.
    #[serde(default)]
    login_host: Option<String>,
}

/// Where to send a person's browser.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuthorizeUrl {
    #[schema(format = "uri")]
    authorize_url: String,
}

impl AuthorizeUrl {
    /// The address, and the cookie without which the callback refuses: an authorization that was
    /// begun in one browser cannot be ended in another. `Lax`, since the browser comes to the
    /// callback from Salesforce.
    pub(crate) fn of(begun: Begun) -> ([(HeaderName, String); 1], Json<Self>) {
        let Begun { url, cookie: (name, secret) } = begun;
        let seconds = AUTHORIZATION_MINUTES * 60;
        let cookie = format!(
            "{name}={}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax",
            secret.expose_secret()
        );
        ([(SET_COOKIE, cookie)], Json(Self { authorize_url: url.into() }))
    }
}

/// The trouble that keeps a connection from working.
#[derive(Serialize, ToSchema)]
pub(crate) struct Trouble {
    #[schema(value_type = ReconnectReason)]
    reason: kernel::ReconnectReason,
    since: Timestamp,
    /// When the connection is taken for disconnected.
    lapses_at: Timestamp,
}

impl From<kernel::Trouble> for Trouble {
    fn from(kernel::Trouble { reason, since, lapses_at }: kernel::Trouble) -> Self {
        Self { reason, since, lapses_at }
    }
}

/// The link to one org.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connection {
    #[schema(value_type = wire::Environment)]
    environment: Environment,
    #[schema(value_type = ConnectionState)]
    state: kernel::ConnectionState,
    #[schema(value_type = wire::Generation)]
    generation: Generation,
    org: Org,
    /// The id of the CRM user whose grant imports.
    integration_user: String,
    connected_at: Timestamp,
    #[schema(required = true)]
    trouble: Option<Trouble>,
    /// Since when its data cannot be opened because the operator's key is disabled or denied; work
    /// is kept.
    #[schema(required = true)]
    paused_since: Option<Timestamp>,
    /// Since when the key service or the secret store cannot be reached; work is tried again.
    #[schema(required = true)]
    degraded_since: Option<Timestamp>,
    /// When the tenant was handed over to another home of the product; this one does nothing for
    /// it since.
    #[schema(required = true)]
    handed_over_at: Option<Timestamp>,
    /// The grant by which imports read; null once it is disconnected.
    #[schema(required = true)]
    grant: Option<Grant>,
}

/// A grant of Salesforce's, without its tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct Grant {
    /// When somebody logged in to give it.
    authorized_at: Timestamp,
    /// When its token was renewed last.
    renewed_at: Timestamp,
}

impl From<kernel::GrantState> for Grant {
    fn from(grant: kernel::GrantState) -> Self {
        Self { authorized_at: grant.authorized_at, renewed_at: grant.renewed_at }
    }
}

/// The org that is connected.
#[derive(Serialize, ToSchema)]
pub(crate) struct Org {
    id: String,
    name: String,
    edition: String,
    #[schema(format = "uri")]
    instance_url: String,
}

impl From<kernel::Connection> for Connection {
    fn from(connection: kernel::Connection) -> Self {
        Self {
            environment: connection.at.environment,
            state: connection.state,
            generation: connection.generation,
            org: Org {
                id: connection.org_id.to_string(),
                name: connection.org_name,
                edition: connection.edition,
                instance_url: connection.instance_url.to_string(),
            },
            integration_user: connection.integration_user.to_string(),
            connected_at: connection.connected_at,
            trouble: connection.trouble.map(Trouble::from),
            paused_since: connection.paused_since,
            degraded_since: connection.degraded_since,
            handed_over_at: connection.handed_over_at,
            grant: None,
        }
    }
}

/// A purge that began.
#[derive(Serialize, ToSchema)]
pub(crate) struct Disconnected {
    purge_id: String,
    #[schema(value_type = wire::Generation)]
    generation: Generation,
}

/// Begin to connect the org, or to replace the connection's grant
///
/// Where the person logs in is what the wizard was told, unless the call says otherwise.
#[utoipa::path(post, path = "/authorize", tag = "connections", operation_id = "authorizeConnection",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = Login, example = json!({ "login_host": "acme.my.salesforce.com" })),
    responses(
        (status = 200, body = AuthorizeUrl, description =
            "Where to send the admin's browser, within ten minutes. The answer sets a cookie, \
             without which the callback refuses: make the call from the same browser, with \
             credentials."),
        Problem))]
pub(crate) async fn authorize(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(login): Body<Login>,
) -> Result<([(HeaderName, String); 1], Json<AuthorizeUrl>), Problem> {
    let at = place.environment();
    let chosen = match login.login_host {
        Some(host) => Some(host),
        None => api.wizards.login_host(at).await?,
    };
    let begun = api.connect.begin(at, Grantee::Admin, chosen.as_deref(), &by).await?;
    Ok(AuthorizeUrl::of(begun))
}

/// The connection
#[utoipa::path(get, path = "", tag = "connections", operation_id = "showConnection",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The connection", body = Connection), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<Connection>, Problem> {
    let at = place.environment();
    let connection = api.custody.find(at).await?;
    let grant = match connection.state {
        kernel::ConnectionState::Disconnected => None,
        _ => api.seat_authorizations.of_connection(at).await?,
    };
    Ok(Json(Connection { grant: grant.map(Grant::from), ..connection.into() }))
}

/// Disconnect, and purge what was brought in
#[utoipa::path(delete, path = "", tag = "connections", operation_id = "disconnect",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 202, description = "The fence is up; the purge has begun", body = Disconnected),
        Problem))]
pub(crate) async fn disconnect(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
) -> Result<(StatusCode, Json<Disconnected>), Problem> {
    let scope = api.disconnect.disconnect(place.environment(), &(&by).into()).await?.scope;
    let begun = Disconnected { purge_id: purges::name(scope), generation: scope.generation };
    Ok((StatusCode::ACCEPTED, Json(begun)))
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Work(error) => error.into(),
            ConnectError::NotFound(what) => Self::not_found(what),
            ConnectError::NotEntitled => Self::not_entitled(error.to_string()),
            ConnectError::OtherOrg | ConnectError::Environment { .. } => {
                Self::conflict("other_org", error.to_string())
            }
            _ => Self::invalid(error.to_string()),
        }
    }
}

impl From<PurgeError> for Problem {
    fn from(error: PurgeError) -> Self {
        match error {
            PurgeError::Work(error) => error.into(),
            PurgeError::NotConnected => Self::not_found("connection"),
        }
    }
}
