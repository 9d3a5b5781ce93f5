//! A bulk query job: its states, its run, and the JSON that describes it.

use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use super::state::State;
use crate::clock::Clock;
use crate::ids::RecordId;
use crate::org::{Access, Org};
use crate::soql::{Found, Plan, run};
use crate::storage::format_date_time;
use crate::sync::{lock, read};

/// Jobs and their results are kept for so long.
pub(crate) const JOB_LIFE_MS: i64 = 7 * 24 * 3_600_000;

/// The failure of a job that ran for too long.
const TIMEOUT: &str = "QUERY_TIMEOUT: Your query request was running for too long.";

/// A query job.
pub(crate) struct QueryJob {
    pub(crate) id: RecordId,
    pub(crate) org: Arc<Org>,
    pub(crate) user: RecordId,
    pub(crate) access: Access,
    pub(crate) version: String,
    pub(crate) operation: &'static str,
    pub(crate) object: String,
    pub(crate) plan: Plan,
    pub(crate) delimiter: (&'static str, char),
    pub(crate) line_end: (&'static str, &'static str),
    pub(crate) created: i64,
    pub(crate) due: i64,
    pub(crate) latency: i64,
    pub(crate) progress: Mutex<Progress>,
}

pub(crate) struct Progress {
    pub(crate) state: State,
    pub(crate) finished: i64,
    pub(crate) found: Arc<Vec<Found>>,
    /// Why the job fails, or is going to.
    pub(crate) failure: Option<String>,
}

/// Runs a job in real time.
pub(crate) fn spawn(job: Arc<QueryJob>, latency: u64) {
    tokio::spawn(async move {
        tokio::time::sleep(Clock::latency(latency / 2)).await;
        job.begin();
        tokio::time::sleep(Clock::latency(latency - latency / 2)).await;
        // A panic would be the simulator's own; the job would then stay in progress.
        let _ = tokio::task::spawn_blocking(move || job.finish()).await;
    });
}

impl QueryJob {
    pub(crate) fn begin(&self) {
        let mut progress = lock(&self.progress);
        if progress.state == State::UploadComplete {
            progress.state = State::InProgress;
        }
    }

    /// Runs the query and completes the job, unless it is over already.
    pub(crate) fn finish(&self) {
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

    /// Moves the job on when simulated time has passed its end before real time has.
    pub(crate) fn catch_up(&self, now: i64) {
        // A clock that stands still or was only nudged leaves it to real time.
        if now >= self.due && now - self.created > self.latency {
            self.finish();
        } else if now >= self.created + self.latency / 2 && now > self.created {
            self.begin();
        }
    }

    pub(crate) fn short(&self) -> Json {
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

    pub(crate) fn info(&self) -> Json {
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
}
