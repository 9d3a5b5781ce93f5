//! Bulk API 2.0 query jobs: asynchronous, paged by stable locators, delivered as CSV.

use std::sync::{Arc, Mutex};

use axum::http::{Method, StatusCode};
use serde_json::Value as Json;

use super::caller::{Caller, json_body, method_not_allowed};
use super::dialect::{delimiter, line_end};
use super::job_list;
use crate::error::{ApiError, Reply};
use crate::ids::RecordId;
use crate::jobs::State;
use crate::jobs::query::{JOB_LIFE_MS, Progress, QueryJob, spawn};
use crate::org::Org;
use crate::reply::{empty, json};
use crate::soql::{Purpose, compile, parse};
use crate::sync::{lock, read, write};

/// Answers `/jobs/query…`.
pub(super) fn route(caller: &Caller<'_>, rest: &[&str]) -> Reply {
    let method = &caller.call.method;
    match rest {
        [] if *method == Method::POST => create(caller),
        [] if *method == Method::GET => Ok(job_list::list(caller)),
        [id] => {
            let job = find(caller, id)?;
            match *method {
                Method::GET => Ok(json(StatusCode::OK, &job.info())),
                Method::PATCH => job.abort(caller),
                Method::DELETE => job.delete(caller),
                _ => Err(method_not_allowed(caller)),
            }
        }
        [id, part] if *method == Method::GET && part.eq_ignore_ascii_case("results") => {
            find(caller, id)?.results(caller)
        }
        [id, part] if *method == Method::GET && part.eq_ignore_ascii_case("resultPages") => {
            find(caller, id)?.result_pages(caller)
        }
        _ => Err(ApiError::not_found()),
    }
}

fn find(caller: &Caller<'_>, id: &str) -> Result<Arc<QueryJob>, ApiError> {
    let now = caller.call.world.clock.now();
    let known =
        RecordId::parse(id).and_then(|id| lock(&caller.call.world.query_jobs).get(&id).cloned());
    let job = known
        .filter(|job| job.org.id == caller.org.id && job.user == caller.user)
        .filter(|job| now - job.created < JOB_LIFE_MS)
        .ok_or_else(ApiError::not_found)?;
    job.catch_up(now);
    Ok(job)
}

fn create(caller: &Caller<'_>) -> Reply {
    let body = json_body(caller)?;
    let text = |key: &str| body.get(key).and_then(Json::as_str);
    let operation = match text("operation") {
        Some("query") => "query",
        Some("queryAll") => "queryAll",
        _ => return Err(ApiError::bad("INVALIDJOB", "operation must be query or queryAll")),
    };
    if text("contentType").is_some_and(|kind| kind != "CSV") {
        return Err(ApiError::bad("INVALIDJOB", "contentType must be CSV"));
    }
    let delimiter = delimiter(text("columnDelimiter").unwrap_or("COMMA"))?;
    let line_end = line_end(text("lineEnding").unwrap_or("LF"))?;
    let query = text("query").ok_or_else(|| ApiError::bad("INVALIDJOB", "a query is required"))?;
    let parsed = parse(query)?;
    let world = &caller.call.world;
    let now = world.clock.now();
    let data = read(&caller.org.data);
    let plan = compile(&parsed, query, &data, &caller.access, Purpose::Bulk, now)?;
    let most = data.settings.daily_bulk_query_jobs;
    if !caller.org.usage.bulk_job(now, most) {
        let message =
            format!("Max bulk v2 query jobs ({most}) per 24 hrs has been reached (10021)");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    let object = data.tables[plan.table].schema.name.clone();
    let latency = data.settings.bulk_latency_ms;
    drop(data);
    let failure = planned_failure(&caller.org);
    let latency_ms = i64::try_from(latency).unwrap_or(i64::MAX / 2);
    let job = Arc::new(QueryJob {
        id: world.job_id(),
        org: Arc::clone(&caller.org),
        user: caller.user,
        access: caller.access.clone(),
        version: caller.version.clone(),
        operation,
        object,
        plan,
        delimiter,
        line_end,
        created: now,
        due: now + latency_ms,
        latency: latency_ms,
        progress: Mutex::new(Progress {
            state: State::UploadComplete,
            finished: 0,
            found: Arc::default(),
            failure,
        }),
    });
    let info = job.short();
    let mut jobs = lock(&world.query_jobs);
    jobs.retain(|_, job| now - job.created < JOB_LIFE_MS);
    jobs.insert(job.id, Arc::clone(&job));
    drop(jobs);
    spawn(job, latency);
    Ok(json(StatusCode::OK, &info))
}

/// The failure that a test has planned for the org's next job.
fn planned_failure(org: &Org) -> Option<String> {
    if read(&org.data).settings.bulk_failures.is_empty() {
        return None;
    }
    let mut data = write(&org.data);
    let failures = &mut data.settings.bulk_failures;
    if failures.is_empty() { None } else { Some(failures.remove(0)) }
}

impl QueryJob {
    fn abort(&self, caller: &Caller<'_>) -> Reply {
        let body = json_body(caller)?;
        if body.get("state").and_then(Json::as_str) != Some("Aborted") {
            return Err(ApiError::bad(
                "INVALIDJOBSTATE",
                "a query job's state can only be set to Aborted",
            ));
        }
        let mut progress = lock(&self.progress);
        if progress.state.is_terminal() {
            let done = match progress.state {
                State::JobComplete => "Completed",
                state => state.name(),
            };
            return Err(ApiError::bad(
                "INVALIDJOBSTATE",
                format!("Aborting already {done} Job not allowed"),
            ));
        }
        progress.state = State::Aborted;
        drop(progress);
        let mut info = self.short();
        if let Some(map) = info.as_object_mut() {
            map.remove("lineEnding");
            map.remove("columnDelimiter");
        }
        Ok(json(StatusCode::OK, &info))
    }

    fn delete(&self, caller: &Caller<'_>) -> Reply {
        if !lock(&self.progress).state.is_terminal() {
            let message =
                "Error encountered when deleting the job because the job is not terminated";
            return Err(ApiError::bad("API_ERROR", message));
        }
        lock(&caller.call.world.query_jobs).remove(&self.id);
        Ok(empty(StatusCode::NO_CONTENT))
    }
}
