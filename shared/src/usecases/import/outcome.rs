//! What Salesforce's answers mean for an object's import.

use std::time::Duration;

use crate::domain::{ObjectPhase, SObject};
use crate::salesforce::{Disposition, JobId, SalesforceError, Select, Soql as Query};
use crate::usecases::grants::GrantError;
use crate::work::WorkError;

/// How often an object is begun anew in one run: a job that failed, a field that was hidden or a
/// cursor that went away while it ran is made good by asking again.
const RESTARTS: u32 = 2;

/// An error that asking the same again will not cure.
pub(super) struct Ended {
    pub(super) code: String,
    pub(super) message: String,
    /// Whether asking anew may.
    curable: bool,
}

impl Ended {
    /// What ends an object's attempt; none for what may pass, or is not Salesforce's.
    pub(super) fn of(error: &GrantError) -> Option<Self> {
        match error {
            GrantError::Dead | GrantError::Missing => Some(Self {
                code: "GRANT_DEAD".to_owned(),
                message: "the connection must be authorized again".to_owned(),
                curable: false,
            }),
            GrantError::Call(error) => match error.disposition() {
                Disposition::Retry { .. } | Disposition::StandBack { .. } => None,
                Disposition::Reauthorize | Disposition::Reject => Some(Self::refused(error)),
            },
            _ => None,
        }
    }

    fn refused(error: &SalesforceError) -> Self {
        let code = match error {
            SalesforceError::JobFailed { .. } => "JOB_FAILED",
            _ => error.code().unwrap_or("REFUSED"),
        };
        Self::anew(code, &error.to_string())
    }

    /// Something that asking anew may cure.
    pub(super) fn anew(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned(), curable: true }
    }

    /// How long to wait before the object is begun anew after so many times; none when it is given
    /// up for this run.
    pub(super) fn delay(&self, restarts: u32) -> Option<Duration> {
        (self.curable && restarts < RESTARTS).then(|| Duration::from_secs(30 << restarts))
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
