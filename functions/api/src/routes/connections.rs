//! Connecting, looking, disconnecting.

use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderName, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::capabilities::connecting::Begun;
use shared::capabilities::leaving::{Purge, PurgePhase};
use shared::capabilities::settings;
use shared::capabilities::settings::Settings;
use shared::kernel::{
    AUTHORIZATION_MINUTES, Connection, Environment, Generation, Grantee, SeatId, TenantEnvironment,
    TenantId,
};
use shared::ports::Condition;
use shared::store;
use shared::store::keys::GenerationKeys;

use super::{At, setup};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// Where the person logs in.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// A My Domain such as `acme.my.salesforce.com`; empty for the usual login page.
    #[serde(default)]
    login_host: Option<String>,
}

/// `POST …/connections/{environment}/authorize`
pub(crate) async fn authorize(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(login): Body<Login>,
) -> Result<Authorize, Problem> {
    caller.admin(at.tenant)?;
    // What was chosen in the wizard holds unless the call says otherwise.
    let chosen = match login.login_host {
        Some(host) => Some(host),
        None => setup::stored(&api, at).await?.login_host,
    };
    let begin = api.connect.begin(at.environment(), Grantee::Admin, chosen.as_deref());
    Ok(begun(begin.await?))
}

/// The address, and the cookie without which the callback refuses: an authorization that was begun
/// in one browser cannot be ended in another (security checklist 1 and 7). `Lax`, since the browser
/// comes to the callback from Salesforce.
type Authorize = ([(HeaderName, String); 1], Json<Value>);

fn begun(Begun { url, cookie: (name, secret) }: Begun) -> Authorize {
    let seconds = AUTHORIZATION_MINUTES * 60;
    let cookie = format!(
        "{name}={}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax",
        secret.expose_secret()
    );
    ([(SET_COOKIE, cookie)], Json(json!({ "authorize_url": url.as_str() })))
}

#[derive(Deserialize)]
pub(crate) struct AtSeat {
    pub(crate) tenant: TenantId,
    pub(crate) environment: Environment,
    pub(crate) seat: SeatId,
}

/// `POST …/connections/{environment}/seats/{seat}/authorize`
pub(crate) async fn authorize_seat(
    State(api): State<Api>,
    caller: Caller,
    Path(AtSeat { tenant, environment, seat }): Path<AtSeat>,
) -> Result<Authorize, Problem> {
    // A seller's grant is the seller's to give; an admin cannot take it out on their behalf.
    if caller.service().is_err() && caller.seat(tenant)? != seat {
        return Err(Problem::forbidden());
    }
    let at = TenantEnvironment { tenant, environment };
    Ok(begun(api.connect.begin(at, Grantee::Seat(seat), None).await?))
}

/// `GET …/connections/{environment}`
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    Ok(Json(view(&find(&api, at).await?)))
}

/// The connection of an environment.
pub(crate) async fn find(api: &Api, at: At) -> Result<Connection, Problem> {
    let connection = api.custody.connection(at.environment()).await?;
    connection.ok_or_else(|| Problem::not_found("connection"))
}

/// The keys of what an environment's connection holds.
pub(super) async fn keys(api: &Api, at: At) -> Result<GenerationKeys, Problem> {
    Ok(GenerationKeys::of(&find(api, at).await?))
}

fn view(connection: &Connection) -> Value {
    json!({
        "environment": connection.at.environment,
        "state": connection.state,
        "generation": connection.generation,
        "org": {
            "id": connection.org_id,
            "name": connection.org_name,
            "edition": connection.edition,
            "instance_url": connection.instance_url,
        },
        "integration_user": connection.integration_user,
        "connected_at": connection.connected_at,
        "trouble": connection.trouble,
        "paused_since": connection.paused_since,
        "degraded_since": connection.degraded_since,
    })
}

/// `GET …/settings`
pub(crate) async fn settings(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Settings>, Problem> {
    caller.admin(at.tenant)?;
    let key = settings::keys::settings(at.environment());
    Ok(Json(store::get(&*api.ports.table, &key).await?.unwrap_or_default()))
}

/// `PUT …/settings`
pub(crate) async fn change_settings(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(settings): Body<Settings>,
) -> Result<Json<Settings>, Problem> {
    caller.admin(at.tenant)?;
    let write =
        store::put(settings::keys::settings(at.environment()), &settings, Condition::Always)?;
    let _ = api.ports.table.write(write).await?;
    Ok(Json(settings))
}

/// `DELETE …/connections/{environment}`
pub(crate) async fn disconnect(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    let purge = api.disconnect.disconnect(at.environment()).await?;
    let id = purge_id(&purge);
    let generation = purge.scope.generation;
    Ok((StatusCode::ACCEPTED, Json(json!({ "purge_id": id, "generation": generation }))))
}

/// A purge is named by what it purges.
fn purge_id(purge: &Purge) -> String {
    format!("{}-{}", purge.scope.environment, purge.scope.generation)
}

#[derive(Deserialize)]
pub(crate) struct AtPurge {
    tenant: TenantId,
    purge: String,
}

/// `GET /v1/tenants/{tenant}/purges/{purge}`
pub(crate) async fn purge(
    State(api): State<Api>,
    caller: Caller,
    Path(AtPurge { tenant, purge }): Path<AtPurge>,
) -> Result<Json<Value>, Problem> {
    caller.admin(tenant)?;
    let missing = || Problem::not_found("purge");
    let (environment, generation) = purge.rsplit_once('-').ok_or_else(missing)?;
    let environment: Environment = environment.parse().map_err(|_| missing())?;
    let generation = Generation(generation.parse().map_err(|_| missing())?);
    let scope = TenantEnvironment { tenant, environment }.generation(generation);
    let purge = api.disconnect.get(scope).await?.ok_or_else(missing)?;
    let complete = purge.phase == PurgePhase::Complete;
    let certificate = complete.then(|| certificate(&purge));
    Ok(Json(json!({
        "purge_id": purge_id(&purge),
        "state": purge.phase,
        "requested_at": purge.requested_at,
        "certificate": certificate,
    })))
}

fn certificate(purge: &Purge) -> Value {
    json!({
        "tenant": purge.scope.tenant,
        "environment": purge.scope.environment,
        "generation": purge.scope.generation,
        "org_id": purge.connection.org_id,
        "requested_at": purge.requested_at,
        "completed_at": purge.completed_at,
        "found": purge.found,
        "remaining": purge.remaining,
        "data_key_destroyed": purge.data_key_destroyed,
        "grants": purge.grants,
    })
}
