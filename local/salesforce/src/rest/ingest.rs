//! Bulk API 2.0 ingest jobs: records written from an uploaded CSV.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use serde_json::Value as Json;

use super::caller::{Caller, json_body, method_not_allowed};
use super::dialect::{delimiter, line_end};
use super::job_list;
use crate::error::{ApiError, Reply};
use crate::ids::RecordId;
use crate::jobs::State;
use crate::jobs::ingest::{IngestJob, Progress};
use crate::reply::{empty, json, reply};
use crate::sync::{lock, read};

/// Answers `/jobs/ingest…`.
pub(super) fn route(caller: &Caller<'_>, rest: &[&str]) -> Reply {
    let method = caller.call.method.clone();
    let jobs = &caller.call.world.ingest_jobs;
    match rest {
        [] if method == Method::POST => create(caller),
        [] if method == Method::GET => Ok(job_list::list(caller)),
        [id, rest @ ..] => {
            let job = RecordId::parse(id)
                .and_then(|id| lock(jobs).get(&id).cloned())
                .filter(|job| job.org.id == caller.org.id && job.user == caller.user)
                .ok_or_else(ApiError::not_found)?;
            job.answer(caller, rest)
        }
        _ => Err(method_not_allowed(caller)),
    }
}

/// The job and the rows that came with it: as JSON alone, or in a form of two parts.
fn posted(caller: &Caller<'_>) -> Result<(Json, Option<Vec<u8>>), ApiError> {
    let typed = caller.call.header("content-type").unwrap_or_default();
    let Ok(boundary) = multer::parse_boundary(typed) else {
        return Ok((json_body(caller)?, None));
    };
    let malformed = |error: &dyn std::fmt::Display| ApiError::bad("INVALIDJOB", error.to_string());
    let body = futures::stream::iter([Ok::<_, std::io::Error>(caller.call.body.clone())]);
    let mut form = multer::Multipart::new(body, boundary);
    let (mut job, mut rows) = (None, None);
    // The whole body is in memory, so that this never waits.
    futures::executor::block_on(async {
        while let Some(part) = form.next_field().await? {
            match part.name() {
                Some("job") => job = Some(part.bytes().await?),
                Some("content") => rows = Some(part.bytes().await?.to_vec()),
                _ => {}
            }
        }
        Ok::<_, multer::Error>(())
    })
    .map_err(|error| malformed(&error))?;
    let job = job.ok_or_else(|| malformed(&"the part `job` is missing"))?;
    let rows = rows.ok_or_else(|| malformed(&"the part `content` is missing"))?;
    let job = serde_json::from_slice(&job).map_err(|error| malformed(&error))?;
    Ok((job, Some(rows)))
}

fn create(caller: &Caller<'_>) -> Reply {
    let (body, rows) = posted(caller)?;
    let text = |key: &str| body.get(key).and_then(Json::as_str);
    let operation = text("operation").unwrap_or_default();
    if !["insert", "update", "upsert", "delete", "hardDelete"].contains(&operation) {
        return Err(ApiError::bad("INVALIDJOB", format!("Unknown operation: {operation}")));
    }
    let data = read(&caller.org.data);
    let object = text("object").unwrap_or_default();
    let table = data
        .table(object)
        .filter(|table| caller.access.sees_object(&data, &table.schema))
        .ok_or_else(|| {
            ApiError::bad("INVALIDJOB", format!("InvalidJob : Unable to find object: {object}"))
        })?;
    let external_id = text("externalIdFieldName").map(str::to_owned);
    if operation == "upsert" && external_id.is_none() {
        return Err(ApiError::bad(
            "INVALIDJOB",
            "InvalidJob : externalIdFieldName is required for upsert",
        ));
    }
    let job = Arc::new(IngestJob {
        id: caller.call.world.job_id(),
        org: Arc::clone(&caller.org),
        user: caller.user,
        access: caller.access.clone(),
        client_id: caller.client_id.clone(),
        version: caller.version.clone(),
        object: table.schema.name.clone(),
        operation: operation.to_owned(),
        external_id,
        delimiter: delimiter(text("columnDelimiter").unwrap_or("COMMA"))?,
        line_end: line_end(text("lineEnding").unwrap_or("LF"))?,
        created: caller.call.world.clock.now(),
        latency: data.settings.bulk_latency_ms,
        progress: Mutex::new(Progress {
            state: if rows.is_some() { State::UploadComplete } else { State::Open },
            upload: rows,
            header: Vec::new(),
            done: Vec::new(),
            failed: Vec::new(),
            error: None,
        }),
    });
    drop(data);
    let info = job.info();
    if lock(&job.progress).state == State::UploadComplete {
        job.start();
    }
    lock(&caller.call.world.ingest_jobs).insert(job.id, job);
    Ok(json(StatusCode::OK, &info))
}

impl IngestJob {
    fn answer(self: &Arc<Self>, caller: &Caller<'_>, rest: &[&str]) -> Reply {
        match (&caller.call.method, rest) {
            (&Method::GET, []) => Ok(json(StatusCode::OK, &self.info())),
            (&Method::PATCH, []) => self.close(caller),
            (&Method::DELETE, []) => {
                let state = lock(&self.progress).state;
                if !state.is_terminal() {
                    let message =
                        "Error encountered when deleting the job because the job is not terminated";
                    return Err(ApiError::bad("API_ERROR", message));
                }
                lock(&caller.call.world.ingest_jobs).remove(&self.id);
                Ok(empty(StatusCode::NO_CONTENT))
            }
            (&Method::PUT, ["batches"]) => {
                let mut progress = lock(&self.progress);
                if progress.state != State::Open || progress.upload.is_some() {
                    return Err(ApiError::bad(
                        "INVALIDJOBSTATE",
                        "Data can be uploaded once, to an open job",
                    ));
                }
                progress.upload = Some(caller.call.body.to_vec());
                Ok(empty(StatusCode::CREATED))
            }
            (&Method::GET, [part]) => self.results(&part.to_ascii_lowercase()),
            _ => Err(method_not_allowed(caller)),
        }
    }

    fn close(self: &Arc<Self>, caller: &Caller<'_>) -> Reply {
        let body = json_body(caller)?;
        let mut progress = lock(&self.progress);
        let wanted = body.get("state").and_then(Json::as_str);
        match (wanted, progress.state) {
            (Some("UploadComplete"), State::Open) => progress.state = State::UploadComplete,
            (Some("Aborted"), State::Open | State::UploadComplete | State::InProgress) => {
                progress.state = State::Aborted;
            }
            _ => {
                let message =
                    format!("Job state {} does not allow this change", progress.state.name());
                return Err(ApiError::bad("INVALIDJOBSTATE", message));
            }
        }
        let starts = progress.state == State::UploadComplete;
        drop(progress);
        if starts {
            self.start();
        }
        Ok(json(StatusCode::OK, &self.info()))
    }

    fn results(&self, part: &str) -> Reply {
        let progress = lock(&self.progress);
        let mut out = csv::WriterBuilder::new()
            .delimiter(u8::try_from(self.delimiter.1).unwrap_or(b','))
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        let first: &[&str] = match part {
            "successfulresults" => &["sf__Id", "sf__Created"],
            "failedresults" => &["sf__Id", "sf__Error"],
            "unprocessedrecords" => &[],
            _ => return Err(ApiError::not_found()),
        };
        // Writing to memory cannot fail.
        let mut row = |cells: Vec<&str>| drop(out.write_record(cells));
        row(first.iter().copied().chain(progress.header.iter().map(String::as_str)).collect());
        match part {
            "successfulresults" => {
                for (id, created, record) in &progress.done {
                    let id = id.to_string();
                    let own = [id.as_str(), if *created { "true" } else { "false" }];
                    row(own.into_iter().chain(record).collect());
                }
            }
            "failedresults" => {
                for (id, error, record) in &progress.failed {
                    row([id.as_str(), error.as_str()].into_iter().chain(record).collect());
                }
            }
            _ => {}
        }
        Ok(csv_reply(out.into_inner().unwrap_or_default()))
    }
}

fn csv_reply(bytes: Vec<u8>) -> Response<Body> {
    reply(StatusCode::OK, "text/csv", bytes)
}
