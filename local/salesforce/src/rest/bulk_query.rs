//! Bulk API 2.0 query jobs: asynchronous, paged by stable locators, delivered as CSV.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value as Json, json};
use std::io::Write as _;

use super::{ApiError, Caller, Reply, json_body};
use crate::call::{empty, json};
use crate::clock::Clock;
use crate::ids::RecordId;
use crate::org::{Access, Org};
use crate::soql::{
    CsvForm, Found, Plan, Purpose, compile, parse, run, write_csv_header, write_csv_row,
};
use crate::storage::{Slots, format_date_time};
use crate::sync::{lock, read};

/// Jobs and their results are kept for so long.
const JOB_LIFE_MS: i64 = 7 * 24 * 3_600_000;
/// Rows rendered at a time, so that a page of any size streams in constant memory.
const ROWS_AT_A_TIME: usize = 512;
/// Result pages named in one answer.
const PAGES_AT_A_TIME: usize = 5;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    UploadComplete,
    InProgress,
    JobComplete,
    Aborted,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Aborted => "Aborted",
        }
    }

    fn is_terminal(self) -> bool {
        matches!(self, Self::JobComplete | Self::Aborted)
    }
}

/// A query job.
pub(crate) struct QueryJob {
    id: RecordId,
    org: Arc<Org>,
    user: RecordId,
    access: Access,
    version: String,
    operation: &'static str,
    object: String,
    plan: Plan,
    delimiter: (&'static str, char),
    line_end: (&'static str, &'static str),
    created: i64,
    due: i64,
    latency: i64,
    progress: Mutex<Progress>,
}

struct Progress {
    state: State,
    finished: i64,
    found: Arc<Vec<Found>>,
}

/// Answers `/jobs/query…`.
pub(super) fn route(caller: &Caller<'_>, rest: &[&str]) -> Reply {
    let method = &caller.call.method;
    match rest {
        [] if *method == Method::POST => create(caller),
        [] if *method == Method::GET => Ok(list(caller)),
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
    RecordId::parse(id)
        .and_then(|id| lock(&caller.call.world.query_jobs).get(&id).cloned())
        .filter(|job| job.org.id == caller.org.id && job.user == caller.user)
        .filter(|job| now - job.created < JOB_LIFE_MS)
        .inspect(|job| job.catch_up(now))
        .ok_or_else(ApiError::not_found)
}

fn list(caller: &Caller<'_>) -> Response<Body> {
    let now = caller.call.world.clock.now();
    let wanted = caller.call.param("jobType").is_none_or(|kind| kind == "V2Query");
    let mut records: Vec<Json> = Vec::new();
    if wanted {
        let mut own: Vec<_> = lock(&caller.call.world.query_jobs)
            .values()
            .filter(|job| job.org.id == caller.org.id && now - job.created < JOB_LIFE_MS)
            .cloned()
            .collect();
        own.sort_by_key(|job| job.id);
        for job in own.iter().rev().take(1000) {
            job.catch_up(now);
            records.push(job.info());
        }
    }
    json(StatusCode::OK, &json!({ "done": true, "records": records, "nextRecordsUrl": null }))
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

fn delimiter(name: &str) -> Result<(&'static str, char), ApiError> {
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

fn line_end(name: &str) -> Result<(&'static str, &'static str), ApiError> {
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
        let found = {
            let data = read(&self.org.data);
            run(&data, &self.access, &self.plan, self.operation == "queryAll", now)
        };
        let mut progress = lock(&self.progress);
        if !progress.state.is_terminal() {
            progress.state = State::JobComplete;
            progress.finished = now;
            progress.found = Arc::new(found);
        }
    }

    /// When simulated time has passed the job's end before real time did.
    fn catch_up(&self, now: i64) {
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

    fn info(&self) -> Json {
        let mut info = self.short();
        let progress = lock(&self.progress);
        info["jobType"] = "V2Query".into();
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
            let done = if progress.state == State::Aborted { "Aborted" } else { "Completed" };
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

    /// The result, once there is one.
    fn found(&self, caller: &Caller<'_>) -> Result<Arc<Vec<Found>>, ApiError> {
        if caller.version != self.version {
            let message = format!("The job was created with API version {}", self.version);
            return Err(ApiError::new(StatusCode::CONFLICT, "VERSION_MISMATCH", message));
        }
        let progress = lock(&self.progress);
        if progress.state != State::JobComplete {
            let code = read(&self.org.data).settings.early_results_code.clone();
            let message =
                format!("Job is in state {}; results are not available", progress.state.name());
            return Err(ApiError::bad(&code, message));
        }
        Ok(Arc::clone(&progress.found))
    }

    fn results(self: &Arc<Self>, caller: &Caller<'_>) -> Reply {
        let found = self.found(caller)?;
        let default = read(&self.org.data).settings.bulk_page_rows;
        let size = match caller.call.param("maxRecords") {
            None => default,
            Some(text) => text.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
                ApiError::bad("INVALID_QUERY_LOCATOR", "maxRecords must be a positive number")
            })?,
        };
        let from = match caller.call.param("locator") {
            None | Some("" | "null") => 0,
            Some(locator) => offset_of(locator)
                .filter(|from| *from < found.len())
                .ok_or_else(|| ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator"))?,
        };
        let to = from.saturating_add(size).min(found.len());
        let next = if to < found.len() { locator(to) } else { "null".to_owned() };
        let gzip = caller.call.accepts("accept-encoding", "gzip");
        let body = self.stream(found, from, to, gzip);
        let mut response = crate::call::reply(StatusCode::OK, "text/csv", body);
        let headers = response.headers_mut();
        headers.insert("Sforce-NumberOfRecords", HeaderValue::from(to - from));
        if let Ok(next) = next.parse() {
            headers.insert("Sforce-Locator", next);
        }
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    /// Renders rows on a thread of their own, as fast as the client takes them.
    fn stream(
        self: &Arc<Self>,
        found: Arc<Vec<Found>>,
        from: usize,
        to: usize,
        gzip: bool,
    ) -> Body {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(4);
        let job = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let send = |bytes: Vec<u8>| sender.blocking_send(Ok(bytes.into())).is_ok();
            job.render(&found[from..to], gzip, send);
        });
        let stream = futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|item| (item, receiver))
        });
        Body::from_stream(stream)
    }

    fn render(&self, found: &[Found], gzip: bool, send: impl Fn(Vec<u8>) -> bool) {
        let zone = read(&self.org.data).settings.csv_time_zone.clone();
        let form =
            CsvForm { delimiter: self.delimiter.1, line_end: self.line_end.1, time_zone: &zone };
        let mut slots = Slots::default();
        let mut text = String::with_capacity(256 * 1024);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        write_csv_header(&self.plan.columns, form.delimiter, form.line_end, &mut text);
        for rows in found.chunks(ROWS_AT_A_TIME) {
            {
                let data = read(&self.org.data);
                for one in rows {
                    write_csv_row(&data, &self.plan, one, &mut slots, &form, &mut text);
                }
            }
            if !gzip {
                let chunk = std::mem::replace(&mut text, String::with_capacity(256 * 1024));
                if !send(chunk.into_bytes()) {
                    return;
                }
                continue;
            }
            // Writing to memory cannot fail.
            let _: std::io::Result<()> = encoder.write_all(text.as_bytes());
            text.clear();
            let ready = std::mem::take(encoder.get_mut());
            if !ready.is_empty() && !send(ready) {
                return;
            }
        }
        if gzip {
            let _: std::io::Result<()> = encoder.write_all(text.as_bytes());
            send(encoder.finish().unwrap_or_default());
        } else if !text.is_empty() {
            send(text.into_bytes());
        }
    }

    fn result_pages(&self, caller: &Caller<'_>) -> Reply {
        let found = self.found(caller)?;
        let size = read(&self.org.data).settings.bulk_page_rows.max(1);
        let mut from = caller.call.param("locator").and_then(offset_of).unwrap_or(0);
        let root = format!("{}/jobs/query/{}", caller.root(), self.id);
        let mut pages = Vec::new();
        while pages.len() < PAGES_AT_A_TIME && (from < found.len() || pages.is_empty() && from == 0)
        {
            let url = if from == 0 {
                format!("{root}/results")
            } else {
                format!("{root}/results?locator={}", locator(from))
            };
            pages.push(json!({ "resultUrl": url }));
            from += size;
        }
        let done = from >= found.len();
        let mut body = json!({ "resultPages": pages, "done": done });
        if !done {
            body["nextRecordsUrl"] = format!("{root}/resultPages?locator={}", locator(from)).into();
        }
        Ok(json(StatusCode::OK, &body))
    }
}

/// A locator is opaque to clients; it holds the number of the page's first row.
fn locator(from: usize) -> String {
    STANDARD_NO_PAD.encode(from.to_string())
}

fn offset_of(locator: &str) -> Option<usize> {
    let bytes = STANDARD_NO_PAD.decode(locator.trim_end_matches('=')).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}
