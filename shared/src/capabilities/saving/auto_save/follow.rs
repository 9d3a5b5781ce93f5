//! What is saved follows its entities from one directory version to the next.
//!
//! Whoever was merged into another is saved as that one; whoever is in the directory no more, say
//! because they objected, is saved no more. The pass begins when everything is matched to the
//! version: after that, nobody saves an entity of an older one.

use std::collections::{BTreeMap, BTreeSet};

use super::AutoSave;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::directory::{self, DirectoryState, DirectoryVersion};
use crate::capabilities::linking::entity_kind_of;
use crate::capabilities::saving::tally::count_out;
use crate::capabilities::saving::{Pass, Saved};
use crate::kernel::{AutoSaveMessage, EntityId, MatchRunId, SObject, Scope};
use crate::salesforce::SalesforceId;
use crate::store::{Commit, Stored, When};
use crate::work::WorkError;

/// How many saved entities a step looks at.
const PER_STEP: usize = 200;

/// The matched entity of each record.
type Matched = BTreeMap<(SObject, SalesforceId), EntityId>;

impl AutoSave {
    /// Takes one step of the pass that follows a match run.
    pub(super) async fn follow(
        &self,
        scope: Scope,
        run: MatchRunId,
        step: u64,
    ) -> Result<(), WorkError> {
        let Some(generation) = self.custody.open(scope).await? else { return Ok(()) };
        let Some(of) = self.store.read(&generation.keys.match_run(run)).await? else {
            return Ok(());
        };
        let version = self.store.read(&directory::keys::directory_version(of.directory)).await?;
        // One that was replaced has no files any more; its successor has a pass of its own.
        let published = |version: &DirectoryVersion| version.state == DirectoryState::Published;
        let Some(version) = version.filter(published) else { return Ok(()) };
        let slot = generation.keys.following_pass();
        let before = self.store.load(&slot).await?;
        let same = before.as_deref().filter(|pass| pass.of == run);
        let pass = same.cloned().unwrap_or_else(|| Pass::begin(run));
        let Some(place) = pass.place.clone().filter(|_| pass.step == step) else { return Ok(()) };
        let (bucket, after) = (place.bucket, place.after.as_deref());
        let page =
            generation.store.page(&generation.keys.all_saved(bucket), after, PER_STEP).await?;
        let matched = self.matched_now(&generation, &page.documents).await?;
        for saved in page.documents {
            if matched.get(&(saved.object, saved.record)) != Some(&saved.entity) {
                self.follow_one(&generation, &version, &saved).await?;
            }
        }
        let pass = pass.after_page(bucket, page.next, generation.keys.buckets());
        let mut commit = Commit::new();
        commit.save(&slot, before.as_ref(), &pass)?;
        if pass.place.is_some() {
            commit.now(AutoSaveMessage::Directory { scope, run, step: pass.step });
        }
        let winner = "another delivery of this message, which took the same step";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }

    /// What the records of saved entities are matched to now. An entity that is still matched is in
    /// the directory, and needs no look.
    async fn matched_now(
        &self,
        generation: &OpenGeneration,
        saved: &[Stored<Saved>],
    ) -> Result<Matched, WorkError> {
        let slots: BTreeSet<_> =
            saved.iter().map(|s| generation.keys.candidates(s.object, s.record)).collect();
        let lists = generation.store.load_many(slots).await?.into_iter().map(Stored::into_inner);
        Ok(lists.filter_map(|list| Some(((list.object, list.id), list.matched?))).collect())
    }

    /// Moves a saved entity to the one that it was merged into, or takes it out if the directory
    /// has it no more.
    async fn follow_one(
        &self,
        generation: &OpenGeneration,
        version: &DirectoryVersion,
        saved: &Stored<Saved>,
    ) -> Result<(), WorkError> {
        let Some(kind) = entity_kind_of(saved.object) else { return Ok(()) };
        let now = self.entities.find(version, kind, &saved.entity).await?;
        if now.as_ref() == Some(&saved.entity) {
            return Ok(());
        }
        let mut commit = Commit::new();
        commit.delete_when(&saved.slot(), When::unchanged(saved));
        let slot = now
            .as_ref()
            .map(|entity| generation.keys.saved(saved.seat, saved.list.as_str(), entity));
        let there = match &slot {
            Some(slot) => generation.store.load(slot).await?,
            None => None,
        };
        match (slot, now, there) {
            (Some(slot), Some(entity), None) => {
                commit.create(&slot, &Saved { entity, ..Saved::clone(saved) })?;
            }
            (_, _, there) => {
                count_out(&mut commit, generation, (saved.seat, saved.list), 1).await?;
                let both = there.as_ref().and_then(|there| there.with(&saved.reasons));
                if let Some((there, both)) = there.zip(both) {
                    commit.replace(&there, &both)?;
                }
            }
        }
        if generation.store.commit(commit).await?.is_done() {
            return Ok(());
        }
        Err(WorkError::retry("follow an entity", "it was moved, or its survivor saved, meanwhile"))
    }
}
