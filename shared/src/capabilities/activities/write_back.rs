//! Logging an activity in the CRM, exactly once in effect.
//!
//! Salesforce has no idempotency key. So an activity is claimed before its request is made. While
//! the outcome of a claim is unknown, the CRM is asked for the activity's marker: after ten
//! seconds, a minute and eleven minutes, since a request may commit for ten minutes. Only then is
//! the request made again.

mod make;
mod outcome;
mod recognise;
mod record;
mod release;
mod resolve;

use std::time::Duration;

use jiff::tz::TimeZone;

pub(crate) use self::make::create_row;
use self::record::ReadRecord;
use crate::capabilities::activities::edges::enlist;
use crate::capabilities::activities::lanes::{self, is_its_turn};
use crate::capabilities::activities::target::Link;
use crate::capabilities::activities::{Activity, ActivityState, ActivityText, CrmObject};
use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::seats;
use crate::capabilities::seats::Seat;
use crate::capabilities::settings::{self, Settings};
use crate::kernel::{ActivityId, ConnectionState, Grantee, Scope};
use crate::ports::Ports;
use crate::salesforce::{Select, Soql};
use crate::store::{Attempt, Commit, Draft, Store, Stored, attempts};
use crate::work::{Done, WorkError, boxed};

/// When an activity is looked at again that something else moved meanwhile.
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
    seat: Seat,
}

impl Logging<'_> {
    fn grantee(&self) -> Grantee {
        Grantee::Seat(self.activity.seat)
    }

    fn text(&self) -> Result<ActivityText, WorkError> {
        let body = self.activity.body().unwrap_or_default();
        Ok(self.opened.unsealed(&self.activity.slot(), body)?)
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::get(&self.seat.time_zone).unwrap_or(TimeZone::UTC)
    }
}

impl WriteBack {
    /// Logging through `app`; `product` is the product's name in subjects.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp, product: String) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let store = Store::new(ports.clone());
        Self { ports, store, custody, grants, product }
    }

    /// Takes an activity as far as it goes now.
    ///
    /// # Errors
    /// Those of the ports, and what Salesforce may answer otherwise later.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, scope: Scope, activity: ActivityId) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        let activity = opened.store.load(&opened.keys.activity(activity)).await?;
        let Some(activity) = activity else { return Ok(Done::Finished) };
        if activity.state == ActivityState::Withdrawn {
            return self.step_aside(&opened, &activity).await;
        }
        if !activity.state.is_open() {
            return Ok(Done::Finished);
        }
        if !is_its_turn(&self.store, &opened, &activity).await? {
            return Ok(Done::Finished); // whoever leaves the place before sends it on
        }
        let seat = seats::keys::seat(scope.tenant, activity.seat);
        let Some(seat) = self.store.read(&seat).await? else {
            return self.seat_removed(&opened, &activity).await;
        };
        let logging = Logging { opened: &opened, activity, seat };
        match logging.activity.state {
            ActivityState::Claimed { .. } => self.resolve_claim(logging).await,
            _ => self.log(logging).await,
        }
    }

    /// Ends the turn of an activity that was taken back, once it comes: who stands behind it waits
    /// for those before it.
    async fn step_aside(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
    ) -> Result<Done, WorkError> {
        if !is_its_turn(&self.store, opened, activity).await? {
            return Ok(Done::Finished);
        }
        attempts(|| async {
            let mut commit = Commit::new();
            lanes::leave(&self.store, opened, activity, &mut commit).await?;
            if commit.is_empty() {
                return Ok(Attempt::Done(Done::Finished));
            }
            Ok(Attempt::of(&self.store.commit(commit).await?, Done::Finished))
        })
        .await
    }

    /// Claims the activity, makes the request, and stores its outcome.
    async fn log(&self, logging: Logging<'_>) -> Result<Done, WorkError> {
        let (opened, grantee) = (logging.opened, logging.grantee());
        let activity = &logging.activity;
        let state = self.grants.state(opened, grantee).await?;
        let now = self.ports.clock.now();
        let works = opened.connection.state == ConnectionState::Connected;
        let Some(grant) = state.filter(|s| works && s.is_usable(grantee, now)) else {
            return self.hold(opened, activity).await;
        };
        let (kind, entity) = (activity.entity_kind, &activity.entity);
        let link = Link::of(opened, kind, entity).await?;
        let Some(record) = link.record() else {
            return self.await_record(opened, activity, &link).await;
        };
        let read = match self.read_record(opened, grantee, record).await {
            Ok(Some(read)) => read,
            // The next import learns of it, and another record may be linked.
            Ok(None) => return self.await_record(opened, activity, &link).await,
            Err(error) => return self.refused(opened, activity, error).await,
        };
        let settings = self.settings(opened).await?;
        if read.was_converted && settings.refuse_converted_leads {
            return self.lead_converted(opened, activity).await;
        }
        match self.logged_before(&logging, read.record, grant.user_id).await {
            Ok(None) => {}
            Ok(Some(row)) => return self.take_row(opened, activity, row).await,
            Err(error) => return self.refused(opened, activity, error).await,
        }
        let row = self.row(&logging, read.record, grant.user_id, &settings).await?;
        let Some(claimed) = self.claim(&logging, &read, row.object).await? else {
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

    async fn settings(&self, opened: &OpenGeneration) -> Result<Settings, WorkError> {
        let at = opened.keys.scope().tenant_environment();
        let kept = self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        Ok(kept.settings)
    }

    /// Claims an activity for the record as it was read; none when it moved meanwhile, or when
    /// another home is to log it: only a claim that a hand-over finds made may lead to a row.
    async fn claim(
        &self,
        logging: &Logging<'_>,
        read: &ReadRecord,
        object: CrmObject,
    ) -> Result<Option<Activity>, WorkError> {
        let Logging { opened, activity: before, .. } = logging;
        let at = self.ports.clock.now();
        let (server_time, object) = (read.server_time, Some(object));
        let claim = ActivityState::Claimed { server_time, at, lookups: 0, object };
        let claimed = before.about(read.record).moved_to(claim);
        let mut commit = Commit::new();
        replace(&mut commit, opened, before, &claimed)?;
        opened.check_at_home(&mut commit)?;
        Ok(opened.store.commit(commit).await?.is_done().then_some(claimed))
    }

    /// Moves an activity to another state within its lane; none when it moved meanwhile.
    async fn change(
        &self,
        opened: &OpenGeneration,
        before: &Stored<Activity>,
        state: ActivityState,
    ) -> Result<Option<Activity>, WorkError> {
        let mut commit = Commit::new();
        let after = before.moved_to(state);
        replace(&mut commit, opened, before, &after)?;
        Ok(opened.store.commit(commit).await?.is_done().then_some(after))
    }
}

fn built(select: &Select) -> Result<Soql, WorkError> {
    select.build().map_err(|error| WorkError::reject("look an activity up", error))
}

/// Replaces an activity by itself one step on, with the same text.
fn replace(
    commit: &mut Commit,
    opened: &OpenGeneration,
    before: &Stored<Activity>,
    after: &Activity,
) -> Result<(), WorkError> {
    let mut draft = Draft::after(before, after)?;
    if let Some(text) = before.body() {
        draft = draft.body(text.to_vec());
    }
    commit.write(draft)?;
    enlist(commit, &opened.keys, Some(before), after)?;
    if before.waits_for_record() && !after.waits_for_record() {
        let name = opened.sealer.name(before.entity.as_str());
        commit.delete(&opened.keys.waiting(before.entity_kind, &name, before.id));
    }
    Ok(())
}
