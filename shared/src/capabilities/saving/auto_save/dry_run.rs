//! The steps of a dry run: a seat each. It finds what the rules call for as they do, and saves
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::owned::{OWNED, people_of};
use super::save::entries;
use super::{AutoSave, CONCURRENT_READS, Context, Wanted};
use crate::capabilities::saving::tally::tally_of;
use crate::capabilities::saving::{DryRun, Example, Forecast, SavedList, SeatForecast};
use crate::capabilities::seats::{self, Seat, crm_user_of};
use crate::capabilities::settings::{KeptSettings, SavingRule};
use crate::kernel::{AutoSaveMessage, EntityId, SObject, Scope};
use crate::salesforce::SalesforceId;
use crate::store::Commit;
use crate::store::keys::Relation;
use crate::work::WorkError;

/// How many records are looked at together.
const AT_ONCE: usize = 200;

/// What was counted of a seat, lest it is counted twice: many deals have one account.
#[derive(Default)]
struct Seen {
    entries: BTreeSet<(SavedList, EntityId)>,
    by_rule: BTreeSet<(SavingRule, EntityId)>,
    unmatched: BTreeSet<SalesforceId>,
}

impl AutoSave {
    /// Takes one step of a dry run.
    pub(super) async fn try_out(&self, scope: Scope, run: u64, step: u64) -> Result<(), WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(()) };
        let slot = generation.keys.saving_dry_run();
        let Some(before) = self.store.load(&slot).await? else { return Ok(()) };
        if (before.run, before.step) != (run, step) || before.finished_at.is_some() {
            return Ok(()); // a later one was asked for, or this step was taken
        }
        let settings = before.settings.clone();
        let kept = KeptSettings { settings, ..KeptSettings::default() };
        let Some(context) = self.context_under(scope, kept).await? else { return Ok(()) };
        let mut seats = self.store.all(&seats::keys::seats(scope.tenant)).await?;
        seats.sort_by_key(|seat| seat.id);
        let next = seats.iter().find(|seat| before.after.is_none_or(|after| seat.id > after));
        let mut commit = Commit::new();
        let mut after = DryRun { step: step + 1, ..DryRun::clone(&before) };
        if let Some(seat) = next {
            after.after = Some(seat.id);
            after.found.add(self.forecast(&context, seat).await?);
            commit.now(AutoSaveMessage::DryRun { scope, run, step: after.step });
        } else {
            after.finished_at = Some(self.ports.clock.now());
        }
        commit.replace(&before, &after)?;
        let winner = "another delivery of this message, or a later dry run";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }

    /// What the rules would save for a seat.
    async fn forecast(&self, context: &Context, seat: &Seat) -> Result<Forecast, WorkError> {
        let mut found = Forecast { seats: 1, ..Forecast::default() };
        let Some(user) = crm_user_of(&context.generation, seat).await?.user else {
            found.without_user = 1;
            return Ok(found);
        };
        let (records, settings) = (&context.generation.records, &context.settings);
        let mut seen = Seen::default();
        if settings.saves_by_deals() {
            let deals = records.children(user, Relation::OwnerOpportunity).await?;
            for deals in deals.chunks(AT_ONCE) {
                let deals = records.get(SObject::Opportunity, deals).await?;
                let wanted = self.of_deals(context, deals).await?;
                self.count(context, seat, wanted, (&mut found, &mut seen)).await?;
            }
        }
        if settings.saves_by_owners() {
            for (object, relation) in OWNED {
                let owned = records.children(user, relation).await?;
                let totals = (&mut found, &mut seen);
                self.count_owned(context, seat, object, &owned, totals).await?;
                if object == SObject::Account && settings.saves(SavingRule::PeopleOfOwnedAccounts) {
                    self.count_people(context, seat, &owned, (&mut found, &mut seen)).await?;
                }
            }
        }
        let (accounts, leads) = (found.accounts, found.leads);
        if accounts + leads > 0 {
            let mut left_out = 0;
            for (list, new) in [(SavedList::Accounts, accounts), (SavedList::Leads, leads)] {
                let held = tally_of(&context.generation, seat.id, list).await?.entries;
                let room = list.most(settings).saturating_sub(held);
                left_out += new.saturating_sub(room.into());
            }
            found.left_out = left_out;
            found.by_seat.push(SeatForecast { seat: seat.id, accounts, leads, left_out });
        }
        Ok(found)
    }

    /// Counts what the people of owned accounts call for. Most accounts have few: the people of
    /// many are looked at together.
    async fn count_people(
        &self,
        context: &Context,
        seat: &Seat,
        accounts: &[SalesforceId],
        (found, seen): (&mut Forecast, &mut Seen),
    ) -> Result<(), WorkError> {
        let mut waiting: BTreeMap<SObject, Vec<SalesforceId>> = BTreeMap::new();
        for accounts in accounts.chunks(AT_ONCE) {
            // All of them before the next read: one that waits half done may hold what that needs.
            let people = stream::iter(accounts.to_vec());
            let people = people.map(|account| people_of(context, account));
            let people: Vec<_> = people.buffered(CONCURRENT_READS).try_collect().await?;
            for (object, people) in people.into_iter().flatten() {
                waiting.entry(object).or_default().extend(people);
            }
            for (object, of) in waiting.iter_mut().filter(|(_, of)| of.len() >= AT_ONCE) {
                let of = std::mem::take(of);
                self.count_owned(context, seat, *object, &of, (found, seen)).await?;
            }
        }
        for (object, of) in waiting {
            self.count_owned(context, seat, object, &of, (found, seen)).await?;
        }
        Ok(())
    }

    /// Counts what records that a user owns, or whose account they own, call for.
    async fn count_owned(
        &self,
        context: &Context,
        seat: &Seat,
        object: SObject,
        ids: &[SalesforceId],
        (found, seen): (&mut Forecast, &mut Seen),
    ) -> Result<(), WorkError> {
        for ids in ids.chunks(AT_ONCE) {
            let wanted = self.of_owned(context, object, ids).await?;
            self.count(context, seat, wanted, (found, seen)).await?;
        }
        Ok(())
    }

    /// Counts what of it would be new in the seat's lists.
    async fn count(
        &self,
        context: &Context,
        seat: &Seat,
        mut wanted: Vec<Wanted>,
        (found, seen): (&mut Forecast, &mut Seen),
    ) -> Result<(), WorkError> {
        wanted.retain(|wanted| wanted.seat == seat.id);
        let wanted = self.chosen(context, wanted).await?;
        let matched = self.matched(context, &wanted).await?;
        let is_matched = |object, record| {
            matched.get(&(object, record)).is_some_and(|list| list.matched.is_some())
        };
        for Wanted { object, record, .. } in &wanted {
            if !is_matched(*object, *record) && seen.unmatched.insert(*record) {
                found.unmatched += 1;
            }
        }
        let entries = entries(context, &matched, &wanted, self.ports.clock.now());
        let known = context.generation.store.load_many(entries.keys().cloned()).await?;
        let known: BTreeSet<_> = known.iter().map(|saved| (saved.list, &saved.entity)).collect();
        for (saved, _) in entries.values() {
            let is_known = known.contains(&(saved.list, &saved.entity));
            if seen.entries.insert((saved.list, saved.entity.clone())) {
                *match saved.list {
                    _ if is_known => &mut found.had,
                    SavedList::Accounts => &mut found.accounts,
                    SavedList::Leads => &mut found.leads,
                } += 1;
            }
            for reason in saved.reasons.iter().filter(|_| !is_known) {
                if !seen.by_rule.insert((reason.rule, saved.entity.clone())) {
                    continue;
                }
                *found.by_rule.entry(reason.rule).or_default() += 1;
                found.show(Example {
                    seat: seat.id,
                    list: saved.list,
                    rule: reason.rule,
                    entity: saved.entity.clone(),
                    object: saved.object,
                    record: saved.record,
                });
            }
        }
        Ok(())
    }
}
