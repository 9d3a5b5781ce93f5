//! Reading and writing documents: by slot, by series, and all together in one transaction.

use std::future::Future;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures::stream::{self, TryStream, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::commit::Commit;
use super::outbox::{Next, Outbox};
use super::sealed;
use super::slot::{Series, Slot, Stored};
use crate::ports::{Item, Key, Outcome, PortError, Ports, Write};
use crate::seal::Sealer;

/// How many documents one page of a stream asks for.
const PAGE: usize = 500;

/// How often an optimistic change is tried before its work is put off: rivals are few, and each of
/// them was done by somebody.
const TRIES: usize = 20;

/// The first pause between two tries, and the longest. Random, so that rivals part.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(200));

/// The documents of the one table.
#[derive(Clone)]
pub struct Store {
    outbox: Outbox,
    /// What opens the documents that lie sealed; none outside a generation.
    sealer: Option<Sealer>,
}

/// Part of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesPage<T> {
    /// The documents, by ascending sort key.
    pub documents: Vec<Stored<T>>,
    /// The sort key to go on after, when there may be more.
    pub next: Option<String>,
}

/// The outcome of one try of an optimistic change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt<R> {
    /// It was done, or there was nothing to do.
    Done(R),
    /// Somebody else was faster: the change is to be thought over again.
    Overtaken,
}

impl<R> Attempt<R> {
    /// Done with `result` if the commit was.
    pub fn of(outcome: &Outcome, result: R) -> Self {
        if outcome.is_done() { Self::Done(result) } else { Self::Overtaken }
    }
}

impl Store {
    /// The documents in these ports' table.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { outbox: Outbox::new(ports), sealer: None }
    }

    /// The same documents with those that lie sealed under a generation's data key.
    pub(crate) fn opening(ports: Ports, sealer: Sealer) -> Self {
        Self { sealer: Some(sealer), ..Self::new(ports) }
    }

    /// The slot as it is in the table, where a part of its key may be a name.
    #[must_use]
    pub fn slot<T>(&self, slot: &Slot<T>) -> Slot<T> {
        Slot::at(self.key(slot.key()))
    }

    /// The document of an item as it lies in the table, for tests.
    #[cfg(any(test, feature = "testing"))]
    pub fn typed<T: DeserializeOwned>(&self, item: Item) -> Result<T, PortError> {
        self.stored(item).map(Stored::into_inner)
    }

    fn key(&self, key: &Key) -> Key {
        sealed::place_of(self.sealer.as_ref(), key)
    }

    fn stored<T: DeserializeOwned>(&self, item: Item) -> Result<Stored<T>, PortError> {
        sealed::stored(self.sealer.as_ref(), item)
    }

    /// The document at a slot, as of now.
    pub async fn load<T: DeserializeOwned>(
        &self,
        slot: &Slot<T>,
    ) -> Result<Option<Stored<T>>, PortError> {
        let found = self.outbox.ports.table.get(&self.key(slot.key())).await?;
        found.map(|item| self.stored(item)).transpose()
    }

    /// The document at a slot without its revision: for who only looks.
    pub async fn read<T: DeserializeOwned>(&self, slot: &Slot<T>) -> Result<Option<T>, PortError> {
        Ok(self.load(slot).await?.map(Stored::into_inner))
    }

    /// The documents at two slots, as of now, by one read.
    pub async fn load_both<A: DeserializeOwned, B: DeserializeOwned>(
        &self,
        (one, other): (&Slot<A>, &Slot<B>),
    ) -> Result<(Option<Stored<A>>, Option<Stored<B>>), PortError> {
        let keys = [self.key(one.key()), self.key(other.key())];
        let mut found = (None, None);
        for item in self.outbox.ports.table.get_many(&keys).await? {
            if item.key == keys[0] {
                found.0 = Some(self.stored(item)?);
            } else {
                found.1 = Some(self.stored(item)?);
            }
        }
        Ok(found)
    }

    /// The documents that exist among `slots`, in no particular order.
    pub async fn load_many<T: DeserializeOwned>(
        &self,
        slots: impl IntoIterator<Item = Slot<T>>,
    ) -> Result<Vec<Stored<T>>, PortError> {
        let keys: Vec<Key> = slots.into_iter().map(|slot| self.key(slot.key())).collect();
        let items = self.outbox.ports.table.get_many(&keys).await?.into_iter();
        items.map(|item| self.stored(item)).collect()
    }

    /// One page of a series.
    pub async fn page<T: DeserializeOwned>(
        &self,
        series: &Series<T>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<SeriesPage<T>, PortError> {
        let page = self.outbox.ports.table.query(&series.pk, &series.range, after, limit).await?;
        let documents =
            page.items.into_iter().map(|item| self.stored(item)).collect::<Result<_, _>>()?;
        Ok(SeriesPage { documents, next: page.next })
    }

    /// The pages of a series, from its begin to its end.
    #[must_use]
    pub fn pages<T: DeserializeOwned + Send>(
        &self,
        series: Series<T>,
    ) -> impl TryStream<
        Ok = Vec<Stored<T>>,
        Error = PortError,
        Item = Result<Vec<Stored<T>>, PortError>,
    > + Send {
        let begin = Some((self.clone(), series, None::<String>));
        stream::try_unfold(begin, async |place| {
            let Some((store, series, after)) = place else { return Ok(None) };
            let page = store.page(&series, after.as_deref(), PAGE).await?;
            let rest = page.next.map(|next| (store, series, Some(next)));
            Ok(Some((page.documents, rest)))
        })
    }

    /// Every document of a series. Only for series that are short by their nature.
    pub async fn all<T: DeserializeOwned + Send>(
        &self,
        series: &Series<T>,
    ) -> Result<Vec<Stored<T>>, PortError> {
        self.pages(series.clone()).try_concat().await
    }

    /// Writes a document, whatever lies there. Only for documents that nobody replaces.
    pub async fn put<T: Serialize>(&self, slot: &Slot<T>, document: &T) -> Result<(), PortError> {
        let mut commit = Commit::new();
        commit.put(slot, document)?;
        match self.commit(commit).await? {
            Outcome::Done => Ok(()),
            Outcome::Refused(_) => {
                Err(PortError::reject("write a document", "refused without a condition"))
            }
        }
    }

    /// Does a commit, and sends the steps that follow. When a condition does not hold nothing is
    /// done and nothing is sent. A failure to send is no failure: the tick will send.
    pub async fn commit(&self, commit: Commit) -> Result<Outcome, PortError> {
        let (writes, next) = self.shut(commit)?;
        self.outbox.commit(writes, next).await
    }

    /// Does commits one after another, each as [`Store::commit`] does, up to the first one that is
    /// refused. True if none was. A kill leaves the first of them done, and the others not.
    pub async fn commit_each(&self, commits: Vec<Commit>) -> Result<bool, PortError> {
        let shut = commits.into_iter().map(|commit| self.shut(commit)).collect::<Result<_, _>>()?;
        Ok(self.outbox.commit_each(shut).await?.iter().all(Outcome::is_done))
    }

    /// Does each write of a commit by itself. True if none was refused. A kill leaves any of them
    /// done. Each costs half of what it costs in a transaction.
    ///
    /// # Errors
    /// Besides those of the table, that steps follow from the commit: they would follow from some
    /// writes alone.
    pub async fn write_each(&self, commit: Commit) -> Result<bool, PortError> {
        let (writes, next) = self.shut(commit)?;
        if !next.is_empty() {
            return Err(PortError::reject("write items", "steps follow from no single write"));
        }
        let outcomes = self.outbox.ports.table.write_each(writes).await?;
        Ok(outcomes.iter().all(Outcome::is_done))
    }

    /// The writes with the documents sealed that lie sealed, and the steps that follow.
    fn shut(&self, commit: Commit) -> Result<(Vec<Write>, Vec<Next>), PortError> {
        let Commit { writes, next } = commit;
        let entropy = &*self.outbox.ports.entropy;
        let shut = |write| sealed::shut(self.sealer.as_ref(), write, entropy);
        Ok((writes.into_iter().map(shut).collect::<Result<_, _>>()?, next))
    }

    /// Changes one document by what `change` makes of it, again whenever somebody else was faster.
    /// `change` gives the new document, or none to leave things as they are; it may add to the
    /// commit. Gives the document as it is then.
    pub async fn update<T, E>(
        &self,
        slot: &Slot<T>,
        change: impl Fn(Option<&T>, &mut Commit) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<PortError>,
    {
        attempts(|| async {
            let before = self.load(slot).await?;
            let mut commit = Commit::new();
            let Some(after) = change(before.as_deref(), &mut commit)? else {
                return Ok(Attempt::Done(before.map(Stored::into_inner)));
            };
            commit.save(slot, before.as_ref(), &after)?;
            Ok(Attempt::of(&self.commit(commit).await?, Some(after)))
        })
        .await
    }
}

/// Tries an optimistic change again, a little later each time, until it is done. After
/// 20 more tries it fails, and its work is to be tried again.
pub async fn attempts<R, E, F>(once: impl Fn() -> F) -> Result<R, E>
where
    F: Future<Output = Result<Attempt<R>, E>>,
    E: From<PortError>,
{
    let pauses = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .with_max_times(TRIES);
    let tried = (|| async {
        match once().await {
            Ok(Attempt::Done(result)) => Ok(result),
            Ok(Attempt::Overtaken) => Err(None),
            Err(error) => Err(Some(error)),
        }
    })
    .retry(pauses)
    .when(Option::is_none)
    .await;
    tried.map_err(|failed| {
        failed.unwrap_or_else(|| PortError::retry("change a document", "others were faster").into())
    })
}
