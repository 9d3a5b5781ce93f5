//! Saving what belongs to open opportunities for their owners.
//!
//! The unit of work is an account: all its open opportunities, their owners and contacts are looked
//! at anew, whatever called for it, so that triggers may come twice, late or in any order. Saved
//! things stay (specification 2.4: no auto-unsave).

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, TryStreamExt};

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::importing;
use crate::capabilities::importing::{AccountModel, Pipeline, Selection};
use crate::capabilities::linking::CandidateList;
use crate::capabilities::saving::{Saved, SavedList};
use crate::capabilities::seats;
use crate::capabilities::seats::{Seat, folded_email};
use crate::capabilities::settings;
use crate::capabilities::settings::Settings;
use crate::kernel::{AutoSaveMessage, Record, SObject, Scope, SeatId};
use crate::ports::Ports;
use crate::store::keys::Relation;
use crate::store::{self, Commit, Next, Outbox, Slot, Store};
use crate::work::{Done, WorkError};

/// How many accounts one message names.
const ACCOUNTS_PER_MESSAGE: usize = 20;

/// How many accounts are looked at at once.
const CONCURRENT_ACCOUNTS: usize = 8;

/// The auto-save rules at work.
#[derive(Clone)]
pub struct AutoSave {
    ports: Ports,
    custody: Custody,
    outbox: Outbox,
}

/// What the rules need to know once per message.
struct Context {
    opened: OpenGeneration,
    settings: Settings,
    pipeline: Pipeline,
    accounts: AccountModel,
    /// The tenant's seats by folded e-mail; none where two seats share one: nobody can tell whose
    /// it is.
    seats: BTreeMap<String, Option<SeatId>>,
}

impl AutoSave {
    /// The rules over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let outbox = Outbox::new(ports.clone());
        Self { ports, custody, outbox }
    }

    /// Does one message's work.
    pub async fn handle(&self, message: AutoSaveMessage) -> Result<Done, WorkError> {
        match message {
            AutoSaveMessage::Accounts { scope, accounts } => {
                let Some(context) = self.context(scope).await? else { return Ok(Done::Finished) };
                stream::iter(accounts.into_iter().map(Ok))
                    .try_for_each_concurrent(CONCURRENT_ACCOUNTS, |account| {
                        let context = &context;
                        async move { self.evaluate(context, &account).await }
                    })
                    .await?;
            }
            AutoSaveMessage::Records { scope, object, records } => {
                let Some(opened) = self.custody.open(scope).await? else {
                    return Ok(Done::Finished);
                };
                let mut accounts = accounts_of(&opened, object, &records).await?;
                if object == SObject::Contact && self.model(scope).await? == AccountModel::Person {
                    // The contact of a person account needs no role.
                    let contacts = opened.records.get(object, &records).await?;
                    accounts.extend(named(&contacts, "AccountId"));
                }
                self.spread(scope, accounts).await?;
            }
            AutoSaveMessage::Owner { scope, user } => {
                let Some(opened) = self.custody.open(scope).await? else {
                    return Ok(Done::Finished);
                };
                let owned = opened.records.children(&user, Relation::OwnerOpportunity).await?;
                let accounts = accounts_of(&opened, SObject::Opportunity, &owned).await?;
                self.spread(scope, accounts).await?;
            }
            AutoSaveMessage::Seat { scope, seat } => self.for_seat(scope, seat).await?,
        }
        Ok(Done::Finished)
    }

    /// A new seat: everything that the CRM user of its e-mail owns.
    async fn for_seat(&self, scope: Scope, seat: SeatId) -> Result<(), WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(()) };
        let key = seats::keys::seat(scope.tenant, seat);
        let Some(seat) = store::get::<Seat>(&*self.ports.table, &key).await? else {
            return Ok(());
        };
        let email = folded_email(&seat.email);
        for bucket in 0..opened.keys.buckets() {
            let mut after = None;
            loop {
                let (users, next) =
                    opened.records.page(SObject::User, bucket, after.as_deref(), 200).await?;
                for user in users {
                    if user.fields.get("Email").map(folded_email).as_deref() == Some(&email) {
                        let message = AutoSaveMessage::Owner { scope, user: user.id };
                        let _ = self.outbox.commit(vec![], vec![Next::now(message)]).await?;
                    }
                }
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Hands accounts on, some to a message.
    async fn spread(&self, scope: Scope, accounts: BTreeSet<String>) -> Result<(), WorkError> {
        let accounts: Vec<String> = accounts.into_iter().collect();
        for chunk in accounts.chunks(ACCOUNTS_PER_MESSAGE) {
            let message = AutoSaveMessage::Accounts { scope, accounts: chunk.to_vec() };
            let _ = self.outbox.commit(vec![], vec![Next::now(message)]).await?;
        }
        Ok(())
    }

    async fn context(&self, scope: Scope) -> Result<Option<Context>, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(None) };
        let table = &*self.ports.table;
        let settings: Settings =
            store::get(table, &settings::keys::settings(scope.tenant_environment()))
                .await?
                .unwrap_or_default();
        if !settings.auto_save {
            return Ok(None);
        }
        let pipeline = store::get(table, &opened.keys.pipeline()).await?.unwrap_or_default();
        let accounts = self.model(scope).await?;
        let mut seats = BTreeMap::new();
        for seat in store::query_all::<Seat>(table, &seats::keys::seats(scope.tenant)).await? {
            seats
                .entry(folded_email(&seat.email))
                .and_modify(|known| *known = None)
                .or_insert(Some(seat.id));
        }
        Ok(Some(Context { opened, settings, pipeline, accounts, seats }))
    }

    /// Whether companies or persons are imported.
    async fn model(&self, scope: Scope) -> Result<AccountModel, WorkError> {
        let key = importing::keys::selection(scope.tenant_environment());
        let chosen: Option<Selection> = store::get(&*self.ports.table, &key).await?;
        Ok(chosen.unwrap_or_default().accounts)
    }

    /// Applies the rules to one account.
    async fn evaluate(&self, context: &Context, account: &str) -> Result<(), WorkError> {
        let open = self.counting_opportunities(context, account).await?;
        let stands_for_account = self.stands_for(context, account).await?;
        if open.is_empty() || stands_for_account.is_empty() {
            return Ok(());
        }
        let seats = self.owners_seats(context, &open).await?;
        let owned = |o: &Record| seats.get(o.fields.get("OwnerId").unwrap_or_default()).copied();
        let mut wanted = Vec::new();
        for (opportunity, seat) in open.iter().filter_map(|o| Some((o, owned(o)?))) {
            let account = stands_for_account.iter().cloned();
            wanted.extend(account.map(|(object, record)| (seat, opportunity, object, record)));
            let contacts = contacts_of(context, opportunity).await?;
            wanted.extend(contacts.into_iter().map(|c| (seat, opportunity, SObject::Contact, c)));
        }
        let matched = self.matched(context, wanted.iter().map(|w| (w.2, w.3.as_str()))).await?;
        let mut entries = BTreeMap::new();
        for (seat, opportunity, object, record) in wanted {
            let Some(entity) = matched.get(&(object, record.clone())) else { continue };
            let list =
                if object == SObject::Account { SavedList::Accounts } else { SavedList::Leads };
            let saved = Saved {
                seat,
                list,
                entity: entity.clone(),
                record,
                object,
                opportunity: opportunity.id.clone(),
                saved_at: self.ports.clock.now(),
            };
            let key = context.opened.keys.saved(seat, list.as_str(), entity);
            entries.entry(key).or_insert(saved);
        }
        self.save(entries).await
    }

    /// The record that stands for an account: its own; or where persons are imported and no accounts,
    /// the contact that each person account has.
    async fn stands_for(
        &self,
        context: &Context,
        account: &str,
    ) -> Result<Vec<(SObject, String)>, WorkError> {
        let records = &context.opened.records;
        if context.accounts == AccountModel::Business {
            let held = records.one(SObject::Account, account).await?;
            return Ok(held.map(|held| (SObject::Account, held.id)).into_iter().collect());
        }
        let contacts = records.children(account, Relation::AccountContact).await?;
        let held = records.get(SObject::Contact, &contacts).await?;
        Ok(held.into_iter().map(|contact| (SObject::Contact, contact.id)).collect())
    }

    /// The account's opportunities that count by the stage rule.
    async fn counting_opportunities(
        &self,
        context: &Context,
        account: &str,
    ) -> Result<Vec<Record>, WorkError> {
        let records = &context.opened.records;
        let ids = records.children(account, Relation::AccountOpportunity).await?;
        let mut open = records.get(SObject::Opportunity, &ids).await?;
        open.retain(|o| {
            o.fields.get("AccountId") == Some(account)
                && context.pipeline.counts(
                    context.settings.stage.as_deref(),
                    o.fields.get("StageName"),
                    o.fields.is_true("IsClosed"),
                )
        });
        open.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(open)
    }

    /// The seats of the opportunities' owners, by CRM user: active users, joined by e-mail.
    async fn owners_seats(
        &self,
        context: &Context,
        opportunities: &[Record],
    ) -> Result<BTreeMap<String, SeatId>, WorkError> {
        let owners: BTreeSet<String> = opportunities
            .iter()
            .filter_map(|o| o.fields.get("OwnerId").map(str::to_owned))
            .collect();
        let owners: Vec<String> = owners.into_iter().collect();
        let users = context.opened.records.get(SObject::User, &owners).await?;
        Ok(users
            .into_iter()
            .filter(|user| user.fields.is_true("IsActive"))
            .filter_map(|user| {
                let email = folded_email(user.fields.get("Email")?);
                let seat = (*context.seats.get(&email)?)?;
                Some((user.id, seat))
            })
            .collect())
    }

    /// The entities that these records are matched to.
    async fn matched<'a>(
        &self,
        context: &Context,
        records: impl Iterator<Item = (SObject, &'a str)>,
    ) -> Result<BTreeMap<(SObject, String), String>, WorkError> {
        let keys: BTreeSet<_> =
            records.map(|(object, id)| context.opened.keys.candidates(object, id)).collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let lists: Vec<CandidateList> = store::get_many(&*self.ports.table, &keys).await?;
        Ok(lists.into_iter().filter_map(|l| Some(((l.object, l.id), l.matched?))).collect())
    }

    /// Saves what is not saved yet. What is keeps its earlier reason.
    async fn save(&self, mut entries: BTreeMap<Slot<Saved>, Saved>) -> Result<(), WorkError> {
        let store = Store::new(self.ports.clone());
        for known in store.load_many(entries.keys().cloned()).await? {
            entries.remove(&known.slot());
        }
        for (slot, saved) in entries {
            let mut commit = Commit::new();
            commit.create(&slot, &saved)?;
            store.commit(commit).await?.may_lose_to("another delivery that saved it");
        }
        Ok(())
    }
}

/// The contacts in the roles of an opportunity.
async fn contacts_of(
    context: &Context,
    opportunity: &Record,
) -> Result<BTreeSet<String>, WorkError> {
    let records = &context.opened.records;
    let roles = records.children(&opportunity.id, Relation::OpportunityRole).await?;
    let roles = records.get(SObject::OpportunityContactRole, &roles).await?;
    Ok(roles
        .iter()
        .filter(|role| role.fields.get("OpportunityId") == Some(&opportunity.id))
        .filter_map(|role| role.fields.get("ContactId").map(str::to_owned))
        .collect())
}

/// The accounts that a change of these records may concern.
async fn accounts_of(
    opened: &OpenGeneration,
    object: SObject,
    ids: &[String],
) -> Result<BTreeSet<String>, WorkError> {
    let records = &opened.records;
    match object {
        SObject::Account => Ok(ids.iter().cloned().collect()),
        SObject::Contact => {
            let mut roles = Vec::new();
            for id in ids {
                roles.extend(records.children(id, Relation::ContactRole).await?);
            }
            let roles = records.get(SObject::OpportunityContactRole, &roles).await?;
            Box::pin(accounts_of(opened, SObject::Opportunity, &named(&roles, "OpportunityId")))
                .await
        }
        SObject::OpportunityContactRole => {
            let roles = records.get(object, ids).await?;
            Box::pin(accounts_of(opened, SObject::Opportunity, &named(&roles, "OpportunityId")))
                .await
        }
        SObject::Opportunity | SObject::AccountTeamMember => {
            let rows = records.get(object, ids).await?;
            Ok(named(&rows, "AccountId").into_iter().collect())
        }
        SObject::User => {
            let mut owned = Vec::new();
            for id in ids {
                owned.extend(records.children(id, Relation::OwnerOpportunity).await?);
            }
            Box::pin(accounts_of(opened, SObject::Opportunity, &owned)).await
        }
        _ => Ok(BTreeSet::new()),
    }
}

fn named(records: &[Record], field: &str) -> Vec<String> {
    records.iter().filter_map(|r| r.fields.get(field).map(str::to_owned)).collect()
}
