//! The meaning of Salesforce's answers for an object's import.

use std::time::Duration;

use jiff::Timestamp;

use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::{IllegalTransition, ObjectEvent, ObjectImport};
use crate::kernel::SObject;
use crate::salesforce::{Advice, SalesforceError, Select, Soql};
use crate::work::WorkError;

/// How often an object is begun anew in one run. Asking again cures a job that failed, a field that
/// became hidden, or a cursor that went away meanwhile.
const RESTARTS: u32 = 2;

/// How long to wait before the object is asked for once more; twice as long each time.
const PAUSE: Duration = Duration::from_secs(30);

/// An error that asking the same again will not cure.
pub(in crate::capabilities::importing) struct Ended {
    pub(super) code: String,
    pub(super) message: String,
    remedy: Remedy,
}

/// A cure of an error in the same run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Remedy {
    /// Nothing.
    None,
    /// Asking anew.
    Again,
    /// Asking for fewer rows at once.
    Less,
}

impl Ended {
    /// The error that ends an attempt at an object; none if it may pass, or is not Salesforce's.
    pub(in crate::capabilities::importing) fn of(error: &GrantError) -> Option<Self> {
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

    /// An error that asking anew may cure.
    pub(super) fn anew(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned(), remedy: Remedy::Again }
    }

    /// An error that nothing cures in this run.
    pub(super) fn for_good(code: &str, message: &str) -> Self {
        Self { remedy: Remedy::None, ..Self::anew(code, message) }
    }

    /// Begins the object anew, or reads shorter spans of time if a job was too much; says after how
    /// long it goes on. None if the object is given up for this run.
    pub(super) fn cure(
        &self,
        progress: &mut ObjectImport,
        now: Timestamp,
    ) -> Result<Option<Duration>, IllegalTransition> {
        if self.remedy == Remedy::Less && progress.narrow(now) {
            return Ok(Some(PAUSE));
        }
        let restarts = progress.restarts;
        if self.remedy == Remedy::None || restarts == RESTARTS {
            return Ok(None);
        }
        progress.restart()?;
        Ok(Some(PAUSE * (1 << restarts)))
    }

    /// The event that gives the object up.
    pub(super) fn into_event(self) -> ObjectEvent {
        ObjectEvent::Failed { code: self.code, message: self.message }
    }
}

/// The end of an object that the org does not have, or does not show to the integration user.
pub(super) fn missing(object: SObject) -> ObjectEvent {
    if object.optional() {
        ObjectEvent::Skipped {
            reason: format!("the org has no {object}, or the user cannot see it"),
        }
    } else {
        ObjectEvent::Failed {
            code: "NOT_READABLE".to_owned(),
            message: format!("the integration user cannot read {object}; grant read access to it"),
        }
    }
}

/// True if a describe or a query says that the object is not there for this user.
pub(super) fn is_missing(error: &SalesforceError) -> bool {
    matches!(error.code(), Some("NOT_FOUND" | "INVALID_TYPE"))
}

/// The error of a reading that brought fewer or more rows than Salesforce holds.
pub(super) fn row_count(progress: &ObjectImport) -> Ended {
    let (fetched, expected) = (progress.rows_fetched, progress.rows_expected);
    let message = format!("Salesforce holds {expected} rows, and {fetched} came");
    Ended::anew("ROW_COUNT", &message)
}

/// The error of an object of the store that went before its time: a run that rested longer than
/// the store keeps it reads it again.
pub(super) fn gone() -> Ended {
    Ended::anew("PAGE_GONE", "a page that was fetched is gone from the object store")
}

/// The text of a query.
pub(in crate::capabilities::importing) fn build(select: &Select) -> Result<Soql, WorkError> {
    select.build().map_err(|error| WorkError::reject("build a query", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::importing::ObjectPhase;
    use crate::salesforce::JobId;

    fn submitted() -> ObjectImport {
        let mut progress = ObjectImport::waiting(SObject::Lead);
        let job = JobId("750000000000001".parse().unwrap());
        progress.advance(ObjectEvent::JobCreated { job }).unwrap();
        progress
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_795_294_800).unwrap()
    }

    #[test]
    fn an_object_is_begun_anew_twice_and_later_each_time() {
        let mut progress = submitted();
        let ended = Ended::anew("JOB_STUCK", "why");
        assert_eq!(ended.cure(&mut progress, now()), Ok(Some(PAUSE)));
        assert_eq!(ended.cure(&mut progress, now()), Ok(Some(PAUSE * 2)));
        assert_eq!(ended.cure(&mut progress, now()), Ok(None));
        assert_eq!((progress.restarts, progress.phase), (2, ObjectPhase::Waiting));
    }

    #[test]
    fn a_job_that_was_too_much_is_narrowed_and_counts_as_no_restart() {
        let mut progress = submitted();
        let ended = Ended { remedy: Remedy::Less, ..Ended::anew("QUERY_TIMEOUT", "why") };
        assert_eq!(ended.cure(&mut progress, now()), Ok(Some(PAUSE)));
        assert_eq!((progress.restarts, progress.narrowed), (0, 1));
        assert!(progress.span.is_some());
    }

    #[test]
    fn a_dead_grant_is_not_asked_for_again() {
        let ended = Ended::of(&GrantError::Dead).unwrap();
        assert_eq!(ended.cure(&mut submitted(), now()), Ok(None));
        assert!(Ended::of(&GrantError::Busy).is_none(), "it passes");
    }

    #[test]
    fn an_object_that_the_org_need_not_have_is_skipped() {
        assert!(SObject::ALL.into_iter().any(SObject::optional));
        for object in SObject::ALL {
            let skipped = matches!(missing(object), ObjectEvent::Skipped { .. });
            assert_eq!(skipped, object.optional(), "{object}");
        }
    }
}
