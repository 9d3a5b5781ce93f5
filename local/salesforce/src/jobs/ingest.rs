//! An ingest job: its states, its run, and the JSON that describes it.

use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use super::state::State;
use crate::clock::Clock;
use crate::ids::RecordId;
use crate::org::{Access, Org};
use crate::storage::format_date_time;
use crate::sync::lock;

/// An ingest job.
pub(crate) struct IngestJob {
    pub(crate) id: RecordId,
    pub(crate) org: Arc<Org>,
    pub(crate) user: RecordId,
    pub(crate) access: Access,
    pub(crate) client_id: String,
    pub(crate) version: String,
    pub(crate) object: String,
    pub(crate) operation: String,
    pub(crate) external_id: Option<String>,
    pub(crate) delimiter: (&'static str, char),
    pub(crate) line_end: (&'static str, &'static str),
    pub(crate) created: i64,
    pub(crate) latency: u64,
    pub(crate) progress: Mutex<Progress>,
}

/// The part of an ingest job that changes.
pub(crate) struct Progress {
    pub(crate) state: State,
    pub(crate) upload: Option<Vec<u8>>,
    pub(crate) header: Vec<String>,
    pub(crate) done: Vec<(RecordId, bool, csv::StringRecord)>,
    pub(crate) failed: Vec<(String, String, csv::StringRecord)>,
    pub(crate) error: Option<String>,
}

impl IngestJob {
    pub(crate) fn info(&self) -> Json {
        let progress = lock(&self.progress);
        let root = format!("services/data/v{}/jobs/ingest/{}", self.version, self.id);
        let created = format_date_time(self.created / 1000 * 1000, "+0000");
        let mut info = json!({
            "id": self.id.to_string(),
            "operation": self.operation,
            "object": self.object,
            "createdById": self.user.to_string(),
            "createdDate": created,
            "systemModstamp": created,
            "state": progress.state.name(),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": self.version.parse::<f64>().unwrap_or_default(),
            "contentUrl": format!("{root}/batches"),
            "lineEnding": self.line_end.0,
            "columnDelimiter": self.delimiter.0,
            "jobType": "V2Ingest",
            "numberRecordsProcessed": progress.done.len() + progress.failed.len(),
            "numberRecordsFailed": progress.failed.len(),
            "retries": 0,
            "totalProcessingTime": 0,
            "apiActiveProcessingTime": 0,
            "apexProcessingTime": 0,
        });
        if let Some(field) = &self.external_id {
            info["externalIdFieldName"] = field.as_str().into();
        }
        if let Some(error) = &progress.error {
            info["errorMessage"] = error.as_str().into();
        }
        info
    }

    /// Lets the job run once its latency is over.
    pub(crate) fn start(self: &Arc<Self>) {
        let job = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(Clock::latency(job.latency)).await;
            // A panic would be the simulator's own; the job would then stay in progress.
            let _ = tokio::task::spawn_blocking(move || job.run()).await;
        });
    }

    fn run(&self) {
        let upload = {
            let mut progress = lock(&self.progress);
            if progress.state != State::UploadComplete {
                return;
            }
            progress.state = State::InProgress;
            progress.upload.clone().unwrap_or_default()
        };
        let outcome = self.write_rows(&upload);
        let mut progress = lock(&self.progress);
        match outcome {
            Ok(()) => progress.state = State::JobComplete,
            Err(error) => {
                progress.state = State::Failed;
                progress.error = Some(format!("InvalidBatch : {error}"));
            }
        }
    }
}
