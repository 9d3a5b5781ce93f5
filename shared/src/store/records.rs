//! CRM records: sealed bodies, conditional puts, and the edges that lead to them.

mod edges;
mod plan;

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff::civil::Date;

use self::edges::{Edge, addresses, day_of_task, far_ends, parents_of};
use self::plan::{Plan, plan};
use super::keys::{GenerationKeys, Relation};
use super::{Marker, Series, Slot, Store, Stored, When, beside, documents};
use crate::kernel::{
    Counts, Fields, Reading, Record, RecordChange, RecordHead, RecordRef, SObject, folded_email,
};
use crate::ports::{Key, PortError, Ports, Write};
use crate::salesforce::SalesforceId;
use crate::seal::Sealer;
use crate::store::field;

/// How many records are read and compared at once.
const CHUNK: usize = 500;

/// How many chunks are landed at once, each on a task of its own: while some are sealed, others
/// wait for the table.
const CHUNKS_AT_ONCE: usize = 4;

/// A body larger than this is refused and counted: an item holds 400 KB, and keys, digest and
/// sealing need room.
const MAX_BODY: usize = 300 * 1024;

/// The records of one generation.
#[derive(Clone)]
pub struct Records {
    ports: Ports,
    store: Store,
    keys: GenerationKeys,
    sealer: Sealer,
}

/// How landing some rows changed our records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordWrite {
    /// How many rows of each outcome.
    pub counts: Counts,
    /// The records that this run changed.
    pub changed: Vec<SalesforceId>,
}

/// A conditional put of a record.
struct Put {
    change: RecordChange,
    object: SObject,
    id: SalesforceId,
    write: Write,
}

impl Records {
    /// The records under these keys, sealed with this key.
    #[must_use]
    pub fn new(ports: Ports, keys: GenerationKeys, sealer: Sealer) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, keys, sealer }
    }

    /// Lands the rows that a step read, one by one; a row that is stored so already is passed over.
    /// The same step may land the same rows again: nothing changes, and the counts are the same.
    pub async fn land(
        &self,
        reading: Reading,
        rows: Vec<Record>,
    ) -> Result<RecordWrite, PortError> {
        let mut rows = newest_of_each(rows).into_iter();
        let chunks = std::iter::from_fn(|| {
            let chunk: Vec<Record> = rows.by_ref().take(CHUNK).collect();
            (!chunk.is_empty()).then_some(chunk)
        });
        let landing = chunks.map(|chunk| {
            let records = self.clone();
            beside("land records", async move { records.land_chunk(reading, chunk).await })
        });
        stream::iter(landing)
            .buffered(CHUNKS_AT_ONCE)
            .try_fold(RecordWrite::default(), |mut all, chunk| async move {
                all.add(chunk);
                Ok(all)
            })
            .await
    }

    async fn land_chunk(
        &self,
        reading: Reading,
        chunk: Vec<Record>,
    ) -> Result<RecordWrite, PortError> {
        let mut done = RecordWrite::default();
        let stored = self.stored(chunk.iter().map(|r| (r.object, r.id))).await?;
        let mut edges = Vec::new();
        let mut stale = Vec::new();
        let mut puts = Vec::new();
        let mut restamps = Vec::new();
        for record in chunk {
            let old = stored.get(self.keys.record(record.object, record.id).key());
            let digest = self.sealer.digest(&record.fields.to_digest());
            match plan(reading, (&record, &digest), old.map(|old| &**old)) {
                Plan::Keep => done.counts.unchanged += u64::from(!record.is_deleted()),
                Plan::KeptByThisStep(change) => done.count(change, record.id),
                Plan::Restamp(of) => {
                    restamps.push(self.put(of, &record, digest, RecordChange::Deleted)?);
                }
                Plan::Store(change) => {
                    let before = self.edges_before(old)?;
                    let after = self.edges_of(&record);
                    edges.extend(after.difference(&before).map(|edge| self.edge(edge)));
                    let gone = before.difference(&after).filter(|(_, by, _)| !by.stays());
                    stale.extend(gone.map(|edge| self.edge(edge).into()));
                    match self.put(reading, &record, digest, change)? {
                        Some(write) => {
                            puts.push(Put { change, object: record.object, id: record.id, write });
                        }
                        None => done.counts.failed += 1,
                    }
                }
            }
        }
        // Edges first: a reader checks an edge against its record, so one too many is harmless and
        // one too few is a loss.
        let edges = edges.into_iter().map(|slot| documents::item(slot, &Marker {}));
        self.ports.table.put_many(edges.collect::<Result<_, _>>()?).await?;
        let refused = self.put_all(puts, &mut done).await?;
        self.count_refused(reading, refused, &mut done).await?;
        for write in restamps.into_iter().flatten() {
            self.ports
                .table
                .write(write)
                .await?
                .may_lose_to("a later state, which needs no stamp of an earlier one");
        }
        self.ports.table.delete_many(&stale).await?;
        Ok(done)
    }

    /// Counts records that were stored by another one between our read and our write. A newer state
    /// is counted by another step. The same state was stored by this very step in another delivery
    /// of its message: it counts as our change too, since only one delivery ends the step and lists
    /// its changes.
    async fn count_refused(
        &self,
        reading: Reading,
        refused: Vec<(SObject, SalesforceId)>,
        done: &mut RecordWrite,
    ) -> Result<(), PortError> {
        if refused.is_empty() {
            return Ok(());
        }
        let stored = self.stored(refused.iter().copied()).await?;
        for (object, id) in refused {
            let head = stored.get(self.keys.record(object, id).key());
            match head.filter(|head| (head.run, head.step) == (reading.run, reading.step)) {
                Some(head) => done.count(head.change, id),
                None => done.counts.unchanged += 1,
            }
        }
        Ok(())
    }

    /// Puts records and counts them; gives those that were refused.
    async fn put_all(
        &self,
        puts: Vec<Put>,
        done: &mut RecordWrite,
    ) -> Result<Vec<(SObject, SalesforceId)>, PortError> {
        let (mut told, mut writes) = (Vec::new(), Vec::new());
        for Put { change, object, id, write } in puts {
            told.push((change, object, id));
            writes.push(write);
        }
        let outcomes = self.ports.table.write_each(writes).await?;
        let mut refused = Vec::new();
        for ((change, object, id), outcome) in told.into_iter().zip(outcomes) {
            if outcome.is_done() {
                done.count(change, id);
            } else {
                refused.push((object, id));
            }
        }
        Ok(refused)
    }

    /// The conditional put of a record; none if its body is too large to keep. The condition is
    /// that of `kernel::supersedes`.
    fn put(
        &self,
        reading: Reading,
        record: &Record,
        digest: String,
        change: RecordChange,
    ) -> Result<Option<Write>, PortError> {
        let slot = self.keys.record(record.object, record.id);
        let head = RecordHead {
            object: record.object,
            id: record.id,
            stamp: record.stamp.as_millisecond(),
            digest,
            run: reading.run,
            step: reading.step,
            read_at: reading.at.as_millisecond(),
            change,
            gone: record.gone.clone(),
        };
        let mut item = documents::item(slot.clone(), &head)?;
        if change != RecordChange::Deleted {
            let body = self.sealed(&slot, &record.fields)?;
            if body.len() > MAX_BODY {
                return Ok(None);
            }
            item.body = Some(body);
        }
        let same_stamp = field!(RecordHead, stamp)
            .is(&head.stamp)?
            .and(field!(RecordHead, digest).is_not(&head.digest)?)
            .and(field!(RecordHead, read_at).is_below(&(head.read_at + 1))?);
        let when = When::absent()
            .or(field!(RecordHead, stamp).is_below(&head.stamp)?)
            .or(same_stamp)
            .into_condition();
        Ok(Some(Write::Put { item, when }))
    }

    fn sealed(&self, slot: &Slot<RecordHead>, fields: &Fields) -> Result<Vec<u8>, PortError> {
        let plain = serde_json::to_vec(fields)
            .map_err(|error| PortError::reject("write a record", error))?;
        self.sealer
            .seal(&slot.place(), &plain, &*self.ports.entropy)
            .map_err(|error| PortError::reject("seal a record", error))
    }

    /// The records of one object that exist among `ids` and are not deleted.
    pub async fn get(
        &self,
        object: SObject,
        ids: &[SalesforceId],
    ) -> Result<Vec<Record>, PortError> {
        let known = self.known(object, ids).await?;
        Ok(known.into_iter().filter_map(|(_, record)| record).collect())
    }

    /// Those of `ids` that were ever stored, each with its head: without a record if it is deleted.
    pub async fn known(
        &self,
        object: SObject,
        ids: &[SalesforceId],
    ) -> Result<Vec<(RecordHead, Option<Record>)>, PortError> {
        let mut known = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            for head in self.stored(chunk.iter().map(|&id| (object, id))).await?.into_values() {
                let record = self.open(&head)?;
                known.push((head.into_inner(), record));
            }
        }
        Ok(known)
    }

    /// The fields of the records that exist among these, whatever objects they are of, by one read.
    pub async fn fields_of(
        &self,
        records: BTreeSet<RecordRef>,
    ) -> Result<BTreeMap<RecordRef, Fields>, PortError> {
        if records.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut fields = BTreeMap::new();
        for head in self.stored(records.into_iter().map(|of| (of.object, of.id))).await?.values() {
            if let Some(record) = self.open(head)? {
                fields.insert(RecordRef { object: record.object, id: record.id }, record.fields);
            }
        }
        Ok(fields)
    }

    /// The heads of those of `ids` that were ever stored, deleted ones included.
    pub async fn heads(
        &self,
        object: SObject,
        ids: &[SalesforceId],
    ) -> Result<Vec<RecordHead>, PortError> {
        let mut heads = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let stored = self.stored(chunk.iter().map(|&id| (object, id))).await?;
            heads.extend(stored.into_values().map(Stored::into_inner));
        }
        Ok(heads)
    }

    /// One page of the heads of a bucket's records of an object, deleted ones included, with the
    /// place to go on.
    pub async fn all_heads(
        &self,
        object: SObject,
        bucket: u32,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<RecordHead>, Option<String>), PortError> {
        let page = self.store.page(&self.keys.records(object, bucket), after, limit).await?;
        Ok((page.documents.into_iter().map(Stored::into_inner).collect(), page.next))
    }

    /// One record, unless it is unknown or deleted.
    pub async fn one(
        &self,
        object: SObject,
        id: SalesforceId,
    ) -> Result<Option<Record>, PortError> {
        Ok(self.get(object, &[id]).await?.pop())
    }

    /// One page of a bucket's live records of an object, with the place to go on.
    pub async fn page(
        &self,
        object: SObject,
        bucket: u32,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Record>, Option<String>), PortError> {
        let page = self.store.page(&self.keys.records(object, bucket), after, limit).await?;
        let mut records = Vec::with_capacity(page.documents.len());
        for head in &page.documents {
            records.extend(self.open(head)?);
        }
        Ok((records, page.next))
    }

    /// The ids at the far end of a parent's edges. The edge may be stale: the caller checks the
    /// child.
    pub async fn children(
        &self,
        parent: SalesforceId,
        relation: Relation,
    ) -> Result<Vec<SalesforceId>, PortError> {
        self.ends(&self.keys.edges(parent.as_str(), relation)).await
    }

    /// The first of [`Records::children`], at most `most`, and whether there are more.
    pub async fn some_children(
        &self,
        parent: SalesforceId,
        relation: Relation,
        most: usize,
    ) -> Result<(Vec<SalesforceId>, bool), PortError> {
        let series = self.keys.edges(parent.as_str(), relation);
        let page = self.store.page(&series, None, most).await?;
        Ok((far_ends(&series, &page.documents)?, page.next.is_some()))
    }

    /// The tasks about a record of one day. As with all edges, the caller checks the task.
    pub async fn tasks_of(
        &self,
        record: SalesforceId,
        day: Date,
    ) -> Result<Vec<SalesforceId>, PortError> {
        self.ends(&self.keys.tasks_of(record, day)).await
    }

    /// The users who have an e-mail address, however it is written, or a federation id in the form
    /// of one, by id.
    pub async fn users_of(&self, email: &str) -> Result<Vec<Record>, PortError> {
        let folded = folded_email(email);
        let name = self.sealer.name(&folded);
        let known = self.ends(&self.keys.edges(&name, Relation::EmailUser)).await?;
        let mut users = self.get(SObject::User, &known).await?;
        let environment = self.keys.scope().environment;
        users.retain(|user| addresses(environment, user).any(|address| address == folded));
        users.sort_by_key(|user| user.id);
        Ok(users)
    }

    /// A user, and all who share an e-mail address with them, or once did.
    pub async fn users_beside(
        &self,
        user: SalesforceId,
    ) -> Result<BTreeSet<SalesforceId>, PortError> {
        let mut users = BTreeSet::from([user]);
        let series = self.keys.edges(user.as_str(), Relation::UserEmail);
        for edge in self.store.all(&series).await? {
            let sharing = self.keys.edges(series.name(&edge), Relation::EmailUser);
            users.extend(self.ends(&sharing).await?);
        }
        Ok(users)
    }

    /// The ids at the far end of some edges.
    async fn ends(&self, series: &Series<Marker>) -> Result<Vec<SalesforceId>, PortError> {
        far_ends(series, &self.store.all(series).await?)
    }

    async fn stored(
        &self,
        ids: impl Iterator<Item = (SObject, SalesforceId)>,
    ) -> Result<BTreeMap<Key, Stored<RecordHead>>, PortError> {
        // A page may hold a row twice; a batch read may not name a key twice.
        let slots: BTreeSet<_> = ids.map(|(object, id)| self.keys.record(object, id)).collect();
        let stored = self.store.load_many(slots).await?;
        Ok(stored.into_iter().map(|head| (head.slot().into(), head)).collect())
    }

    /// The record of a head; none if it is deleted.
    fn open(&self, head: &Stored<RecordHead>) -> Result<Option<Record>, PortError> {
        let Some(body) = head.body() else { return Ok(None) };
        let plain = self
            .sealer
            .open(&head.slot().place(), body)
            .map_err(|error| PortError::reject("open a record", error))?;
        let fields: Fields = serde_json::from_slice(&plain)
            .map_err(|error| PortError::reject("read a record", error))?;
        let stamp = Timestamp::from_millisecond(head.stamp)
            .map_err(|error| PortError::reject("read a record", error))?;
        Ok(Some(Record { object: head.object, id: head.id, stamp, fields, gone: None }))
    }

    fn edges_before(&self, old: Option<&Stored<RecordHead>>) -> Result<BTreeSet<Edge>, PortError> {
        let Some(old) = old else { return Ok(BTreeSet::new()) };
        Ok(self.open(old)?.map(|record| self.edges_of(&record)).unwrap_or_default())
    }

    /// The edges that lead to a record, or from it.
    fn edges_of(&self, record: &Record) -> BTreeSet<Edge> {
        let id = record.id.as_str();
        let mut edges: BTreeSet<Edge> = parents_of(record)
            .map(|(parent, relation)| (parent.as_str().to_owned(), relation, id.to_owned()))
            .collect();
        if let Some((about, name)) = day_of_task(record) {
            edges.insert((about.as_str().to_owned(), Relation::RecordTask, name));
        }
        if record.object == SObject::User {
            for address in addresses(self.keys.scope().environment, record) {
                let name = self.sealer.name(&address);
                edges.insert((name.clone(), Relation::EmailUser, id.to_owned()));
                edges.insert((id.to_owned(), Relation::UserEmail, name));
            }
        }
        edges
    }

    fn edge(&self, (parent, relation, child): &Edge) -> Slot<Marker> {
        self.keys.edge(parent, *relation, child)
    }
}

impl RecordWrite {
    /// Adds how other rows changed our records.
    pub(crate) fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.changed.extend(other.changed);
    }

    fn count(&mut self, change: RecordChange, id: SalesforceId) {
        self.counts.count(change);
        self.changed.push(id);
    }
}

/// A page may hold a row twice; only its newest state counts.
fn newest_of_each(rows: Vec<Record>) -> Vec<Record> {
    let mut newest: BTreeMap<SalesforceId, Record> = BTreeMap::new();
    for row in rows {
        match newest.get(&row.id) {
            Some(known) if known.stamp > row.stamp => {}
            _ => {
                newest.insert(row.id, row);
            }
        }
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use zeroize::Zeroizing;

    use super::*;
    use crate::kernel::{Environment, Generation, ImportRunId, TenantEnvironment, TenantId};
    use crate::ports::{Item, Outcome, Page, Range, Table};
    use crate::testing::{Memory, record_id};

    /// A table on which whoever has read lets the others read too before it goes on.
    struct ReadTogether(Arc<dyn Table>);

    #[async_trait]
    impl Table for ReadTogether {
        async fn get(&self, key: &Key) -> Result<Option<Item>, PortError> {
            self.0.get(key).await
        }

        async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, PortError> {
            let read = self.0.get_many(keys).await;
            tokio::task::yield_now().await;
            read
        }

        async fn query(
            &self,
            pk: &str,
            range: &Range,
            after: Option<&str>,
            limit: usize,
        ) -> Result<Page, PortError> {
            self.0.query(pk, range, after, limit).await
        }

        async fn write(&self, write: Write) -> Result<Outcome, PortError> {
            self.0.write(write).await
        }

        async fn transact(&self, writes: Vec<Write>) -> Result<Outcome, PortError> {
            self.0.transact(writes).await
        }

        async fn put_many(&self, items: Vec<Item>) -> Result<(), PortError> {
            self.0.put_many(items).await
        }

        async fn delete_many(&self, keys: &[Key]) -> Result<(), PortError> {
            self.0.delete_many(keys).await
        }
    }

    fn rows() -> Vec<Record> {
        let rows = 0..30;
        let row = |n| {
            Record::read(
                SObject::Task,
                record_id("00T", n),
                Timestamp::UNIX_EPOCH,
                Fields::default(),
            )
        };
        rows.map(row).collect()
    }

    #[tokio::test]
    async fn two_deliveries_of_one_step_that_land_at_once_both_count_and_list_its_changes() {
        let mut ports = Memory::new(Timestamp::UNIX_EPOCH, 1).ports();
        ports.table = Arc::new(ReadTogether(ports.table));
        let at = TenantEnvironment {
            tenant: TenantId::derived("acme"),
            environment: Environment::Production,
        };
        let keys = GenerationKeys::new(at.generation(Generation(1)), 4);
        let records = Records::new(ports, keys, Sealer::new(&Zeroizing::new([7; 32])));
        let run = ImportRunId::derived("run");
        let step = |step| Reading { run, step, at: Timestamp::UNIX_EPOCH };
        let (one, other) =
            tokio::join!(records.land(step(3), rows()), records.land(step(3), rows()));
        assert_eq!(one.unwrap().counts.new, 30);
        let other = other.unwrap();
        assert_eq!((other.counts.new, other.counts.unchanged, other.changed.len()), (30, 0, 30));
        let later = records.land(step(4), rows()).await.unwrap();
        assert_eq!((later.counts.new, later.counts.unchanged), (0, 30));
    }
}
