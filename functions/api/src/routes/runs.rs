//! Import runs and match runs.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::domain::{
    ConnectionState, Environment, ImportRun, ImportRunId, ImportTrigger, MatchRun, MatchRunId,
    Message, ObjectImport, TenantId,
};
use shared::store::keys::GenerationKeys;
use shared::store::{self, Next, Outbox};

use super::{At, connections};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Path};

async fn generation_keys(api: &Api, at: At) -> Result<GenerationKeys, Problem> {
    let connection = connections::find(api, at).await?;
    Ok(GenerationKeys::new(connection.scope(), connection.buckets))
}

/// `GET …/runs`
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let keys = generation_keys(&api, at).await?;
    let mut runs: Vec<ImportRun> = store::query_all(&*api.ports.table, &keys.runs()).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
    let items: Vec<Value> = runs.iter().map(summary).collect();
    Ok(Json(json!({ "items": items })))
}

/// `POST …/runs`
pub(crate) async fn start(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    let connection = connections::find(&api, at).await?;
    if connection.state != ConnectionState::Connected {
        return Err(Problem::not_working());
    }
    let millis = u64::try_from(api.ports.clock.now().as_millisecond()).unwrap_or(0);
    let run = ImportRunId::new(millis, api.ports.entropy.bits());
    let scope = connection.scope();
    let message = Message::ImportStart { scope, run, trigger: ImportTrigger::Requested };
    let outbox = Outbox::new(api.ports.clone());
    let _ = outbox.commit(vec![], vec![Next::now(message)]).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "run_id": run }))))
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
    let keys = generation_keys(&api, At { tenant, environment }).await?;
    let table = &*api.ports.table;
    let found: Option<ImportRun> = store::get(table, &keys.run(run)).await?;
    let found = found.ok_or_else(|| Problem::not_found("run"))?;
    let objects: Vec<ObjectImport> = store::query_all(table, &keys.object_imports(run)).await?;
    let objects: BTreeMap<&str, Value> =
        objects.iter().map(|o| (o.object.name(), object(o))).collect();
    let mut view = summary(&found);
    view["objects"] = json!(objects);
    Ok(Json(view))
}

fn summary(run: &ImportRun) -> Value {
    json!({
        "run_id": run.id,
        "state": run.state,
        "trigger": run.trigger,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "objects_left": run.objects_left,
        "match_run": run.match_run,
    })
}

fn object(import: &ObjectImport) -> Value {
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
        "pages": import.pages,
        "hidden_fields": import.hidden_fields,
        "salesforce_count": import.salesforce_count,
        "live": import.live,
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
    let keys = generation_keys(&api, at).await?;
    let mut runs: Vec<MatchRun> = store::query_all(&*api.ports.table, &keys.match_runs()).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
    let items: Vec<Value> = runs.iter().map(match_run).collect();
    Ok(Json(json!({ "items": items })))
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
    let keys = generation_keys(&api, At { tenant, environment }).await?;
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
        "batches_total": run.batches,
        "batches_done": run.settled,
        "records": run.records,
        "changed": run.changed,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    })
}
