//! The auto-save rules at work.
//!
//! The unit of work is an account. Whatever called for it, the rules look anew at all its open
//! opportunities, their owners and contacts. So triggers may come twice, late or in any order.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, TryStreamExt};

use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::importing::{self, AccountModel, Pipeline};
use crate::capabilities::saving::{Saved, SavedList};
use crate::capabilities::seats::{self, folded_email};
use crate::capabilities::settings::{self, Settings};
use crate::kernel::{AutoSaveMessage, EntityId, Record, SObject, Scope, SeatId};
use crate::ports::Ports;
use crate::salesforce::SalesforceId;
use crate::store::keys::Relation;
use crate::store::{Commit, Slot, Store, Stored};
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
    store: Store,
}

/// The facts that the rules need once per message.
struct Context {
    generation: OpenGeneration,
    settings: Settings,
    pipeline: Pipeline,
    accounts: AccountModel,
    seats: SeatsByEmail,
}

/// A tenant's seats by folded e-mail; none where two seats share one, since either may be meant.
type SeatsByEmail = BTreeMap<String, Option<SeatId>>;

impl AutoSave {
    /// The rules over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, custody, store }
    }

    /// Does one message's work.
    pub async fn handle(&self, message: AutoSaveMessage) -> Result<Done, WorkError> {
        match message {
            AutoSaveMessage::Accounts { scope, accounts } => {
                let Some(context) = self.context(scope).await? else { return Ok(Done::Finished) };
                stream::iter(accounts.into_iter().map(Ok))
                    .try_for_each_concurrent(CONCURRENT_ACCOUNTS, |account| {
                        let context = &context;
                        async move { self.evaluate(context, account).await }
                    })
                    .await?;
            }
            AutoSaveMessage::Records { scope, object, records } => {
                let Some(generation) = self.custody.open(scope).await? else {
                    return Ok(Done::Finished);
                };
                let mut accounts = accounts_of(&generation, object, &records).await?;
                if object == SObject::Contact && self.model(scope).await? == AccountModel::Person {
                    // The contact of a person account needs no role.
                    let contacts = generation.records.get(object, &records).await?;
                    accounts.extend(named(&contacts, "AccountId"));
                }
                self.spread(scope, accounts).await?;
            }
            AutoSaveMessage::Owner { scope, user } => {
                let Some(generation) = self.custody.open(scope).await? else {
                    return Ok(Done::Finished);
                };
                let owned = generation.records.children(user, Relation::OwnerOpportunity).await?;
                let accounts = accounts_of(&generation, SObject::Opportunity, &owned).await?;
                self.spread(scope, accounts).await?;
            }
            AutoSaveMessage::Seat { scope, seat } => self.for_seat(scope, seat).await?,
        }
        Ok(Done::Finished)
    }

    /// Has the rules applied to everything that the CRM user of a new seat's e-mail owns.
    async fn for_seat(&self, scope: Scope, seat: SeatId) -> Result<(), WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(()) };
        let key = seats::keys::seat(scope.tenant, seat);
        let Some(seat) = self.store.read(&key).await? else { return Ok(()) };
        let email = folded_email(&seat.email);
        for bucket in 0..generation.keys.buckets() {
            let mut after = None;
            loop {
                let (users, next) =
                    generation.records.page(SObject::User, bucket, after.as_deref(), 200).await?;
                for user in users {
                    if user.fields.get("Email").map(folded_email).as_deref() == Some(&email) {
                        self.send(AutoSaveMessage::Owner { scope, user: user.id }).await?;
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
    async fn spread(
        &self,
        scope: Scope,
        accounts: BTreeSet<SalesforceId>,
    ) -> Result<(), WorkError> {
        let accounts: Vec<SalesforceId> = accounts.into_iter().collect();
        for chunk in accounts.chunks(ACCOUNTS_PER_MESSAGE) {
            self.send(AutoSaveMessage::Accounts { scope, accounts: chunk.to_vec() }).await?;
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
        let settings = self.store.read(&slot).await?.unwrap_or_default().settings;
        if !settings.auto_save {
            return Ok(None);
        }
        let pipeline = self.store.read(&generation.keys.pipeline()).await?.unwrap_or_default();
        let accounts = self.model(scope).await?;
        let seats = self.store.all(&seats::keys::seats(scope.tenant)).await?;
        let seats = seats_by_email(seats.iter().map(|seat| (seat.id, seat.email.as_str())));
        Ok(Some(Context { generation, settings, pipeline, accounts, seats }))
    }

    /// The model of accounts: companies or persons.
    async fn model(&self, scope: Scope) -> Result<AccountModel, WorkError> {
        let key = importing::keys::selection(scope.tenant_environment());
        let chosen = self.store.read(&key).await?;
        Ok(chosen.unwrap_or_default().accounts)
    }

    /// Applies the rules to one account.
    async fn evaluate(&self, context: &Context, account: SalesforceId) -> Result<(), WorkError> {
        let open = self.counting_opportunities(context, account).await?;
        let stands_for_account = self.stands_for(context, account).await?;
        if open.is_empty() || stands_for_account.is_empty() {
            return Ok(());
        }
        let seats = self.owners_seats(context, &open).await?;
        let owned = |o: &Record| seats.get(&o.fields.reference("OwnerId")?).copied();
        let mut wanted = Vec::new();
        for (opportunity, seat) in open.iter().filter_map(|o| Some((o, owned(o)?))) {
            let account = stands_for_account.iter().copied();
            wanted.extend(account.map(|(object, record)| (seat, opportunity, object, record)));
            let contacts = contacts_of(context, opportunity).await?;
            wanted.extend(contacts.into_iter().map(|c| (seat, opportunity, SObject::Contact, c)));
        }
        let matched = self.matched(context, wanted.iter().map(|w| (w.2, w.3))).await?;
        let mut entries = BTreeMap::new();
        for (seat, opportunity, object, record) in wanted {
            let Some(entity) = matched.get(&(object, record)) else { continue };
            let list = SavedList::of(object);
            let saved = Saved {
                seat,
                list,
                entity: entity.clone(),
                record,
                object,
                opportunity: opportunity.id,
                saved_at: self.ports.clock.now(),
            };
            let key = context.generation.keys.saved(seat, list.as_str(), entity);
            entries.entry(key).or_insert(saved);
        }
        self.save(entries).await
    }

    /// The records that stand for an account: the account itself, or the contacts of a person
    /// account where persons are imported.
    async fn stands_for(
        &self,
        context: &Context,
        account: SalesforceId,
    ) -> Result<Vec<(SObject, SalesforceId)>, WorkError> {
        let records = &context.generation.records;
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
        account: SalesforceId,
    ) -> Result<Vec<Record>, WorkError> {
        let records = &context.generation.records;
        let ids = records.children(account, Relation::AccountOpportunity).await?;
        let mut open = records.get(SObject::Opportunity, &ids).await?;
        open.retain(|o| {
            o.fields.reference("AccountId") == Some(account)
                && context.pipeline.counts(
                    context.settings.stage.as_deref(),
                    o.fields.get("StageName"),
                    o.fields.is_true("IsClosed"),
                )
        });
        open.sort_by_key(|o| o.id);
        Ok(open)
    }

    /// The seats of the opportunities' owners, by CRM user: active users, joined by e-mail.
    async fn owners_seats(
        &self,
        context: &Context,
        opportunities: &[Record],
    ) -> Result<BTreeMap<SalesforceId, SeatId>, WorkError> {
        let owners: BTreeSet<SalesforceId> =
            opportunities.iter().filter_map(|o| o.fields.reference("OwnerId")).collect();
        let owners: Vec<SalesforceId> = owners.into_iter().collect();
        let users = context.generation.records.get(SObject::User, &owners).await?;
        Ok(users
            .iter()
            .filter_map(|user| Some((user.id, seat_of_user(user, &context.seats)?)))
            .collect())
    }

    /// The entities that these records are matched to.
    async fn matched(
        &self,
        context: &Context,
        records: impl Iterator<Item = (SObject, SalesforceId)>,
    ) -> Result<BTreeMap<(SObject, SalesforceId), EntityId>, WorkError> {
        let slots: BTreeSet<_> =
            records.map(|(object, id)| context.generation.keys.candidates(object, id)).collect();
        let lists = self.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
        Ok(lists.filter_map(|list| Some(((list.object, list.id), list.matched?))).collect())
    }

    /// Saves the entries that are not saved yet. The others keep their earlier reason.
    async fn save(&self, mut entries: BTreeMap<Slot<Saved>, Saved>) -> Result<(), WorkError> {
        for known in self.store.load_many(entries.keys().cloned()).await? {
            entries.remove(&known.slot());
        }
        for (slot, saved) in entries {
            let mut commit = Commit::new();
            commit.create(&slot, &saved)?;
            self.store.commit(commit).await?.may_lose_to("another delivery that saved it");
        }
        Ok(())
    }
}

fn seats_by_email<'a>(seats: impl Iterator<Item = (SeatId, &'a str)>) -> SeatsByEmail {
    let mut by_email = SeatsByEmail::new();
    for (seat, email) in seats {
        by_email.entry(folded_email(email)).and_modify(|known| *known = None).or_insert(Some(seat));
    }
    by_email
}

/// The seat of an active CRM user, by e-mail.
fn seat_of_user(user: &Record, seats: &SeatsByEmail) -> Option<SeatId> {
    if !user.fields.is_true("IsActive") {
        return None;
    }
    *seats.get(&folded_email(user.fields.get("Email")?))?
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

/// The accounts that a change of these records may concern.
async fn accounts_of(
    generation: &OpenGeneration,
    object: SObject,
    ids: &[SalesforceId],
) -> Result<BTreeSet<SalesforceId>, WorkError> {
    let records = &generation.records;
    match object {
        SObject::Account => Ok(ids.iter().copied().collect()),
        SObject::Contact => {
            let mut roles = Vec::new();
            for &id in ids {
                roles.extend(records.children(id, Relation::ContactRole).await?);
            }
            let roles = records.get(SObject::OpportunityContactRole, &roles).await?;
            Box::pin(accounts_of(generation, SObject::Opportunity, &named(&roles, "OpportunityId")))
                .await
        }
        SObject::OpportunityContactRole => {
            let roles = records.get(object, ids).await?;
            Box::pin(accounts_of(generation, SObject::Opportunity, &named(&roles, "OpportunityId")))
                .await
        }
        SObject::Opportunity | SObject::AccountTeamMember => {
            let rows = records.get(object, ids).await?;
            Ok(named(&rows, "AccountId").into_iter().collect())
        }
        SObject::User => {
            let mut owned = Vec::new();
            for &id in ids {
                owned.extend(records.children(id, Relation::OwnerOpportunity).await?);
            }
            Box::pin(accounts_of(generation, SObject::Opportunity, &owned)).await
        }
        _ => Ok(BTreeSet::new()),
    }
}

fn named(records: &[Record], field: &str) -> Vec<SalesforceId> {
    records.iter().filter_map(|r| r.fields.reference(field)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::testing::record_id;

    fn user(fields: &[(&'static str, &str)]) -> Record {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Record::read(SObject::User, record_id("005", 1), Timestamp::UNIX_EPOCH, fields)
    }

    #[test]
    fn an_active_user_is_the_seat_of_the_same_email_in_any_case() {
        let jane = SeatId::derived("jane");
        let seats = seats_by_email([(jane, "Jane@Acme.example")].into_iter());
        let seat = |fields: &[(&'static str, &str)]| seat_of_user(&user(fields), &seats);
        assert_eq!(seat(&[("IsActive", "true"), ("Email", "jane@acme.EXAMPLE")]), Some(jane));
        assert_eq!(seat(&[("IsActive", "false"), ("Email", "jane@acme.example")]), None);
        assert_eq!(seat(&[("IsActive", "true"), ("Email", "joe@acme.example")]), None);
        assert_eq!(seat(&[("IsActive", "true")]), None);
    }

    #[test]
    fn an_email_that_seats_share_names_none_of_them() {
        let shared = ["a", "b", "c"].map(|name| (SeatId::derived(name), "desk@acme.example"));
        let user = user(&[("IsActive", "true"), ("Email", "desk@acme.example")]);
        for seats in 2..=3 {
            let seats = seats_by_email(shared[..seats].iter().copied());
            assert_eq!(seat_of_user(&user, &seats), None);
        }
    }

    #[test]
    fn a_field_that_names_no_record_is_passed_over() {
        let account = record_id("001", 7);
        let of = |id: &str| user(&[("AccountId", id)]);
        let records = [of(account.as_str()), of(&account.as_str()[..15]), of("gone"), user(&[])];
        assert_eq!(named(&records, "AccountId"), [account, account]);
    }
}
