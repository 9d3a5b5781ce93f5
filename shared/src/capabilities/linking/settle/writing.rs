//! What a settlement writes: the difference between a neighbourhood and what is stored.

use std::collections::{BTreeMap, BTreeSet};

use matching::EntityKind;

use super::Settle;
use super::neighbourhood::Neighbourhood;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::lease::{check_lease, is_held};
use crate::capabilities::linking::{BatchRef, CandidateList, DecisionCounts};
use crate::kernel::{AutoSaveMessage, EntityId, LeaseToken, RecordRef, SObject, WritebackMessage};
use crate::salesforce::SalesforceId;
use crate::store::Commit;
use crate::work::WorkError;

/// How many items one transaction writes. It checks the lease, and writes the counts of each object
/// and due items besides.
const WRITES: usize = 90;

/// Why a settlement that another one overtook comes again.
const LOST: &str = "the lease was lost";

impl Settle {
    /// Writes the entities and lists that differ from the stored ones. Gives the number of records
    /// whose match changed.
    ///
    /// The lease guards these documents, so they are put whatever lies there. An entity that is new
    /// is created by itself, which costs half: who lost the lease unawares creates none for which
    /// its batch, which is not counted as settled, does not come again.
    pub(super) async fn write(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        near: &Neighbourhood,
    ) -> Result<u64, WorkError> {
        let keys = generation.keys;
        let (changed, new): (Vec<_>, Vec<_>) =
            near.changed_entities().partition(|(id, _)| near.stored_entities.contains_key(*id));
        let mut created = Commit::new();
        for (id, entity) in new {
            created.create(&keys.entity(near.kind, id), entity)?;
        }
        self.create_under(generation, lease, created).await?;
        let mut commits = Vec::new();
        for chunk in changed.chunks(WRITES) {
            let mut commit = Commit::new();
            for (id, entity) in chunk {
                let slot = keys.entity(near.kind, id);
                if entity.bids.is_empty() {
                    commit.delete(&slot);
                } else {
                    commit.put(&slot, *entity)?;
                }
            }
            commits.push(commit);
        }
        self.commit_under(generation, lease, commits).await?;
        self.write_lists(generation, lease, near).await
    }

    /// Writes the lists, and tells of the links that changed: auto-save, and whoever waits for an
    /// entity's record. The entities are written, so nobody begins to wait for one of these now.
    ///
    /// A list that is new is created by itself, which costs half. Its batch counts it, and tells of
    /// its link, when it is settled; until then nobody else counts it.
    async fn write_lists(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        near: &Neighbourhood,
    ) -> Result<u64, WorkError> {
        let (keys, scope) = (generation.keys, generation.keys.scope());
        let (new, lists): (Vec<_>, Vec<_>) = near.changed_lists().partition(|(record, list)| {
            list.new_in.is_some() && !near.stored_lists.contains_key(*record)
        });
        let uncounted = self.unsettled(generation, lists.iter().map(|(_, list)| *list)).await?;
        let mut changed = 0;
        let mut linked = BTreeSet::new();
        let mut created = Commit::new();
        for (record, list) in new {
            created.create(&keys.candidates(record.object, record.id), list)?;
            changed += u64::from(list.matched.is_some());
            linked.extend(list.matched.clone());
        }
        let mut commits = Vec::new();
        for chunk in lists.chunks(WRITES) {
            let mut commit = Commit::new();
            let mut relinked: BTreeMap<SObject, Vec<SalesforceId>> = BTreeMap::new();
            let mut counts: BTreeMap<SObject, DecisionCounts> = BTreeMap::new();
            for &(record, list) in chunk {
                let RecordRef { object, id } = *record;
                if list.new_in.is_some_and(|batch| uncounted.contains(&batch)) {
                    commit.put(&keys.candidates(object, id), list)?;
                } else {
                    let counted = CandidateList { new_in: None, ..list.clone() };
                    commit.put(&keys.candidates(object, id), &counted)?;
                    counts.entry(object).or_default().count(near.stored_lists.get(record), list);
                }
                let is_relinked = near.is_relinked(*record, list);
                if is_relinked {
                    changed += 1;
                    linked.extend(list.matched.clone());
                }
                let [before, after] = near.employers(record, list);
                if is_relinked || before != after {
                    relinked.entry(object).or_default().push(id);
                }
            }
            for (object, counts) in counts {
                counts.add_to(&mut commit, &keys.decision_counts(object));
            }
            for (object, records) in relinked {
                commit.now(AutoSaveMessage::Records { scope, object, records });
            }
            commits.push(commit);
        }
        // Before the lists: who dies in between tells, and writes, once more.
        self.write_employers(generation, lease, near).await?;
        self.tell_waiting(generation, near.kind, linked).await?;
        self.create_under(generation, lease, created).await?;
        self.commit_under(generation, lease, commits).await?;
        Ok(changed)
    }

    /// Those of the batches that wrote these lists first that are not settled yet.
    async fn unsettled(
        &self,
        generation: &OpenGeneration,
        lists: impl Iterator<Item = &CandidateList>,
    ) -> Result<BTreeSet<BatchRef>, WorkError> {
        let mut unsettled = BTreeSet::new();
        for batch in lists.filter_map(|list| list.new_in).collect::<BTreeSet<_>>() {
            // One of long ago has no item any more.
            let slot = generation.keys.batch(batch.run, batch.number);
            if self.store.read(&slot).await?.is_some_and(|batch| !batch.settled) {
                unsettled.insert(batch);
            }
        }
        Ok(unsettled)
    }

    /// Creates documents, each by itself, unless the lease was lost.
    async fn create_under(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        created: Commit,
    ) -> Result<(), WorkError> {
        if created.is_empty() {
            return Ok(());
        }
        let holds_lease = is_held(&self.store, generation, lease).await?;
        if holds_lease && generation.store.write_each(created).await? {
            Ok(())
        } else {
            Err(WorkError::retry("settle a batch", LOST))
        }
    }

    /// Writes which leads belong to a company: those whose person works there.
    async fn write_employers(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        near: &Neighbourhood,
    ) -> Result<(), WorkError> {
        let mut edges = Vec::new();
        for (record, list) in near.changed_lists() {
            let [before, after] = near.employers(record, list);
            if before == after {
                continue;
            }
            let edge = |company: &EntityId| generation.records.employer_edge(company, record.id);
            edges.extend(before.map(|company| (edge(company), false)));
            edges.extend(after.map(|company| (edge(company), true)));
        }
        let mut commits = Vec::new();
        for chunk in edges.chunks(WRITES) {
            let mut commit = Commit::new();
            for (edge, is_there) in chunk {
                if *is_there {
                    commit.draw(edge)?;
                } else {
                    commit.delete(edge);
                }
            }
            commits.push(commit);
        }
        self.commit_under(generation, lease, commits).await
    }

    /// Tells those who wait for one of these entities' record that it is linked.
    async fn tell_waiting(
        &self,
        generation: &OpenGeneration,
        entity_kind: EntityKind,
        linked: BTreeSet<EntityId>,
    ) -> Result<(), WorkError> {
        let scope = generation.keys.scope();
        let names = linked.iter().map(|entity| generation.sealer.name(entity.as_str()));
        let slots = names.map(|name| generation.keys.awaited(entity_kind, &name));
        let awaited = generation.store.load_many(slots).await?;
        for some in awaited.chunks(WRITES) {
            let mut commit = Commit::new();
            for entity in some.iter().map(|awaited| awaited.entity.clone()) {
                commit.now(WritebackMessage::Linked { scope, entity_kind, entity });
            }
            let winner = "nobody: a due item has no condition";
            self.store.commit(commit).await?.may_lose_to(winner);
        }
        Ok(())
    }

    async fn commit_under(
        &self,
        generation: &OpenGeneration,
        lease: LeaseToken,
        mut commits: Vec<Commit>,
    ) -> Result<(), WorkError> {
        for commit in &mut commits {
            check_lease(commit, generation, lease)?;
        }
        if commits.is_empty() || generation.store.commit_each(commits).await? {
            Ok(())
        } else {
            Err(WorkError::retry("settle a batch", LOST))
        }
    }
}
