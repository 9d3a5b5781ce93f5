//! Saving what the rules call for, a seat's list at a time, as far as the list has room.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{AutoSave, Context, Wanted};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::CandidateList;
use crate::capabilities::saving::tally::{count_in, tallies};
use crate::capabilities::saving::{Saved, SavedList, SavedReason, Tally};
use crate::capabilities::seats;
use crate::kernel::{SObject, SeatId};
use crate::salesforce::SalesforceId;
use crate::store::{Attempt, Commit, Slot, Stored, When, attempts, field};
use crate::work::WorkError;

/// How many entries a transaction saves: each with the check of its match, beside the list's count
/// and the seat.
const PER_COMMIT: usize = 48;

/// What is to be saved where, each with the candidates that it was matched by.
pub(super) type Entries<'a> = BTreeMap<Slot<Saved>, (Saved, &'a Stored<CandidateList>)>;

impl AutoSave {
    /// Saves the entities of what is wanted and not saved yet. What is saved gets the reasons that
    /// it lacks.
    pub(super) async fn save(
        &self,
        context: &Context,
        wanted: Vec<Wanted>,
    ) -> Result<(), WorkError> {
        let wanted = self.chosen(context, wanted).await?;
        // Others settle a match, save by another rule or save in the same list meanwhile.
        attempts(|| self.save_once(context, &wanted)).await
    }

    /// Saves what is wanted. Overtaken, it is done in part: what is saved by then is known the next
    /// time.
    async fn save_once(
        &self,
        context: &Context,
        wanted: &[Wanted],
    ) -> Result<Attempt<()>, WorkError> {
        let (generation, now) = (&context.generation, self.ports.clock.now());
        let matched = self.matched(context, wanted).await?;
        let mut new = entries(context, &matched, wanted, now);
        let known = generation.store.load_many(new.keys().cloned()).await?;
        let mut commits = Vec::new();
        for known in known.chunks(PER_COMMIT) {
            let mut commit = Commit::new();
            for known in known {
                let Some((saved, _)) = new.remove(&known.slot()) else { continue };
                if let Some(more) = known.with(&saved.reasons) {
                    commit.replace(known, &more)?;
                }
            }
            commits.push(commit);
        }
        let mut by_list: BTreeMap<(SeatId, SavedList), Entries<'_>> = BTreeMap::new();
        for (slot, entry) in new {
            by_list.entry((entry.0.seat, entry.0.list)).or_default().insert(slot, entry);
        }
        let tallies = tallies(generation, by_list.keys().copied()).await?;
        for (list, new) in by_list {
            let Some(tally) = tallies.get(&list) else { continue };
            commits.extend(new_entries(context, tally, new, now)?);
        }
        commits.retain(|commit| !commit.is_empty());
        let is_done = generation.store.commit_each(commits).await?;
        Ok(if is_done { Attempt::Done(()) } else { Attempt::Overtaken })
    }
}

/// The transactions that save new entries of a list, as many as it has room for. They remember that
/// something was left out.
fn new_entries(
    context: &Context,
    tally: &Tally,
    new: Entries<'_>,
    now: Timestamp,
) -> Result<Vec<Commit>, WorkError> {
    let generation = &context.generation;
    let (list, most) = ((tally.seat, tally.list), tally.list.most(&context.settings));
    let room = most.saturating_sub(tally.entries) as usize;
    let is_left_out = new.len() > room;
    let is_full = new.len() >= room;
    let seat = seats::keys::seat(generation.keys.scope().tenant, tally.seat);
    let new: Vec<_> = new.into_iter().take(room).collect();
    let mut commits = Vec::new();
    for chunk in new.chunks(PER_COMMIT) {
        let mut commit = Commit::new();
        for (slot, (saved, candidates)) in chunk {
            commit.create(slot, saved)?;
            // What was matched in an older directory version is not saved any more once what is
            // saved has followed a newer one.
            commit.check(&candidates.slot(), When::unchanged(candidates));
        }
        commit.check(&seat, When::exists());
        let entries = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        count_in(&mut commit, generation, list, entries, most)?;
        commits.push(commit);
    }
    // What was left out before is looked at again when there is room, so the mark goes then.
    let is_marked = tally.full_since.is_some();
    if (is_left_out && !is_marked) || (!is_full && is_marked) {
        let full_since = Some(now).filter(|_| is_left_out);
        let mut commit = Commit::new();
        let told = field!(Tally, full_since).set(&full_since)?;
        commit.edit(&generation.keys.tally(tally.seat, tally.list), When::exists(), [told]);
        commits.push(commit);
    }
    Ok(commits)
}

/// What is to be saved where, with all its reasons.
pub(super) fn entries<'a>(
    context: &Context,
    matched: &'a BTreeMap<(SObject, SalesforceId), Stored<CandidateList>>,
    wanted: &[Wanted],
    now: Timestamp,
) -> Entries<'a> {
    let OpenGeneration { keys, store, .. } = &context.generation;
    let mut entries = Entries::new();
    for &Wanted { seat, rule, by, object, record } in wanted {
        let Some(list_of_record) = matched.get(&(object, record)) else { continue };
        let Some(entity) = list_of_record.matched.clone() else { continue };
        let list = SavedList::of(object);
        let slot = store.slot(&keys.saved(seat, list.as_str(), &entity));
        let reasons = vec![SavedReason { rule, record: by, since: now }];
        let rules = context.rules;
        let saved = Saved {
            seat,
            list,
            entity,
            record,
            object,
            reasons,
            saved_at: now,
            rules,
            uncalled: None,
        };
        let (known, _) = entries.entry(slot).or_insert_with(|| (saved.clone(), list_of_record));
        if let Some(both) = known.with(&saved.reasons) {
            *known = both;
        }
    }
    entries
}
