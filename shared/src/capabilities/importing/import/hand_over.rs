//! Handing what a run changed to matching and auto-save, one list of changed records a step.

use std::collections::BTreeSet;

use serde_json::json;

use super::end::fence;
use super::pages::{LIST, changed_folder};
use super::{Import, Turn};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::importing::{ImportRun, RunState};
use crate::capabilities::linking::{MATCHED_OBJECTS, MOVED, MatchRun, MatchRuns};
use crate::kernel::{
    AutoSaveMessage, ImportMessage, ImportRunId, ImportTrigger, MatchRunId, MatchTrigger,
    RecordChange, RecordHead, SObject, Scope,
};
use crate::ports::{Condition, Write};
use crate::store::keys::Relation;
use crate::store::{self, Commit, Next, Store};
use crate::work::{Done, WorkError};

/// How many records one auto-save message names.
const AUTO_SAVE_RECORDS: usize = 250;

/// Changes of these may change what is saved: opportunities, their contacts, their owners.
const AUTO_SAVE_OBJECTS: [SObject; 3] =
    [SObject::User, SObject::Opportunity, SObject::OpportunityContactRole];

impl Import {
    /// Takes one step of a run's hand-over.
    pub(super) async fn hand_over(
        &self,
        scope: Scope,
        id: ImportRunId,
        step: u64,
    ) -> Result<Done, WorkError> {
        let Some(opened) = self.custody.open(scope).await? else { return Ok(Done::Finished) };
        // The hand-over needs nothing of the org's API: it goes on while the run stands back.
        if matches!(self.turn(&opened, id).await?, Turn::Stop) {
            return Ok(Done::Finished);
        }
        let key = opened.keys.run(id);
        let stored: Option<ImportRun> = store::get(&*self.ports.table, &key).await?;
        let handing_over = |r: &ImportRun| r.state == RunState::HandingOver && r.step == step;
        let Some(mut run) = stored.filter(handing_over) else { return Ok(Done::Finished) };
        let mut writes = Vec::new();
        let mut next = Vec::new();
        if step == 0 {
            self.begin_match_run(&opened, &mut run, &mut writes).await?;
        } else {
            match self.next_list(&opened, &mut run).await? {
                Some((object, ids)) => {
                    self.hand(&opened, &run, object, &ids, &mut writes, &mut next).await?;
                }
                None => self.finish_hand_over(&opened, &mut run, &mut writes, &mut next).await?,
            }
        }
        run.step += 1;
        if run.state == RunState::HandingOver {
            next.push(Next::now(ImportMessage::HandOver { scope, run: id, step: run.step }));
        }
        let same = Condition::Eq("revision", json!(run.revision));
        run.revision += 1;
        writes.push(store::put(key, &run, same)?);
        if self.outbox.commit(writes, next).await?.is_done() {
            return Ok(Done::Finished);
        }
        // Settling moved the match run between our read and our write, or another delivery of this
        // message was faster; the next delivery sees which.
        Ok(Done::Later(MOVED))
    }

    /// The match run that this run feeds, if there is a directory to match to.
    async fn begin_match_run(
        &self,
        opened: &OpenGeneration,
        run: &mut ImportRun,
        writes: &mut Vec<Write>,
    ) -> Result<(), WorkError> {
        let Some(pins) = self.runs.pins(opened).await? else { return Ok(()) };
        let id = MatchRunId::derived(&run.id.to_string());
        let now = self.ports.clock.now();
        let match_run = MatchRuns::begin(id, MatchTrigger::Import, &pins, now);
        writes.push(store::put(opened.keys.match_run(id), &match_run, Condition::Absent)?);
        run.match_run = Some(id);
        Ok(())
    }

    /// The next list of changed records, and the cursor moved to it; none when all are handed over.
    async fn next_list(
        &self,
        opened: &OpenGeneration,
        run: &mut ImportRun,
    ) -> Result<Option<(SObject, Vec<String>)>, WorkError> {
        while let Some(&object) = SObject::ALL.get(run.cursor.0) {
            let folder = changed_folder(opened.keys.scope(), run.id, object);
            let lists = self.ports.objects.list(&folder).await?;
            let list = lists.into_iter().find(|list| list.key > run.cursor.1);
            let Some(list) = list else {
                run.cursor = (run.cursor.0 + 1, String::new());
                continue;
            };
            let Some(plain) = opened.get_object(&self.ports, &list.key).await? else {
                return Err(WorkError::retry("hand over", "a list of changes is gone"));
            };
            run.cursor.1 = list.key;
            let ids = serde_json::from_slice(&plain)
                .map_err(|error| WorkError::reject("read a list of changes", error))?;
            return Ok(Some((object, ids)));
        }
        Ok(None)
    }

    async fn hand(
        &self,
        opened: &OpenGeneration,
        run: &ImportRun,
        object: SObject,
        ids: &[String],
        writes: &mut Vec<Write>,
        next: &mut Vec<Next>,
    ) -> Result<(), WorkError> {
        let scope = opened.keys.scope();
        // After a first import, matching alone finds everything that is to be saved.
        if AUTO_SAVE_OBJECTS.contains(&object) && run.trigger != ImportTrigger::Connected {
            next.extend(ids.chunks(AUTO_SAVE_RECORDS).map(|records| {
                let records = records.to_vec();
                Next::now(AutoSaveMessage::Records { scope, object, records })
            }));
        }
        if object == SObject::Account {
            self.changed_with_their_account(opened, run, ids).await?;
        }
        if MATCHED_OBJECTS.contains(&object) {
            self.follow(opened, object, ids).await?;
            self.hand_to_matching(opened, run, object, ids, writes, next).await?;
        }
        Ok(())
    }

    /// A contact is matched with its account's name and site: when those change, so does its probe.
    /// Contacts come after accounts, so lists added for them here are met later. The contacts of a
    /// new account changed themselves when they were given to it.
    async fn changed_with_their_account(
        &self,
        opened: &OpenGeneration,
        run: &ImportRun,
        accounts: &[String],
    ) -> Result<(), WorkError> {
        let mut contacts = BTreeSet::new();
        let heads = opened.records.heads(SObject::Account, accounts).await?;
        let known = heads.iter().filter(|head| head.change != RecordChange::New);
        for RecordHead { id: account, .. } in known {
            contacts.extend(opened.records.children(account, Relation::AccountContact).await?);
        }
        let contacts: Vec<String> = contacts.into_iter().collect();
        let list = run.cursor.1.rsplit('/').next().unwrap_or_default();
        self.note_changed(opened, run.id, SObject::Contact, &format!("account-{list}"), &contacts)
            .await
    }

    async fn hand_to_matching(
        &self,
        opened: &OpenGeneration,
        run: &ImportRun,
        object: SObject,
        ids: &[String],
        writes: &mut Vec<Write>,
        next: &mut Vec<Next>,
    ) -> Result<(), WorkError> {
        debug_assert!(ids.len() <= LIST, "the batches of a list share one transaction");
        let probes = self.runs.probe(opened, object, ids, run.started_at).await?;
        let list = run.cursor.1.rsplit('/').next().unwrap_or_default();
        self.runs.keep_probes(opened, object, &format!("{}-{list}", run.id), &probes).await?;
        let Some(id) = run.match_run else { return Ok(()) };
        let key = opened.keys.match_run(id);
        let Some(before) = Store::new(self.ports.clone()).load(&key).await? else {
            return Err(WorkError::retry("hand over", "the match run is gone"));
        };
        let mut match_run = MatchRun::clone(&before);
        let Some(directory) = self.runs.version(match_run.directory).await? else {
            return Err(WorkError::reject("hand over", "the run's directory version is gone"));
        };
        let mut commit = Commit::new();
        self.runs.batches(opened, &mut match_run, &directory, object, probes, &mut commit).await?;
        commit.replace(&before, &match_run)?;
        let (batches, steps) = commit.into_parts();
        writes.extend(batches);
        next.extend(steps);
        Ok(())
    }

    /// Ends the hand-over, and the run unless activities are still being imported.
    async fn finish_hand_over(
        &self,
        opened: &OpenGeneration,
        run: &mut ImportRun,
        writes: &mut Vec<Write>,
        next: &mut Vec<Next>,
    ) -> Result<(), WorkError> {
        if let Some(id) = run.match_run {
            let key = opened.keys.match_run(id);
            if let Some(before) = Store::new(self.ports.clone()).load(&key).await? {
                let mut match_run = MatchRun::clone(&before);
                match_run.end_planning(self.ports.clock.now());
                match_run.step += 1;
                let mut commit = Commit::new();
                commit.replace(&before, &match_run)?;
                writes.extend(commit.into_parts().0);
            }
        }
        if run.activities_left == 0 {
            let (write, told) = self.finish(opened, run);
            writes.push(write);
            next.push(told);
        } else {
            run.state = RunState::Activities;
            writes.push(fence(opened, run.id));
        }
        Ok(())
    }
}
