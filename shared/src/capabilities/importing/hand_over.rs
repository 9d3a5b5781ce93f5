//! Handing a run's changes to matching and auto-save, one list of changed records a step.

use std::collections::BTreeSet;

use super::keys::changed_folder;
use super::lease::{Turn, check_lease};
use super::{HandOverCursor, Import, ImportRun, RunState};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::{
    MATCHED_OBJECTS, MatchRun, MatchRuns, PROBES_PER_STEP, ProbeEntry,
};
use crate::capabilities::settings::{self, Settings};
use crate::kernel::{
    AutoSaveMessage, ImportMessage, ImportRunId, ImportTrigger, MatchRunId, MatchTrigger,
    RecordChange, SObject, Scope,
};
use crate::salesforce::SalesforceId;
use crate::store::keys::Relation;
use crate::store::{Attempt, Commit, attempts};
use crate::work::{Done, WorkError};

/// How many records one auto-save message names.
const AUTO_SAVE_RECORDS: usize = 250;

/// Changes of these may change what is saved: opportunities, their contacts, their owners.
const AUTO_SAVE_OBJECTS: [SObject; 3] =
    [SObject::User, SObject::Opportunity, SObject::OpportunityContactRole];

/// Changes of these may, too, where a rule goes by who owns a record or works with it.
const OWNED_OBJECTS: [SObject; 4] =
    [SObject::Account, SObject::AccountTeamMember, SObject::Contact, SObject::Lead];

/// One step of a run's hand-over, and the commit that it leads to.
struct HandOverStep<'a> {
    import: &'a Import,
    generation: &'a OpenGeneration,
    run: ImportRun,
    commit: Commit,
}

/// The next list of changed records.
struct ChangedList {
    object: SObject,
    ids: Vec<SalesforceId>,
}

impl Import {
    /// Takes one step of a run's hand-over.
    pub(super) async fn hand_over(
        &self,
        scope: Scope,
        id: ImportRunId,
        step: u64,
    ) -> Result<Done, WorkError> {
        attempts(|| self.try_hand_over(scope, id, step)).await
    }

    /// Tries to take a step. It is overtaken by a settlement that moves the match run meanwhile, or
    /// by another delivery: the next try sees which.
    async fn try_hand_over(
        &self,
        scope: Scope,
        id: ImportRunId,
        step: u64,
    ) -> Result<Attempt<Done>, WorkError> {
        let finished = Ok(Attempt::Done(Done::Finished));
        let Some(generation) = &self.custody.open(scope).await? else { return finished };
        // The hand-over needs nothing of the org's API: it goes on while the run stands back.
        let active = match self.turn(generation, id).await? {
            Turn::Go(active) => Some(active),
            Turn::Wait(_) => None,
            Turn::Stop => return finished,
        };
        let stored = self.store.load(&generation.keys.run(id)).await?;
        let is_next = |run: &ImportRun| run.state == RunState::HandingOver && run.step == step;
        let Some(before) = stored.filter(|run| is_next(run)) else { return finished };
        let (run, commit) = (ImportRun::clone(&before), Commit::new());
        let step = HandOverStep { import: self, generation, run, commit };
        let HandOverStep { mut commit, run, .. } = step.take().await?;
        commit.replace(&before, &run)?;
        let outcome = self.store.commit(commit).await?;
        if let Some(active) = active.filter(|_| outcome.is_done()) {
            self.beat(generation, &active).await?;
        }
        Ok(Attempt::of(&outcome, Done::Finished))
    }
}

impl HandOverStep<'_> {
    async fn take(mut self) -> Result<Self, WorkError> {
        if self.run.step == 0 {
            self.begin_match_run().await?;
        } else {
            match self.next_list().await? {
                Some(list) => self.hand(&list).await?,
                None => self.finish().await?,
            }
        }
        self.run.step += 1;
        if self.run.state == RunState::HandingOver {
            let (scope, run) = (self.generation.keys.scope(), self.run.id);
            self.commit.now(ImportMessage::HandOver { scope, run, step: self.run.step });
        }
        Ok(self)
    }

    /// Begins the match run that this run feeds, if there is a directory to match to.
    async fn begin_match_run(&mut self) -> Result<(), WorkError> {
        let Some(pins) = self.import.match_runs.pins(self.generation).await? else {
            return Ok(());
        };
        let id = MatchRunId::derived(&self.run.id.to_string());
        let now = self.import.ports.clock.now();
        let match_run = MatchRuns::begin(id, MatchTrigger::Import, &pins, now);
        MatchRuns::save(&mut self.commit, &self.generation.keys, None, &match_run)?;
        self.run.match_run = Some(id);
        Ok(())
    }

    /// The next list of changed records, with the cursor moved to it; none if all are handed over.
    async fn next_list(&mut self) -> Result<Option<ChangedList>, WorkError> {
        let (import, generation) = (self.import, self.generation);
        let cursor = &mut self.run.cursor;
        while let Some(&object) = SObject::ALL.get(cursor.object) {
            let folder = changed_folder(generation.keys.scope(), self.run.id, object);
            let lists = import.ports.objects.list(&folder).await?;
            let Some(list) = lists.into_iter().find(|list| list.key > cursor.list) else {
                *cursor = HandOverCursor { object: cursor.object + 1, list: String::new() };
                continue;
            };
            cursor.list = list.key;
            let Some(plain) = generation.get_object(&import.ports, &cursor.list).await? else {
                // Only a store that lost it can have done so. The run goes on, and ends as failed.
                tracing::error!(run.id = %self.run.id, "a list of changed records is gone");
                self.run.any_failed = true;
                continue;
            };
            let ids = serde_json::from_slice(&plain)
                .map_err(|error| WorkError::reject("read a list of changes", error))?;
            return Ok(Some(ChangedList { object, ids }));
        }
        Ok(None)
    }

    async fn hand(&mut self, list: &ChangedList) -> Result<(), WorkError> {
        let ChangedList { object, ids } = list;
        let (scope, object) = (self.generation.keys.scope(), *object);
        // After a first import, matching alone finds everything that is to be saved.
        let is_first = self.run.trigger == ImportTrigger::Connected;
        if !is_first && self.wakes_auto_save(object).await? {
            for records in ids.chunks(AUTO_SAVE_RECORDS) {
                let records = records.to_vec();
                self.commit.now(AutoSaveMessage::Records { scope, object, records });
            }
        }
        if object == SObject::Account {
            self.list_contacts_of(ids).await?;
        }
        if MATCHED_OBJECTS.contains(&object) {
            let (generation, import) = (self.generation, self.import);
            let probe = import.match_runs.probe(generation, object, ids, self.run.started_at);
            let probes = probe.await?;
            // Only a record that is matched no more can go on as another one.
            let gone = probes.iter().filter(|entry| entry.probe.is_none());
            let gone: Vec<SalesforceId> = gone.map(|entry| entry.record).collect();
            import.follow(generation, object, &gone).await?;
            self.hand_to_matching(object, &probes).await?;
        }
        Ok(())
    }

    /// True if a change of the object may change what is saved, matches aside.
    async fn wakes_auto_save(&self, object: SObject) -> Result<bool, WorkError> {
        if !OWNED_OBJECTS.contains(&object) {
            return Ok(AUTO_SAVE_OBJECTS.contains(&object));
        }
        Ok(self.settings().await?.saves_by_owners())
    }

    async fn settings(&self) -> Result<Settings, WorkError> {
        let slot = settings::keys::settings(self.generation.keys.scope().tenant_environment());
        Ok(self.import.store.read(&slot).await?.unwrap_or_default().settings)
    }

    /// Lists the contacts of changed accounts as changed, too: a contact is matched with its
    /// account's name and site. Accounts are handed over before contacts, so the hand-over comes to
    /// the lists that are added here. The contacts of a new account changed themselves when they
    /// were given to it.
    async fn list_contacts_of(&self, accounts: &[SalesforceId]) -> Result<(), WorkError> {
        let records = &self.generation.records;
        let mut contacts = BTreeSet::new();
        let heads = records.heads(SObject::Account, accounts).await?;
        for account in heads.iter().filter(|head| head.change != RecordChange::New) {
            contacts.extend(records.children(account.id, Relation::AccountContact).await?);
        }
        let contacts: Vec<SalesforceId> = contacts.into_iter().collect();
        let name = format!("account-{}", self.list_name());
        self.import
            .list_changed(self.generation, self.run.id, SObject::Contact, &name, &contacts)
            .await
    }

    async fn hand_to_matching(
        &mut self,
        object: SObject,
        probes: &[ProbeEntry],
    ) -> Result<(), WorkError> {
        debug_assert!(probes.len() <= PROBES_PER_STEP, "a list is handed over in one step");
        let (generation, match_runs) = (self.generation, &self.import.match_runs);
        let name = format!("{}-{}", self.run.id, self.list_name());
        match_runs.keep_probes(generation, object, &name, probes).await?;
        let Some(id) = self.run.match_run else { return Ok(()) };
        let Some(before) = self.import.store.load(&generation.keys.match_run(id)).await? else {
            return Err(WorkError::retry("hand over", "the match run is gone"));
        };
        let mut match_run = MatchRun::clone(&before);
        let Some(directory) = match_runs.version(match_run.directory).await? else {
            return Err(WorkError::reject("hand over", "the run's directory version is gone"));
        };
        let commit = &mut self.commit;
        match_runs.batches(generation, &mut match_run, &directory, object, probes, commit).await?;
        MatchRuns::save(commit, &generation.keys, Some(&before), &match_run)?;
        Ok(())
    }

    /// The name of the list that the cursor is at.
    fn list_name(&self) -> &str {
        self.run.cursor.list.rsplit('/').next().unwrap_or_default()
    }

    /// Ends the hand-over, and the run unless activities are still being imported.
    async fn finish(&mut self) -> Result<(), WorkError> {
        let (import, generation) = (self.import, self.generation);
        if let Some(id) = self.run.match_run
            && let Some(before) = import.store.load(&generation.keys.match_run(id)).await?
        {
            let mut match_run = MatchRun::clone(&before);
            match_run.end_planning(import.ports.clock.now());
            match_run.step += 1;
            let keys = &generation.keys;
            MatchRuns::call_followers(&mut self.commit, keys.scope(), &match_run);
            MatchRuns::save(&mut self.commit, keys, Some(&before), &match_run)?;
        }
        if self.settings().await?.lets_go() {
            let (scope, run) = (generation.keys.scope(), self.run.id);
            self.commit.now(AutoSaveMessage::Unsave { scope, run, step: 0 });
        }
        if self.run.activities_left == 0 {
            import.end_run(&mut self.commit, generation, &mut self.run)?;
        } else {
            self.run.state = RunState::Activities;
            check_lease(&mut self.commit, generation, self.run.id)?;
        }
        Ok(())
    }
}
