//! The auto-save rules at work.
//!
//! The unit of work is an opportunity, or a record that somebody owns. Whatever called for it, the
//! rules look anew at its owner, its account and its people. So triggers may come twice, late or in
//! any order.

mod deals;
mod dry_run;
mod follow;
mod owned;
mod pass;
mod save;
mod unsave;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures::stream::{self, StreamExt, TryStreamExt};

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory::Entities;
use crate::capabilities::importing::{self, AccountModel, Pipeline};
use crate::capabilities::linking::CandidateList;
use crate::capabilities::lists::Lists;
use crate::capabilities::saving::SavedList;
use crate::capabilities::saving::concerned::opportunities_of;
use crate::capabilities::seats::{self, SeatsByEmail, crm_user_of, seat_of_user};
use crate::capabilities::settings::{
    self, EffectiveRule, KeptSettings, SavingRule, SeatChoices, Settings,
};
use crate::kernel::{AutoSaveMessage, SObject, Scope, SeatId};
use crate::ports::Ports;
use crate::salesforce::SalesforceId;
use crate::store::keys::Relation;
use crate::store::{Commit, Slot, Store, Stored};
use crate::work::{Done, WorkError, boxed};

/// How many opportunities or other records one message names.
const PER_MESSAGE: usize = 100;

/// How many opportunities' or accounts' relations are read at once.
const CONCURRENT_READS: usize = 8;

/// The auto-save rules at work.
#[derive(Clone)]
pub struct AutoSave {
    ports: Ports,
    custody: Custody,
    store: Store,
    entities: Entities,
    lists: Lists,
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

/// Something that a rule calls for: a record, for a seat.
struct Wanted {
    seat: SeatId,
    rule: SavingRule,
    /// The record by which the rule holds.
    by: SalesforceId,
    object: SObject,
    record: SalesforceId,
}

impl AutoSave {
    /// The rules over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, entities) = (Store::new(ports.clone()), Entities::new(ports.clone()));
        let lists = Lists::new(ports.clone(), custody.clone());
        Self { ports, custody, store, entities, lists }
    }

    /// Does one message's work.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: AutoSaveMessage) -> Result<Done, WorkError> {
        match message {
            AutoSaveMessage::Opportunities { scope, opportunities } => {
                let Some(context) = self.context(scope).await? else { return Ok(Done::Finished) };
                let records = &context.generation.records;
                let deals = records.get(SObject::Opportunity, &opportunities).await?;
                let wanted = self.of_deals(&context, deals).await?;
                self.save(&context, wanted).await?;
            }
            AutoSaveMessage::Records { scope, object, records } => {
                self.for_records(scope, object, &records).await?;
            }
            AutoSaveMessage::Owner { scope, user } => self.for_owner(scope, user).await?,
            AutoSaveMessage::Seat { scope, seat } => self.for_seat(scope, seat).await?,
            AutoSaveMessage::Everything { scope, rules, step } => {
                self.everything(scope, rules, step).await?;
            }
            AutoSaveMessage::DryRun { scope, run, step } => self.try_out(scope, run, step).await?,
            AutoSaveMessage::Directory { scope, run, step } => {
                self.follow(scope, run, step).await?;
            }
            AutoSaveMessage::Unsave { scope, run, step } => self.unsave(scope, run, step).await?,
            AutoSaveMessage::Undo { scope, undoing, step } => {
                self.undo(scope, undoing, step).await?;
            }
        }
        Ok(Done::Finished)
    }

    /// Applies the rules to what some records concern: the opportunities that they belong to, and
    /// the records themselves where somebody owns them.
    async fn for_records(
        &self,
        scope: Scope,
        object: SObject,
        records: &[SalesforceId],
    ) -> Result<(), WorkError> {
        let settings = self.settings(scope).await?.settings;
        let (by_deals, by_owners) = (settings.saves_by_deals(), settings.saves_by_owners());
        if by_deals && object != SObject::Lead && object != SObject::AccountTeamMember {
            let Some(generation) = self.custody.open(scope).await? else { return Ok(()) };
            let model = self.model(scope).await?;
            let concerned = opportunities_of(&generation, model, object, records).await?;
            self.spread(scope, concerned).await?;
        }
        if by_owners && let Some(context) = self.context(scope).await? {
            let wanted = self.of_owned(&context, object, records).await?;
            self.save(&context, wanted).await?;
            self.beside(&context, object, records).await?;
        }
        Ok(())
    }

    /// Has the rules applied to everything that a CRM user owns.
    async fn for_owner(&self, scope: Scope, user: SalesforceId) -> Result<(), WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(()) };
        let owned = generation.records.children(user, Relation::OwnerOpportunity).await?;
        self.spread(scope, owned.into_iter().collect()).await?;
        if self.settings(scope).await?.settings.saves_by_owners() {
            self.send_owned(&generation, user).await?;
        }
        Ok(())
    }

    /// Has the rules applied to some records, a few to a message.
    async fn send_records(
        &self,
        scope: Scope,
        object: SObject,
        records: &[SalesforceId],
    ) -> Result<(), WorkError> {
        for chunk in records.chunks(PER_MESSAGE) {
            let records = chunk.to_vec();
            self.send(AutoSaveMessage::Records { scope, object, records }).await?;
        }
        Ok(())
    }

    /// Has the rules applied to everything that the CRM user of a seat owns. What was saved for a
    /// seat that was removed goes, and their own lists with it, unless a colleague works on them.
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
            // Should the same seat come again meanwhile, its lists are counted anew.
            self.ports.table.delete_many(&[generation.keys.tally(seat, list).into()]).await?;
            let saved = generation.keys.saved_list(seat, list.as_str());
            let mut pages = pin!(generation.store.pages(saved));
            while let Some(page) = pages.try_next().await? {
                let keys: Vec<_> = page.iter().map(|saved| saved.slot().into()).collect();
                self.ports.table.delete_many(&keys).await?;
            }
        }
        self.lists.forget_seat(generation, seat).await
    }

    /// Hands opportunities on, some to a message.
    async fn spread(
        &self,
        scope: Scope,
        opportunities: BTreeSet<SalesforceId>,
    ) -> Result<(), WorkError> {
        let opportunities: Vec<SalesforceId> = opportunities.into_iter().collect();
        for chunk in opportunities.chunks(PER_MESSAGE) {
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
        let kept = self.settings(scope).await?;
        if !kept.settings.auto_save {
            return Ok(None);
        }
        self.context_under(scope, kept).await
    }

    /// The facts under some settings, which need not be those that hold.
    async fn context_under(
        &self,
        scope: Scope,
        KeptSettings { settings, rules, .. }: KeptSettings,
    ) -> Result<Option<Context>, WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(None) };
        let pipeline = self.store.read(&generation.keys.pipeline()).await?.unwrap_or_default();
        let accounts = self.model(scope).await?;
        let seats = self.store.all(&seats::keys::seats(scope.tenant)).await?;
        let seats = seats.into_iter().map(Stored::into_inner).collect();
        Ok(Some(Context { generation, settings, rules, pipeline, accounts, seats }))
    }

    async fn settings(&self, scope: Scope) -> Result<KeptSettings, WorkError> {
        let slot = settings::keys::settings(scope.tenant_environment());
        Ok(self.store.read(&slot).await?.unwrap_or_default())
    }

    /// The model of accounts: companies or persons.
    async fn model(&self, scope: Scope) -> Result<AccountModel, WorkError> {
        let key = importing::keys::selection(scope.tenant_environment());
        let chosen = self.store.read(&key).await?;
        Ok(chosen.unwrap_or_default().accounts)
    }

    /// The seats of some CRM users.
    async fn seats_of(
        &self,
        context: &Context,
        users: BTreeSet<SalesforceId>,
    ) -> Result<BTreeMap<SalesforceId, SeatId>, WorkError> {
        let Context { generation, seats, .. } = context;
        let users: Vec<SalesforceId> = users.into_iter().collect();
        let users = generation.records.get(SObject::User, &users).await?;
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

    /// What of it the admin allows and the sellers want.
    async fn chosen(
        &self,
        context: &Context,
        mut wanted: Vec<Wanted>,
    ) -> Result<Vec<Wanted>, WorkError> {
        let at = context.generation.keys.scope().tenant_environment();
        let seats: BTreeSet<SeatId> = wanted.iter().map(|wanted| wanted.seat).collect();
        let slots = seats.iter().map(|seat| (settings::keys::seat_choices(at, *seat), *seat));
        let slots: BTreeMap<Slot<SeatChoices>, SeatId> = slots.collect();
        let kept = self.store.load_many(slots.keys().cloned()).await?;
        let kept = kept.into_iter();
        let kept = kept.filter_map(|kept| Some((*slots.get(&kept.slot())?, kept.into_inner())));
        let choices: BTreeMap<SeatId, SeatChoices> = kept.collect();
        let nothing = SeatChoices::default();
        wanted.retain(|wanted| {
            let choices = choices.get(&wanted.seat).unwrap_or(&nothing);
            EffectiveRule::of(wanted.rule, &context.settings, choices).on
        });
        Ok(wanted)
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
