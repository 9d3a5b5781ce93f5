//! Logging an activity in the CRM, exactly once in effect.
//!
//! Salesforce has no idempotency key. So a request is claimed before it is made; while a claim's
//! outcome is unknown the CRM is asked for the activity's marker, after ten seconds, a minute and
//! eleven minutes (a request may commit for ten minutes), and only then is it made again.

mod outcome;

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use self::outcome::{backoff, message, record_id, state_name};
use crate::capabilities::activities::take_in::{open_text, unmoved, waiting_for_grant};
use crate::capabilities::activities::{
    Activity, ActivityState, ActivityTarget, CrmRow, HoldReason, Lane, crm_row,
};
use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::seats;
use crate::capabilities::seats::Seat;
use crate::kernel::{
    ActivityId, ConnectionState, Grantee, SObject, Scope, SeatId, WritebackMessage,
};
use crate::ports::{Condition, Item, Ports, Write};
use crate::salesforce::{
    Condition as Soql, Disposition, FieldValues, QueryScope, SalesforceId, Select, WriteOptions,
};
use crate::store::{self, Next, Outbox, Slot};
use crate::work::{Done, WorkError};

/// When a claim of unknown outcome is looked up: seconds after it was made (design 6).
const LOOKUPS: [i64; 3] = [10, 60, 660];

/// When an activity looks again whether it is its turn.
const NOT_YET: Duration = Duration::from_secs(2);

/// Logs activities.
#[derive(Clone)]
pub struct WriteBack {
    ports: Ports,
    custody: Custody,
    grants: Grants,
    outbox: Outbox,
    product: String,
}

/// An activity as it was read, with what is needed to replace it.
struct Taken {
    activity: Activity,
    target: ActivityTarget,
    item: Item,
}

/// What Salesforce says of the record that an activity is about.
struct Seen {
    target: ActivityTarget,
    server_time: Timestamp,
}

impl WriteBack {
    /// Logging through `app`; `product` is the product's name in subjects.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp, product: String) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, grants, outbox, product }
    }

    /// Does one message's work.
    pub async fn handle(&self, message: WritebackMessage) -> Result<Done, WorkError> {
        let (scope, activity) = match message {
            WritebackMessage::Activity { scope, activity } => (scope, activity),
            WritebackMessage::Release { scope, seat } => return self.release(scope, seat).await,
        };
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let Some(taken) = self.take(&opened, activity).await? else { return Ok(Done::Finished) };
        match taken.activity.state {
            ActivityState::Logged { .. } | ActivityState::Failed { .. } => Ok(Done::Finished),
            ActivityState::Claimed { at, server_time, lookups } => {
                self.look_up(&opened, taken, at, server_time, lookups).await
            }
            ActivityState::Queued | ActivityState::Held { .. } => {
                if self.lane(&opened, &taken).await?.done + 1 < taken.target.place {
                    return Ok(Done::Later(NOT_YET));
                }
                self.log(&opened, taken).await
            }
        }
    }

    /// Sends what waited for a grant. Sent twice it is logged once: each activity knows its state.
    async fn release(&self, scope: Scope, seat: Option<SeatId>) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        for activity in waiting_for_grant(&self.ports, &opened, seat).await? {
            let next = Next::now(WritebackMessage::Activity { scope, activity });
            let _ = self.outbox.commit(vec![], vec![next]).await?;
        }
        Ok(Done::Finished)
    }

    async fn take(
        &self,
        opened: &OpenGeneration,
        id: ActivityId,
    ) -> Result<Option<Taken>, WorkError> {
        let key = opened.keys.activity(id);
        let Some(item) = self.ports.table.get(&key).await? else { return Ok(None) };
        let activity: Activity = store::typed(item.clone())?;
        let Some(target) = activity.target.clone() else { return Ok(None) };
        Ok(Some(Taken { activity, target, item }))
    }

    /// Claims, makes the request, and notes its outcome.
    async fn log(&self, opened: &OpenGeneration, taken: Taken) -> Result<Done, WorkError> {
        let grantee = Grantee::Seat(taken.activity.seat);
        let state = self.grants.state(opened, grantee).await?;
        let now = self.ports.clock.now();
        let works = opened.connection.state == ConnectionState::Connected;
        let Some(grant) = state.filter(|s| works && s.is_usable(grantee, now)) else {
            return self.hold(opened, taken).await;
        };
        let seen = match self.look(opened, grantee, &taken.target).await {
            Ok(seen) => seen,
            Err(error) => return self.refused(opened, taken, error).await,
        };
        let row = self.row(opened, &taken, &seen.target, &grant.user_id).await?;
        let claim = ActivityState::Claimed {
            server_time: seen.server_time,
            at: self.ports.clock.now(),
            lookups: 0,
        };
        let Some(taken) = self.replace(taken, claim).await? else {
            return Ok(Done::Later(NOT_YET)); // another delivery claims at this moment
        };
        match self.create(opened, grantee, &row).await {
            Ok(id) => self.logged(opened, taken, id).await,
            Err(GrantError::Call(error)) if error.is_outcome_unknown() => {
                tracing::warn!(activity.id = %taken.activity.id, error = %error, "outcome unknown");
                Ok(Done::Later(Duration::from_secs(10)))
            }
            Err(error) => self.refused(opened, taken, error).await,
        }
    }

    /// The record as the seller sees it: where a lead was converted, the activity follows to its
    /// contact. Its answer also tells Salesforce's time, before which the row cannot exist.
    async fn look(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        target: &ActivityTarget,
    ) -> Result<Seen, GrantError> {
        let id = record_id(&target.record)?;
        let fields: &[&str] = match target.object {
            SObject::Lead => &["Id", "IsConverted", "ConvertedContactId"],
            _ => &["Id"],
        };
        let client = self.grants.app().client();
        let object = target.object.name();
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
            target.record = contact.into_owned();
        }
        let server_time = reply
            .observed
            .server_date
            .ok_or_else(|| WorkError::retry("read a record", "Salesforce's answer has no date"))?;
        Ok(Seen { target, server_time })
    }

    async fn row(
        &self,
        opened: &OpenGeneration,
        taken: &Taken,
        target: &ActivityTarget,
        owner: &str,
    ) -> Result<CrmRow, WorkError> {
        let body = taken.item.body.as_deref().unwrap_or_default();
        let text = open_text(opened, &taken.item.key, body)?;
        let key = seats::keys::seat(opened.keys.scope().tenant, taken.activity.seat);
        let seat: Option<Seat> = store::get(&*self.ports.table, &key).await?;
        let zone =
            seat.and_then(|seat| TimeZone::get(&seat.time_zone).ok()).unwrap_or(TimeZone::UTC);
        Ok(crm_row(&taken.activity, &text, target, &self.product, owner, &zone))
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

    /// Asks the CRM whether it has a claimed activity.
    async fn look_up(
        &self,
        opened: &OpenGeneration,
        taken: Taken,
        at: Timestamp,
        server_time: Timestamp,
        lookups: u32,
    ) -> Result<Done, WorkError> {
        let Some(&wait) = usize::try_from(lookups).ok().and_then(|n| LOOKUPS.get(n)) else {
            return self.claim_again(taken).await;
        };
        let left = (at + SignedDuration::from_secs(wait)).duration_since(self.ports.clock.now());
        if let Ok(left) = Duration::try_from(left)
            && !left.is_zero()
        {
            return Ok(Done::Later(left));
        }
        let grantee = Grantee::Seat(taken.activity.seat);
        match self.find(opened, grantee, &taken, server_time).await {
            Ok(Some(id)) => self.logged(opened, taken, id).await,
            Ok(None) => {
                let claim = ActivityState::Claimed { server_time, at, lookups: lookups + 1 };
                let _ = self.replace(taken, claim).await?;
                Ok(Done::Later(NOT_YET))
            }
            Err(error @ (GrantError::Dead | GrantError::Missing)) => {
                // It stays claimed: after a new login it is looked up before anything is made.
                tracing::warn!(error = %error, "a claimed activity waits for a login");
                Ok(Done::Later(Duration::from_mins(15)))
            }
            Err(error) => error.into_done("look an activity up"),
        }
    }

    /// The last look-up found nothing: Salesforce does not have it and never will.
    async fn claim_again(&self, taken: Taken) -> Result<Done, WorkError> {
        let _ = self.replace(taken, ActivityState::Queued).await?;
        Ok(Done::Later(NOT_YET))
    }

    /// The row with the activity's marker, among those made about the record since the claim.
    async fn find(
        &self,
        opened: &OpenGeneration,
        grantee: Grantee,
        taken: &Taken,
        since: Timestamp,
    ) -> Result<Option<SalesforceId>, GrantError> {
        let target = self.look(opened, grantee, &taken.target).await?.target;
        let parent = record_id(&target.record)?;
        let note = taken.activity.kind == crate::capabilities::activities::ActivityKind::Note;
        let (object, parent_field, text_field) =
            if note { ("Note", "ParentId", "Body") } else { ("Task", "WhoId", "Description") };
        let select = Select::from(object)
            .fields(["Id", text_field])
            .filter(Soql::all([Soql::eq(parent_field, parent), Soql::ge("CreatedDate", since)]));
        let soql = &select.build().map_err(|e| WorkError::reject("look an activity up", e))?;
        let client = self.grants.app().client();
        let marker = taken.activity.marker();
        let mut page = self
            .grants
            .call(opened, grantee, |session| async move {
                client.query(&session, QueryScope::Live, soql).await
            })
            .await?
            .value;
        loop {
            let found = page
                .records
                .iter()
                .find(|row| row.text(text_field).is_some_and(|text| text.contains(&marker)));
            if let Some(id) = found.and_then(FieldValues::id) {
                return Ok(Some(id));
            }
            let Some(next) = page.next.take() else { return Ok(None) };
            let next = &next;
            page =
                self.grants
                    .call(opened, grantee, |session| async move {
                        client.query_next(&session, next).await
                    })
                    .await?
                    .value;
        }
    }

    async fn logged(
        &self,
        opened: &OpenGeneration,
        taken: Taken,
        id: SalesforceId,
    ) -> Result<Done, WorkError> {
        let state = ActivityState::Logged { salesforce_id: id.to_string() };
        self.finish(opened, taken, state).await
    }

    /// Waits for the seller's login, or for the connection, and lets the others pass.
    async fn hold(&self, opened: &OpenGeneration, taken: Taken) -> Result<Done, WorkError> {
        let reason = match opened.connection.state {
            ConnectionState::Connected => HoldReason::CrmLoginRequired,
            _ => HoldReason::ReconnectRequired,
        };
        let state = ActivityState::Held { reason };
        if taken.activity.state == state {
            return Ok(Done::Finished);
        }
        self.finish(opened, taken, state).await
    }

    /// Salesforce certainly did not take the activity.
    async fn refused(
        &self,
        opened: &OpenGeneration,
        taken: Taken,
        error: GrantError,
    ) -> Result<Done, WorkError> {
        let GrantError::Call(error) = error else {
            return match error {
                GrantError::Dead | GrantError::Missing => self.hold(opened, taken).await,
                other => {
                    let _ = self.requeue(taken).await?;
                    other.into_done("write back")
                }
            };
        };
        match error.disposition() {
            Disposition::Retry { after } => {
                let tries = self.requeue(taken).await?;
                Ok(Done::Later(after.unwrap_or(backoff(tries))))
            }
            Disposition::StandBack { after } => {
                let _ = self.requeue(taken).await?;
                Ok(Done::Later(after.unwrap_or(Duration::from_mins(5))))
            }
            Disposition::Reauthorize => self.hold(opened, taken).await,
            Disposition::Reject => {
                let state = ActivityState::Failed {
                    code: error.code().unwrap_or("REFUSED").to_owned(),
                    message: message(&error),
                };
                self.finish(opened, taken, state).await
            }
        }
    }

    /// Puts a refused activity back into the queue's first place; says how often that was done.
    async fn requeue(&self, mut taken: Taken) -> Result<u32, WorkError> {
        let tries = taken.activity.tries + 1;
        if matches!(taken.activity.state, ActivityState::Claimed { .. }) {
            taken.activity.state = ActivityState::Queued;
            let before = "claimed";
            self.put(taken, before, tries, None).await?;
        }
        Ok(tries)
    }

    /// Replaces the state of an activity that stays in its lane; none when it moved meanwhile.
    async fn replace(
        &self,
        mut taken: Taken,
        state: ActivityState,
    ) -> Result<Option<Taken>, WorkError> {
        let before = state_name(&taken.activity.state);
        let tries = taken.activity.tries + 1;
        taken.activity.state = state;
        self.put(taken, before, tries, None).await
    }

    /// Replaces the state of an activity that leaves its lane.
    async fn finish(
        &self,
        opened: &OpenGeneration,
        mut taken: Taken,
        state: ActivityState,
    ) -> Result<Done, WorkError> {
        let before = state_name(&taken.activity.state);
        taken.activity.state = state;
        for _ in 0..20 {
            let lane = self.lane(opened, &taken).await?;
            let leaves = lane.done < taken.target.place;
            let write = leaves
                .then(|| {
                    let after = Lane { done: taken.target.place, ..lane };
                    store::put(opened.keys.lane(&taken.target.lane), &after, unmoved(lane))
                })
                .transpose()?;
            let again = Taken {
                activity: taken.activity.clone(),
                target: taken.target.clone(),
                item: taken.item.clone(),
            };
            let tries = taken.activity.tries + 1;
            if self.put(again, before, tries, write).await?.is_some() {
                return Ok(Done::Finished);
            }
            let now = self.take(opened, taken.activity.id).await?;
            if now.is_none_or(|now| now.activity.tries != taken.activity.tries) {
                return Ok(Done::Later(NOT_YET)); // the activity itself moved
            }
        }
        Err(WorkError::retry("end an activity", "the lane of its record is crowded"))
    }

    async fn put(
        &self,
        mut taken: Taken,
        before: &'static str,
        tries: u32,
        lane: Option<Write>,
    ) -> Result<Option<Taken>, WorkError> {
        let old_tries = taken.activity.tries;
        taken.activity.tries = tries;
        let slot = Slot::at(taken.item.key.clone());
        let mut item = store::item(slot, &taken.activity)?;
        item.body.clone_from(&taken.item.body);
        taken.item = item.clone();
        let when = Condition::All(vec![
            Condition::Eq("state", json!(before)),
            Condition::Eq("tries", json!(old_tries)),
        ]);
        let mut writes = vec![Write::Put { item, when }];
        writes.extend(lane);
        let done = self.outbox.commit(writes, vec![]).await?.is_done();
        Ok(done.then_some(taken))
    }

    async fn lane(&self, opened: &OpenGeneration, taken: &Taken) -> Result<Lane, WorkError> {
        let key = opened.keys.lane(&taken.target.lane);
        Ok(store::get(&*self.ports.table, &key).await?.unwrap_or_default())
    }
}
