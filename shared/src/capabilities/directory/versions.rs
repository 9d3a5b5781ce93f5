//! Directory versions: uploaded in parts, counted as a whole, built shard by shard, published at
//! once, matched to by every connection.

mod counting;
mod retire;

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Cursor, Read};
use std::time::Duration;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use matching::read::DirectoryReader;
use matching::{
    Company, CompanyForm, DirectoryLine, EntityKind, Person, PersonForm, ShardBuilder, Statistics,
    StatisticsBuilder, shard_of,
};
use serde::Deserialize;
use serde_json::json;

use crate::capabilities::directory;
use crate::capabilities::directory::entities::{Entities, Merges, identity};
use crate::capabilities::directory::{
    CurrentDirectory, DirectoryPart, DirectoryState, DirectoryVersion, directory_part_key,
};
use crate::kernel::{
    DirectoryMessage, DirectoryVersionId, MatchMessage, MatchRunId, MatchTrigger, Scope,
    TenantEnvironment,
};
use crate::ports::{Condition, Item, Ports, Range};
use crate::store::{self, Marker, Next, Outbox, keys};
use crate::work::{Done, WorkError};

/// How much of the parts, as they are stored, becomes one shard: well below the 1 GiB that a shard
/// file may have (design 13), since an index is larger than what it is built from.
const SHARD_OF_PARTS: u64 = 96 << 20;

/// A part's largest size.
const LARGEST_PART: u64 = 128 << 20;

/// How long an upload address is good for.
const UPLOAD_VALID: Duration = Duration::from_hours(1);

/// How many connections one step of the fan-out reaches.
const FAN_OUT: usize = 25;

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
    entities: Entities,
    outbox: Outbox,
    shard_of_parts: u64,
}

impl Directory {
    /// The directory over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let (entities, outbox) = (Entities::new(ports.clone()), Outbox::new(ports.clone()));
        Self { ports, entities, outbox, shard_of_parts: SHARD_OF_PARTS }
    }

    /// As it is, but with a shard for each `bytes` of parts. Results are the same for any number.
    #[must_use]
    pub fn with_shards_of(mut self, bytes: u64) -> Self {
        self.shard_of_parts = bytes;
        self
    }

    /// Begins a version of these parts, as a delta when `base` is given; with the address to upload
    /// each part to.
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
        let write =
            store::put(directory::keys::directory_version(id), &version, Condition::Absent)?;
        let _ = self.ports.table.write(write).await?;
        Ok((version, uploads))
    }

    /// A version.
    pub async fn get(&self, id: DirectoryVersionId) -> Result<Option<DirectoryVersion>, WorkError> {
        Ok(store::get(&*self.ports.table, &directory::keys::directory_version(id)).await?)
    }

    /// Has a version built whose parts are uploaded.
    pub async fn publish(
        &self,
        id: DirectoryVersionId,
    ) -> Result<DirectoryVersion, DirectoryError> {
        let mut version = self.get(id).await?.ok_or(DirectoryError::NotFound)?;
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
        let draft = Condition::Eq("state", json!(DirectoryState::Draft));
        let write = store::put(directory::keys::directory_version(id), &version, draft)?;
        let next = Next::now(DirectoryMessage::Count { version: id });
        if self.outbox.commit(vec![write], vec![next]).await?.is_done() {
            Ok(version)
        } else {
            Err(DirectoryError::NotADraft)
        }
    }

    /// Does one message's work.
    pub async fn handle(&self, message: DirectoryMessage) -> Result<Done, WorkError> {
        match message {
            DirectoryMessage::Count { version } => self.count(version).await?,
            DirectoryMessage::Shard { version, entity_kind, shard } => {
                self.build(version, entity_kind, shard).await?;
            }
            DirectoryMessage::FanOut { version, after } => self.fan_out(version, after).await?,
            DirectoryMessage::Retire { version, after } => {
                return self.retire(version, after).await;
            }
        }
        Ok(Done::Finished)
    }

    /// Counts the version's terms: rarity and block caps are those of the whole version, so that
    /// its division into shards changes no result.
    async fn count(&self, id: DirectoryVersionId) -> Result<(), WorkError> {
        let counting = |v: &DirectoryVersion| v.state == DirectoryState::Counting;
        let Some(mut version) = self.get(id).await?.filter(counting) else { return Ok(()) };
        let mut skipped = BTreeMap::new();
        let mut note = |reason: &'static str| *skipped.entry(reason.to_owned()).or_insert(0) += 1;
        let mut merges = Merges::new();
        let mut merge = |id, into| drop(merges.insert(id, into));
        let mut counts = StatisticsBuilder::sized_for(self.expected(&version).await?);
        self.each_some(&version, &mut note, &mut merge, |some| counts.add(some)).await?;
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
        let next = [EntityKind::Person, EntityKind::Company]
            .into_iter()
            .flat_map(|entity_kind| {
                (0..version.shards(entity_kind)).map(move |shard| {
                    Next::now(DirectoryMessage::Shard { version: id, entity_kind, shard })
                })
            })
            .collect();
        let same = Condition::Eq("state", json!(DirectoryState::Counting));
        let write = store::put(directory::keys::directory_version(id), &version, same)?;
        let _ = self.outbox.commit(vec![write], next).await?;
        Ok(())
    }

    /// Builds one shard, and publishes the version when it was the last.
    async fn build(
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
        let count = version.shards(kind);
        let mut builder = ShardBuilder::new(kind, shard, count);
        let mut ids = Vec::new();
        let mut is_here = |id: &str| {
            let here = shard_of(id, count) == shard;
            ids.extend(here.then(|| identity(id)));
            here
        };
        let mut ignore = |_| ();
        match kind {
            EntityKind::Person => {
                self.each::<Person>(&version, kind, &mut ignore, |line| {
                    if let DirectoryLine::Upsert(person) = line
                        && is_here(&person.id)
                    {
                        builder.add_person(&PersonForm::from(&person));
                    }
                })
                .await?;
            }
            EntityKind::Company => {
                self.each::<Company>(&version, kind, &mut ignore, |line| {
                    if let DirectoryLine::Upsert(company) = line
                        && is_here(&company.id)
                    {
                        builder.add_company(&CompanyForm::from(&company));
                    }
                })
                .await?;
            }
        }
        self.entities.keep_ids(&version, kind, shard, ids).await?;
        let file = Bytes::from(builder.finish(&statistics));
        self.ports.objects.put(&version.shard_key(kind, shard), file).await?;
        self.note_built(id, kind, shard).await
    }

    /// Notes that a shard is built; with the last one the version becomes the current one.
    async fn note_built(
        &self,
        id: DirectoryVersionId,
        kind: EntityKind,
        shard: u32,
    ) -> Result<(), WorkError> {
        let marker = directory::keys::directory_built(id, kind, shard);
        for _ in 0..20 {
            let Some(mut version) = self.get(id).await? else { return Ok(()) };
            let left = version.shards_left;
            version.shards_left = left.saturating_sub(1);
            let key = directory::keys::directory_version(id);
            let same = Condition::Eq("shards_left", json!(left));
            let mut writes = vec![store::put(marker.clone(), &Marker {}, Condition::Absent)?];
            let mut next = Vec::new();
            if version.shards_left == 0 {
                version.state = DirectoryState::Published;
                version.published_at = Some(self.ports.clock.now());
                // An older version that is ready late does not take the place of a newer one.
                let newer = Condition::Any(vec![
                    Condition::Absent,
                    Condition::Lt("version", json!(id.to_string())),
                ]);
                let current = CurrentDirectory { version: id };
                writes.push(store::put(directory::keys::directory_current(), &current, newer)?);
                next.push(Next::now(DirectoryMessage::FanOut { version: id, after: None }));
                next.extend(self.replaced_by(id).await?);
            }
            writes.push(store::put(key, &version, same)?);
            if self.outbox.commit(writes, next).await?.is_done()
                || self.ports.table.get(&marker).await?.is_some()
            {
                return Ok(());
            }
        }
        Err(WorkError::retry("note a built shard", "too many shards are noted at once"))
    }

    /// The generation of an entry of the list of live connections, and its number of buckets.
    async fn live(&self, item: Item) -> Result<Option<(Scope, u32)>, WorkError> {
        let at: TenantEnvironment = store::typed(item)?;
        let connection = store::get(&*self.ports.table, &keys::connection(at)).await?;
        Ok(connection.map(|live| (live.scope(), live.buckets)))
    }

    /// Has every live connection matched to the version, some a step.
    async fn fan_out(
        &self,
        id: DirectoryVersionId,
        after: Option<String>,
    ) -> Result<(), WorkError> {
        let table = &*self.ports.table;
        let page = table.query(keys::LIVE, &Range::All, after.as_deref(), FAN_OUT).await?;
        let mut next = Vec::new();
        for item in page.items {
            let Some((scope, _)) = self.live(item).await? else { continue };
            let run = MatchRunId::derived(&format!("{scope}|{id}"));
            let trigger = MatchTrigger::Directory;
            next.push(Next::now(MatchMessage::Rematch { scope, run, trigger, step: 0 }));
        }
        next.extend(
            page.next
                .map(|after| DirectoryMessage::FanOut { version: id, after: Some(after) })
                .map(Next::now),
        );
        if !next.is_empty() {
            let _ = self.outbox.commit(vec![], next).await?;
        }
        Ok(())
    }

    /// The last line about every entity of a kind: what the version has of it, or that it is retired
    /// or merged into another. Parts are read from the last
    /// to the first, so that no more than the ids met so far is remembered.
    async fn each<T>(
        &self,
        version: &DirectoryVersion,
        kind: EntityKind,
        note: &mut impl FnMut(&'static str),
        mut take: impl FnMut(DirectoryLine<T>),
    ) -> Result<(), WorkError>
    where
        T: matching::read::Identified + for<'de> Deserialize<'de>,
    {
        let mut met: HashSet<u64> = HashSet::new();
        for part in version.parts.iter().rev().filter(|p| p.entity_kind == kind) {
            let Some(bytes) = self.ports.objects.get(&part.key).await? else {
                return Err(WorkError::reject("read a directory part", "the part is gone"));
            };
            let last = last_lines::<T>(&bytes)?;
            let mut reader = DirectoryReader::<_, T>::new(lines(&bytes));
            let mut line = 0_u64;
            for read in reader.by_ref() {
                line += 1;
                let entry = match read {
                    Ok(entry) => entry,
                    Err(skipped) => {
                        note(skipped.reason.as_str());
                        continue;
                    }
                };
                let id = identity(entity_id(&entry));
                if last.get(&id) == Some(&line) && met.insert(id) {
                    take(entry);
                }
            }
            if let Some((line, error)) = reader.failure() {
                let problem = format!("line {line}: {error}");
                return Err(WorkError::reject("read a directory part", problem));
            }
        }
        Ok(())
    }
}

/// The last entry about each entity of a part, by position among the entries.
fn last_lines<T>(bytes: &Bytes) -> Result<std::collections::HashMap<u64, u64>, WorkError>
where
    T: matching::read::Identified + for<'de> Deserialize<'de>,
{
    let mut last = std::collections::HashMap::new();
    let mut reader = DirectoryReader::<_, T>::new(lines(bytes));
    let mut line = 0_u64;
    for read in reader.by_ref() {
        line += 1;
        if let Ok(entry) = read {
            last.insert(identity(entity_id(&entry)), line);
        }
    }
    match reader.failure() {
        Some((line, error)) => {
            Err(WorkError::reject("read a directory part", format!("line {line}: {error}")))
        }
        None => Ok(last),
    }
}

fn entity_id<T: matching::read::Identified>(line: &DirectoryLine<T>) -> &str {
    match line {
        DirectoryLine::Upsert(entity) => entity.id(),
        DirectoryLine::Delete { id } | DirectoryLine::Merge { id, .. } => id,
    }
}

/// A part's lines, unpacked when it is gzip.
fn lines(bytes: &Bytes) -> Box<dyn BufRead + Send> {
    let source = Cursor::new(bytes.clone());
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let unpacked: Box<dyn Read + Send> = Box::new(MultiGzDecoder::new(source));
        Box::new(BufReader::with_capacity(1 << 16, unpacked))
    } else {
        Box::new(source)
    }
}
