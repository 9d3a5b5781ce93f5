//! Making a change in the CRM, exactly once in effect.
//!
//! A change has up to three effects: the record, its role in an opportunity, and its match here.
//! Each that writes to Salesforce is checked, claimed, sent, and looked for before it is sent
//! again, as activities are: a request may commit for ten minutes.

mod duplicates;
mod look;
mod outcome;
mod prepare;

use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;

use super::{Change, ChangeKind, ChangeState, ChangeValues};
use crate::capabilities::activities::NextLookup;
use crate::capabilities::custody::{Custody, GrantError, Grants, OpenGeneration, SalesforceApp};
use crate::capabilities::linking::Corrections;
use crate::capabilities::seats;
use crate::kernel::{ChangeId, ConnectionState, Grantee, SObject, Scope, SeatId, WritebackMessage};
use crate::ports::Ports;
use crate::salesforce::{DuplicateRuleHandling, SalesforceId, WriteOptions};
use crate::store::{Commit, Draft, Store, Stored};
use crate::work::{Done, WorkError, boxed};

/// When a change that another delivery moved is looked at again.
const NOT_YET: Duration = Duration::from_secs(2);

/// When a claim that nobody can look up is looked at again.
const NO_LOGIN: Duration = Duration::from_mins(15);

/// How many steps one message takes: each effect is two, and the last one ends it.
const MOST_STEPS: usize = 8;

/// Makes changes.
#[derive(Clone)]
pub struct ChangeSteps {
    ports: Ports,
    store: Store,
    custody: Custody,
    grants: Grants,
    corrections: Corrections,
}

/// A change on its way into the CRM, in an open generation.
struct Making {
    opened: OpenGeneration,
    change: Stored<Change>,
    values: ChangeValues,
}

/// What a change does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Create(SObject),
    Update,
    Delete,
    /// A new contact gets its part in an opportunity.
    Role(SalesforceId),
    /// A new record is read back, and becomes the match of its person.
    Adopt,
}

/// Whether a message has more to do.
enum Step {
    GoOn,
    Rest(Done),
}

/// What stands before a claim.
enum Prepared {
    /// Nothing: it may be claimed, since Salesforce's clock showed this.
    Claim(Timestamp),
    /// The CRM is as the change would leave it.
    AsWanted,
    /// It cannot be made, for the reasons in the values.
    Refused(Box<ChangeValues>),
}

impl Making {
    fn grantee(&self) -> Grantee {
        Grantee::Seat(self.change.seat)
    }

    fn effect(&self) -> Effect {
        match (self.change.what, self.change.created) {
            (ChangeKind::Create { object }, None) => Effect::Create(object),
            (ChangeKind::Create { .. }, Some(record)) if !self.change.role_done => {
                Effect::Role(record)
            }
            (ChangeKind::Create { .. }, Some(_)) => Effect::Adopt,
            (ChangeKind::Update { .. }, _) => Effect::Update,
            (ChangeKind::Delete { .. }, _) => Effect::Delete,
        }
    }
}

impl ChangeSteps {
    /// Changes made through `app`.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp) -> Self {
        let grants = Grants::new(ports.clone(), custody.clone(), app);
        let corrections = Corrections::new(ports.clone(), custody.clone());
        let store = Store::new(ports.clone());
        Self { ports, store, custody, grants, corrections }
    }

    /// Takes a change as far as it goes now.
    ///
    /// # Errors
    /// Those of the ports, and what Salesforce may answer otherwise later.
    #[must_use]
    #[boxed]
    pub async fn handle(
        &self,
        scope: Scope,
        seat: SeatId,
        change: ChangeId,
    ) -> Result<Done, WorkError> {
        for _ in 0..MOST_STEPS {
            if let Step::Rest(done) = Box::pin(self.step(scope, seat, change)).await? {
                return Ok(done);
            }
        }
        Ok(Done::Later(NOT_YET))
    }

    /// Sends the changes, of one seat or of all, that came to no end: there is a grant again. One
    /// that is sent twice is made once.
    ///
    /// # Errors
    /// Those of the ports.
    #[must_use]
    #[boxed]
    pub async fn release(&self, scope: Scope, seat: Option<SeatId>) -> Result<(), WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(()) };
        let keys = &opened.keys;
        let series: Vec<_> = match seat {
            Some(seat) => vec![keys.changes(seat)],
            None => (0..keys.buckets()).map(|bucket| keys.all_changes(bucket)).collect(),
        };
        for series in series {
            let mut pages = pin!(opened.store.pages(series));
            while let Some(page) = pages.try_next().await? {
                for change in page.iter().filter(|change| change.state.is_open()) {
                    let mut commit = Commit::new();
                    let (seat, change) = (change.seat, change.id);
                    commit.now(WritebackMessage::Change { scope, seat, change });
                    let winner = "nobody: a due item has no condition";
                    self.store.commit(commit).await?.may_lose_to(winner);
                }
            }
        }
        Ok(())
    }

    async fn step(&self, scope: Scope, seat: SeatId, id: ChangeId) -> Result<Step, WorkError> {
        let finished = Ok(Step::Rest(Done::Finished));
        let Some(opened) = self.custody.open(scope).await? else { return finished };
        let stored = opened.store.load(&opened.keys.change(seat, id)).await?;
        let Some(change) = stored.filter(|change| change.state.is_open()) else { return finished };
        let values = opened.unsealed(&change.slot(), change.body().unwrap_or_default())?;
        let making = Making { opened, change, values };
        let seat = seats::keys::seat(scope.tenant, seat);
        if self.store.load(&seat).await?.is_none() {
            return self.seat_removed(making).await;
        }
        if let ChangeState::Claimed { server_time, at, lookups } = making.change.state {
            return self.resolve(making, server_time, at, lookups).await;
        }
        let state = self.grants.state(&making.opened, making.grantee()).await?;
        let works = making.opened.connection.state == ConnectionState::Connected;
        let now = self.ports.clock.now();
        match state.filter(|grant| works && grant.is_usable(making.grantee(), now)) {
            // Boxed: a future of so many calls is large.
            Some(_) => Box::pin(self.make(making)).await,
            None => self.hold(making).await,
        }
    }

    /// Prepares the next effect, claims it, sends it, and stores what came of it.
    async fn make(&self, making: Making) -> Result<Step, WorkError> {
        let effect = making.effect();
        if effect == Effect::Adopt {
            return self.adopt(making).await;
        }
        let server_time = match self.prepare(&making, effect).await {
            Ok(Prepared::Claim(server_time)) => server_time,
            Ok(Prepared::AsWanted) => return self.carried_out(making, effect, None).await,
            Ok(Prepared::Refused(values)) => return self.refused(making, *values).await,
            Err(error) => return self.troubled(making, error).await,
        };
        let owner = match self.owner_of_new(&making, effect).await {
            Ok(owner) => owner,
            Err(error) => return self.troubled(making, error).await,
        };
        let id = making.change.id;
        let Some(claimed) = self.claim(making, server_time).await? else {
            // Another delivery claims at this moment, or the tenant was handed over.
            return Ok(Step::Rest(Done::Later(NOT_YET)));
        };
        match self.send(&claimed, effect, owner, server_time).await {
            Ok(made) => self.carried_out(claimed, effect, made).await,
            Err(GrantError::Call(error)) if error.is_outcome_unknown() => {
                tracing::warn!(change.id = %id, error = %error, "outcome unknown");
                Ok(Step::Rest(Done::Later(Duration::from_secs(10))))
            }
            Err(error) => self.troubled(claimed, error).await,
        }
    }

    /// Sends the request of an effect. Gives the id of the record that it created.
    async fn send(
        &self,
        making: &Making,
        effect: Effect,
        owner: Option<SalesforceId>,
        server_time: Timestamp,
    ) -> Result<Option<SalesforceId>, GrantError> {
        let (opened, grantee) = (&making.opened, making.grantee());
        let client = self.grants.app().client();
        let values = &making.values;
        let written = |values: &super::Values| -> serde_json::Map<_, _> {
            values.clone().into_iter().map(|(name, value)| (name, value.into())).collect()
        };
        match effect {
            Effect::Create(object) => {
                let mut fields = written(&values.to);
                fields.extend(owner.map(|owner| ("OwnerId".to_owned(), owner.to_string().into())));
                let anyway = values.create_anyway;
                let duplicates = if anyway {
                    DuplicateRuleHandling::AllowSave
                } else {
                    DuplicateRuleHandling::Stop
                };
                let options = WriteOptions { duplicates, ..WriteOptions::default() };
                let fields = &fields;
                let create = |session| async move {
                    client.create(&session, object.name(), fields, options).await
                };
                Ok(Some(self.grants.call(opened, grantee, create).await?.value))
            }
            Effect::Role(contact) => {
                let fields = &prepare::role_fields(values, contact);
                let object = SObject::OpportunityContactRole.name();
                let create = |session| async move {
                    client.create(&session, object, fields, WriteOptions::default()).await
                };
                Ok(Some(self.grants.call(opened, grantee, create).await?.value))
            }
            Effect::Update => {
                let fields = written(&values.to);
                let Some(record) = making.change.record() else { return Ok(None) };
                let object = making.change.object().name();
                let if_unmodified_since = Some(server_time);
                let options = WriteOptions { if_unmodified_since, ..WriteOptions::default() };
                let fields = &fields;
                let update = |session| async move {
                    client.update(&session, object, record, fields, options).await
                };
                self.grants.call(opened, grantee, update).await?;
                Ok(None)
            }
            Effect::Delete => {
                let Some(record) = making.change.record() else { return Ok(None) };
                let object = making.change.object().name();
                let delete = |session| async move { client.delete(&session, object, record).await };
                self.grants.call(opened, grantee, delete).await?;
                Ok(None)
            }
            Effect::Adopt => Ok(None),
        }
    }

    /// Asks the CRM what became of a claim. After the last look that found nothing, the request is
    /// prepared again.
    async fn resolve(
        &self,
        making: Making,
        server_time: Timestamp,
        at: Timestamp,
        lookups: u32,
    ) -> Result<Step, WorkError> {
        let effect = making.effect();
        match NextLookup::of(at, lookups, self.ports.clock.now()) {
            NextLookup::Wait(left) => Ok(Step::Rest(Done::Later(left))),
            NextLookup::Over => self.requeue(making).await,
            NextLookup::Look => match self.look_for(&making, effect, server_time).await {
                Ok(look::Look::Made(id)) => self.carried_out(making, effect, id).await,
                // What was not carried out once may be sent again: it ends in the same values.
                Ok(look::Look::NotMade) if matches!(effect, Effect::Update | Effect::Delete) => {
                    self.requeue(making).await
                }
                Ok(look::Look::NotMade) => {
                    let lookups = lookups + 1;
                    let state = ChangeState::Claimed { server_time, at, lookups };
                    self.moved(making, state).await?;
                    Ok(Step::Rest(Done::Later(NOT_YET)))
                }
                Err(error @ (GrantError::Dead | GrantError::Missing)) => {
                    // It stays claimed: after a new login it is looked up before anything is made.
                    tracing::warn!(error = %error, "a claimed change waits for a login");
                    Ok(Step::Rest(Done::Later(NO_LOGIN)))
                }
                Err(error) => Ok(Step::Rest(error.into_done("look a change up")?)),
            },
        }
    }

    /// Claims the next effect; none when the change moved meanwhile, or when another home is to
    /// make it.
    async fn claim(
        &self,
        making: Making,
        server_time: Timestamp,
    ) -> Result<Option<Making>, WorkError> {
        let at = self.ports.clock.now();
        let claim = ChangeState::Claimed { server_time, at, lookups: 0 };
        let after = Change { was_claimed: true, ..making.change.moved_to(claim) };
        let mut commit = Commit::new();
        making.opened.check_at_home(&mut commit)?;
        self.replaced(making, after, None, commit).await
    }

    /// Replaces a change by itself one step on, with other values where some are given; none when
    /// it moved meanwhile.
    async fn replaced(
        &self,
        making: Making,
        after: Change,
        values: Option<ChangeValues>,
        mut commit: Commit,
    ) -> Result<Option<Making>, WorkError> {
        let Making { opened, change: before, values: same } = making;
        let slot = before.slot();
        let body = match &values {
            Some(values) => opened.sealed(&self.ports, &slot, values)?,
            None => before.body().unwrap_or_default().to_vec(),
        };
        commit.write(Draft::after(&before, &after)?.body(body))?;
        if !opened.store.commit(commit).await?.is_done() {
            return Ok(None);
        }
        let stored = opened.store.load(&slot).await?;
        let values = values.unwrap_or(same);
        // Another delivery that moved it on since is at it.
        let change = stored.filter(|stored| **stored == after);
        Ok(change.map(|change| Making { opened, change, values }))
    }
}
