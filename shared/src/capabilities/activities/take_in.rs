//! Taking in what a seller did: one transaction writes the activity, its place in the lane of its
//! record, and the step that will log it.

use jiff::{SignedDuration, Timestamp};
use matching::EntityKind;
use serde_json::json;

use crate::capabilities::activities::{
    Activity, ActivityKind, ActivityState, ActivityTarget, ActivityText, HoldReason, Lane,
    earliest_activity,
};
use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::linking::EntityMatches;
use crate::capabilities::settings;
use crate::capabilities::settings::Settings;
use crate::kernel::{
    ActivityId, ConnectionState, SObject, Scope, SeatId, TenantEnvironment, WritebackMessage,
};
use crate::ports::{Condition, Key, PortError, Ports, Range, Write};
use crate::store::keys::Kind;
use crate::store::{self, Next, Outbox, keys};
use crate::work::WorkError;

/// How far a caller's clock may be ahead.
const CLOCK_LEEWAY: SignedDuration = SignedDuration::from_mins(5);

/// The longest text taken in: more than a Task's description holds, so that cutting is the CRM's
/// limit and not ours.
const LONGEST_TEXT: usize = 100_000;

/// What a seller did, as the product says it.
#[derive(Debug, Clone)]
pub struct NewActivity {
    /// Who did it.
    pub seat: SeatId,
    /// The caller's key: the same key is the same activity.
    pub idempotency_key: String,
    /// What it was.
    pub kind: ActivityKind,
    /// A person or a company.
    pub entity_kind: EntityKind,
    /// Which one.
    pub entity: String,
    /// When it was done.
    pub occurred_at: Timestamp,
    /// Its text.
    pub text: ActivityText,
}

/// Why an activity is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ActivityError {
    /// Nothing is connected.
    #[error("no org is connected in this environment")]
    NotConnected,
    /// The admin turned this kind of log off.
    #[error("the admin has turned this kind of log off")]
    TurnedOff,
    /// What was done cannot be logged about this.
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
    ports: Ports,
    custody: Custody,
    outbox: Outbox,
}

impl Activities {
    /// Activities over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, outbox }
    }

    /// Takes an activity in. A repetition gives the activity that was taken in first.
    pub async fn post(
        &self,
        at: TenantEnvironment,
        new: NewActivity,
    ) -> Result<Activity, ActivityError> {
        self.check(&new)?;
        let settings: Option<Settings> =
            store::get(&*self.ports.table, &settings::keys::settings(at)).await?;
        let settings = settings.unwrap_or_default();
        let on = match new.kind {
            ActivityKind::Message | ActivityKind::Inmail => settings.log_messages,
            ActivityKind::Note => settings.log_notes,
        };
        if !on {
            return Err(ActivityError::TurnedOff);
        }
        let connection = self.custody.connection(at).await?.ok_or(ActivityError::NotConnected)?;
        if connection.state == ConnectionState::Lapsed {
            return Err(ActivityError::NotConnected);
        }
        let opened = self.custody.open(connection.scope()).await?;
        let opened = opened.ok_or(ActivityError::NotConnected)?;
        for _ in 0..20 {
            if let Some(taken) = self.try_post(&opened, &new).await? {
                return Ok(taken);
            }
        }
        Err(WorkError::retry("take in an activity", "the lane of its record is crowded").into())
    }

    /// An activity.
    pub async fn get(
        &self,
        at: TenantEnvironment,
        id: ActivityId,
    ) -> Result<Option<Activity>, WorkError> {
        let Some(connection) = self.custody.connection(at).await? else { return Ok(None) };
        let keys = keys::GenerationKeys::of(&connection);
        Ok(store::get(&*self.ports.table, &keys.activity(id)).await?)
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

    /// One attempt; none when the lane moved meanwhile.
    async fn try_post(
        &self,
        opened: &OpenGeneration,
        new: &NewActivity,
    ) -> Result<Option<Activity>, ActivityError> {
        let scope = opened.keys.scope();
        let id = activity_id(scope, new.seat, &new.idempotency_key);
        let key = opened.keys.activity(id);
        let digest = digest(new)?;
        if let Some(taken) = store::get::<Activity>(&*self.ports.table, &key).await? {
            return if taken.digest == digest {
                Ok(Some(taken))
            } else {
                Err(ActivityError::KeyReused)
            };
        }
        let target = find_target(&self.ports, opened, new.entity_kind, &new.entity).await?;
        let mut activity = Activity {
            id,
            seat: new.seat,
            kind: new.kind,
            entity_kind: new.entity_kind,
            entity: new.entity.clone(),
            occurred_at: new.occurred_at,
            digest,
            target: None,
            state: ActivityState::Held { reason: HoldReason::NoCrmRecord },
            tries: 0,
        };
        let mut writes = Vec::new();
        let mut next = Vec::new();
        if let Some((object, record, lane)) = target {
            let place = self.take_place(opened, &lane, &mut writes).await?;
            activity.target = Some(ActivityTarget { object, record, lane, place });
            activity.state = ActivityState::Queued;
            next.push(Next::now(WritebackMessage::Activity { scope, activity: id }));
        }
        let mut item = store::item(key.clone(), &activity)?;
        item.body = Some(seal_text(&self.ports, opened, &key, &new.text)?);
        writes.push(Write::Put { item, when: Condition::Absent });
        let taken = self.outbox.commit(writes, next).await?.is_done();
        Ok(taken.then_some(activity))
    }

    /// The next place in a lane, and the write that takes it.
    async fn take_place(
        &self,
        opened: &OpenGeneration,
        lane: &str,
        writes: &mut Vec<Write>,
    ) -> Result<u64, ActivityError> {
        let key = opened.keys.lane(lane);
        let stored: Option<Lane> = store::get(&*self.ports.table, &key).await?;
        let (mut lane, when) = match stored {
            None => (Lane::default(), Condition::Absent),
            Some(lane) => (lane, unmoved(lane)),
        };
        lane.given += 1;
        writes.push(store::put(key, &lane, when)?);
        Ok(lane.given)
    }
}

/// Nobody took a place in the lane or left it since it was read.
pub(super) fn unmoved(lane: Lane) -> Condition {
    Condition::All(vec![
        Condition::Eq("given", json!(lane.given)),
        Condition::Eq("done", json!(lane.done)),
    ])
}

/// The CRM record of an entity, and the lane that keeps the order of what is logged about it. A
/// contact goes before a lead, and what belongs to an account shares its lane.
pub(super) async fn find_target(
    ports: &Ports,
    opened: &OpenGeneration,
    kind: EntityKind,
    entity: &str,
) -> Result<Option<(SObject, String, String)>, WorkError> {
    let objects: &[SObject] = match kind {
        EntityKind::Person => &[SObject::Contact, SObject::Lead],
        EntityKind::Company => &[SObject::Account],
    };
    for &object in objects {
        let key = opened.keys.entity(object, entity);
        let matches: Option<EntityMatches> = store::get(&*ports.table, &key).await?;
        let Some(record) = matches.and_then(|m| m.matched) else { continue };
        let Some(row) = opened.records.one(object, &record).await? else { continue };
        let account = row.fields.get("AccountId").map(str::to_owned);
        let lane = account.unwrap_or_else(|| record.clone());
        return Ok(Some((object, record, lane)));
    }
    Ok(None)
}

/// The activities, of one seat or of all, that wait for somebody to authorize: held ones, and
/// claimed ones whose outcome could not be looked up.
pub(super) async fn waiting_for_grant(
    ports: &Ports,
    opened: &OpenGeneration,
    seat: Option<SeatId>,
) -> Result<Vec<ActivityId>, WorkError> {
    let mut held = Vec::new();
    for bucket in 0..opened.keys.buckets() {
        let pk = opened.keys.partition(Kind::Activity, bucket);
        let range = Range::Prefix("ACT#".to_owned());
        let mut after = None;
        loop {
            let page = ports.table.query(&pk, &range, after.as_deref(), 500).await?;
            for item in page.items {
                let activity: Activity = store::typed(item)?;
                let waits = match activity.state {
                    ActivityState::Held { reason } => reason != HoldReason::NoCrmRecord,
                    ActivityState::Claimed { .. } => true,
                    _ => false,
                };
                if waits && seat.is_none_or(|seat| seat == activity.seat) {
                    held.push(activity.id);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(held)
}

/// The id of the activity that a seat's key stands for.
fn activity_id(scope: Scope, seat: SeatId, key: &str) -> ActivityId {
    ActivityId::derived(&format!("{scope}|{seat}|{key}"))
}

/// The digest by which a repetition is told from another activity under the same key.
fn digest(new: &NewActivity) -> Result<String, WorkError> {
    let text = json!([new.kind, new.entity_kind, new.entity, new.occurred_at, new.text]);
    let bytes = serde_json::to_vec(&text)
        .map_err(|error| WorkError::reject("take in an activity", error))?;
    Ok(blake3::hash(&bytes).to_hex()[..32].to_owned())
}

fn seal_text(
    ports: &Ports,
    opened: &OpenGeneration,
    key: &Key,
    text: &ActivityText,
) -> Result<Vec<u8>, WorkError> {
    let plain =
        serde_json::to_vec(text).map_err(|error| WorkError::reject("write an activity", error))?;
    opened
        .sealer
        .seal(&key.place(), &plain, &*ports.entropy)
        .map_err(|error| WorkError::reject("seal an activity", error))
}

/// Opens an activity's text.
pub(super) fn open_text(
    opened: &OpenGeneration,
    key: &Key,
    body: &[u8],
) -> Result<ActivityText, WorkError> {
    let plain = opened
        .sealer
        .open(&key.place(), body)
        .map_err(|error| WorkError::reject("open an activity", error))?;
    serde_json::from_slice(&plain)
        .map_err(|_| WorkError::reject("read an activity", "unknown form"))
}
