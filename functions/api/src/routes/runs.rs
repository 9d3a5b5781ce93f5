//! Import runs and match runs.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::capabilities::importing;
use shared::capabilities::importing::{
    ActiveRun, ImportRun, ImportSettings, ObjectImport, RunState,
};
use shared::capabilities::linking::MatchRun;
use shared::kernel::{Environment, ImportRunId, MatchMessage, MatchRunId, MatchTrigger, TenantId};
use shared::store::keys::GenerationKeys;
use shared::store::{self, Next, Outbox};

use super::{At, connections};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// `GET …/runs`
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let connection = connections::find(&api, at).await?;
    let table = &*api.ports.table;
    let keys = GenerationKeys::of(&connection);
    let mut runs: Vec<ImportRun> = store::query_all(table, &keys.runs()).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
    let active: Option<ActiveRun> = store::get(table, &keys.active_run()).await?;
    let settings: Option<ImportSettings> =
        store::get(table, &importing::keys::import_settings(at.environment())).await?;
    let settings = settings.unwrap_or_default();
    let next = settings.next_slot(connection.slot_offset, api.ports.clock.now());
    let last = runs.iter().find(|run| run.state == RunState::Complete);
    let items: Vec<Value> = runs.iter().map(|run| summary(run, active)).collect();
    Ok(Json(json!({
        "items": items,
        "last_sync_at": last.and_then(|run| run.finished_at),
        "next_sync_at": (!settings.schedule_paused).then_some(next),
    })))
}

/// What a run that is asked for reads.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewRun {
    /// Every row, not only what changed.
    full: bool,
}

/// `POST …/runs`
pub(crate) async fn start(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    new: Option<Json<NewRun>>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    let full = new.is_some_and(|Json(new)| new.full);
    let run = api.import.request_run(at.environment(), full).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "run_id": run }))))
}

/// What a person does to a run.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Steer {
    Pause,
    Resume,
    Cancel,
}

#[derive(Deserialize)]
pub(crate) struct AtSteer {
    tenant: TenantId,
    environment: Environment,
    run: ImportRunId,
    steer: Steer,
}

/// `POST …/runs/{run}/{pause|resume|cancel}`
pub(crate) async fn steer(
    State(api): State<Api>,
    caller: Caller,
    Path(AtSteer { tenant, environment, run, steer }): Path<AtSteer>,
) -> Result<StatusCode, Problem> {
    caller.admin(tenant)?;
    let at = At { tenant, environment }.environment();
    match steer {
        Steer::Pause => api.import.pause(at, run).await?,
        Steer::Resume => api.import.resume(at, run).await?,
        Steer::Cancel => api.import.cancel(at, run).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `GET …/import-settings`
pub(crate) async fn settings(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<ImportSettings>, Problem> {
    caller.admin(at.tenant)?;
    let key = importing::keys::import_settings(at.environment());
    Ok(Json(store::get(&*api.ports.table, &key).await?.unwrap_or_default()))
}

/// `PUT …/import-settings`
pub(crate) async fn change_settings(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(settings): Body<ImportSettings>,
) -> Result<Json<ImportSettings>, Problem> {
    caller.admin(at.tenant)?;
    api.import.change_settings(at.environment(), &settings).await?;
    Ok(Json(settings))
}

#[derive(Deserialize)]
pub(crate) struct AtRun {
    tenant: TenantId,
    environment: Environment,
    run: ImportRunId,
}

/// `GET …/runs/{run}`
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(AtRun { tenant, environment, run }): Path<AtRun>,
) -> Result<Json<Value>, Problem> {
    caller.admin(tenant)?;
    let keys = connections::keys(&api, At { tenant, environment }).await?;
    let table = &*api.ports.table;
    let found: Option<ImportRun> = store::get(table, &keys.run(run)).await?;
    let found = found.ok_or_else(|| Problem::not_found("run"))?;
    let active: Option<ActiveRun> = store::get(table, &keys.active_run()).await?;
    let objects: Vec<ObjectImport> = store::query_all(table, &keys.object_imports(run)).await?;
    let now = api.ports.clock.now();
    let mut view = summary(&found, active);
    view["api_calls"] = json!(objects.iter().map(|o| o.api_calls).sum::<u64>());
    view["seconds_left"] = json!(objects.iter().filter_map(|o| o.seconds_left(now)).max());
    let objects: BTreeMap<&str, Value> =
        objects.iter().map(|o| (o.object.name(), object(o, now))).collect();
    view["objects"] = json!(objects);
    Ok(Json(view))
}

fn summary(run: &ImportRun, active: Option<ActiveRun>) -> Value {
    let active = active.filter(|active| active.run == run.id);
    json!({
        "run_id": run.id,
        "state": run.state,
        "trigger": run.trigger,
        "full": run.full,
        "paused": active.is_some_and(|active| active.paused),
        "stands_back_until": active.and_then(|active| active.stands_back_until),
        "stepped_aside_for": run.aside_of,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "objects_left": run.objects_left + run.activities_left,
        "match_run": run.match_run,
    })
}

fn object(import: &ObjectImport, now: Timestamp) -> Value {
    let counts = import.counts;
    let mut view = json!({
        "new": counts.new,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "rows_fetched": import.rows_fetched,
        "rows_expected": import.rows_expected,
        "rows_per_second": import.rows_per_second(now),
        "seconds_left": import.seconds_left(now),
        "pages": import.pages,
        "restarts": import.restarts,
        "api_calls": import.api_calls,
        "errors": import.errors,
        "hidden_fields": import.selection.hidden,
        "mapped_fields": import.selection.columns,
        "dropped_mappings": import.selection.dropped,
        "conditions": import.selection.conditions.len(),
        "salesforce_count": import.salesforce_count,
        "live": import.live,
        "ids_compared": import.swept,
        "started_at": import.started_at,
        "finished_at": import.finished_at,
    });
    // The phase and, where it ended badly, why.
    let phase = serde_json::to_value(&import.phase).unwrap_or_default();
    for name in ["phase", "reason", "code", "message"] {
        if let Some(value) = phase.get(name) {
            view[name] = value.clone();
        }
    }
    view
}

/// `GET …/match-runs`
pub(crate) async fn list_match_runs(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let keys = connections::keys(&api, at).await?;
    let mut runs: Vec<MatchRun> = store::query_all(&*api.ports.table, &keys.match_runs()).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
    let items: Vec<Value> = runs.iter().map(match_run).collect();
    Ok(Json(json!({ "items": items })))
}

/// `POST …/match-runs`: has everything matched again.
pub(crate) async fn rematch(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    let scope = connections::find(&api, at).await?.scope();
    let millis = u64::try_from(api.ports.clock.now().as_millisecond()).unwrap_or(0);
    let run = MatchRunId::new(millis, api.ports.entropy.bits());
    let message = MatchMessage::Rematch { scope, run, trigger: MatchTrigger::Settings, step: 0 };
    let outbox = Outbox::new(api.ports.clone());
    let _ = outbox.commit(vec![], vec![Next::now(message)]).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "match_run_id": run }))))
}

#[derive(Deserialize)]
pub(crate) struct AtMatchRun {
    tenant: TenantId,
    environment: Environment,
    run: MatchRunId,
}

/// `GET …/match-runs/{run}`
pub(crate) async fn show_match_run(
    State(api): State<Api>,
    caller: Caller,
    Path(AtMatchRun { tenant, environment, run }): Path<AtMatchRun>,
) -> Result<Json<Value>, Problem> {
    caller.admin(tenant)?;
    let keys = connections::keys(&api, At { tenant, environment }).await?;
    let found: Option<MatchRun> = store::get(&*api.ports.table, &keys.match_run(run)).await?;
    let found = found.ok_or_else(|| Problem::not_found("match run"))?;
    Ok(Json(match_run(&found)))
}

fn match_run(run: &MatchRun) -> Value {
    json!({
        "match_run_id": run.id,
        "state": run.state,
        "trigger": run.trigger,
        "directory_version": run.directory,
        "model": run.model.model,
        "batches_total": run.batches,
        "batches_done": run.settled,
        "records": run.records,
        "changed": run.changed,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    })
}
