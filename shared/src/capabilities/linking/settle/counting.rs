//! The end of a batch's settlement: it is counted, and what follows from that begins.

use super::{LEASE_CHECK, Settle};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::lease::check_lease;
use crate::capabilities::linking::match_runs::{MatchRuns, kept_until};
use crate::capabilities::linking::{Batch, DecisionCounts, MatchRun};
use crate::kernel::{AutoSaveMessage, LeaseToken, MatchMessage, MatchRunId, MatchTrigger, SObject};
use crate::ports::Outcome;
use crate::salesforce::SalesforceId;
use crate::store::{Attempt, Commit, Draft, attempts};
use crate::work::WorkError;

/// How many records auto-save looks at by one message.
const LINKS_AT_ONCE: usize = 90;

/// What a batch's settlement came to.
pub(super) struct Settled {
    /// The object of its records.
    pub(super) object: SObject,
    /// How many matches changed.
    pub(super) changed: u64,
    /// What the lists that it wrote first add to the counts.
    pub(super) counts: DecisionCounts,
    /// The records of these lists that auto-save is to look at.
    pub(super) links: Vec<SalesforceId>,
}

impl Settle {
    /// Counts the batch as settled, with the matches that it changed and the lists that it wrote
    /// first, and has auto-save look at those. The last one completes the run.
    ///
    /// A batch of which something is gone changed none: a re-match of everything, whose probes are
    /// kept, makes up for it.
    pub(super) async fn count_settled(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        id: MatchRunId,
        number: u32,
        settled: Option<Settled>,
    ) -> Result<(), WorkError> {
        let (run, batch) = (generation.keys.match_run(id), generation.keys.batch(id, number));
        // Planning may move the run between our read and our write.
        attempts(|| async {
            let (Some(run_before), Some(batch_before)) =
                (self.store.load(&run).await?, self.store.load(&batch).await?)
            else {
                return Ok(Attempt::Done(()));
            };
            if batch_before.settled {
                // Another settlement took the lease over and was faster.
                return Ok(Attempt::Done(()));
            }
            let mut run = MatchRun::clone(&run_before);
            let changed = settled.as_ref().map_or(0, |settled| settled.changed);
            run.count_settled(changed, self.ports.clock.now());
            let batch = Batch { settled: true, ..Batch::clone(&batch_before) };
            let mut commit = Commit::new();
            check_lease(&mut commit, generation, lease)?;
            let batch = Draft::after(&batch_before, &batch)?;
            commit.write(batch.until(kept_until(self.ports.clock.now())))?;
            MatchRuns::save(&mut commit, &generation.keys, Some(&run_before), &run)?;
            MatchRuns::call_followers(&mut commit, generation.keys.scope(), &run);
            if let Some(Settled { object, counts, links, .. }) = &settled {
                counts.add_to(&mut commit, &generation.keys.decision_counts(*object));
                for records in links.chunks(LINKS_AT_ONCE) {
                    let (scope, records) = (generation.keys.scope(), records.to_vec());
                    commit.now(AutoSaveMessage::Records { scope, object: *object, records });
                }
            }
            if let Some(rematch) = self.superseded(generation, &run).await? {
                commit.now(rematch);
            } else if settled.is_none() {
                let (scope, trigger) = (generation.keys.scope(), MatchTrigger::Settings);
                let run = MatchRunId::derived(&format!("{id}|gone"));
                commit.now(MatchMessage::Rematch { scope, run, trigger, step: 0 });
            }
            match self.store.commit(commit).await? {
                Outcome::Done => Ok(Attempt::Done(())),
                Outcome::Refused(refused) if refused.contains(&LEASE_CHECK) => {
                    Err(WorkError::retry("settle a batch", "the lease was lost"))
                }
                Outcome::Refused(_) => Ok(Attempt::Overtaken),
            }
        })
        .await
    }

    /// The re-match that follows a complete import run whose directory version or model is not
    /// current any more. Records that changed while the new one came must meet it, too.
    async fn superseded(
        &self,
        generation: &OpenGeneration,
        run: &MatchRun,
    ) -> Result<Option<MatchMessage>, WorkError> {
        if run.finished_at.is_none() || run.trigger != MatchTrigger::Import {
            return Ok(None);
        }
        let Some(pins) = self.runs.pins(generation).await? else { return Ok(None) };
        let trigger = if pins.directory.id != run.directory {
            MatchTrigger::Directory
        } else if pins.model != run.model {
            MatchTrigger::Model
        } else {
            return Ok(None);
        };
        let of = format!("{}|{}|{}", run.id, pins.directory.id, pins.model.number);
        let (scope, run) = (generation.keys.scope(), MatchRunId::derived(&of));
        Ok(Some(MatchMessage::Rematch { scope, run, trigger, step: 0 }))
    }
}
