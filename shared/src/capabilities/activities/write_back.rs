//! Logging an activity in the CRM, exactly once in effect.
//!
//! Salesforce has no idempotency key. So an activity is claimed before its request is made. While
//! the outcome of a claim is unknown, the CRM is asked for the activity's marker: after ten
//! seconds, a minute and eleven minutes, since a request may commit for ten minutes. Only then is
//! the request made again.

mod outcome;
mod resolve;

use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::capabilities::activities::{
    Activity, ActivityState, ActivityTarget, ActivityText, CrmRow, Lane, crm_row,
};
use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::seats;
use crate::kernel::{
    ActivityId, ConnectionState, Grantee, SObject, Scope, SeatId, WritebackMessage,
};
use crate::ports::Ports;
use crate::salesforce::{FieldValues, SalesforceId, WriteOptions};
use crate::store::{Commit, Draft, Store, Stored};
use crate::work::{Done, WorkError};

/// When an activity looks again whether it is its turn.
const NOT_YET: Duration = Duration::from_secs(2);

/// Logs activities.
#[derive(Clone)]
pub struct WriteBack {
    ports: Ports,
    store: Store,
    custody: Custody,
    grants: Grants,
    product: String,
}

/// An activity on its way into the CRM, in an open generation.
struct Logging<'a> {
    opened: &'a OpenGeneration,
    activity: Stored<Activity>,
    target: ActivityTarget,
}

impl Logging<'_> {
    fn grantee(&self) -> Grantee {
        Grantee::Seat(self.activity.seat)
    }
}

/// The record that an activity is about, as Salesforce has it now.
struct ReadTarget {
    target: ActivityTarget,
    server_time: Timestamp,
}

impl WriteBack {
    /// Logging through `app`; `product` is the product's name in subjects.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp, product: String) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let store = Store::new(ports.clone());
        Self { ports, store, custody, grants, product }
    }

    /// Does one message's work.
    pub async fn handle(&self, message: WritebackMessage) -> Result<Done, WorkError> {
        let (scope, activity) = match message {
            WritebackMessage::Activity { scope, activity } => (scope, activity),
            WritebackMessage::Release { scope, seat } => return self.release(scope, seat).await,
        };
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let Some(logging) = self.load(&opened, activity).await? else { return Ok(Done::Finished) };
        match logging.activity.state {
            ActivityState::Logged { .. } | ActivityState::Failed { .. } => Ok(Done::Finished),
            ActivityState::Claimed { at, server_time, lookups } => {
                self.resolve_claim(logging, at, server_time, lookups).await
            }
            ActivityState::Queued | ActivityState::Held { .. } => {
                let slot = opened.keys.lane(logging.target.lane);
                let lane: Lane = self.store.read(&slot).await?.unwrap_or_default();
                if lane.is_turn_of(logging.target.place) {
                    self.log(logging).await
                } else {
                    Ok(Done::Later(NOT_YET))
                }
            }
        }
    }

    /// Sends the activities, of one seat or of all, that waited for a grant, and those that are
    /// queued: behind one that waited long, their own messages may rest for hours. One that is sent
    /// twice is logged once: each activity knows its state.
    async fn release(&self, scope: Scope, seat: Option<SeatId>) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let is_released = |activity: &Activity| {
            let waits = activity.waits_for_grant() || activity.state == ActivityState::Queued;
            waits && seat.is_none_or(|seat| seat == activity.seat)
        };
        for bucket in 0..opened.keys.buckets() {
            let mut pages = pin!(opened.store.pages(opened.keys.activities(bucket)));
            while let Some(page) = pages.try_next().await? {
                for activity in page.iter().filter(|activity| is_released(activity)) {
                    let mut commit = Commit::new();
                    commit.now(WritebackMessage::Activity { scope, activity: activity.id });
                    let winner = "nobody: a due item has no condition";
                    self.store.commit(commit).await?.may_lose_to(winner);
                }
            }
        }
        Ok(Done::Finished)
    }

    async fn load<'a>(
        &self,
        opened: &'a OpenGeneration,
        id: ActivityId,
    ) -> Result<Option<Logging<'a>>, WorkError> {
        let activity = opened.store.load(&opened.keys.activity(id)).await?;
        Ok(activity.and_then(|activity| {
            let target = activity.target.clone()?;
            Some(Logging { opened, activity, target })
        }))
    }

    /// Claims the activity, makes the request, and stores its outcome.
    async fn log(&self, logging: Logging<'_>) -> Result<Done, WorkError> {
        let (opened, grantee) = (logging.opened, logging.grantee());
        let state = self.grants.state(opened, grantee).await?;
        let now = self.ports.clock.now();
        let works = opened.connection.state == ConnectionState::Connected;
        let Some(grant) = state.filter(|s| works && s.is_usable(grantee, now)) else {
            return self.hold(opened, &logging.activity).await;
        };
        let read = match self.read_target(opened, grantee, &logging.target).await {
            Ok(read) => read,
            Err(error) => return self.refused(opened, &logging.activity, error).await,
        };
        let row = self.row(&logging, &read.target, grant.user_id).await?;
        let claim = ActivityState::Claimed {
            server_time: read.server_time,
            at: self.ports.clock.now(),
            lookups: 0,
        };
        let Some(claimed) = self.claim(&logging, claim).await? else {
            // Another delivery claims at this moment, or the tenant was handed over.
            return Ok(Done::Later(NOT_YET));
        };
        match self.create(opened, grantee, &row).await {
            Ok(id) => self.logged(opened, &claimed, id).await,
            Err(GrantError::Call(error)) if error.is_outcome_unknown() => {
                tracing::warn!(activity.id = %claimed.id, error = %error, "outcome unknown");
                Ok(Done::Later(Duration::from_secs(10)))
            }
            Err(error) => self.refused(opened, &claimed, error).await,
        }
    }

    /// Reads the record as the seller sees it. Where a lead was converted, the activity follows to
    /// its contact. The answer also tells Salesforce's time, before which the row cannot exist.
    async fn read_target(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        target: &ActivityTarget,
    ) -> Result<ReadTarget, GrantError> {
        let fields: &[&str] = match target.object {
            SObject::Lead => &["Id", "IsConverted", "ConvertedContactId"],
            _ => &["Id"],
        };
        let client = self.grants.app().client();
        let (object, id) = (target.object.name(), target.record);
        let reply = self
            .grants
            .call(opened, grantee, |session| async move {
                client.read(&session, object, id, fields).await
            })
            .await?;
        let mut target = target.clone();
        if reply.value.flag("IsConverted") == Some(true)
            && let Some(contact) = reply.value.text("ConvertedContactId")
        {
            target.object = SObject::Contact;
            target.record = contact
                .parse()
                .map_err(|error| WorkError::reject("read a converted lead", error))?;
        }
        let server_time = reply
            .observed
            .server_date
            .ok_or_else(|| WorkError::retry("read a record", "Salesforce's answer has no date"))?;
        Ok(ReadTarget { target, server_time })
    }

    async fn row(
        &self,
        logging: &Logging<'_>,
        target: &ActivityTarget,
        owner: SalesforceId,
    ) -> Result<CrmRow, WorkError> {
        let Logging { opened, activity, .. } = logging;
        let body = activity.body().unwrap_or_default();
        let text: ActivityText = opened.unsealed(&activity.slot(), body)?;
        let seat = seats::keys::seat(opened.keys.scope().tenant, activity.seat);
        let seat = self.store.read(&seat).await?;
        let zone =
            seat.and_then(|seat| TimeZone::get(&seat.time_zone).ok()).unwrap_or(TimeZone::UTC);
        Ok(crm_row(activity, &text, target, &self.product, owner, &zone))
    }

    async fn create(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        row: &CrmRow,
    ) -> Result<SalesforceId, GrantError> {
        let client = self.grants.app().client();
        let reply = self
            .grants
            .call(opened, grantee, |session| async move {
                let options = WriteOptions::default();
                client.create(&session, row.object.name(), &row.fields, options).await
            })
            .await?;
        Ok(reply.value)
    }

    /// Claims an activity; none when it moved meanwhile, or when another home is to log it: only a
    /// claim that a hand-over finds made may lead to a row.
    async fn claim(
        &self,
        logging: &Logging<'_>,
        claim: ActivityState,
    ) -> Result<Option<Activity>, WorkError> {
        let mut commit = Commit::new();
        let claimed = replace(&mut commit, &logging.activity, claim)?;
        logging.opened.check_at_home(&mut commit)?;
        Ok(logging.opened.store.commit(commit).await?.is_done().then_some(claimed))
    }

    /// Moves an activity to another state within its lane; none when it moved meanwhile.
    async fn change(
        &self,
        opened: &OpenGeneration,
        before: &Stored<Activity>,
        state: ActivityState,
    ) -> Result<Option<Activity>, WorkError> {
        let mut commit = Commit::new();
        let after = replace(&mut commit, before, state)?;
        Ok(opened.store.commit(commit).await?.is_done().then_some(after))
    }
}

/// Replaces an activity by itself in another state, with the same text.
fn replace(
    commit: &mut Commit,
    before: &Stored<Activity>,
    state: ActivityState,
) -> Result<Activity, WorkError> {
    let after = before.moved_to(state);
    let mut draft = Draft::after(before, &after)?;
    if let Some(text) = before.body() {
        draft = draft.body(text.to_vec());
    }
    commit.write(draft)?;
    Ok(after)
}
