//! Storing what came of a try: made, refused, on hold, or back in the queue.

use std::time::Duration;

use super::prepare::{modified_at, values_of};
use super::{ChangeSteps, Effect, Making, NOT_YET, Step};
use crate::capabilities::activities::{HoldReason, backoff};
use crate::capabilities::changing::{Change, ChangeState, ChangeValues, Duplicate, Refusal};
use crate::capabilities::custody::GrantError;
use crate::capabilities::importing::land_row;
use crate::capabilities::linking::{Correcting, Said};
use crate::kernel::{ConnectionState, EntityId, ImportRunId, Reading, RecordRef};
use crate::salesforce::{Advice, SalesforceError, SalesforceId};
use crate::store::Commit;
use crate::work::{Done, WorkError};

/// The wait for an org that says to stand back and not for how long.
const STAND_BACK: Duration = Duration::from_mins(5);

impl ChangeSteps {
    /// Salesforce carried an effect out, or the CRM was as it would leave it.
    pub(super) async fn carried_out(
        &self,
        making: Making,
        effect: Effect,
        made: Option<SalesforceId>,
    ) -> Result<Step, WorkError> {
        let next = making.change.moved_to(ChangeState::Queued);
        match effect {
            Effect::Create(_) => {
                let created = made.or(next.created);
                self.gone_on(making, Change { created, ..next }, None).await
            }
            Effect::Role(_) => self.gone_on(making, Change { role_done: true, ..next }, None).await,
            Effect::Update => match self.read_back(&making).await {
                Ok(values) => self.ended(making, ChangeState::Made, Some(values)).await,
                Err(error) => Ok(Step::Rest(error.into_done("read a change back")?)),
            },
            Effect::Delete => {
                self.say(&making, |entity_id| Correcting::Unmatch { entity_id: Some(entity_id) })
                    .await?;
                self.ended(making, ChangeState::Made, None).await
            }
            Effect::Adopt => Ok(Step::GoOn),
        }
    }

    /// Reads a new record back, takes it among our records, and links its entity to it.
    pub(super) async fn adopt(&self, making: Making) -> Result<Step, WorkError> {
        let values = match self.read_back(&making).await {
            Ok(values) => values,
            Err(GrantError::Dead | GrantError::Missing) => return self.hold(making).await,
            Err(error) => return Ok(Step::Rest(error.into_done("read a change back")?)),
        };
        // Where somebody deleted it meanwhile, it was made, and there is nothing to link.
        if values.left_at.is_some() {
            self.say(&making, |entity_id| Correcting::Match { entity_id }).await?;
        }
        self.ended(making, ChangeState::Made, Some(values)).await
    }

    /// Says whom the record is about, as the seller.
    async fn say(
        &self,
        making: &Making,
        what: impl FnOnce(EntityId) -> Correcting,
    ) -> Result<(), WorkError> {
        let change = &making.change;
        let (Some(entity), Some(id)) = (change.entity.clone(), change.record()) else {
            return Ok(());
        };
        let said =
            Said { what: what(entity), by: Some(change.seat), at: change.asked_at, of: None };
        let record = RecordRef { object: change.object(), id };
        self.corrections.say_of_new(&making.opened, record, said).await
    }

    /// Reads the record as the change left it, and takes it among our records. Gives the values
    /// with those that were read; without them where the record is gone.
    async fn read_back(&self, making: &Making) -> Result<ChangeValues, GrantError> {
        let (object, values) = (making.change.object(), making.values.clone());
        let Some(record) = making.change.record() else { return Ok(values) };
        let Some(row) = self.read(making, object, record, &[]).await? else { return Ok(values) };
        let run = ImportRunId::derived(&making.change.id.to_string());
        let at = row.observed.server_date.unwrap_or_else(|| self.ports.clock.now());
        let reading = Reading { run, step: 0, at };
        land_row(&self.ports, &making.opened, object, &row.value, reading).await?;
        let left = values_of(&row.value, values.to.keys());
        Ok(ChangeValues { left, left_at: modified_at(&row.value), ..values })
    }

    /// It cannot be made as it is: the values say why.
    pub(super) async fn refused(
        &self,
        making: Making,
        values: ChangeValues,
    ) -> Result<Step, WorkError> {
        let code = values.refusals.first().map_or("REFUSED", |refusal| refusal.code.as_str());
        let state = ChangeState::Refused { code: code.to_owned() };
        self.ended(making, state, Some(values)).await
    }

    pub(super) async fn seat_removed(&self, making: Making) -> Result<Step, WorkError> {
        let message = match making.change.state {
            ChangeState::Claimed { .. } => {
                "The seat was removed before it was known whether this was made."
            }
            _ => "The seat was removed before this was made.",
        };
        let refusals = vec![Refusal::of("SEAT_REMOVED", message)];
        let values = ChangeValues { refusals, ..making.values.clone() };
        self.refused(making, values).await
    }

    /// Acts on an error that leaves no doubt: Salesforce did not carry it out.
    pub(super) async fn troubled(
        &self,
        making: Making,
        error: GrantError,
    ) -> Result<Step, WorkError> {
        let error = match error {
            GrantError::Call(error) => error,
            GrantError::Dead | GrantError::Missing => return self.hold(making).await,
            other => {
                self.requeue(making).await?;
                return Ok(Step::Rest(other.into_done("make a change")?));
            }
        };
        if matches!(error, SalesforceError::Refused { status: 412, .. }) {
            // Somebody wrote between our look and our write: the next look tells what.
            return self.requeue(making).await;
        }
        // Its way back into the queue is a step too.
        let tries = making.change.tries + 1;
        let wait = match error.advice() {
            Advice::Retry { after } => after.unwrap_or(backoff(tries)),
            Advice::StandBack { after } => after.unwrap_or(STAND_BACK),
            Advice::Reauthorize => return self.hold(making).await,
            Advice::Reject => return self.rejected(making, &error).await,
        };
        self.requeue(making).await?;
        Ok(Step::Rest(Done::Later(wait)))
    }

    /// Salesforce's answer is no. The contact itself stays, where only its role is refused.
    async fn rejected(&self, making: Making, error: &SalesforceError) -> Result<Step, WorkError> {
        let refusals = refusals_of(error);
        let hit = error.errors().iter().find_map(|error| error.duplicates.as_ref());
        let matches = hit.and_then(|hit| hit.matches.clone()).unwrap_or_default();
        let duplicates =
            matches.into_iter().map(|found| Duplicate { object: found.object, id: found.id });
        let values = ChangeValues {
            refusals,
            duplicates: duplicates.collect(),
            may_create_anyway: hit.is_some_and(|hit| hit.allow_save),
            ..making.values.clone()
        };
        if let Effect::Role(_) = making.effect() {
            let next = Change { role_done: true, ..making.change.moved_to(ChangeState::Queued) };
            return self.gone_on(making, next, Some(values)).await;
        }
        self.refused(making, values).await
    }

    /// Waits for the seller's login, or for the connection.
    pub(super) async fn hold(&self, making: Making) -> Result<Step, WorkError> {
        let reason = match making.opened.connection.state {
            ConnectionState::Connected => HoldReason::CrmLoginRequired,
            _ => HoldReason::ReconnectRequired,
        };
        let state = ChangeState::Held { reason };
        if making.change.state == state {
            return Ok(Step::Rest(Done::Finished));
        }
        self.ended(making, state, None).await
    }

    /// Puts a claimed change back into the queue: it is prepared again.
    pub(super) async fn requeue(&self, making: Making) -> Result<Step, WorkError> {
        if making.change.state == ChangeState::Queued {
            return Ok(Step::GoOn);
        }
        let next = making.change.moved_to(ChangeState::Queued);
        self.gone_on(making, next, None).await
    }

    /// Moves a change to another state, and rests.
    pub(super) async fn moved(
        &self,
        making: Making,
        state: ChangeState,
    ) -> Result<Option<Making>, WorkError> {
        let after = making.change.moved_to(state);
        self.replaced(making, after, None, Commit::new()).await
    }

    async fn gone_on(
        &self,
        making: Making,
        next: Change,
        values: Option<ChangeValues>,
    ) -> Result<Step, WorkError> {
        let moved = self.replaced(making, next, values, Commit::new()).await?;
        Ok(moved.map_or(Step::Rest(Done::Later(NOT_YET)), |_| Step::GoOn))
    }

    async fn ended(
        &self,
        making: Making,
        state: ChangeState,
        values: Option<ChangeValues>,
    ) -> Result<Step, WorkError> {
        let after = making.change.moved_to(state);
        let moved = self.replaced(making, after, values, Commit::new()).await?;
        let done = if moved.is_some() { Done::Finished } else { Done::Later(NOT_YET) };
        Ok(Step::Rest(done))
    }
}

/// Salesforce's own words: the text of an admin's validation rule is meant for the seller.
fn refusals_of(error: &SalesforceError) -> Vec<Refusal> {
    let said = error.errors().iter();
    let said = said.map(|error| {
        Refusal::of(&error.code, error.message.clone()).about(error.fields.iter().cloned())
    });
    let refusals: Vec<Refusal> = said.collect();
    if refusals.is_empty() {
        return vec![Refusal::of(error.code().unwrap_or("REFUSED"), error.to_string())];
    }
    refusals
}
