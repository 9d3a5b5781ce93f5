//! Taking in what a seller wants to be created or updated, and taking it back.

use serde_json::json;

use super::fields::{FieldProblem, against_rules, checked, with_lead_source};
use super::{Change, ChangeKind, ChangeState, ChangeValues, OpportunityRole, Values};
use crate::capabilities::activities::reason_to_wait;
use crate::capabilities::custody::{Custody, LookupError, OpenGeneration};
use crate::capabilities::settings::Settings;
use crate::capabilities::{seats, settings};
use crate::kernel::{ChangeId, EntityId, SObject, SeatId, TenantEnvironment, WritebackMessage};
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Draft, Marker, Store, Stored, When, attempts};
use crate::work::{WorkError, boxed};

/// The longest values of a change, in bytes as JSON. An item holds 400 KB.
const LONGEST: usize = 200_000;

/// A change as the product posts it.
#[derive(Debug, Clone)]
pub struct NewChange {
    /// Who wants it.
    pub seat: SeatId,
    /// The caller's key: the same key is the same change.
    pub idempotency_key: String,
    /// What it does.
    pub what: ChangeKind,
    /// The person of the directory whom the record is about, or the company of an account. A record
    /// that is created for one becomes their match.
    pub entity: Option<EntityId>,
    /// The values to write.
    pub to: Values,
    /// The values that the seller saw; of an update alone, and of the same fields.
    pub from: Values,
    /// The part that a new contact has in an opportunity.
    pub role: Option<OpportunityRole>,
    /// The seller saw the duplicates, and wants the record all the same.
    pub create_anyway: bool,
}

/// Why a change is not taken in, shown or taken back.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Nothing is connected.
    #[error("no org is connected in this environment")]
    NotConnected,
    /// The seat was removed.
    #[error("there is no such seat")]
    NoSeat,
    /// The admin does not let sellers do this.
    #[error("the admin has not turned this on; the setting is {0}")]
    TurnedOff(&'static str),
    /// Something of it cannot be.
    #[error("{}", told(.0))]
    Invalid(Vec<FieldProblem>),
    /// The key was used for another change.
    #[error("this idempotency key was used for another change")]
    KeyReused,
    /// It is in no state for that.
    #[error("{0}")]
    Conflict(&'static str),
    /// There is no such thing.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The cursor is made up, another list's, or too old.
    #[error(transparent)]
    Cursor(#[from] crate::capabilities::custody::CursorError),
}

fn told(problems: &[FieldProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<WorkError> for ChangeError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<PortError> for ChangeError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

/// The changes of a tenant.
#[derive(Clone)]
pub struct Changes {
    pub(super) ports: Ports,
    pub(super) store: Store,
    pub(super) custody: Custody,
}

impl Changes {
    /// Changes over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody }
    }

    /// Takes a change in. A repetition gives the change that was taken in first, as it stands.
    ///
    /// # Errors
    /// When the admin has not turned it on, or something of it cannot be.
    #[must_use]
    #[boxed]
    pub async fn post(&self, at: TenantEnvironment, new: NewChange) -> Result<Change, ChangeError> {
        let identity = format!("{}|{}|{}", at.environment, new.seat, new.idempotency_key);
        self.take_in(at, ChangeId::derived(&identity), new).await
    }

    /// Takes a change in under an id.
    pub(super) async fn take_in(
        &self,
        at: TenantEnvironment,
        id: ChangeId,
        new: NewChange,
    ) -> Result<Change, ChangeError> {
        let digest = digest(&new)?;
        let values = valid(&new)?;
        let kept = self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        let (is_on, setting) = switch(&kept.settings, new.what);
        if !is_on {
            return Err(ChangeError::TurnedOff(setting));
        }
        let against = against_rules(&kept.settings, new.what, &values);
        if !against.is_empty() {
            return Err(ChangeError::Invalid(against));
        }
        let values = with_lead_source(&kept.settings, new.what, values);
        let change = Change {
            id,
            seat: new.seat,
            what: new.what,
            entity: new.entity.clone(),
            asked_at: self.ports.clock.now(),
            digest,
            was_claimed: false,
            created: None,
            role_done: values.role.is_none(),
            undoes: None,
            undone_by: None,
            state: ChangeState::Queued,
            tries: 0,
        };
        attempts(|| async {
            let opened = self.at_work(at).await?;
            let slot = opened.keys.change(change.seat, change.id);
            if let Some(earlier) = opened.store.read(&slot).await? {
                return if earlier.digest == change.digest {
                    Ok(Attempt::Done(earlier))
                } else {
                    Err(ChangeError::KeyReused)
                };
            }
            self.begin(&opened, &change, &values, Commit::new()).await
        })
        .await
    }

    /// Takes a change back that was not claimed yet.
    ///
    /// # Errors
    /// When it is under way, or came to its end.
    #[must_use]
    #[boxed]
    pub async fn withdraw(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        id: ChangeId,
    ) -> Result<Change, ChangeError> {
        attempts(|| async {
            let opened = self.at_work(at).await?;
            let before = self.load(&opened, seat, id).await?;
            let withdrawn = match before.state {
                ChangeState::Queued | ChangeState::Held { .. } if before.created.is_none() => {
                    before.moved_to(ChangeState::Withdrawn)
                }
                ChangeState::Withdrawn => return Ok(Attempt::Done(before.into_inner())),
                ChangeState::Queued | ChangeState::Held { .. } | ChangeState::Claimed { .. } => {
                    let why = "it is being made this moment; once it is made it can be undone";
                    return Err(ChangeError::Conflict(why));
                }
                ChangeState::Made => {
                    return Err(ChangeError::Conflict("it is made; it can be undone"));
                }
                ChangeState::Refused { .. } => {
                    return Err(ChangeError::Conflict("it was refused, and nothing was written"));
                }
            };
            let mut commit = Commit::new();
            let draft = Draft::after(&before, &withdrawn)?;
            commit.write(draft.body(before.body().unwrap_or_default().to_vec()))?;
            opened.check_at_home(&mut commit)?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, withdrawn))
        })
        .await
    }

    /// Adds a new change to a commit, with the step that makes it or the reason why it waits.
    pub(super) async fn begin(
        &self,
        opened: &OpenGeneration,
        change: &Change,
        values: &ChangeValues,
        mut commit: Commit,
    ) -> Result<Attempt<Change>, ChangeError> {
        let (scope, slot) = (opened.keys.scope(), opened.keys.change(change.seat, change.id));
        let seat = seats::keys::seat(scope.tenant, change.seat);
        if self.store.load(&seat).await?.is_none() {
            return Err(ChangeError::NoSeat);
        }
        commit.check(&seat, When::exists());
        let held = reason_to_wait(&self.ports, opened, change.seat, &mut commit).await?;
        let mut change = change.clone();
        if let Some(reason) = held {
            change.state = ChangeState::Held { reason };
        } else {
            let (seat, change) = (change.seat, change.id);
            commit.now(WritebackMessage::Change { scope, seat, change });
        }
        let body = opened.sealed(&self.ports, &slot, values)?;
        commit.write(Draft::new(&slot, &change)?.body(body).when(When::absent()))?;
        commit
            .put(&opened.keys.asked_change(change.seat, change.asked_at, change.id), &Marker {})?;
        Ok(Attempt::of(&opened.store.commit(commit).await?, change))
    }

    /// The generation of a connection that works or can be mended.
    pub(super) async fn at_work(
        &self,
        at: TenantEnvironment,
    ) -> Result<OpenGeneration, ChangeError> {
        self.custody.open_unlapsed(at).await?.ok_or(ChangeError::NotConnected)
    }

    pub(super) async fn load(
        &self,
        opened: &OpenGeneration,
        seat: SeatId,
        id: ChangeId,
    ) -> Result<Stored<Change>, ChangeError> {
        let found = opened.store.load(&opened.keys.change(seat, id)).await?;
        Ok(found.ok_or(LookupError::NotFound("change"))?)
    }
}

/// Whether the settings let sellers do this, and the name of the switch.
fn switch(settings: &Settings, what: ChangeKind) -> (bool, &'static str) {
    let (creates, object) = match what {
        ChangeKind::Create { object } => (true, object),
        ChangeKind::Update { record } | ChangeKind::Delete { record } => (false, record.object),
    };
    match (creates, object) {
        (true, SObject::Lead) => (settings.create_leads, "create_leads"),
        (true, SObject::Account) => (settings.create_accounts, "create_accounts"),
        (true, _) => (settings.create_contacts, "create_contacts"),
        (false, SObject::Lead) => (settings.update_leads, "update_leads"),
        (false, SObject::Account) => (settings.update_accounts, "update_accounts"),
        (false, _) => (settings.update_contacts, "update_contacts"),
    }
}

/// What of the request is kept.
fn valid(new: &NewChange) -> Result<ChangeValues, ChangeError> {
    let to = checked(new.what, new.to.clone());
    let wrong = |reason: &str| {
        ChangeError::Invalid(vec![FieldProblem { field: None, reason: reason.to_owned() }])
    };
    let to = to.map_err(ChangeError::Invalid)?;
    let role = new.role.clone();
    match new.what {
        ChangeKind::Create { object } => {
            if role.is_some() && object != SObject::Contact {
                return Err(wrong("only a contact has a role in an opportunity"));
            }
            if role.as_ref().is_some_and(|r| !r.opportunity.as_str().starts_with("006")) {
                return Err(wrong("the role's opportunity must be the id of an opportunity"));
            }
        }
        ChangeKind::Update { .. } | ChangeKind::Delete { .. } => {
            if !new.from.keys().eq(to.keys()) {
                return Err(wrong("each field needs the value that the seller saw, as `from`"));
            }
            if role.is_some() {
                return Err(wrong("only a new contact is given a role in an opportunity"));
            }
        }
    }
    let values = ChangeValues {
        to,
        from: new.from.clone(),
        role,
        create_anyway: new.create_anyway,
        ..ChangeValues::default()
    };
    let bytes = serde_json::to_vec(&values).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > LONGEST {
        return Err(wrong("the values are longer than 200,000 bytes"));
    }
    Ok(values)
}

/// The digest that tells a repetition from another change under the same key.
pub(super) fn digest(new: &NewChange) -> Result<String, WorkError> {
    let NewChange { what, entity, to, from, role, create_anyway, .. } = new;
    let text = json!([what, entity, to, from, role, create_anyway]);
    let bytes = serde_json::to_vec(&text)
        .map_err(|_| WorkError::reject("take in a change", "unknown form"))?;
    Ok(blake3::hash(&bytes).to_hex()[..32].to_owned())
}
