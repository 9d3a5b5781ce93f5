//! The auto-save rules at work.
//!
//! The unit of work is an opportunity. Whatever called for it, the rules look anew at its owner,
//! its account and its contacts. So triggers may come twice, late or in any order.

mod follow;
mod pass;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory::Entities;
use crate::capabilities::importing::{self, AccountModel, Pipeline};
use crate::capabilities::linking::CandidateList;
use crate::capabilities::saving::concerned::opportunities_of;
use crate::capabilities::saving::{Saved, SavedList};
use crate::capabilities::seats::{self, SeatsByEmail, crm_user_of, seat_of_user};
use crate::capabilities::settings::{self, Settings};
use crate::kernel::{AutoSaveMessage, Record, SObject, Scope, SeatId};
use crate::ports::Ports;
use crate::salesforce::SalesforceId;
use crate::store::keys::Relation;
use crate::store::{Commit, Slot, Store, Stored, When};
use crate::work::{Done, WorkError};

/// How many opportunities one message names.
const OPPORTUNITIES_PER_MESSAGE: usize = 100;

/// How many opportunities' or accounts' relations are read at once.
const CONCURRENT_READS: usize = 8;

/// The auto-save rules at work.
#[derive(Clone)]
pub struct AutoSave {
    ports: Ports,
    custody: Custody,
    store: Store,
    entities: Entities,
}

/// The facts that the rules need once per message.
struct Context {
    generation: OpenGeneration,
    settings: Settings,
    /// The change of the settings that made these rules.
    rules: u64,
    pipeline: Pipeline,
    accounts: AccountModel,
    seats: SeatsByEmail,
}

/// Something that a deal calls for: a record, for a seat.
struct Wanted {
    seat: SeatId,
    opportunity: SalesforceId,
    object: SObject,
    record: SalesforceId,
}

impl AutoSave {
    /// The rules over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, entities) = (Store::new(ports.clone()), Entities::new(ports.clone()));
        Self { ports, custody, store, entities }
    }

    /// Does one message's work.
    pub async fn handle(&self, message: AutoSaveMessage) -> Result<Done, WorkError> {
        match message {
            AutoSaveMessage::Opportunities { scope, opportunities } => {
                let Some(context) = self.context(scope).await? else { return Ok(Done::Finished) };
                let records = &context.generation.records;
                let deals = records.get(SObject::Opportunity, &opportunities).await?;
                self.evaluate(&context, deals).await?;
            }
            AutoSaveMessage::Records { scope, object, records } => {
                let Some(generation) = self.custody.open(scope).await? else {
                    return Ok(Done::Finished);
                };
                let model = self.model(scope).await?;
                let concerned = opportunities_of(&generation, model, object, &records).await?;
                self.spread(scope, concerned).await?;
            }
            AutoSaveMessage::Owner { scope, user } => {
                let Some(generation) = self.custody.open(scope).await? else {
                    return Ok(Done::Finished);
                };
                let owned = generation.records.children(user, Relation::OwnerOpportunity).await?;
                self.spread(scope, owned.into_iter().collect()).await?;
            }
            AutoSaveMessage::Seat { scope, seat } => self.for_seat(scope, seat).await?,
            AutoSaveMessage::Everything { scope, rules, step } => {
                self.everything(scope, rules, step).await?;
            }
            AutoSaveMessage::Directory { scope, run, step } => {
                self.follow(scope, run, step).await?;
            }
        }
        Ok(Done::Finished)
    }

    /// Has the rules applied to everything that the CRM user of a seat owns. What was saved for a
    /// seat that was removed goes.
    async fn for_seat(&self, scope: Scope, seat: SeatId) -> Result<(), WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(()) };
        let key = seats::keys::seat(scope.tenant, seat);
        let Some(seat) = self.store.read(&key).await? else {
            return self.forget_seat(&generation, seat).await;
        };
        if let Some(user) = crm_user_of(&generation, &seat).await?.user {
            self.send(AutoSaveMessage::Owner { scope, user }).await?;
        }
        Ok(())
    }

    async fn forget_seat(
        &self,
        generation: &OpenGeneration,
        seat: SeatId,
    ) -> Result<(), WorkError> {
        for list in [SavedList::Accounts, SavedList::Leads] {
            let saved = generation.keys.saved_list(seat, list.as_str());
            let mut pages = pin!(generation.store.pages(saved));
            while let Some(page) = pages.try_next().await? {
                let keys: Vec<_> = page.iter().map(|saved| saved.slot().into()).collect();
                self.ports.table.delete_many(&keys).await?;
            }
        }
        Ok(())
    }

    /// Hands opportunities on, some to a message.
    async fn spread(
        &self,
        scope: Scope,
        opportunities: BTreeSet<SalesforceId>,
    ) -> Result<(), WorkError> {
        let opportunities: Vec<SalesforceId> = opportunities.into_iter().collect();
        for chunk in opportunities.chunks(OPPORTUNITIES_PER_MESSAGE) {
            let opportunities = chunk.to_vec();
            self.send(AutoSaveMessage::Opportunities { scope, opportunities }).await?;
        }
        Ok(())
    }

    async fn send(&self, message: AutoSaveMessage) -> Result<(), WorkError> {
        let mut commit = Commit::new();
        commit.now(message);
        self.store.commit(commit).await?.may_lose_to("nobody: the step has no condition");
        Ok(())
    }

    async fn context(&self, scope: Scope) -> Result<Option<Context>, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(None) };
        let slot = settings::keys::settings(scope.tenant_environment());
        let kept = self.store.read(&slot).await?.unwrap_or_default();
        let (settings, rules) = (kept.settings, kept.rules);
        if !settings.auto_save {
            return Ok(None);
        }
        let pipeline = self.store.read(&generation.keys.pipeline()).await?.unwrap_or_default();
        let accounts = self.model(scope).await?;
        let seats = self.store.all(&seats::keys::seats(scope.tenant)).await?;
        let seats = seats.into_iter().map(Stored::into_inner).collect();
        Ok(Some(Context { generation, settings, rules, pipeline, accounts, seats }))
    }

    /// The model of accounts: companies or persons.
    async fn model(&self, scope: Scope) -> Result<AccountModel, WorkError> {
        let key = importing::keys::selection(scope.tenant_environment());
        let chosen = self.store.read(&key).await?;
        Ok(chosen.unwrap_or_default().accounts)
    }

    /// Applies the rules to some opportunities.
    async fn evaluate(&self, context: &Context, mut deals: Vec<Record>) -> Result<(), WorkError> {
        deals.retain(|deal| counts(context, deal));
        deals.sort_by_key(|deal| deal.id);
        let seats = self.owners_seats(context, &deals).await?;
        let owned = |deal: &Record| seats.get(&deal.fields.reference("OwnerId")?).copied();
        let deals: Vec<(Record, SeatId)> =
            deals.into_iter().filter_map(|deal| owned(&deal).map(|seat| (deal, seat))).collect();
        let accounts = deals.iter().filter_map(|(deal, _)| deal.fields.reference("AccountId"));
        let stand_ins = &stand_ins(context, accounts.collect()).await?;
        let wanted: Vec<Vec<Wanted>> = stream::iter(deals)
            .map(|(deal, seat)| async move {
                let of = |(object, record)| Wanted { seat, opportunity: deal.id, object, record };
                let account = deal.fields.reference("AccountId");
                let accounts = account.and_then(|account| stand_ins.get(&account));
                let contacts = contacts_of(context, &deal).await?;
                let contacts = contacts.into_iter().map(|contact| (SObject::Contact, contact));
                let records = accounts.into_iter().flatten().copied().chain(contacts);
                Ok::<_, WorkError>(records.map(of).collect())
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        self.save(context, wanted.into_iter().flatten().collect()).await
    }

    /// The seats of the opportunities' owners, by CRM user.
    async fn owners_seats(
        &self,
        context: &Context,
        opportunities: &[Record],
    ) -> Result<BTreeMap<SalesforceId, SeatId>, WorkError> {
        let Context { generation, seats, .. } = context;
        let owners: BTreeSet<SalesforceId> =
            opportunities.iter().filter_map(|o| o.fields.reference("OwnerId")).collect();
        let owners: Vec<SalesforceId> = owners.into_iter().collect();
        let users = generation.records.get(SObject::User, &owners).await?;
        let joined: Vec<Option<(SalesforceId, SeatId)>> = stream::iter(users)
            .map(|user| async move {
                let seat = seat_of_user(generation, seats, &user).await?;
                Ok::<_, WorkError>(seat.map(|seat| (user.id, seat)))
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        Ok(joined.into_iter().flatten().collect())
    }

    /// What matching says of these records.
    async fn matched(
        &self,
        context: &Context,
        wanted: &[Wanted],
    ) -> Result<BTreeMap<(SObject, SalesforceId), Stored<CandidateList>>, WorkError> {
        let OpenGeneration { keys, store, .. } = &context.generation;
        let slots: BTreeSet<_> =
            wanted.iter().map(|wanted| keys.candidates(wanted.object, wanted.record)).collect();
        let lists = store.load_many(slots).await?;
        Ok(lists.into_iter().map(|list| ((list.object, list.id), list)).collect())
    }

    /// Saves the entities of what is wanted and not saved yet. The others keep their earlier
    /// reason.
    async fn save(&self, context: &Context, wanted: Vec<Wanted>) -> Result<(), WorkError> {
        let store = &context.generation.store;
        let matched = self.matched(context, &wanted).await?;
        let mut entries: BTreeMap<Slot<Saved>, (Saved, &Stored<CandidateList>)> = BTreeMap::new();
        for Wanted { seat, opportunity, object, record } in wanted {
            let Some(list_of_record) = matched.get(&(object, record)) else { continue };
            let Some(entity) = list_of_record.matched.clone() else { continue };
            let list = SavedList::of(object);
            let slot = store.slot(&context.generation.keys.saved(seat, list.as_str(), &entity));
            let saved_at = self.ports.clock.now();
            let saved = Saved { seat, list, entity, record, object, opportunity, saved_at };
            entries.entry(slot).or_insert((saved, list_of_record));
        }
        for known in store.load_many(entries.keys().cloned()).await? {
            entries.remove(&known.slot());
        }
        for (slot, (saved, list)) in entries {
            let mut commit = Commit::new();
            commit.create(&slot, &saved)?;
            // What was matched in an older directory version is not saved any more once what is
            // saved has followed a newer one.
            commit.check(&list.slot(), When::unchanged(list));
            let seat = seats::keys::seat(context.generation.keys.scope().tenant, saved.seat);
            commit.check(&seat, When::exists());
            let is_done = store.commit(commit).await?.is_done();
            if !is_done && store.load(&slot).await?.is_none() {
                return Err(WorkError::retry(
                    "save an entity",
                    "its match was settled, or its seat removed, meanwhile",
                ));
            }
        }
        Ok(())
    }
}

/// True if an opportunity counts by the stage rule.
fn counts(context: &Context, deal: &Record) -> bool {
    let (chosen, is_closed) = (context.settings.stage.as_deref(), deal.fields.is_true("IsClosed"));
    context.pipeline.counts(chosen, deal.fields.get("StageName"), is_closed)
}

/// The records that stand for accounts: the account itself if it is held, or the contacts of a
/// person account where persons are imported.
async fn stand_ins(
    context: &Context,
    accounts: BTreeSet<SalesforceId>,
) -> Result<BTreeMap<SalesforceId, Vec<(SObject, SalesforceId)>>, WorkError> {
    let records = &context.generation.records;
    let accounts: Vec<SalesforceId> = accounts.into_iter().collect();
    if context.accounts == AccountModel::Business {
        let held = records.get(SObject::Account, &accounts).await?;
        return Ok(held.into_iter().map(|a| (a.id, vec![(SObject::Account, a.id)])).collect());
    }
    let mut stand_ins = BTreeMap::new();
    for account in accounts {
        let contacts = records.children(account, Relation::AccountContact).await?;
        let held = records.get(SObject::Contact, &contacts).await?;
        let own = held.iter().filter(|c| c.fields.reference("AccountId") == Some(account));
        stand_ins.insert(account, own.map(|c| (SObject::Contact, c.id)).collect());
    }
    Ok(stand_ins)
}

/// The contacts in the roles of an opportunity.
async fn contacts_of(
    context: &Context,
    opportunity: &Record,
) -> Result<BTreeSet<SalesforceId>, WorkError> {
    let records = &context.generation.records;
    let roles = records.children(opportunity.id, Relation::OpportunityRole).await?;
    let roles = records.get(SObject::OpportunityContactRole, &roles).await?;
    Ok(roles
        .iter()
        .filter(|role| role.fields.reference("OpportunityId") == Some(opportunity.id))
        .filter_map(|role| role.fields.reference("ContactId"))
        .collect())
}
