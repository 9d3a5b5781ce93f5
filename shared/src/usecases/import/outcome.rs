//! What Salesforce's answers mean for an object's import.

use crate::domain::{ObjectPhase, SObject};
use crate::salesforce::{JobId, SalesforceError, Select, Soql as Query};
use crate::usecases::grants::GrantError;
use crate::work::WorkError;

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

/// What ends an object's import for this run; none for what may pass, or is not Salesforce's.
pub(super) fn failure(error: &GrantError) -> Option<ObjectPhase> {
    use crate::salesforce::Disposition;
    let (code, message) = match error {
        GrantError::Dead | GrantError::Missing => {
            ("GRANT_DEAD".to_owned(), "the connection must be authorized again".to_owned())
        }
        GrantError::Call(error) => match error.disposition() {
            Disposition::Retry { .. } | Disposition::StandBack { .. } => return None,
            Disposition::Reauthorize | Disposition::Reject => {
                (error.code().unwrap_or("REFUSED").to_owned(), error.to_string())
            }
        },
        _ => return None,
    };
    Some(ObjectPhase::Failed { code, message })
}

pub(super) fn build(select: &Select) -> Result<Query, WorkError> {
    select.build().map_err(|error| WorkError::reject("build a query", error))
}

pub(super) fn job_id(text: &str) -> Result<JobId, WorkError> {
    text.parse().map(JobId).map_err(|error| WorkError::reject("read a job's id", error))
}
