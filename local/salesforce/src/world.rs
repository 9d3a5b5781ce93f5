//! Everything that one running simulator holds.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use serde::Serialize;

use crate::clock::Clock;
use crate::faults::FaultPlan;
use crate::grants::OAuth;
use crate::ids::RecordId;
use crate::jobs::{Cursor, IngestJob, QueryJob};
use crate::org::{LoadError, Org, OrgSource};
use crate::random::Random;
use crate::sync::{lock, read, write};

/// How many calls the request log keeps.
const REQUEST_LOG: usize = 50_000;

/// The state of one simulator.
pub(crate) struct World {
    pub(crate) clock: Arc<Clock>,
    pub(crate) random: Random,
    pub(crate) oauth: Mutex<OAuth>,
    pub(crate) faults: Mutex<FaultPlan>,
    pub(crate) cursors: Mutex<HashMap<String, Arc<Cursor>>>,
    pub(crate) query_jobs: Mutex<HashMap<RecordId, Arc<QueryJob>>>,
    pub(crate) ingest_jobs: Mutex<HashMap<RecordId, Arc<IngestJob>>>,
    /// Where the simulator listens, once it does.
    pub(crate) addresses: OnceLock<Addresses>,
    orgs: RwLock<Vec<Arc<Org>>>,
    requests: Mutex<VecDeque<RequestEntry>>,
    job_numbers: AtomicU64,
}

/// Where a simulator listens.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) http: String,
    pub(crate) control: String,
}

/// One call in the request log. It never holds a token or a body.
#[derive(Clone, Debug, Serialize)]
pub struct RequestEntry {
    /// When, by the simulated clock.
    pub at: String,
    /// The HTTP method.
    pub method: String,
    /// The host asked for.
    pub host: String,
    /// The path without its query.
    pub path: String,
    /// The SOQL of a query call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soql: Option<String>,
    /// The status answered; `None` when the connection was dropped.
    pub status: Option<u16>,
    /// The fault that was played, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<u64>,
}

impl World {
    /// A world without orgs.
    pub(crate) fn new(start: Option<i64>, seed: u64, oauth: OAuth) -> Self {
        Self {
            clock: Arc::new(Clock::new(start)),
            random: Random::new(seed),
            oauth: Mutex::new(oauth),
            faults: Mutex::default(),
            cursors: Mutex::default(),
            query_jobs: Mutex::default(),
            ingest_jobs: Mutex::default(),
            addresses: OnceLock::new(),
            orgs: RwLock::default(),
            requests: Mutex::default(),
            job_numbers: AtomicU64::new(1),
        }
    }

    /// Loads an org; one of the same My Domain is replaced.
    pub(crate) fn load(&self, source: OrgSource) -> Result<Arc<Org>, LoadError> {
        let number = self.job_numbers.fetch_add(1, Ordering::Relaxed) + 1000;
        let org = Arc::new(source.load(Arc::clone(&self.clock), number)?);
        let mut orgs = write(&self.orgs);
        orgs.retain(|own| own.label != org.label);
        orgs.push(Arc::clone(&org));
        Ok(org)
    }

    /// All orgs.
    pub(crate) fn orgs(&self) -> Vec<Arc<Org>> {
        read(&self.orgs).clone()
    }

    /// The org of a My Domain label.
    pub(crate) fn org(&self, label: &str) -> Option<Arc<Org>> {
        read(&self.orgs).iter().find(|org| org.label.eq_ignore_ascii_case(label)).cloned()
    }

    /// The org with an id.
    pub(crate) fn org_by_id(&self, id: RecordId) -> Option<Arc<Org>> {
        read(&self.orgs).iter().find(|org| org.id == id).cloned()
    }

    /// A new id of a job.
    pub(crate) fn job_id(&self) -> RecordId {
        RecordId::numbered("750", self.job_numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds to the request log.
    pub(crate) fn log(&self, entry: RequestEntry) {
        let mut requests = lock(&self.requests);
        if requests.len() == REQUEST_LOG {
            requests.pop_front();
        }
        requests.push_back(entry);
    }

    /// The request log, oldest first.
    pub(crate) fn requests(&self) -> Vec<RequestEntry> {
        lock(&self.requests).iter().cloned().collect()
    }

    /// Empties the request log.
    pub(crate) fn clear_requests(&self) {
        lock(&self.requests).clear();
    }
}
