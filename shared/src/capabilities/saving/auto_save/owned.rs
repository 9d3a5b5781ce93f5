//! The rules about what somebody owns or works with: accounts, their people, leads and contacts.

use std::collections::{BTreeMap, BTreeSet};

use matching::EntityKind;

use super::{AutoSave, Context, Wanted, stand_ins};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::saving::concerned::named;
use crate::capabilities::settings::SavingRule;
use crate::kernel::{EntityId, Record, SObject, SeatId};
use crate::salesforce::SalesforceId;
use crate::store::keys::Relation;
use crate::work::WorkError;

/// What a user owns and works with, opportunities aside.
pub(super) const OWNED: [(SObject, Relation); 4] = [
    (SObject::Account, Relation::OwnerAccount),
    (SObject::Contact, Relation::OwnerContact),
    (SObject::Lead, Relation::OwnerLead),
    (SObject::AccountTeamMember, Relation::UserTeamMember),
];

/// Whose a record is, by CRM user.
type Seats = BTreeMap<SalesforceId, SeatId>;

impl AutoSave {
    /// What some records call for.
    pub(super) async fn of_owned(
        &self,
        context: &Context,
        object: SObject,
        ids: &[SalesforceId],
    ) -> Result<Vec<Wanted>, WorkError> {
        let records = &context.generation.records;
        let found = match object {
            SObject::Account | SObject::Contact | SObject::Lead | SObject::AccountTeamMember => {
                records.get(object, ids).await?
            }
            _ => return Ok(Vec::new()),
        };
        match object {
            SObject::Account => self.of_accounts(context, &found).await,
            SObject::AccountTeamMember => self.of_team(context, &found).await,
            _ => self.of_people(context, object, &found).await,
        }
    }

    /// Has the rules applied to what a change of some records may concern besides: the people of an
    /// account, who may be thousands, and what a user owns.
    pub(super) async fn beside(
        &self,
        context: &Context,
        object: SObject,
        ids: &[SalesforceId],
    ) -> Result<(), WorkError> {
        let generation = &context.generation;
        let (records, scope) = (&generation.records, generation.keys.scope());
        if object == SObject::Account && context.settings.saves(SavingRule::PeopleOfOwnedAccounts) {
            let accounts = records.get(object, ids).await?;
            let owners = self.owners(context, &accounts).await?;
            let owned = accounts.iter().filter(|account| owner(&owners, account).is_some());
            for account in owned {
                for (object, people) in people_of(context, account.id).await? {
                    self.send_records(scope, object, &people).await?;
                }
            }
        }
        if object == SObject::User {
            for &user in ids {
                // Who shares their address may be the seat's one user now, or not any more.
                for user in records.users_beside(user).await? {
                    self.send_owned(generation, user).await?;
                }
            }
        }
        Ok(())
    }

    /// Has the rules applied to what a CRM user owns and works with, opportunities aside.
    pub(super) async fn send_owned(
        &self,
        generation: &OpenGeneration,
        user: SalesforceId,
    ) -> Result<(), WorkError> {
        for (object, relation) in OWNED {
            let owned = generation.records.children(user, relation).await?;
            self.send_records(generation.keys.scope(), object, &owned).await?;
        }
        Ok(())
    }

    /// What accounts call for: themselves, for their owners and their teams.
    async fn of_accounts(
        &self,
        context: &Context,
        accounts: &[Record],
    ) -> Result<Vec<Wanted>, WorkError> {
        let records = &context.generation.records;
        let owners = self.owners(context, accounts).await?;
        let owned =
            accounts.iter().filter_map(|account| Some((account.id, owner(&owners, account)?)));
        let owned: Vec<(SalesforceId, SeatId)> = owned.collect();
        let mut wanted = of_stand_ins(context, SavingRule::OwnedAccounts, &owned).await?;
        let mut members = Vec::new();
        for account in accounts {
            let team = records.children(account.id, Relation::AccountTeamMember).await?;
            members.extend(records.get(SObject::AccountTeamMember, &team).await?);
        }
        wanted.extend(self.of_team(context, &members).await?);
        Ok(wanted)
    }

    /// What the members of accounts' teams have saved.
    async fn of_team(
        &self,
        context: &Context,
        members: &[Record],
    ) -> Result<Vec<Wanted>, WorkError> {
        let users = named(members, "UserId").into_iter().collect();
        let seats = self.seats_of(context, users).await?;
        let of = |member: &Record| {
            let user = member.fields.reference("UserId")?;
            Some((member.fields.reference("AccountId")?, *seats.get(&user)?))
        };
        let accounts: Vec<(SalesforceId, SeatId)> = members.iter().filter_map(of).collect();
        of_stand_ins(context, SavingRule::TeamAccounts, &accounts).await
    }

    /// What leads and contacts call for: themselves, for their owners and for the owners of their
    /// accounts.
    async fn of_people(
        &self,
        context: &Context,
        object: SObject,
        people: &[Record],
    ) -> Result<Vec<Wanted>, WorkError> {
        let own = self.owners(context, people).await?;
        let account_of = match object {
            SObject::Lead => accounts_of_leads(context, people).await?,
            _ => accounts_of_contacts(people),
        };
        let accounts: BTreeSet<SalesforceId> = account_of.values().copied().collect();
        let accounts: Vec<SalesforceId> = accounts.into_iter().collect();
        let accounts = context.generation.records.get(SObject::Account, &accounts).await?;
        let of_account = self.owners(context, &accounts).await?;
        let owners: BTreeMap<SalesforceId, SeatId> = accounts
            .iter()
            .filter_map(|account| Some((account.id, owner(&of_account, account)?)))
            .collect();
        let mut wanted = Vec::new();
        // A converted lead is its contact by now.
        for person in people.iter().filter(|person| !person.fields.is_true("IsConverted")) {
            let own = owner(&own, person).map(|seat| (seat, SavingRule::OwnedPeople, person.id));
            let beside = account_of.get(&person.id).and_then(|account| {
                let seat = *owners.get(account)?;
                Some((seat, SavingRule::PeopleOfOwnedAccounts, *account))
            });
            let of = own.into_iter().chain(beside);
            wanted.extend(of.map(|(seat, rule, by)| Wanted {
                seat,
                rule,
                by,
                object,
                record: person.id,
            }));
        }
        Ok(wanted)
    }

    /// The seats of records' owners. A lead that a queue owns is nobody's.
    async fn owners(&self, context: &Context, records: &[Record]) -> Result<Seats, WorkError> {
        let owners: BTreeSet<SalesforceId> = named(records, "OwnerId").into_iter().collect();
        self.seats_of(context, owners).await
    }
}

fn owner(seats: &Seats, record: &Record) -> Option<SeatId> {
    seats.get(&record.fields.reference("OwnerId")?).copied()
}

/// The accounts of contacts, by contact.
fn accounts_of_contacts(contacts: &[Record]) -> BTreeMap<SalesforceId, SalesforceId> {
    let of = |contact: &Record| Some((contact.id, contact.fields.reference("AccountId")?));
    contacts.iter().filter_map(of).collect()
}

/// The accounts of leads, by lead: a lead names none, and its person's employer may be linked to
/// one.
async fn accounts_of_leads(
    context: &Context,
    leads: &[Record],
) -> Result<BTreeMap<SalesforceId, SalesforceId>, WorkError> {
    if !context.settings.saves(SavingRule::PeopleOfOwnedAccounts) {
        return Ok(BTreeMap::new());
    }
    let OpenGeneration { keys, store, .. } = &context.generation;
    let slots = leads.iter().map(|lead| keys.candidates(SObject::Lead, lead.id));
    let lists = store.load_many(slots).await?;
    let employers = lists.iter().filter_map(|list| Some((list.id, list.employer()?.clone())));
    let employers: BTreeMap<SalesforceId, EntityId> = employers.collect();
    let companies: BTreeSet<&EntityId> = employers.values().collect();
    let slots = companies.into_iter().map(|company| keys.entity(EntityKind::Company, company));
    let linked = store.load_many(slots).await?;
    let accounts = linked.iter().filter_map(|company| Some((&company.entity, company.matched?.id)));
    let accounts: BTreeMap<&EntityId, SalesforceId> = accounts.collect();
    let of = employers.iter().filter_map(|(lead, company)| Some((*lead, *accounts.get(company)?)));
    Ok(of.collect())
}

/// The contacts of an account, and the leads whose person works at the company that it is linked
/// to.
pub(super) async fn people_of(
    context: &Context,
    account: SalesforceId,
) -> Result<[(SObject, Vec<SalesforceId>); 2], WorkError> {
    let OpenGeneration { keys, store, records, .. } = &context.generation;
    let contacts = records.children(account, Relation::AccountContact).await?;
    let list = store.read(&keys.candidates(SObject::Account, account)).await?;
    let leads = match list.and_then(|list| list.matched) {
        Some(company) => records.leads_of(&company).await?,
        None => Vec::new(),
    };
    Ok([(SObject::Contact, contacts), (SObject::Lead, leads)])
}

/// What accounts call for, each for a seat, by a rule.
async fn of_stand_ins(
    context: &Context,
    rule: SavingRule,
    accounts: &[(SalesforceId, SeatId)],
) -> Result<Vec<Wanted>, WorkError> {
    let ids = accounts.iter().map(|(account, _)| *account).collect();
    let stand_ins = stand_ins(context, ids).await?;
    let of = accounts.iter().flat_map(|(account, seat)| {
        let records = stand_ins.get(account).into_iter().flatten();
        let (seat, by) = (*seat, *account);
        records.map(move |&(object, record)| Wanted { seat, rule, by, object, record })
    });
    Ok(of.collect())
}
