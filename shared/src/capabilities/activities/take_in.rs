//! Taking in what a seller did.
//!
//! One transaction writes the activity, its place in the lane of its record, and the step that will
//! log it.

use jiff::{SignedDuration, Timestamp};
use matching::EntityKind;
use serde_json::json;

use super::hold::reason_to_wait;
use super::target::{Link, lane_of};
use super::{
    Activity, ActivityKind, ActivityState, ActivityTarget, ActivityText, HoldReason,
    OUTSIDE_ITS_LANE, earliest_activity,
};
use crate::capabilities::custody::{Custody, OpenGeneration, unread};
use crate::capabilities::{seats, settings};
use crate::kernel::{
    ActivityId, ConnectionState, EntityId, Environment, SeatId, TenantEnvironment, WritebackMessage,
};
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Draft, Store, When, attempts};
use crate::work::WorkError;

/// A caller's clock may be ahead by this much.
const CLOCK_LEEWAY: SignedDuration = SignedDuration::from_mins(5);

/// The longest text taken in. A Task's description holds less, so it is the CRM's limit that cuts.
const LONGEST_TEXT: usize = 100_000;

/// An activity as the product posts it.
#[derive(Debug, Clone)]
pub struct NewActivity {
    /// Who did it.
    pub seat: SeatId,
    /// The caller's key: the same key is the same activity.
    pub idempotency_key: String,
    /// The kind of thing it was.
    pub kind: ActivityKind,
    /// A person or a company.
    pub entity_kind: EntityKind,
    /// Which one.
    pub entity: EntityId,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// Its text.
    pub text: ActivityText,
}

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

/// The activities of a tenant.
#[derive(Clone)]
pub struct Activities {
    pub(super) ports: Ports,
    pub(super) store: Store,
    custody: Custody,
}

impl Activities {
    /// Activities over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody }
    }

    /// Takes an activity in. A repetition gives the activity that was taken in first.
    pub async fn post(
        &self,
        at: TenantEnvironment,
        new: NewActivity,
    ) -> Result<Activity, ActivityError> {
        self.check(&new)?;
        let kept = self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        let settings = kept.settings;
        let on = match new.kind {
            ActivityKind::Message | ActivityKind::Inmail => settings.log_messages,
            ActivityKind::Note => settings.log_notes,
        };
        if !on {
            return Err(ActivityError::TurnedOff);
        }
        attempts(|| async {
            let connection = self.custody.connection(at).await?;
            let connection = connection.ok_or(ActivityError::NotConnected)?;
            if connection.state == ConnectionState::Lapsed {
                return Err(ActivityError::NotConnected);
            }
            let opened = self.custody.open(connection.scope()).await?;
            self.try_post(&opened.ok_or(ActivityError::NotConnected)?, &new).await
        })
        .await
    }

    /// An activity.
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

    fn check(&self, new: &NewActivity) -> Result<(), ActivityError> {
        let invalid = |why| Err(ActivityError::Invalid(why));
        if new.occurred_at > self.ports.clock.now() + CLOCK_LEEWAY {
            return invalid("occurred_at is in the future");
        }
        if new.occurred_at < earliest_activity() {
            return invalid("activities before 2021-06-23 cannot be logged");
        }
        if new.text.body.trim().is_empty() {
            return invalid("body is empty");
        }
        if new.text.body.len() > LONGEST_TEXT {
            return invalid("body is longer than 100,000 bytes");
        }
        if new.entity_kind == EntityKind::Company && new.kind != ActivityKind::Note {
            return invalid("only notes can be logged on an account");
        }
        Ok(())
    }

    /// One attempt. It is overtaken when another activity took the place in the lane, when what it
    /// would wait for came meanwhile, or when the tenant was handed over.
    async fn try_post(
        &self,
        opened: &OpenGeneration,
        new: &NewActivity,
    ) -> Result<Attempt<Activity>, ActivityError> {
        let scope = opened.keys.scope();
        let id = activity_id(scope.environment, new.seat, &new.idempotency_key);
        let slot = opened.keys.activity(id);
        let digest = digest(new)?;
        if let Some(earlier) = opened.store.read(&slot).await? {
            return if earlier.digest == digest {
                Ok(Attempt::Done(earlier))
            } else {
                Err(ActivityError::KeyReused)
            };
        }
        let mut commit = Commit::new();
        let seat = seats::keys::seat(scope.tenant, new.seat);
        if self.store.load(&seat).await?.is_none() {
            return Err(ActivityError::NoSeat);
        }
        commit.check(&seat, When::exists());
        let mut activity = Activity {
            id,
            seat: new.seat,
            kind: new.kind,
            entity_kind: new.entity_kind,
            entity: new.entity.clone(),
            occurred_at: new.occurred_at,
            digest,
            state: ActivityState::Queued,
            target: None,
            tries: 0,
        };
        let held = reason_to_wait(&self.ports, opened, new.seat, &mut commit).await?;
        let link = Link::of(opened, new.entity_kind, &new.entity).await?;
        if let Some(record) = link.record() {
            let lane = lane_of(opened, record).await?;
            let place = OUTSIDE_ITS_LANE;
            let mut target =
                ActivityTarget { object: record.object, record: record.id, lane, place };
            if held.is_none() {
                self.take_place(opened, &mut target, &mut commit).await?;
                commit.now(WritebackMessage::Activity { scope, activity: id });
            }
            activity.target = Some(target);
        } else if held.is_none() {
            activity.state = ActivityState::Held { reason: HoldReason::NoCrmRecord };
            link.wait_for_another(opened, &activity, &mut commit)?;
        }
        if let Some(reason) = held {
            activity.state = ActivityState::Held { reason };
        }
        let body = opened.sealed(&self.ports, &slot, &new.text)?;
        commit.write(Draft::new(&slot, &activity)?.body(body).when(When::absent()))?;
        Ok(Attempt::of(&opened.store.commit(commit).await?, activity))
    }

    /// Gives the target the next place in its lane, once the commit is done.
    pub(super) async fn take_place(
        &self,
        opened: &OpenGeneration,
        target: &mut ActivityTarget,
        commit: &mut Commit,
    ) -> Result<(), PortError> {
        let slot = opened.keys.lane(target.lane);
        let before = self.store.load(&slot).await?;
        let mut lane = before.as_deref().copied().unwrap_or_default();
        target.place = lane.take_place();
        commit.save(&slot, before.as_ref(), &lane)?;
        Ok(())
    }
}

/// The id of the activity that a seat's key stands for, whatever home the tenant has: what is
/// posted again after a move is a repetition too.
fn activity_id(environment: Environment, seat: SeatId, key: &str) -> ActivityId {
    ActivityId::derived(&format!("{environment}|{seat}|{key}"))
}

/// The digest that tells a repetition from another activity under the same key.
fn digest(new: &NewActivity) -> Result<String, WorkError> {
    let text = json!([new.kind, new.entity_kind, new.entity, new.occurred_at, new.text]);
    let bytes = serde_json::to_vec(&text)
        .map_err(|error| WorkError::reject("take in an activity", error))?;
    Ok(blake3::hash(&bytes).to_hex()[..32].to_owned())
}
