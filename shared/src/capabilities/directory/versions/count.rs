//! Counting a version's terms, some entities at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use matching::{
    Company, CompanyForm, DirectoryLine, EntityKind, Person, PersonForm, ShardBuilder,
    StatisticsBuilder,
};

use super::Directory;
use crate::capabilities::directory::entities::Merges;
use crate::capabilities::directory::{DirectoryState, DirectoryVersion};
use crate::kernel::{DirectoryMessage, DirectoryVersionId, EntityId};
use crate::store::{Commit, Stored};
use crate::work::WorkError;

/// Roughly the bytes that an entity takes of a compressed part. A guess on the low side only makes
/// the sketch of block sizes finer.
const ENTITY_IN_PARTS: u64 = 90;

/// How many shards one step calls for: a transaction holds a hundred items, however large the
/// directory is.
const SPREAD: u32 = 90;

/// Entities that are counted at once.
const COUNTED_AT_ONCE: usize = 1 << 14;

impl Directory {
    /// Counts the version's terms: rarity and block caps are those of the whole version, so that
    /// its division into shards changes no result.
    pub(super) async fn count(&self, id: DirectoryVersionId) -> Result<(), WorkError> {
        let counting = |v: &Stored<DirectoryVersion>| v.state == DirectoryState::Counting;
        let Some(before) = self.load(id).await?.filter(counting) else { return Ok(()) };
        let mut version = DirectoryVersion::clone(&before);
        let mut skipped = BTreeMap::new();
        let mut skip = |reason: &'static str| *skipped.entry(reason.to_owned()).or_insert(0) += 1;
        let mut merges = Merges::new();
        let mut merge = |id: EntityId, into: EntityId| drop(merges.insert(id, into));
        let mut counts = StatisticsBuilder::sized_for(self.expected(&version).await?);
        self.each_some(&version, &mut skip, &mut merge, |some| counts.add(some)).await?;
        self.entities.keep_merges(&version, &merges).await?;
        let mut refinements = counts.refine();
        let (mut ignore, mut known) = (|_| (), |_, _| ());
        self.each_some(&version, &mut ignore, &mut known, |some| refinements.add(some)).await?;
        let statistics = refinements.finish();
        version.people = statistics.entities(EntityKind::Person);
        version.companies = statistics.entities(EntityKind::Company);
        version.skipped = skipped;
        let bytes = statistics.to_bytes();
        let bytes = bytes.map_err(|error| WorkError::reject("write statistics", error))?;
        self.ports.objects.put(&version.statistics_key(), Bytes::from(bytes)).await?;
        version.shards_left = version.people_shards + version.company_shards;
        version.state = DirectoryState::Building;
        let mut commit = Commit::new();
        commit.replace(&before, &version)?;
        call_for_shards(&mut commit, &version, 0);
        let outcome = self.store.commit(commit).await?;
        outcome.may_lose_to("another delivery of this message, which counted the same");
        Ok(())
    }

    /// Has some of a version's shards built, from this one on, and calls for the rest. A second
    /// delivery has them built again, and a version counts each shard once.
    pub(super) async fn spread(&self, id: DirectoryVersionId, from: u32) -> Result<(), WorkError> {
        let building = |v: &DirectoryVersion| v.state == DirectoryState::Building;
        let Some(version) = self.get(id).await?.filter(building) else { return Ok(()) };
        let mut commit = Commit::new();
        call_for_shards(&mut commit, &version, from);
        if !commit.is_empty() {
            self.store.commit(commit).await?.may_lose_to("nobody: the steps have no condition");
        }
        Ok(())
    }

    /// About how many entities a version has, by the size of its parts.
    pub(super) async fn expected(&self, version: &DirectoryVersion) -> Result<u64, WorkError> {
        let mut bytes = 0;
        for part in &version.parts {
            bytes += self.ports.objects.list(&part.key).await?.iter().map(|o| o.size).sum::<u64>();
        }
        Ok(bytes / ENTITY_IN_PARTS)
    }

    /// Hands a version's entities, normalised, to `take`, and the ids that were merged into others
    /// to `merge`. `take` gets so few entities at a time that memory stays flat.
    pub(super) async fn each_some(
        &self,
        version: &DirectoryVersion,
        skip: &mut impl FnMut(&'static str),
        merge: &mut impl FnMut(EntityId, EntityId),
        mut take: impl FnMut(&ShardBuilder),
    ) -> Result<(), WorkError> {
        let mut some = ShardBuilder::new(EntityKind::Person, 0, 1);
        self.each::<Person>(version, some.kind(), skip, |line| match line {
            DirectoryLine::Upsert(person) => {
                some.add_person(&PersonForm::from(&person));
                hand_over(&mut some, COUNTED_AT_ONCE, &mut take);
            }
            DirectoryLine::Merge { id, into } => read_merge(&id, &into, merge),
            DirectoryLine::Delete { .. } => {}
        })
        .await?;
        hand_over(&mut some, 1, &mut take);
        some = ShardBuilder::new(EntityKind::Company, 0, 1);
        self.each::<Company>(version, some.kind(), skip, |line| match line {
            DirectoryLine::Upsert(company) => {
                some.add_company(&CompanyForm::from(&company));
                hand_over(&mut some, COUNTED_AT_ONCE, &mut take);
            }
            DirectoryLine::Merge { id, into } => read_merge(&id, &into, merge),
            DirectoryLine::Delete { .. } => {}
        })
        .await?;
        hand_over(&mut some, 1, &mut take);
        Ok(())
    }
}

/// Adds the messages that have a version's shards built, from this one on, those of people and
/// companies counted together: as many as a step takes, and the next step.
fn call_for_shards(commit: &mut Commit, version: &DirectoryVersion, from: u32) {
    let of = |kind| (0..version.shards(kind)).map(move |shard| (kind, shard));
    let shards = of(EntityKind::Person).chain(of(EntityKind::Company)).zip(0..);
    for ((entity_kind, shard), place) in shards.filter(|(_, place)| *place >= from) {
        if place - from == SPREAD {
            commit.now(DirectoryMessage::Spread { version: version.id, from: place });
            return;
        }
        commit.now(DirectoryMessage::Shard { version: version.id, entity_kind, shard });
    }
}

/// Hands on a merge whose ids are ones: [`Directory::each`] gives no other.
fn read_merge(id: &str, into: &str, merge: &mut impl FnMut(EntityId, EntityId)) {
    if let (Ok(id), Ok(into)) = (id.parse(), into.parse()) {
        merge(id, into);
    }
}

/// Hands over what a builder holds, when that is `enough`, and empties it.
fn hand_over(builder: &mut ShardBuilder, enough: usize, take: &mut impl FnMut(&ShardBuilder)) {
    if builder.len() >= enough {
        take(builder);
        *builder = ShardBuilder::new(builder.kind(), 0, 1);
    }
}
