//! Setting a connection up: the wizard, what the org must show, and what keeps it from working.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::capabilities::connecting;
use shared::capabilities::connecting::{
    Inspection, ObjectPermissions, Wizard, WizardAnswer, WizardError, WizardStep, diagnose,
    feature_of,
};
use shared::capabilities::settings;
use shared::capabilities::settings::Settings;
use shared::kernel::{CareMessage, ConnectionState, Grantee, SObject};
use shared::ports::Condition;
use shared::store::keys::GenerationKeys;
use shared::store::{self, Next, Outbox};

use super::At;
use super::connections::{self, AtSeat};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// Whether an org is connected, however well that works at the moment.
async fn is_connected(api: &Api, at: At) -> Result<bool, Problem> {
    let connection = api.custody.connection(at.environment()).await?;
    Ok(connection.is_some_and(|c| c.state != ConnectionState::Disconnected))
}

/// The wizard as it was left.
pub(super) async fn stored(api: &Api, at: At) -> Result<Wizard, Problem> {
    let key = connecting::keys::wizard(at.environment());
    Ok(store::get(&*api.ports.table, &key).await?.unwrap_or_default())
}

/// `GET …/wizard`
pub(crate) async fn wizard(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let mut wizard = stored(&api, at).await?;
    wizard.catch_up(is_connected(&api, at).await?);
    shown(&api, at, &wizard).await
}

/// `PUT …/wizard`: answers a step.
pub(crate) async fn answer_wizard(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(answer): Body<WizardAnswer>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    if let WizardAnswer::Connect { login_host } = &answer {
        shared::capabilities::connecting::login_host(at.environment, login_host.as_deref())?;
    }
    let connected = is_connected(&api, at).await?;
    let before = stored(&api, at).await?;
    let mut wizard = before.clone();
    wizard.answer(&answer, connected)?;
    let key = settings::keys::settings(at.environment());
    let mut settings: Settings = store::get(&*api.ports.table, &key).await?.unwrap_or_default();
    answer.apply(&mut settings);
    let settings = store::put(key, &settings, Condition::Always)?;
    replace(&api, at, &before, &wizard, vec![settings]).await?;
    shown(&api, at, &wizard).await
}

/// `POST …/wizard/back`
pub(crate) async fn wizard_back(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let before = stored(&api, at).await?;
    let mut wizard = before.clone();
    wizard.back(is_connected(&api, at).await?);
    replace(&api, at, &before, &wizard, vec![]).await?;
    shown(&api, at, &wizard).await
}

/// Replaces the wizard, unless another window did.
async fn replace(
    api: &Api,
    at: At,
    before: &Wizard,
    wizard: &Wizard,
    mut writes: Vec<shared::ports::Write>,
) -> Result<(), Problem> {
    let unchanged = Condition::Any(vec![
        Condition::Missing("changes"),
        Condition::Eq("changes", json!(before.changes)),
    ]);
    writes.push(store::put(connecting::keys::wizard(at.environment()), wizard, unchanged)?);
    if api.ports.table.transact(writes).await?.is_done() {
        Ok(())
    } else {
        let detail = "the wizard was changed in another window; read it again";
        Err(Problem::conflict("changed_meanwhile", detail.to_owned()))
    }
}

async fn shown(api: &Api, at: At, wizard: &Wizard) -> Result<Json<Value>, Problem> {
    let key = settings::keys::settings(at.environment());
    let settings: Settings = store::get(&*api.ports.table, &key).await?.unwrap_or_default();
    let steps = WizardStep::ALL
        .map(|step| json!({ "step": step, "answered": wizard.answered.contains(&step) }));
    Ok(Json(json!({
        "at": wizard.at,
        "finished": wizard.is_finished(),
        "steps": steps,
        "login_host": wizard.login_host,
        "settings": settings,
    })))
}

impl From<WizardError> for Problem {
    fn from(error: WizardError) -> Self {
        match error {
            WizardError::NotConnected => Self::conflict("not_connected", error.to_string()),
            WizardError::TooEarly => Self::conflict("too_early", error.to_string()),
        }
    }
}

async fn inspection(api: &Api, at: At) -> Result<Option<Inspection>, Problem> {
    let Some(connection) = api.custody.connection(at.environment()).await? else {
        return Ok(None);
    };
    let keys = GenerationKeys::of(&connection);
    Ok(store::get(&*api.ports.table, &keys.inspection()).await?)
}

/// `GET …/permissions`: what is required; and, once the org was asked, what is missing.
pub(crate) async fn permissions(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let required = SObject::ALL.map(|object| {
        let fields = object.fields().iter();
        let fields = fields.map(|f| json!({ "field": f, "needed_for": feature_of(object, f) }));
        let fields: Vec<Value> = fields.collect();
        json!({ "object": object, "optional": object.optional(), "fields": fields })
    });
    let found = inspection(&api, at).await?;
    let state = match &found {
        None => "not_checked",
        Some(found) if found.refused.is_some() => "refused",
        Some(found) if found.objects.iter().any(ObjectPermissions::is_blocked) => "blocked",
        Some(_) => "complete",
    };
    Ok(Json(json!({ "state": state, "required": required, "found": found })))
}

/// `POST …/permissions/check`
pub(crate) async fn check_permissions(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    let connection = connections::find(&api, at).await?;
    if connection.state != ConnectionState::Connected {
        return Err(Problem::not_working());
    }
    let next = Next::now(CareMessage::Inspect { scope: connection.scope() });
    let _ = Outbox::new(api.ports.clone()).commit(vec![], vec![next]).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "asked_at": api.ports.clock.now() }))))
}

/// `GET …/doctor`
pub(crate) async fn doctor(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let connection = connections::find(&api, at).await?;
    let found = inspection(&api, at).await?;
    let checks = diagnose(&connection, found.as_ref());
    Ok(Json(json!({
        "state": connection.state,
        "trouble": connection.trouble,
        "checks": checks,
        "network_access": &*api.network_access,
    })))
}

/// `GET …/seats/{seat}/authorization`
pub(crate) async fn seat_authorization(
    State(api): State<Api>,
    caller: Caller,
    Path(AtSeat { tenant, environment, seat }): Path<AtSeat>,
) -> Result<Json<Value>, Problem> {
    caller.seat_or_admin(tenant, seat)?;
    let keys = connections::keys(&api, At { tenant, environment }).await?;
    let key = keys.seat_grant(seat);
    let grant: Option<shared::kernel::GrantState> = store::get(&*api.ports.table, &key).await?;
    let grantee = Grantee::Seat(seat);
    let usable = grant.as_ref().is_some_and(|g| g.is_usable(grantee, api.ports.clock.now()));
    Ok(Json(json!({
        "state": if usable { "authorized" } else { "login_required" },
        "authorized_at": grant.as_ref().map(|g| g.authorized_at),
        "ends_at": grant.as_ref().and_then(|g| g.ends_at(grantee)),
    })))
}

/// `GET /v1/network-access`: the addresses that an org must let in.
pub(crate) async fn network_access(State(api): State<Api>, _caller: Caller) -> Json<Value> {
    Json(json!(&*api.network_access))
}
