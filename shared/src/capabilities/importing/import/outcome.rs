//! What Salesforce's answers mean for an object's import.

use std::time::Duration;

use jiff::Timestamp;

use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::{ObjectImport, ObjectPhase};
use crate::kernel::SObject;
use crate::salesforce::{Advice, JobId, SalesforceError, Select, Soql as Query};
use crate::work::WorkError;

/// How often an object is begun anew in one run: a job that failed, a field that was hidden or a
/// cursor that went away while it ran is made good by asking again.
const RESTARTS: u32 = 2;

/// How long to wait before it is asked for once more; twice as long each time.
const PAUSE: Duration = Duration::from_secs(30);

/// An error that asking the same again will not cure.
pub(super) struct Ended {
    pub(super) code: String,
    pub(super) message: String,
    remedy: Remedy,
}

/// What may cure an error in the same run.
#[derive(PartialEq)]
enum Remedy {
    /// Nothing.
    None,
    /// Asking anew.
    Again,
    /// Asking for fewer rows at once.
    Less,
}

impl Ended {
    /// What ends an object's attempt; none for what may pass, or is not Salesforce's.
    pub(super) fn of(error: &GrantError) -> Option<Self> {
        match error {
            GrantError::Dead | GrantError::Missing => Some(Self {
                code: "GRANT_DEAD".to_owned(),
                message: "the connection must be authorized again".to_owned(),
                remedy: Remedy::None,
            }),
            GrantError::Call(error) => match error.advice() {
                Advice::Retry { .. } | Advice::StandBack { .. } => None,
                Advice::Reauthorize | Advice::Reject => Some(Self::refused(error)),
            },
            _ => None,
        }
    }

    fn refused(error: &SalesforceError) -> Self {
        let code = match error {
            SalesforceError::JobFailed { .. } => "JOB_FAILED",
            _ => error.code().unwrap_or("REFUSED"),
        };
        let remedy = if error.wants_smaller_query() { Remedy::Less } else { Remedy::Again };
        Self { code: code.to_owned(), message: error.to_string(), remedy }
    }

    /// Something that asking anew may cure.
    pub(super) fn anew(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned(), remedy: Remedy::Again }
    }

    /// Has the object begun anew, or what was too much read in shorter spans of time; says after how
    /// long. None when it is given up for this run.
    pub(super) fn cure(&self, progress: &mut ObjectImport, now: Timestamp) -> Option<Duration> {
        if self.remedy == Remedy::Less && progress.narrow(now) {
            return Some(PAUSE);
        }
        let restarts = progress.restarts;
        if self.remedy == Remedy::None || restarts == RESTARTS {
            return None;
        }
        progress.restart();
        Some(PAUSE * (1 << restarts))
    }

    pub(super) fn into_phase(self) -> ObjectPhase {
        ObjectPhase::Failed { code: self.code, message: self.message }
    }
}

pub(super) fn missing(object: SObject) -> ObjectPhase {
    if object.optional() {
        ObjectPhase::Skipped {
            reason: format!("the org has no {object}, or the user cannot see it"),
        }
    } else {
        ObjectPhase::Failed {
            code: "NOT_READABLE".to_owned(),
            message: format!("the integration user cannot read {object}; grant read access to it"),
        }
    }
}

/// Whether a describe or a query says that the object is not there for this user.
pub(super) fn is_missing(error: &SalesforceError) -> bool {
    matches!(error.code(), Some("NOT_FOUND" | "INVALID_TYPE"))
}

pub(super) fn build(select: &Select) -> Result<Query, WorkError> {
    select.build().map_err(|error| WorkError::reject("build a query", error))
}

pub(super) fn job_id(text: &str) -> Result<JobId, WorkError> {
    text.parse().map(JobId).map_err(|error| WorkError::reject("read a job's id", error))
}
