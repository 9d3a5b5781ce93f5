//! Directory versions: uploaded in parts, counted as a whole, built shard by shard, published at
//! once, matched to by every connection.

mod build;
mod count;
mod fan_out;
mod read_parts;
mod retire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use matching::EntityKind;

use crate::capabilities::directory::entities::Entities;
use crate::capabilities::directory::version_use::VersionUse;
use crate::capabilities::directory::{
    DirectoryPart, DirectoryState, DirectoryVersion, directory_part_key, keys,
};
use crate::kernel::{DirectoryMessage, DirectoryVersionId};
use crate::ports::Ports;
use crate::store::{Commit, Store, Stored};
use crate::work::{Done, WorkError, boxed};

/// How much of the parts, as they are stored, becomes one shard. A shard file may have 1 GiB, and
/// an index is larger than what it is built from.
const SHARD_OF_PARTS: u64 = 96 << 20;

/// A part's largest size.
const LARGEST_PART: u64 = 128 << 20;

/// How long an upload address is good for.
const UPLOAD_VALID: Duration = Duration::from_hours(1);

/// How many connections one step looks at.
const CONNECTIONS_PER_STEP: usize = 25;

/// Why a version cannot be begun or published.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no such version.
    #[error("there is no such directory version")]
    NotFound,
    /// A version needs at least one part.
    #[error("a directory version needs at least one part")]
    NoParts,
    /// A delta names a version that cannot be built upon.
    #[error("the base is not a published version")]
    Base,
    /// It was published before.
    #[error("the version is being built or was published before")]
    NotADraft,
    /// A part was not uploaded.
    #[error("part {0} was not uploaded")]
    Missing(usize),
    /// A part is larger than allowed.
    #[error("part {0} is larger than 128 MB; split it")]
    TooLarge(usize),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<crate::ports::PortError> for DirectoryError {
    fn from(error: crate::ports::PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Builds and publishes directory versions.
#[derive(Clone)]
pub struct Directory {
    ports: Ports,
    store: Store,
    entities: Entities,
    version_use: Arc<dyn VersionUse>,
    shard_of_parts: u64,
}

impl Directory {
    /// The directory over these ports. `version_use` says which versions' files must stay.
    #[must_use]
    pub fn new(ports: Ports, version_use: Arc<dyn VersionUse>) -> Self {
        let (store, entities) = (Store::new(ports.clone()), Entities::new(ports.clone()));
        Self { ports, store, entities, version_use, shard_of_parts: SHARD_OF_PARTS }
    }

    /// The same directory with a shard for each `bytes` of parts. Results are the same for any
    /// number.
    #[must_use]
    pub fn with_shards_of(mut self, bytes: u64) -> Self {
        self.shard_of_parts = bytes;
        self
    }

    /// Begins a version of these parts, as a delta when `base` is given. Gives the address to
    /// upload each part to.
    #[must_use]
    #[boxed]
    pub async fn begin(
        &self,
        base: Option<DirectoryVersionId>,
        kinds: &[EntityKind],
    ) -> Result<(DirectoryVersion, Vec<String>), DirectoryError> {
        if kinds.is_empty() {
            return Err(DirectoryError::NoParts);
        }
        let mut parts = match base {
            None => Vec::new(),
            Some(base) => {
                let base = self.get(base).await?.ok_or(DirectoryError::Base)?;
                if base.state != DirectoryState::Published {
                    return Err(DirectoryError::Base);
                }
                base.parts
            }
        };
        let now = self.ports.clock.now();
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let id = DirectoryVersionId::new(millis, self.ports.entropy.bits());
        let mut uploads = Vec::with_capacity(kinds.len());
        for (number, &entity_kind) in kinds.iter().enumerate() {
            let key = directory_part_key(id, number);
            uploads.push(self.ports.objects.presign_put(&key, UPLOAD_VALID).await?);
            parts.push(DirectoryPart { entity_kind, key });
        }
        let version = DirectoryVersion {
            id,
            base,
            state: DirectoryState::Draft,
            parts,
            people_shards: 0,
            company_shards: 0,
            people: 0,
            companies: 0,
            skipped: BTreeMap::new(),
            shards_left: 0,
            reason: None,
            created_at: now,
            published_at: None,
        };
        let mut commit = Commit::new();
        commit.create(&keys::directory_version(id), &version)?;
        let outcome = self.store.commit(commit).await?;
        outcome.may_lose_to("nobody: no other version has this id");
        Ok((version, uploads))
    }

    /// A version.
    #[must_use]
    #[boxed]
    pub async fn get(&self, id: DirectoryVersionId) -> Result<Option<DirectoryVersion>, WorkError> {
        Ok(self.load(id).await?.map(Stored::into_inner))
    }

    /// The version that is matched to now; none before the first.
    #[must_use]
    #[boxed]
    pub async fn current(&self) -> Result<Option<DirectoryVersion>, WorkError> {
        match self.store.read(&keys::directory_current()).await? {
            Some(current) => self.get(current.version).await,
            None => Ok(None),
        }
    }

    /// The versions that were begun last, the newest first; `most` of them.
    #[must_use]
    #[boxed]
    pub async fn list(&self, most: usize) -> Result<Vec<DirectoryVersion>, WorkError> {
        let versions = self.store.all(&keys::directory_versions()).await?;
        Ok(versions.into_iter().rev().take(most).map(Stored::into_inner).collect())
    }

    async fn load(
        &self,
        id: DirectoryVersionId,
    ) -> Result<Option<Stored<DirectoryVersion>>, WorkError> {
        Ok(self.store.load(&keys::directory_version(id)).await?)
    }

    /// Has a version built whose parts are uploaded.
    #[must_use]
    #[boxed]
    pub async fn publish(
        &self,
        id: DirectoryVersionId,
    ) -> Result<DirectoryVersion, DirectoryError> {
        let before = self.load(id).await?.ok_or(DirectoryError::NotFound)?;
        if before.state != DirectoryState::Draft {
            return Err(DirectoryError::NotADraft);
        }
        let mut version = DirectoryVersion::clone(&before);
        let mut sizes = BTreeMap::new();
        for (number, part) in version.parts.iter().enumerate() {
            let stored = self.ports.objects.list(&part.key).await?;
            let part_size = stored.iter().find(|o| o.key == part.key).map(|o| o.size);
            let size = part_size.ok_or(DirectoryError::Missing(number))?;
            if size > LARGEST_PART {
                return Err(DirectoryError::TooLarge(number));
            }
            *sizes.entry(part.entity_kind).or_insert(0) += size;
        }
        let shards = |kind| -> u32 {
            let size: u64 = sizes.get(&kind).copied().unwrap_or(0);
            u32::try_from(size.div_ceil(self.shard_of_parts)).unwrap_or(u32::MAX)
        };
        version.people_shards = shards(EntityKind::Person);
        version.company_shards = shards(EntityKind::Company);
        version.state = DirectoryState::Counting;
        let mut commit = Commit::new();
        commit.replace(&before, &version)?.now(DirectoryMessage::Count { version: id });
        if self.store.commit(commit).await?.is_done() {
            Ok(version)
        } else {
            Err(DirectoryError::NotADraft)
        }
    }

    /// Does one message's work.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: DirectoryMessage) -> Result<Done, WorkError> {
        match message {
            DirectoryMessage::Count { version } => self.count(version).await?,
            DirectoryMessage::Shard { version, entity_kind, shard } => {
                self.build(version, entity_kind, shard).await?;
            }
            DirectoryMessage::Spread { version, from } => self.spread(version, from).await?,
            DirectoryMessage::FanOut { version, after } => self.fan_out(version, after).await?,
            DirectoryMessage::Retire { version, after } => {
                return self.retire(version, after).await;
            }
        }
        Ok(Done::Finished)
    }
}
