//! Letting go what no rule calls for any more: after the days that an admin grants, where they want
//! that, and at once when they undo what auto-save saved under one revision of the settings.
//!
//! Whether a rule calls for something is found as saving finds it: first by the reasons that are
//! kept, then by every record of the entity. So nothing goes that the next import would save again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::save::entries;
use super::{AutoSave, Context, Wanted};
use crate::capabilities::linking::entity_kind_of;
use crate::capabilities::saving::concerned::opportunities_of;
use crate::capabilities::saving::tally::count_out;
use crate::capabilities::saving::{Pass, Saved, Uncalled, Undoing};
use crate::capabilities::settings::SavingRule;
use crate::kernel::{AutoSaveMessage, ImportRunId, RecordRef, SObject, Scope};
use crate::salesforce::SalesforceId;
use crate::store::{Attempt, Commit, Slot, Stored, When, attempts};
use crate::work::WorkError;

/// How many saved entities a step looks at.
const PER_STEP: usize = 100;

/// How many opportunities are looked at together.
const AT_ONCE: usize = 200;

/// Some saved entities, and those of them that a rule calls for.
struct Looked {
    saved: Vec<Stored<Saved>>,
    called: BTreeSet<Slot<Saved>>,
    /// The sort key to go on after in their bucket.
    next: Option<String>,
}

impl AutoSave {
    /// Takes one step of the pass that follows an import run.
    pub(super) async fn unsave(
        &self,
        scope: Scope,
        run: ImportRunId,
        step: u64,
    ) -> Result<(), WorkError> {
        let Some(context) = self.context(scope).await? else { return Ok(()) };
        let Some(days) = context.settings.unsave_after_days else { return Ok(()) };
        let keys = &context.generation.keys;
        let slot = keys.unsaving_pass();
        let before = self.store.load(&slot).await?;
        let same = before.as_deref().filter(|pass| pass.of == run);
        let pass = same.cloned().unwrap_or_else(|| Pass::begin(run));
        let Some(looked) = self.look(&context, &pass, step).await? else { return Ok(()) };
        let (now, rules) = (self.ports.clock.now(), context.rules);
        let grace = SignedDuration::from_hours(24 * i64::from(days));
        for saved in &looked.saved {
            let uncalled = match saved.uncalled.filter(|uncalled| uncalled.rules == rules) {
                _ if looked.called.contains(&saved.slot()) => None,
                Some(known) => Some(known),
                None => Some(Uncalled { since: now, rules }),
            };
            match uncalled {
                Some(Uncalled { since, .. }) if is_over(since, grace, now) => {
                    self.let_go(&context, saved).await?;
                }
                _ if uncalled != saved.uncalled => self.mark(&context, saved, uncalled).await?,
                _ => {}
            }
        }
        let bucket = pass.place.as_ref().map_or(0, |place| place.bucket);
        let pass = pass.after_page(bucket, looked.next, keys.buckets());
        let mut commit = Commit::new();
        commit.save(&slot, before.as_ref(), &pass)?;
        if pass.place.is_some() {
            commit.now(AutoSaveMessage::Unsave { scope, run, step: pass.step });
        }
        let winner = "another delivery of this message, which took the same step";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }

    /// Takes one step of an undoing. It counts what this step let go or left: one that comes twice
    /// finds that gone, and the step taken.
    pub(super) async fn undo(
        &self,
        scope: Scope,
        undoing: u64,
        step: u64,
    ) -> Result<(), WorkError> {
        let kept = self.settings(scope).await?;
        // With auto-save off no rule calls for anything.
        let Some(context) = self.context_under(scope, kept).await? else { return Ok(()) };
        let keys = &context.generation.keys;
        let Some(before) = self.store.load(&keys.saving_undone()).await? else { return Ok(()) };
        if before.pass.of != undoing {
            return Ok(()); // a later one was asked for
        }
        let Some(looked) = self.look(&context, &before.pass, step).await? else { return Ok(()) };
        let mut after = Undoing::clone(&before);
        for saved in looked.saved.iter().filter(|saved| saved.rules == before.rules) {
            if looked.called.contains(&saved.slot()) {
                after.kept += 1;
            } else {
                self.let_go(&context, saved).await?;
                after.removed += 1;
            }
        }
        let bucket = before.pass.place.as_ref().map_or(0, |place| place.bucket);
        after.pass = after.pass.after_page(bucket, looked.next, keys.buckets());
        let mut commit = Commit::new();
        if after.pass.place.is_some() {
            commit.now(AutoSaveMessage::Undo { scope, undoing, step: after.pass.step });
        } else {
            after.finished_at = Some(self.ports.clock.now());
        }
        commit.replace(&before, &after)?;
        let winner = "another delivery of this message, or a later undoing";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }

    /// What the step of a pass looks at; none if it was taken.
    async fn look<T>(
        &self,
        context: &Context,
        pass: &Pass<T>,
        step: u64,
    ) -> Result<Option<Looked>, WorkError> {
        let generation = &context.generation;
        let Some(place) = pass.place.as_ref().filter(|_| pass.step == step) else {
            return Ok(None);
        };
        let series = generation.keys.all_saved(place.bucket);
        let page = generation.store.page(&series, place.after.as_deref(), PER_STEP).await?;
        let called = self.called_for(context, &page.documents).await?;
        Ok(Some(Looked { saved: page.documents, called, next: page.next }))
    }

    /// Those of some saved entities that a rule calls for.
    async fn called_for(
        &self,
        context: &Context,
        saved: &[Stored<Saved>],
    ) -> Result<BTreeSet<Slot<Saved>>, WorkError> {
        let mut called = BTreeSet::new();
        self.add_called(context, self.by_reasons(context, saved).await?, &mut called).await?;
        for saved in saved {
            if !called.contains(&saved.slot()) {
                self.add_called(context, self.by_records(context, saved).await?, &mut called)
                    .await?;
            }
        }
        Ok(called)
    }

    async fn add_called(
        &self,
        context: &Context,
        wanted: Vec<Wanted>,
        called: &mut BTreeSet<Slot<Saved>>,
    ) -> Result<(), WorkError> {
        let wanted = self.chosen(context, wanted).await?;
        let matched = self.matched(context, &wanted).await?;
        called.extend(entries(context, &matched, &wanted, self.ports.clock.now()).into_keys());
        Ok(())
    }

    /// What the reasons call for by which some entities were saved.
    async fn by_reasons(
        &self,
        context: &Context,
        saved: &[Stored<Saved>],
    ) -> Result<Vec<Wanted>, WorkError> {
        let mut deals = BTreeSet::new();
        let mut owned: BTreeSet<(SObject, SalesforceId)> = BTreeSet::new();
        for saved in saved {
            for reason in &saved.reasons {
                match reason.rule {
                    SavingRule::OpportunityAccounts | SavingRule::OpportunityPeople => {
                        deals.insert(reason.record);
                    }
                    SavingRule::OwnedAccounts | SavingRule::TeamAccounts => {
                        owned.insert((SObject::Account, reason.record));
                    }
                    SavingRule::PeopleOfOwnedAccounts | SavingRule::OwnedPeople => {
                        owned.insert((saved.object, saved.record));
                    }
                }
            }
        }
        let mut wanted = self.of_some_deals(context, deals).await?;
        for object in [SObject::Account, SObject::Contact, SObject::Lead] {
            let ids: Vec<_> =
                owned.iter().filter(|(of, _)| *of == object).map(|(_, id)| *id).collect();
            for ids in ids.chunks(AT_ONCE) {
                wanted.extend(self.of_owned(context, object, ids).await?);
            }
        }
        Ok(wanted)
    }

    /// What the records call for that are matched to an entity, whatever it was saved for.
    async fn by_records(&self, context: &Context, saved: &Saved) -> Result<Vec<Wanted>, WorkError> {
        let generation = &context.generation;
        let Some(kind) = entity_kind_of(saved.object) else { return Ok(Vec::new()) };
        let asked = generation.store.read(&generation.keys.entity(kind, &saved.entity)).await?;
        let bids = asked.into_iter().flat_map(|asked| asked.bids);
        let mut wanted = Vec::new();
        for RecordRef { object, id } in bids.map(|bid| bid.record) {
            let deals = opportunities_of(generation, context.accounts, object, &[id]).await?;
            wanted.extend(self.of_some_deals(context, deals).await?);
            wanted.extend(self.of_owned(context, object, &[id]).await?);
        }
        Ok(wanted)
    }

    async fn of_some_deals(
        &self,
        context: &Context,
        deals: BTreeSet<SalesforceId>,
    ) -> Result<Vec<Wanted>, WorkError> {
        let (deals, mut wanted): (Vec<_>, _) = (deals.into_iter().collect(), Vec::new());
        for deals in deals.chunks(AT_ONCE) {
            let deals = context.generation.records.get(SObject::Opportunity, deals).await?;
            wanted.extend(self.of_deals(context, deals).await?);
        }
        Ok(wanted)
    }

    /// Takes an entity out of its list, unless somebody saved it anew meanwhile.
    async fn let_go(&self, context: &Context, saved: &Stored<Saved>) -> Result<(), WorkError> {
        attempts(|| async {
            let mut commit = Commit::new();
            commit.delete_when(&saved.slot(), When::unchanged(saved));
            let list = (saved.seat, saved.list);
            count_out(&mut commit, &context.generation, list, 1).await?;
            self.done_or_changed(context, saved, commit).await
        })
        .await
    }

    /// Marks since when no rule calls for an entity, or that one does.
    async fn mark(
        &self,
        context: &Context,
        saved: &Stored<Saved>,
        uncalled: Option<Uncalled>,
    ) -> Result<(), WorkError> {
        attempts(|| async {
            let mut commit = Commit::new();
            commit.replace(saved, &Saved { uncalled, ..Saved::clone(saved) })?;
            self.done_or_changed(context, saved, commit).await
        })
        .await
    }

    /// Does a commit about a saved entity. One that somebody changed meanwhile is left to the next
    /// pass.
    async fn done_or_changed(
        &self,
        context: &Context,
        saved: &Stored<Saved>,
        commit: Commit,
    ) -> Result<Attempt<()>, WorkError> {
        let store = &context.generation.store;
        if store.commit(commit).await?.is_done() {
            return Ok(Attempt::Done(()));
        }
        let now = store.load(&saved.slot()).await?;
        let is_same = now.is_some_and(|now| now.revision() == saved.revision());
        Ok(if is_same { Attempt::Overtaken } else { Attempt::Done(()) })
    }
}

/// True if something that began then has lasted for its time.
fn is_over(since: Timestamp, grace: SignedDuration, now: Timestamp) -> bool {
    now.duration_since(since) >= grace
}
