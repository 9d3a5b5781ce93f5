//! Building a version's shards. The last of them publishes the version.

use bytes::Bytes;
use matching::read::Identified;
use matching::{
    Company, CompanyForm, DirectoryLine, EntityKind, Person, PersonForm, ShardBuilder, Statistics,
    shard_of,
};
use serde::Serialize;

use super::Directory;
use crate::capabilities::directory::entities::identity;
use crate::capabilities::directory::{
    BodiesBuilder, Body, CurrentDirectory, DirectoryState, DirectoryVersion, keys,
};
use crate::kernel::{DirectoryMessage, DirectoryVersionId};
use crate::store::{Attempt, Commit, Marker, attempts};
use crate::work::WorkError;

impl Directory {
    /// Builds one shard, and publishes the version when it was the last.
    pub(super) async fn build(
        &self,
        id: DirectoryVersionId,
        kind: EntityKind,
        shard: u32,
    ) -> Result<(), WorkError> {
        let building = |v: &DirectoryVersion| v.state == DirectoryState::Building;
        let Some(version) = self.get(id).await?.filter(building) else { return Ok(()) };
        let Some(bytes) = self.ports.objects.get(&version.statistics_key()).await? else {
            return Err(WorkError::reject("build a shard", "the version's statistics are gone"));
        };
        let statistics = Statistics::from_bytes(&bytes)
            .map_err(|error| WorkError::reject("read a version's statistics", error))?;
        let mut builder = ShardBuilder::new(kind, shard, version.shards(kind));
        let (ids, bodies) = match kind {
            EntityKind::Person => {
                let form = |person: &Person| builder.add_person(&PersonForm::from(person));
                self.gather(&version, shard, form).await?
            }
            EntityKind::Company => {
                let form = |company: &Company| builder.add_company(&CompanyForm::from(company));
                self.gather(&version, shard, form).await?
            }
        };
        self.entities.keep_ids(&version, kind, shard, ids).await?;
        let file = bodies.finish().map_err(|error| WorkError::retry("finish bodies", error))?;
        self.ports.objects.put(&version.bodies_key(kind, shard), Bytes::from(file)).await?;
        let file = Bytes::from(builder.finish(&statistics));
        self.ports.objects.put(&version.shard_key(kind, shard), file).await?;
        self.count_built(id, kind, shard).await
    }

    /// Hands every entity of a shard to `form`, and gives the hashes of their ids and their bodies.
    async fn gather<T: Body + Identified + Serialize>(
        &self,
        version: &DirectoryVersion,
        shard: u32,
        mut form: impl FnMut(&T),
    ) -> Result<(Vec<u64>, BodiesBuilder), WorkError> {
        let (kind, count) = (T::KIND, version.shards(T::KIND));
        let (mut ids, mut bodies) = (Vec::new(), BodiesBuilder::new(kind, shard, count));
        let mut failure = None;
        self.each::<T>(version, kind, &mut |_| (), |line| {
            let DirectoryLine::Upsert(entity) = line else { return };
            let id = entity.id();
            if shard_of(id, count) != shard {
                return;
            }
            match serde_json::to_vec(&entity) {
                Ok(json) => bodies.add(id, &json),
                Err(error) => failure = Some(error),
            }
            ids.push(identity(id));
            form(&entity);
        })
        .await?;
        match failure {
            Some(error) => Err(WorkError::reject("write a body", error)),
            None => Ok((ids, bodies)),
        }
    }

    /// Counts a shard as built. With the last one the version becomes the current one.
    ///
    /// A marker and the count are written together, so a second delivery counts nothing twice.
    async fn count_built(
        &self,
        id: DirectoryVersionId,
        kind: EntityKind,
        shard: u32,
    ) -> Result<(), WorkError> {
        let marker = keys::directory_built(id, kind, shard);
        attempts(|| async {
            let Some(before) = self.load(id).await? else { return Ok(Attempt::Done(())) };
            let mut version = DirectoryVersion::clone(&before);
            version.shards_left = version.shards_left.saturating_sub(1);
            let mut commit = Commit::new();
            commit.create(&marker, &Marker {})?;
            if version.shards_left == 0 {
                version.state = DirectoryState::Published;
                version.published_at = Some(self.ports.clock.now());
                self.make_current(id, &mut commit).await?;
            }
            commit.replace(&before, &version)?;
            let is_counted = self.store.commit(commit).await?.is_done()
                || self.store.read(&marker).await?.is_some();
            Ok(if is_counted { Attempt::Done(()) } else { Attempt::Overtaken })
        })
        .await
    }

    /// Makes a version the current one, with all that follows. An older version that is ready late
    /// is published, and does not take the place of a newer one.
    async fn make_current(
        &self,
        id: DirectoryVersionId,
        commit: &mut Commit,
    ) -> Result<(), WorkError> {
        let slot = keys::directory_current();
        let current = self.store.load(&slot).await?;
        if current.as_ref().is_some_and(|current| current.version > id) {
            return Ok(());
        }
        commit.save(&slot, current.as_ref(), &CurrentDirectory { version: id })?;
        commit.now(DirectoryMessage::FanOut { version: id, after: None });
        for retirement in self.replaced_by(id).await? {
            commit.then(retirement);
        }
        Ok(())
    }
}
