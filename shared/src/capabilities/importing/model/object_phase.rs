//! Where one object's import stands, and the one table of how it moves on.
//!
//! An object is read by a bulk job (`Submitted`, `Fetching`, `Landing`) or, where little changed,
//! over REST (`Reading`, `LandingRead`). Then come the deletions that no query shows
//! (`Deletions`, `LandingDeletions`), the count (`Counting`) and, where that is called for, the
//! comparison of all ids (`Sweeping`). [`ObjectPhase::next`] is the only place where a phase
//! becomes another one.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::salesforce::JobId;

/// Where one object's import stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "phase", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ObjectPhase {
    /// Nothing was asked of Salesforce yet.
    Waiting,
    /// Salesforce works on the bulk job of rows.
    Submitted {
        /// The bulk job.
        job: JobId,
        /// How often it was polled.
        polls: u32,
    },
    /// A result page is to be fetched.
    Fetching {
        /// The bulk job.
        job: JobId,
        /// Salesforce's place in the results; none for the first page.
        locator: Option<String>,
        /// Our number of the page, from 0.
        page: u32,
    },
    /// A fetched page is to be landed.
    Landing {
        /// The bulk job.
        job: JobId,
        /// The page in the object store.
        page: u32,
        /// Where to go on after it; none when it is the last.
        next: Option<String>,
    },
    /// The next page of a small change is to be read over REST.
    Reading {
        /// Salesforce's place in the query's pages.
        locator: String,
        /// Our number of the page, from 0.
        page: u32,
    },
    /// A page that was read over REST is to be landed.
    LandingRead {
        /// The page in the object store.
        page: u32,
        /// Where to go on after it; none when it is the last.
        next: Option<String>,
    },
    /// Salesforce is to be asked for rows that went without a trace in the results.
    Deletions,
    /// The rows that went so are to be landed as deleted.
    LandingDeletions {
        /// True if these are all that went since the last run.
        complete: bool,
    },
    /// The counts are to be compared.
    Counting {
        /// True if Salesforce named all rows that went since the last run.
        complete: bool,
    },
    /// All ids are being compared with the org's.
    Sweeping {
        /// How far that is.
        sweep: Sweep,
    },
    /// Everything landed, and the watermark moves.
    Done,
    /// The org does not have the object, or the admin chose not to import it.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It could not be imported this time; the watermark stays.
    Failed {
        /// Salesforce's error code, or ours.
        code: String,
        /// What it is about, in our words.
        message: String,
    },
}

/// How far a comparison of all ids is. It finds rows that no query of changes shows: deleted for
/// good, hidden by sharing, changed while they were hidden, or shown to the integration user
/// without a change of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Sweep {
    /// The ids of a span of time are to be asked for.
    Asking {
        /// Our number of its first page, from 0.
        page: u32,
    },
    /// Salesforce works on the bulk job of ids.
    Submitted {
        /// The bulk job.
        job: JobId,
        /// How often it was polled.
        polls: u32,
        /// Our number of its first page, from 0.
        page: u32,
    },
    /// A page of ids is to be fetched.
    Fetching {
        /// The bulk job.
        job: JobId,
        /// Salesforce's place in the results; none for the first page.
        locator: Option<String>,
        /// Our number of the page, from 0.
        page: u32,
    },
    /// A bucket of our records is to be compared with the ids.
    Comparing {
        /// How many pages of ids there are.
        pages: u32,
        /// The bucket.
        bucket: u32,
    },
}

/// A result of a step, by which the phase moves on.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ObjectEvent {
    /// Salesforce created a bulk job, of rows or of ids.
    JobCreated {
        /// The bulk job.
        job: JobId,
    },
    /// The bulk job is still under way.
    JobRunning,
    /// The bulk job is complete: its pages can be fetched.
    JobComplete {
        /// How many pages of rows landed before; pages of ids have their own numbers.
        landed: u32,
    },
    /// A page of rows is in the object store, from a bulk job or from REST.
    PageFetched {
        /// Where to go on after it; none when it is the last.
        next: Option<String>,
    },
    /// A page landed, and another one follows it.
    PageLanded,
    /// A page landed, and beside that the one that follows it came into the object store.
    PageFollowed {
        /// Where to go on after that one; none when it is the last.
        next: Option<String>,
    },
    /// The last page of a span of time landed, and another span follows it.
    SpanLanded,
    /// The last page of the open opportunities landed; the closed ones follow.
    PartLanded,
    /// The last page of all landed.
    RowsLanded,
    /// Rows that went without a trace are in the object store.
    DeletionsFetched {
        /// True if these are all that went since the last run.
        complete: bool,
    },
    /// Salesforce named no row that went without a trace.
    NoDeletions {
        /// True if none went since the last run.
        complete: bool,
    },
    /// The rows that went without a trace landed.
    DeletionsLanded,
    /// The count was asked for, and no comparison of ids is called for.
    Counted,
    /// All ids are to be compared.
    IdsWanted,
    /// Nothing of the object is to be imported: all records that we hold of it go.
    NothingWanted,
    /// A page of ids is in the object store, and another one follows it.
    IdPageFetched {
        /// Where to go on after it.
        next: String,
    },
    /// The ids of a span of time are in the object store, and another span follows it.
    IdSpanFetched,
    /// All ids are in the object store.
    IdsFetched,
    /// A bucket of our records was compared.
    BucketCompared,
    /// Too many rows are missing to ask for them by their ids: all are read again.
    TooManyMissing,
    /// Every bucket was compared.
    IdsCompared,
    /// A bulk job was too much for Salesforce: a shorter span of time is asked for.
    Narrowed,
    /// The object is begun anew.
    Restarted,
    /// There is nothing to import.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The object is given up for this run.
    Failed {
        /// Salesforce's error code, or ours.
        code: String,
        /// What it is about, in our words.
        message: String,
    },
}

/// A result that the phase does not lead to: a mistake of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event} does not follow from {phase}")]
pub struct IllegalTransition {
    /// The name of the phase.
    pub phase: &'static str,
    /// The name of the event.
    pub event: &'static str,
}

impl ObjectPhase {
    /// True if nothing more happens.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Done | Self::Skipped { .. } | Self::Failed { .. })
    }

    /// The phase to which an event leads.
    ///
    /// # Errors
    /// The event cannot happen in this phase.
    pub fn next(&self, event: ObjectEvent) -> Result<Self, IllegalTransition> {
        let illegal = IllegalTransition { phase: self.into(), event: (&event).into() };
        let next = match (self.clone(), event) {
            // Any step may end in an error, which begins the object anew or gives it up.
            (phase, ObjectEvent::Restarted) if !phase.is_terminal() => Some(Self::Waiting),
            (phase, ObjectEvent::Failed { code, message }) if !phase.is_terminal() => {
                Some(Self::Failed { code, message })
            }
            (Self::Sweeping { sweep }, event) => sweep.leads_to(event),
            (phase, event) => phase.leads_to(event),
        };
        next.ok_or(illegal)
    }

    /// The table of the phases before the comparison of ids.
    #[expect(clippy::match_same_arms, reason = "an arm for each move")]
    fn leads_to(self, event: ObjectEvent) -> Option<Self> {
        use ObjectEvent as E;
        Some(match (self, event) {
            (Self::Waiting, E::JobCreated { job }) => Self::Submitted { job, polls: 0 },
            (Self::Waiting, E::PageFetched { next }) => Self::LandingRead { page: 0, next },
            (Self::Waiting, E::NothingWanted) => {
                Self::Sweeping { sweep: Sweep::Comparing { pages: 0, bucket: 0 } }
            }
            (Self::Waiting, E::Skipped { reason }) => Self::Skipped { reason },

            (Self::Submitted { job, polls }, E::JobRunning) => {
                Self::Submitted { job, polls: polls + 1 }
            }
            (Self::Submitted { job, .. }, E::JobComplete { landed }) => {
                Self::Fetching { job, locator: None, page: landed }
            }
            (Self::Submitted { .. }, E::Narrowed) => Self::Waiting,
            (Self::Fetching { job, page, .. }, E::PageFetched { next }) => {
                Self::Landing { job, page, next }
            }
            (Self::Landing { job, page, next: Some(locator) }, E::PageLanded) => {
                Self::Fetching { job, locator: Some(locator), page: page + 1 }
            }
            (Self::Landing { job, page, next: Some(_) }, E::PageFollowed { next }) => {
                Self::Landing { job, page: page + 1, next }
            }
            (Self::Landing { next: None, .. }, E::SpanLanded | E::PartLanded) => Self::Waiting,
            (Self::Landing { next: None, .. }, E::RowsLanded) => Self::Deletions,

            (Self::Reading { page, .. }, E::PageFetched { next }) => {
                Self::LandingRead { page, next }
            }
            (Self::LandingRead { page, next: Some(locator) }, E::PageLanded) => {
                Self::Reading { locator, page: page + 1 }
            }
            (Self::LandingRead { next: None, .. }, E::RowsLanded) => Self::Deletions,

            (Self::Deletions, E::DeletionsFetched { complete }) => {
                Self::LandingDeletions { complete }
            }
            (Self::Deletions, E::NoDeletions { complete }) => Self::Counting { complete },
            (Self::LandingDeletions { complete }, E::DeletionsLanded) => {
                Self::Counting { complete }
            }
            (Self::Counting { .. }, E::Counted) => Self::Done,
            (Self::Counting { .. }, E::IdsWanted) => {
                Self::Sweeping { sweep: Sweep::Asking { page: 0 } }
            }
            _ => return None,
        })
    }
}

impl Sweep {
    /// The table of the comparison of ids.
    fn leads_to(self, event: ObjectEvent) -> Option<ObjectPhase> {
        use ObjectEvent as E;
        let sweep = match (self, event) {
            (Self::Asking { page }, E::JobCreated { job }) => {
                Self::Submitted { job, polls: 0, page }
            }
            (Self::Submitted { job, polls, page }, E::JobRunning) => {
                Self::Submitted { job, polls: polls + 1, page }
            }
            (Self::Submitted { job, page, .. }, E::JobComplete { .. }) => {
                Self::Fetching { job, locator: None, page }
            }
            (Self::Submitted { page, .. }, E::Narrowed) => Self::Asking { page },
            (Self::Fetching { job, page, .. }, E::IdPageFetched { next }) => {
                Self::Fetching { job, locator: Some(next), page: page + 1 }
            }
            (Self::Fetching { page, .. }, E::IdSpanFetched) => Self::Asking { page: page + 1 },
            (Self::Fetching { page, .. }, E::IdsFetched) => {
                Self::Comparing { pages: page + 1, bucket: 0 }
            }
            (Self::Comparing { pages, bucket }, E::BucketCompared) => {
                Self::Comparing { pages, bucket: bucket + 1 }
            }
            (Self::Comparing { .. }, E::TooManyMissing) => return Some(ObjectPhase::Waiting),
            (Self::Comparing { .. }, E::IdsCompared) => return Some(ObjectPhase::Done),
            (Self::Comparing { .. }, E::Skipped { reason }) => {
                return Some(ObjectPhase::Skipped { reason });
            }
            _ => return None,
        };
        Some(ObjectPhase::Sweeping { sweep })
    }
}

#[cfg(test)]
#[path = "object_phase_tests.rs"]
mod tests;
