//! The list of an org's bulk jobs, the same under `/jobs/query` and `/jobs/ingest`.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use super::caller::Caller;
use crate::ids::RecordId;
use crate::jobs::query::JOB_LIFE_MS;
use crate::reply::json;
use crate::sync::lock;

/// Jobs in one answer.
const PAGE: usize = 1000;

/// Query and ingest jobs, youngest first; `jobType` leaves one kind, `queryLocator` goes on after
/// the jobs already listed.
pub(super) fn list(caller: &Caller<'_>) -> Response<Body> {
    let kind = caller.call.param("jobType");
    let mut jobs: Vec<(RecordId, Json)> = Vec::new();
    if kind.is_none_or(|kind| kind == "V2Query") {
        jobs.extend(query_jobs(caller));
    }
    if kind.is_none_or(|kind| kind == "V2Ingest") {
        let all = lock(&caller.call.world.ingest_jobs);
        let own = all.values().filter(|job| job.org.id == caller.org.id);
        jobs.extend(own.map(|job| (job.id, job.info())));
    }
    jobs.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    let from = caller.call.param("queryLocator").and_then(|at| at.parse().ok()).unwrap_or(0);
    let rest = jobs.len().saturating_sub(from);
    let records: Vec<Json> = jobs.into_iter().skip(from).take(PAGE).map(|(_, job)| job).collect();
    let mut next = Json::Null;
    if rest > PAGE {
        let mut url = format!("{}/jobs/query?queryLocator={}", caller.root(), from + PAGE);
        url.extend(kind.map(|kind| format!("&jobType={kind}")));
        next = url.into();
    }
    let body = json!({ "done": next.is_null(), "records": records, "nextRecordsUrl": next });
    json(StatusCode::OK, &body)
}

fn query_jobs(caller: &Caller<'_>) -> Vec<(RecordId, Json)> {
    let now = caller.call.world.clock.now();
    let all: Vec<_> = lock(&caller.call.world.query_jobs)
        .values()
        .filter(|job| job.org.id == caller.org.id && now - job.created < JOB_LIFE_MS)
        .cloned()
        .collect();
    all.iter()
        .map(|job| {
            job.catch_up(now);
            (job.id, job.info())
        })
        .collect()
}
