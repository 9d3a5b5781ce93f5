//! Bulk API 2.0 query jobs: asynchronous, paged by stable locators, delivered as CSV.

use std::sync::{Arc, Mutex};

use axum::http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::{ApiError, Caller, Reply, job_list, json_body};
use crate::call::{empty, json};
use crate::clock::Clock;
use crate::ids::RecordId;
use crate::org::{Access, Org};
use crate::soql::{Found, Plan, Purpose, compile, parse, run};
use crate::storage::format_date_time;
use crate::sync::{lock, read, write};

/// Jobs and their results are kept for so long.
pub(super) const JOB_LIFE_MS: i64 = 7 * 24 * 3_600_000;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
        }
    }

    fn is_terminal(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// What a job that ran for too long fails with.
const TIMEOUT: &str = "QUERY_TIMEOUT: Your query request was running for too long.";

/// A query job.
pub(crate) struct QueryJob {
    pub(super) id: RecordId,
    pub(super) org: Arc<Org>,
    user: RecordId,
    access: Access,
    pub(super) version: String,
    operation: &'static str,
    object: String,
    pub(super) plan: Plan,
    pub(super) delimiter: (&'static str, char),
    pub(super) line_end: (&'static str, &'static str),
    pub(super) created: i64,
    due: i64,
    latency: i64,
    pub(super) progress: Mutex<Progress>,
}

pub(super) struct Progress {
    pub(super) state: State,
    finished: i64,
    pub(super) found: Arc<Vec<Found>>,
    /// Why the job fails, or is going to.
    failure: Option<String>,
}

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
                _ => Err(super::method_not_allowed(caller)),
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

/// What the org is set to let the next job fail with.
fn planned_failure(org: &Org) -> Option<String> {
    if read(&org.data).settings.bulk_failures.is_empty() {
        return None;
    }
    let mut data = write(&org.data);
    let failures = &mut data.settings.bulk_failures;
    if failures.is_empty() { None } else { Some(failures.remove(0)) }
}

/// Runs a job in real time.
fn spawn(job: Arc<QueryJob>, latency: u64) {
    tokio::spawn(async move {
        tokio::time::sleep(Clock::latency(latency / 2)).await;
        job.begin();
        tokio::time::sleep(Clock::latency(latency - latency / 2)).await;
        // A panic would be the simulator's own; the job would then stay in progress.
        let _ = tokio::task::spawn_blocking(move || job.finish()).await;
    });
}

pub(super) fn delimiter(name: &str) -> Result<(&'static str, char), ApiError> {
    const ALL: [(&str, char); 6] = [
        ("BACKQUOTE", '`'),
        ("CARET", '^'),
        ("COMMA", ','),
        ("PIPE", '|'),
        ("SEMICOLON", ';'),
        ("TAB", '\t'),
    ];
    ALL.into_iter().find(|(own, _)| *own == name).ok_or_else(|| {
        ApiError::bad("INVALIDJOB", format!("columnDelimiter {name} is not supported"))
    })
}

pub(super) fn line_end(name: &str) -> Result<(&'static str, &'static str), ApiError> {
    match name {
        "LF" => Ok(("LF", "\n")),
        "CRLF" => Ok(("CRLF", "\r\n")),
        _ => Err(ApiError::bad("INVALIDJOB", format!("lineEnding {name} is not supported"))),
    }
}

impl QueryJob {
    fn begin(&self) {
        let mut progress = lock(&self.progress);
        if progress.state == State::UploadComplete {
            progress.state = State::InProgress;
        }
    }

    /// Runs the query and completes the job, unless it is over already.
    fn finish(&self) {
        if lock(&self.progress).state.is_terminal() {
            return;
        }
        let now = self.org.clock.now();
        let (found, most) = {
            let data = read(&self.org.data);
            let found = run(&data, &self.access, &self.plan, self.operation == "queryAll", now);
            (found, data.settings.bulk_timeout_rows)
        };
        let mut progress = lock(&self.progress);
        if progress.state.is_terminal() {
            return;
        }
        if most.is_some_and(|most| found.len() > most) {
            progress.failure.get_or_insert_with(|| TIMEOUT.to_owned());
        }
        if progress.failure.is_some() {
            progress.state = State::Failed;
            progress.finished = now;
        } else {
            progress.state = State::JobComplete;
            progress.finished = now;
            progress.found = Arc::new(found);
        }
    }

    /// When simulated time has passed the job's end before real time did.
    pub(super) fn catch_up(&self, now: i64) {
        // A clock that stands still or was only nudged leaves it to real time.
        if now >= self.due && now - self.created > self.latency {
            self.finish();
        } else if now >= self.created + self.latency / 2 && now > self.created {
            self.begin();
        }
    }

    fn short(&self) -> Json {
        let state = lock(&self.progress).state;
        json!({
            "id": self.id.to_string(),
            "operation": self.operation,
            "object": self.object,
            "createdById": self.user.to_string(),
            "createdDate": format_date_time(self.created / 1000 * 1000, "+0000"),
            "systemModstamp": format_date_time(self.created / 1000 * 1000, "+0000"),
            "state": state.name(),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": self.version.parse::<f64>().unwrap_or_default(),
            "lineEnding": self.line_end.0,
            "columnDelimiter": self.delimiter.0,
        })
    }

    pub(super) fn info(&self) -> Json {
        let mut info = self.short();
        let progress = lock(&self.progress);
        info["jobType"] = "V2Query".into();
        if let Some(failure) = progress.failure.as_ref().filter(|_| progress.state == State::Failed)
        {
            info["errorMessage"] = failure.as_str().into();
        }
        info["numberRecordsProcessed"] = progress.found.len().into();
        info["retries"] = 0.into();
        info["totalProcessingTime"] = (progress.finished - self.created).max(0).into();
        info["isPkChunkingSupported"] =
            (self.plan.order.is_empty() && self.plan.limit.is_none()).into();
        info
    }

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
