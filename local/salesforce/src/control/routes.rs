//! The control API: the same powers over HTTP, in JSON.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Control, ControlError, pages};
use crate::faults::Fault;
use crate::grants::App;
use crate::org::Profile;
use crate::world::World;

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": self.0 }))).into_response()
    }
}

type Answer<T> = Result<Json<T>, ControlError>;

fn done(result: Result<(), ControlError>) -> Answer<Value> {
    result.map(|()| Json(json!({ "ok": true })))
}

/// The router of the control port.
pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/orgs", get(orgs).post(load_org))
        .route("/orgs/{org}/counts", get(counts))
        .route("/orgs/{org}/settings", get(settings).patch(set))
        .route("/orgs/{org}/records/{object}", get(records).post(create))
        .route("/orgs/{org}/records/{object}/{id}", get(record).patch(update).delete(remove))
        .route("/orgs/{org}/records/{object}/{id}/undelete", post(undelete))
        .route("/orgs/{org}/records/{object}/{id}/merge", post(merge))
        .route("/orgs/{org}/records/{object}/{id}/convert", post(convert))
        .route("/orgs/{org}/archive", post(archive))
        .route("/orgs/{org}/empty-bin", post(empty_bin))
        .route("/orgs/{org}/writes", get(writes))
        .route("/orgs/{org}/grants", get(grants).delete(revoke_grants))
        .route("/orgs/{org}/sessions", delete(end_sessions))
        .route("/orgs/{org}/tokens", post(token))
        .route("/orgs/{org}/calls", post(spend_calls))
        .route("/orgs/{org}/profiles", put(put_profile))
        .route("/orgs/{org}/users/{username}", patch(user))
        .route("/orgs/{org}/apps/{client_id}/policy", patch(org_policy))
        .route("/apps", get(apps).post(put_app))
        .route("/apps/{client_id}/policy", patch(policy))
        .route("/simulator", get(pages::orgs))
        .route("/simulator/{org}", get(pages::org))
        .route("/simulator/{org}/{object}", get(pages::object))
        .route("/simulator/{org}/{object}/{id}", get(pages::record))
        .route("/authorize", post(approve))
        .route("/clock", get(clock).post(set_clock))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/requests", get(requests).delete(clear_requests))
        .with_state(Control::new(world))
}

#[derive(Serialize)]
struct OrgLine {
    my_domain: String,
    id: String,
}

async fn orgs(State(control): State<Control>) -> Answer<Vec<OrgLine>> {
    let line = |my_domain: String| Ok(OrgLine { id: control.org_id(&my_domain)?, my_domain });
    Ok(Json(control.orgs().into_iter().map(line).collect::<Result<_, ControlError>>()?))
}

async fn load_org(State(control): State<Control>, Json(source): Json<Value>) -> Answer<Value> {
    // Reading files is no work for the threads that serve connections.
    let loaded = tokio::task::spawn_blocking(move || {
        let label = control.load_org(source)?;
        Ok(json!({ "my_domain": label, "id": control.org_id(&label)?,
                "counts": control.counts(&label)? }))
    });
    match loaded.await {
        Ok(result) => result.map(Json),
        Err(_) => Err(ControlError::new("loading the org failed")),
    }
}

async fn counts(
    State(control): State<Control>,
    Path(org): Path<String>,
) -> Answer<std::collections::BTreeMap<String, usize>> {
    control.counts(&org).map(Json)
}

async fn settings(
    State(control): State<Control>,
    Path(org): Path<String>,
) -> Answer<crate::org::OrgSettings> {
    control.settings(&org).map(Json)
}

async fn set(
    State(control): State<Control>,
    Path(org): Path<String>,
    Json(changes): Json<Value>,
) -> Answer<Value> {
    done(control.set(&org, &changes))
}

#[derive(Deserialize)]
struct Slice {
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

async fn records(
    State(control): State<Control>,
    Path((org, object)): Path<(String, String)>,
    Query(page): Query<Slice>,
) -> Answer<Vec<Value>> {
    control.records(&org, &object, page.offset, page.limit.unwrap_or(1000)).map(Json)
}

async fn create(
    State(control): State<Control>,
    Path((org, object)): Path<(String, String)>,
    Json(fields): Json<Value>,
) -> Answer<Value> {
    Ok(Json(json!({ "id": control.create(&org, &object, &fields)? })))
}

type RecordPath = Path<(String, String, String)>;

async fn record(State(control): State<Control>, Path((org, _, id)): RecordPath) -> Answer<Value> {
    control.record(&org, &id).map(Json)
}

async fn update(
    State(control): State<Control>,
    Path((org, _, id)): RecordPath,
    Json(fields): Json<Value>,
) -> Answer<Value> {
    done(control.update(&org, &id, &fields))
}

#[derive(Deserialize)]
struct Removal {
    #[serde(default)]
    hard: bool,
}

async fn remove(
    State(control): State<Control>,
    Path((org, _, id)): RecordPath,
    Query(removal): Query<Removal>,
) -> Answer<Value> {
    done(if removal.hard { control.hard_delete(&org, &id) } else { control.delete(&org, &id) })
}

async fn undelete(State(control): State<Control>, Path((org, _, id)): RecordPath) -> Answer<Value> {
    done(control.undelete(&org, &id))
}

#[derive(Deserialize)]
struct Merge {
    losers: Vec<String>,
}

async fn merge(
    State(control): State<Control>,
    Path((org, _, id)): RecordPath,
    Json(merge): Json<Merge>,
) -> Answer<Value> {
    let losers: Vec<&str> = merge.losers.iter().map(String::as_str).collect();
    done(control.merge(&org, &id, &losers))
}

async fn convert(
    State(control): State<Control>,
    Path((org, _, id)): RecordPath,
    Json(options): Json<Value>,
) -> Answer<Value> {
    control.convert_lead(&org, &id, &options).map(Json)
}

#[derive(Deserialize)]
struct Before {
    before: String,
}

async fn archive(
    State(control): State<Control>,
    Path(org): Path<String>,
    Json(day): Json<Before>,
) -> Answer<Value> {
    Ok(Json(json!({ "archived": control.archive(&org, &day.before)? })))
}

async fn empty_bin(State(control): State<Control>, Path(org): Path<String>) -> Answer<Value> {
    Ok(Json(json!({ "removed": control.empty_bin(&org)? })))
}

async fn writes(
    State(control): State<Control>,
    Path(org): Path<String>,
) -> Answer<Vec<crate::org::WriteEntry>> {
    control.writes(&org).map(Json)
}

async fn grants(
    State(control): State<Control>,
    Path(org): Path<String>,
) -> Answer<Vec<crate::grants::GrantView>> {
    control.grants(&org).map(Json)
}

async fn revoke_grants(State(control): State<Control>, Path(org): Path<String>) -> Answer<Value> {
    done(control.revoke_grants(&org))
}

async fn end_sessions(State(control): State<Control>, Path(org): Path<String>) -> Answer<Value> {
    done(control.end_sessions(&org))
}

#[derive(Deserialize)]
struct Login {
    username: String,
}

async fn token(
    State(control): State<Control>,
    Path(org): Path<String>,
    Json(login): Json<Login>,
) -> Answer<Value> {
    let token = control.access_token(&org, &login.username)?;
    let urls = control.world.addresses.get().map(|addresses| addresses.http.clone());
    Ok(Json(json!({ "access_token": token, "instance_url": urls })))
}

#[derive(Deserialize)]
struct Calls {
    calls: u64,
}

async fn spend_calls(
    State(control): State<Control>,
    Path(org): Path<String>,
    Json(spent): Json<Calls>,
) -> Answer<Value> {
    done(control.spend_calls(&org, spent.calls))
}

async fn put_profile(
    State(control): State<Control>,
    Path(org): Path<String>,
    Json(profile): Json<Profile>,
) -> Answer<Value> {
    done(control.put_profile(&org, profile))
}

#[derive(Deserialize)]
struct UserChange {
    profile: Option<String>,
    frozen: Option<bool>,
}

async fn user(
    State(control): State<Control>,
    Path((org, username)): Path<(String, String)>,
    Json(change): Json<UserChange>,
) -> Answer<Value> {
    if let Some(profile) = &change.profile {
        control.assign_profile(&org, &username, profile)?;
    }
    if let Some(frozen) = change.frozen {
        control.freeze_user(&org, &username, frozen)?;
    }
    done(Ok(()))
}

async fn org_policy(
    State(control): State<Control>,
    Path((org, client_id)): Path<(String, String)>,
    Json(changes): Json<Value>,
) -> Answer<Value> {
    done(control.set_policy(&client_id, Some(&org), &changes))
}

async fn policy(
    State(control): State<Control>,
    Path(client_id): Path<String>,
    Json(changes): Json<Value>,
) -> Answer<Value> {
    done(control.set_policy(&client_id, None, &changes))
}

async fn apps(State(control): State<Control>) -> Json<Vec<App>> {
    Json(control.apps())
}

async fn put_app(State(control): State<Control>, Json(app): Json<App>) -> Answer<Value> {
    control.put_app(app);
    done(Ok(()))
}

#[derive(Deserialize)]
struct Approval {
    authorize_url: String,
    username: String,
}

async fn approve(State(control): State<Control>, Json(approval): Json<Approval>) -> Answer<Value> {
    let to = control.approve(&approval.authorize_url, &approval.username)?;
    Ok(Json(json!({ "redirect_to": to })))
}

fn clock_json(control: &Control) -> Value {
    json!({ "now": crate::storage::format_date_time(control.now(), "Z"),
        "frozen": control.is_frozen() })
}

async fn clock(State(control): State<Control>) -> Json<Value> {
    Json(clock_json(&control))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    advance_seconds: Option<i64>,
    set: Option<String>,
    freeze: Option<bool>,
}

async fn set_clock(
    State(control): State<Control>,
    Json(change): Json<ClockChange>,
) -> Answer<Value> {
    if let Some(time) = &change.set {
        control.set_time(time)?;
    }
    if let Some(seconds) = change.advance_seconds {
        control.advance(seconds);
    }
    if let Some(frozen) = change.freeze {
        control.freeze(frozen);
    }
    Ok(Json(clock_json(&control)))
}

async fn faults(State(control): State<Control>) -> Json<Vec<Fault>> {
    Json(control.faults())
}

async fn add_fault(State(control): State<Control>, Json(fault): Json<Fault>) -> Json<Value> {
    Json(json!({ "id": control.add_fault(fault) }))
}

async fn clear_faults(State(control): State<Control>) -> Answer<Value> {
    control.remove_faults(None);
    done(Ok(()))
}

async fn remove_fault(State(control): State<Control>, Path(id): Path<u64>) -> Answer<Value> {
    control.remove_faults(Some(id));
    done(Ok(()))
}

async fn requests(State(control): State<Control>) -> Json<Vec<crate::world::RequestEntry>> {
    Json(control.requests())
}

async fn clear_requests(State(control): State<Control>) -> Answer<Value> {
    control.clear_requests();
    done(Ok(()))
}
