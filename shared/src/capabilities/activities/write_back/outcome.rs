//! Storing the outcome of a try: logged, failed, on hold, or back in the queue.

use std::time::Duration;

use super::{NOT_YET, WriteBack, replace};
use crate::capabilities::activities::target::Link;
use crate::capabilities::activities::{
    Activity, ActivityState, HoldReason, LEAD_CONVERTED, SEAT_REMOVED, backoff, lanes,
};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::kernel::ConnectionState;
use crate::salesforce::{Advice, SalesforceError, SalesforceId};
use crate::store::{Attempt, Commit, Stored, attempts};
use crate::work::{Done, WorkError};

/// When a record that was deleted, as far as no import has seen, is looked at once more.
const RECORD_AGAIN: Duration = Duration::from_hours(1);

/// The wait for an org that says to stand back and not for how long.
const STAND_BACK: Duration = Duration::from_mins(5);

impl WriteBack {
    pub(super) async fn logged(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
        id: SalesforceId,
    ) -> Result<Done, WorkError> {
        self.finish(opened, activity, ActivityState::Logged { salesforce_id: id }).await
    }

    /// Waits for the seller's login, or for the connection, and lets the others pass.
    pub(super) async fn hold(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
    ) -> Result<Done, WorkError> {
        let reason = match opened.connection.state {
            ConnectionState::Connected => HoldReason::CrmLoginRequired,
            _ => HoldReason::ReconnectRequired,
        };
        let state = ActivityState::Held { reason };
        if activity.state == state {
            return Ok(Done::Finished);
        }
        self.finish(opened, activity, state).await
    }

    /// Waits for the entity to be linked to another record than it is now, and lets the others
    /// pass. A record that was deleted may come back before any import saw that it was gone: that
    /// is looked at once more.
    pub(super) async fn await_record(
        &self,
        opened: &OpenGeneration,
        before: &Stored<Activity>,
        link: &Link,
    ) -> Result<Done, WorkError> {
        let mut commit = Commit::new();
        link.wait_for_another(opened, before, &mut commit)?;
        let is_new = !before.waits_for_record();
        if is_new {
            let held = ActivityState::Held { reason: HoldReason::NoCrmRecord };
            replace(&mut commit, opened, before, &before.moved_to(held))?;
            lanes::leave(&self.store, opened, before, &mut commit).await?;
        }
        if !opened.store.commit(commit).await?.is_done() {
            return Ok(Done::Later(NOT_YET)); // linked meanwhile, or the activity moved
        }
        let comes_back = is_new && link.record().is_some();
        Ok(if comes_back { Done::Later(RECORD_AGAIN) } else { Done::Finished })
    }

    /// Tells what becomes of an activity whose seller left: nobody can log it any more.
    pub(super) async fn seat_removed(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
    ) -> Result<Done, WorkError> {
        let message = match activity.state {
            ActivityState::Claimed { .. } => {
                "the seat was removed before it was known whether this was logged"
            }
            _ => "the seat was removed before this was logged",
        };
        let (code, message) = (SEAT_REMOVED.to_owned(), message.to_owned());
        self.finish(opened, activity, ActivityState::Failed { code, message }).await
    }

    /// Refuses what is about a lead that was converted, as an admin chose, in the words that a
    /// seller is used to.
    pub(super) async fn lead_converted(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
    ) -> Result<Done, WorkError> {
        let message = "This is a converted lead in Salesforce, and its profile moved to the \
                       read-only status. This means that information writeback to the profile \
                       isn't possible. What was sent has been successfully delivered to its \
                       recipient.";
        let (code, message) = (LEAD_CONVERTED.to_owned(), message.to_owned());
        self.finish(opened, activity, ActivityState::Failed { code, message }).await
    }

    /// Acts on an error that leaves no doubt: Salesforce did not take the activity.
    pub(super) async fn refused(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
        error: GrantError,
    ) -> Result<Done, WorkError> {
        let error = match error {
            GrantError::Call(error) => error,
            GrantError::Dead | GrantError::Missing => return self.hold(opened, activity).await,
            other => {
                self.requeue(opened, activity).await?;
                return other.into_done("write back");
            }
        };
        match error.advice() {
            Advice::Retry { after } => {
                let tries = self.requeue(opened, activity).await?;
                Ok(Done::Later(after.unwrap_or(backoff(tries))))
            }
            Advice::StandBack { after } => {
                self.requeue(opened, activity).await?;
                Ok(Done::Later(after.unwrap_or(STAND_BACK)))
            }
            Advice::Reauthorize => self.hold(opened, activity).await,
            Advice::Reject => {
                let state = ActivityState::Failed {
                    code: error.code().unwrap_or("REFUSED").to_owned(),
                    message: message(&error),
                };
                self.finish(opened, activity, state).await
            }
        }
    }

    /// Puts a refused activity back into the queue's first place. Gives the number of its steps.
    async fn requeue(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
    ) -> Result<u32, WorkError> {
        let tries = activity.tries + 1;
        if !matches!(activity.state, ActivityState::Claimed { .. }) {
            return Ok(tries);
        }
        let stored = opened.store.load(&opened.keys.activity(activity.id)).await?;
        let requeued = match stored.filter(|stored| **stored == *activity) {
            Some(stored) => self.change(opened, &stored, ActivityState::Queued).await?.is_some(),
            None => false,
        };
        if !requeued {
            tracing::debug!(activity.id = %activity.id, "another delivery took the activity on");
        }
        Ok(tries)
    }

    /// Gives an activity its last state, or one that it waits in outside its lane.
    async fn finish(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
        state: ActivityState,
    ) -> Result<Done, WorkError> {
        attempts(|| async {
            let stored = opened.store.load(&opened.keys.activity(activity.id)).await?;
            let Some(before) = stored.filter(|stored| **stored == *activity) else {
                return Ok(Attempt::Done(Done::Later(NOT_YET))); // the activity itself moved
            };
            let mut commit = Commit::new();
            replace(&mut commit, opened, &before, &before.moved_to(state.clone()))?;
            lanes::leave(&self.store, opened, &before, &mut commit).await?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, Done::Finished))
        })
        .await
    }
}

/// Salesforce's own words: the text of an admin's validation rule is meant for the seller.
fn message(error: &SalesforceError) -> String {
    error.errors().first().map_or_else(|| error.to_string(), |e| e.message.clone())
}
