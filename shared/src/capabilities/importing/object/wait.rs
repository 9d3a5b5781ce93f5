//! Waiting for an answer: how long, and for how long at all.
//!
//! An org that does not answer is waited for: the run gives signs of life meanwhile. An answer that
//! came and cannot be used is another thing. It may never be another one, so the run gives no sign
//! of life for it, and the object that meets it is begun anew once and then given up. The others go
//! on.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Ended, ObjectStep};
use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::{ActiveRun, ObjectImport, ObjectPhase};
use crate::salesforce::{Advice, SalesforceError};
use crate::store::{Commit, Stored};
use crate::work::{Done, WorkError};

/// After so long of answers that cannot be used, the object is begun anew: another job may have
/// other pages.
const BEGIN_ANEW: SignedDuration = SignedDuration::from_mins(10);

/// After so long of them, the object is given up. With the time before it was begun anew this is
/// less than an hour.
const GIVE_UP: SignedDuration = SignedDuration::from_mins(35);

/// The shortest and the longest wait for another answer.
const WAITS: [SignedDuration; 2] = [SignedDuration::from_secs(5), SignedDuration::from_mins(5)];

/// The code of answers that cannot be used.
const UNUSABLE: &str = "UNUSABLE_ANSWER";

impl ObjectStep<'_> {
    /// What ends an attempt after an answer that cannot be used; none while asking again may help,
    /// and for every other error.
    pub(super) fn given_up(&mut self, error: &GrantError) -> Option<Ended> {
        let GrantError::Call(error) = error else { return None };
        if !error.is_unusable() {
            return None;
        }
        let now = self.import.ports.clock.now();
        let since = *self.progress.unusable_since.get_or_insert(now);
        self.progress.unusable += 1;
        let asked_before = self.progress.phase != ObjectPhase::Waiting;
        let message = format!("{error}; it cannot be used");
        if since + GIVE_UP <= now {
            Some(Ended::for_good(UNUSABLE, &message))
        } else if since + BEGIN_ANEW <= now && asked_before && self.progress.restarts == 0 {
            Some(Ended::anew(UNUSABLE, &message))
        } else {
            None
        }
    }

    /// Puts the step off after an error that may pass. The calls that were made and the error are
    /// noted. If the org has no calls left, the whole run stands back.
    pub(super) async fn wait(
        mut self,
        before: &Stored<ObjectImport>,
        active: &ActiveRun,
        error: GrantError,
    ) -> Result<Done, WorkError> {
        let GrantError::Call(call) = &error else {
            self.import.beat(self.generation, active).await?;
            return error.into_done("import an object");
        };
        tracing::warn!(
            run.id = %self.run,
            object = %self.progress.object,
            error = %call,
            "an object waits for another answer"
        );
        self.note(before, call).await?;
        if call.is_unusable() {
            return Ok(Done::Later(self.unusable_wait()));
        }
        self.import.beat(self.generation, active).await?;
        if matches!(call.advice(), Advice::StandBack { .. }) {
            return Ok(Done::Later(self.import.stand_back(self.generation, self.run).await?));
        }
        error.into_done("import an object")
    }

    /// The wait for another answer: the longer, the longer it lasts.
    fn unusable_wait(&self) -> Duration {
        let now = self.import.ports.clock.now();
        let lasts = now.duration_since(self.progress.unusable_since.unwrap_or(now));
        let [shortest, longest] = WAITS;
        Duration::try_from((lasts / 2).clamp(shortest, longest)).unwrap_or_default()
    }

    /// Notes an error on the object's progress, which stays where it is.
    async fn note(
        &mut self,
        before: &Stored<ObjectImport>,
        error: &SalesforceError,
    ) -> Result<(), WorkError> {
        let code = if error.is_unusable() { UNUSABLE } else { error.code().unwrap_or("NO_ANSWER") };
        self.progress.count_error(code, &error.to_string());
        // What the step changed is for the try that succeeds.
        let noted = ObjectImport {
            api_calls: self.progress.api_calls,
            org_calls: self.progress.org_calls,
            errors: std::mem::take(&mut self.progress.errors),
            unusable: self.progress.unusable,
            unusable_since: self.progress.unusable_since,
            ..ObjectImport::clone(before)
        };
        let mut commit = Commit::new();
        commit.replace(before, &noted)?;
        let outcome = self.import.store.commit(commit).await?;
        outcome.may_lose_to("another delivery of this message, which notes it too");
        Ok(())
    }
}
