//! Taking in what a seller did.
//!
//! One transaction writes the activity, its place in the lane of its record, and, for the first
//! there, the step that will log it.

use super::edges::enlist;
use super::hold::reason_to_wait;
use super::lanes::take_place;
use super::target::{Link, check_opportunity, lane_of};
use super::{
    Activity, ActivityState, ActivityTarget, ActivityText, Conversation, HoldReason, NewActivity,
    NotLogged, OUTSIDE_ITS_LANE, Remembered,
};
use crate::capabilities::custody::{Custody, OpenGeneration, unread};
use crate::capabilities::{seats, settings};
use crate::kernel::{ActivityId, ConnectionState, Environment, SeatId, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Draft, Store, When, attempts};
use crate::work::{WorkError, boxed};

/// The reason for which an activity is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ActivityError {
    /// Nothing is connected.
    #[error("no org is connected in this environment")]
    NotConnected,
    /// The seat was removed.
    #[error("there is no such seat")]
    NoSeat,
    /// The admin turned this kind of log off.
    #[error("the admin has turned this kind of log off")]
    TurnedOff,
    /// The admin turned logging off for the seat.
    #[error("the admin has turned logging off for this seat")]
    SeatTurnedOff,
    /// An activity of this kind or time cannot be logged.
    #[error("{0}")]
    Invalid(&'static str),
    /// The key was used for another activity.
    #[error("this idempotency key was used for another activity")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for ActivityError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// What taking an activity in comes to.
pub(super) enum Prepared {
    /// It was taken in before.
    Earlier(Activity),
    /// It is taken in once this is committed.
    New(Activity, Commit),
}

/// The activities of a tenant.
#[derive(Clone)]
pub struct Activities {
    pub(super) ports: Ports,
    pub(super) store: Store,
    pub(super) custody: Custody,
}

impl Activities {
    /// Activities over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody }
    }

    /// Takes an activity in. A repetition gives the activity that was taken in first.
    #[must_use]
    #[boxed]
    pub async fn post(
        &self,
        at: TenantEnvironment,
        new: NewActivity,
    ) -> Result<Activity, ActivityError> {
        self.admit(at, &new).await?;
        attempts(|| async {
            let opened = self.open_to_take_in(at).await?;
            match self.prepared(&opened, &new).await? {
                Prepared::Earlier(activity) => Ok(Attempt::Done(activity)),
                Prepared::New(activity, commit) => {
                    Ok(Attempt::of(&opened.store.commit(commit).await?, activity))
                }
            }
        })
        .await
    }

    /// Refuses what cannot be logged, and what an admin turned off.
    pub(super) async fn admit(
        &self,
        at: TenantEnvironment,
        new: &NewActivity,
    ) -> Result<(), ActivityError> {
        let switch = settings::keys::seat_switch(at, new.seat);
        let kept = self.store.load_both((&settings::keys::settings(at), &switch)).await?;
        let (settings, switch) = kept;
        let settings = settings.map(|kept| kept.into_inner().settings).unwrap_or_default();
        if let Some(why) = new.problem(self.ports.clock.now(), &settings) {
            return Err(ActivityError::Invalid(why));
        }
        if !settings.logs(new.kind.log_type()) {
            return Err(ActivityError::TurnedOff);
        }
        if switch.is_some_and(|switch| !switch.write_back) {
            return Err(ActivityError::SeatTurnedOff);
        }
        Ok(())
    }

    /// The generation into which activities are taken.
    pub(super) async fn open_to_take_in(
        &self,
        at: TenantEnvironment,
    ) -> Result<OpenGeneration, ActivityError> {
        self.custody.open_unlapsed(at).await?.ok_or(ActivityError::NotConnected)
    }

    /// An activity.
    #[must_use]
    #[boxed]
    pub async fn get(
        &self,
        at: TenantEnvironment,
        id: ActivityId,
    ) -> Result<Option<Activity>, WorkError> {
        let connection = self.custody.connection(at).await?;
        let live = connection.filter(|c| c.state != ConnectionState::Disconnected);
        let Some(connection) = live else { return Ok(None) };
        let opened = self.custody.open_past_the_fence(&connection).await?;
        let opened = opened.ok_or_else(|| unread("show an activity"))?;
        Ok(opened.store.read(&opened.keys.activity(id)).await?)
    }

    /// An activity as it would be taken in now. Its commit is overtaken when another activity took
    /// the place in the lane, when what it would wait for came meanwhile, or when the tenant was
    /// handed over.
    pub(super) async fn prepared(
        &self,
        opened: &OpenGeneration,
        new: &NewActivity,
    ) -> Result<Prepared, ActivityError> {
        let scope = opened.keys.scope();
        let id = activity_id(scope.environment, new.seat, &new.idempotency_key);
        let slot = opened.keys.activity(id);
        let digest = digest(new)?;
        if let Some(earlier) = opened.store.read(&slot).await? {
            let is_repeated = earlier.digest == digest;
            return is_repeated
                .then_some(Prepared::Earlier(earlier))
                .ok_or(ActivityError::KeyReused);
        }
        let mut commit = Commit::new();
        let not_logged = self.heard(opened, new, &mut commit).await?;
        let seat = seats::keys::seat(scope.tenant, new.seat);
        if self.store.load(&seat).await?.is_none() {
            return Err(ActivityError::NoSeat);
        }
        commit.check(&seat, When::exists());
        let mut activity = queued(id, new, digest);
        if let Some(reason) = not_logged {
            activity.state = ActivityState::NotLogged { reason };
            opened.check_at_home(&mut commit)?;
            let body = opened.sealed(&self.ports, &slot, &ActivityText::default())?;
            commit.write(Draft::new(&slot, &activity)?.body(body).when(When::absent()))?;
            return Ok(Prepared::New(activity, commit));
        }
        self.aim(opened, &mut activity, &mut commit).await?;
        enlist(&mut commit, &opened.keys, None, &activity)?;
        let body = opened.sealed(&self.ports, &slot, &new.text)?;
        commit.write(Draft::new(&slot, &activity)?.body(body).when(When::absent()))?;
        Ok(Prepared::New(activity, commit))
    }

    /// Aims a new activity at the record that its entity is linked to, and gives it its place in
    /// that one's lane; or has it wait, and says for what.
    async fn aim(
        &self,
        opened: &OpenGeneration,
        activity: &mut Activity,
        commit: &mut Commit,
    ) -> Result<(), ActivityError> {
        let held = reason_to_wait(&self.ports, opened, activity.seat, commit).await?;
        let link = Link::of(opened, activity.entity_kind, &activity.entity).await?;
        if let Some(opportunity) = activity.opportunity {
            check_opportunity(opened, opportunity, link.record()).await?;
        }
        if let Some(record) = link.record() {
            let lane = lane_of(opened, record).await?;
            let place = OUTSIDE_ITS_LANE;
            let mut target =
                ActivityTarget { object: record.object, record: record.id, lane, place };
            if held.is_none() {
                take_place(&self.store, opened, activity.id, &mut target, commit).await?;
            }
            activity.target = Some(target);
        } else if held.is_none() {
            activity.state = ActivityState::Held { reason: HoldReason::NoCrmRecord };
            link.wait_for_another(opened, activity, commit)?;
        }
        if let Some(reason) = held {
            activity.state = ActivityState::Held { reason };
        }
        Ok(())
    }

    /// Why an activity is not to be logged, by what its seller says of it and said before. What
    /// they say now is remembered with it.
    async fn heard(
        &self,
        opened: &OpenGeneration,
        new: &NewActivity,
        commit: &mut Commit,
    ) -> Result<Option<NotLogged>, ActivityError> {
        let (kind, wish) = (new.kind.log_type(), &new.wish);
        let at = opened.keys.scope().tenant_environment();
        let slot = settings::keys::seat_choices(at, new.seat);
        let before = self.store.load(&slot).await?;
        let mut choices = before.as_deref().cloned().unwrap_or_default();
        let choice = choices.types.get(&kind).copied();
        let thread = self.conversation(opened, new.seat, wish.conversation.as_deref()).await?;
        let said = thread.as_ref().and_then(|(_, before)| before.as_ref()).map(|said| said.log);
        match (wish.remembered(), thread) {
            (Some(Remembered::ForType(log)), _) if choice != Some(log) => {
                choices.types.insert(kind, log);
                commit.save(&slot, before.as_ref(), &choices)?;
            }
            (Some(Remembered::ForConversation(log)), Some((slot, before))) if said != Some(log) => {
                let name = wish.conversation.clone().unwrap_or_default();
                let said = Conversation { seat: new.seat, name, log };
                commit.save(&slot, before.as_ref(), &said)?;
            }
            _ => {}
        }
        Ok(wish.decided(said, choice))
    }
}

/// A new activity that waits for its turn.
fn queued(id: ActivityId, new: &NewActivity, digest: String) -> Activity {
    Activity {
        id,
        seat: new.seat,
        kind: new.kind,
        entity_kind: new.entity_kind,
        entity: new.entity.clone(),
        occurred_at: new.occurred_at,
        digest,
        state: ActivityState::Queued,
        target: None,
        opportunity: new.opportunity,
        tries: 0,
    }
}

/// The id of the activity that a seat's key stands for, whatever home the tenant has: what is
/// posted again after a move is a repetition too.
fn activity_id(environment: Environment, seat: SeatId, key: &str) -> ActivityId {
    ActivityId::derived(&format!("{environment}|{seat}|{key}"))
}

/// The digest that tells a repetition from another activity under the same key.
fn digest(new: &NewActivity) -> Result<String, WorkError> {
    let bytes = serde_json::to_vec(&new.identity())
        .map_err(|error| WorkError::reject("take in an activity", error))?;
    Ok(blake3::hash(&bytes).to_hex()[..32].to_owned())
}
