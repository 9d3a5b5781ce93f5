//! A page of rows in the object store: as records in sealed parts, so that nobody ever holds a page
//! whole, however long its texts are.

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::rows::{record, refused};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::importing::keys::{page_object, page_part_object};
use crate::capabilities::importing::{Import, ObjectSelection};
use crate::kernel::{ImportRunId, Reading, Record, SObject};
use crate::ports::PortError;
use crate::salesforce::{FieldValues, ResultRows, RowFault, SalesforceError, SalesforceId};
use crate::store::{RecordWrite, beside};
use crate::work::WorkError;

/// A part ends with the record that makes it this long. A row is at most as long again.
const PART_BYTES: usize = 4 << 20;

/// How many parts land at once: while one waits for the table, the other is opened.
const PARTS_AT_ONCE: usize = 2;

/// What is known of a page once all its parts are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageIndex {
    /// How many parts it has.
    pub(crate) parts: u32,
    /// Rows that say of themselves what cannot be.
    #[serde(default)]
    pub(crate) skipped: u64,
    /// Rows that are longer than Salesforce can write.
    #[serde(default)]
    pub(crate) too_large: u64,
    /// Records with a text that could not be decoded.
    #[serde(default)]
    pub(crate) undecodable: u64,
    /// Values that were left out of their records.
    #[serde(default)]
    pub(crate) refused: u64,
}

/// Where a page lies.
#[derive(Clone)]
pub(super) struct PagePlace {
    pub(super) import: Import,
    pub(super) generation: OpenGeneration,
    pub(super) run: ImportRunId,
    pub(super) object: SObject,
    pub(super) page: u32,
}

impl PagePlace {
    fn whole(&self) -> String {
        page_object(self.generation.keys.scope(), self.run, self.object, self.page)
    }

    fn part(&self, part: u32) -> String {
        page_part_object(self.generation.keys.scope(), self.run, self.object, self.page, part)
    }

    /// What is known of the page; none when it is gone.
    pub(super) async fn index(&self) -> Result<Option<PageIndex>, WorkError> {
        let stored = self.generation.get_object(&self.import.ports, &self.whole()).await?;
        let read = |plain: Vec<u8>| serde_json::from_slice(&plain);
        stored.map(read).transpose().map_err(|error| WorkError::reject("read a page", error))
    }

    /// The records of a part; none when it is gone.
    pub(super) async fn records(&self, part: u32) -> Result<Option<Vec<Record>>, WorkError> {
        let stored = self.generation.get_object(&self.import.ports, &self.part(part)).await?;
        let Some(plain) = stored else { return Ok(None) };
        let records = serde_json::Deserializer::from_slice(&plain).into_iter();
        let records = records.collect::<Result<_, _>>();
        records.map(Some).map_err(|error| WorkError::reject("read a part of a page", error))
    }

    /// Lands a part. Gives its records and what they changed; none when it is gone.
    async fn land_part(
        &self,
        part: u32,
        reading: Reading,
    ) -> Result<Option<(Vec<SalesforceId>, RecordWrite)>, WorkError> {
        let Some(records) = self.records(part).await? else { return Ok(None) };
        let ids = records.iter().map(|record| record.id).collect();
        Ok(Some((ids, self.generation.records.land(reading, records).await?)))
    }
}

/// What came of storing a page: how many rows, or what the store failed by.
pub(super) type StoredRows = Result<u64, PortError>;

/// Stores the rows of a page as they come. A page that was cut, or is a page of HTML, is an error,
/// and is to be fetched again.
pub(super) async fn store_rows(
    mut rows: ResultRows,
    mut writer: PageWriter<'_>,
) -> Result<StoredRows, SalesforceError> {
    while let Some(row) = rows.next().await? {
        if row.fault() == Some(RowFault::TooLarge) {
            writer.index.too_large += 1;
            continue;
        }
        let stored = match writer.add(&row) {
            Ok(true) => writer.store_part().await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            return Ok(Err(error));
        }
    }
    Ok(writer.finish().await.map(|()| rows.rows()))
}

/// What came of landing a page.
#[derive(Default)]
pub(super) struct LandedPage {
    /// What is known of the page; none when it is gone, or a part of it.
    pub(super) index: Option<PageIndex>,
    /// The changes of what landed all the same.
    pub(super) landed: RecordWrite,
    /// The records that landed all the same.
    pub(super) ids: Vec<SalesforceId>,
}

/// Lands a stored page, some parts at once.
pub(super) async fn land_parts(
    place: PagePlace,
    reading: Reading,
) -> Result<LandedPage, WorkError> {
    let mut done = LandedPage::default();
    let Some(index) = place.index().await? else { return Ok(done) };
    let landing = (0..index.parts).map(|part| {
        let place = place.clone();
        beside("land a page", async move { place.land_part(part, reading).await })
    });
    let mut landing = stream::iter(landing).buffered(PARTS_AT_ONCE);
    let mut is_whole = true;
    while let Some(part) = landing.try_next().await? {
        match part {
            Some((ids, landed)) => {
                done.ids.extend(ids);
                done.landed.add(landed);
            }
            None => is_whole = false,
        }
    }
    done.index = is_whole.then_some(index);
    Ok(done)
}

/// Writes a page, row by row.
pub(super) struct PageWriter<'a> {
    place: PagePlace,
    selection: &'a ObjectSelection,
    /// The records of the part that is being filled, as JSON.
    part: Vec<u8>,
    /// The part before, while it is being stored.
    storing: Option<BoxFuture<'static, Result<(), PortError>>>,
    index: PageIndex,
}

impl<'a> PageWriter<'a> {
    pub(super) fn new(place: PagePlace, selection: &'a ObjectSelection) -> Self {
        Self { place, selection, part: Vec::new(), storing: None, index: PageIndex::default() }
    }

    /// Adds a row. True when the part is full, and to be stored.
    pub(super) fn add(&mut self, row: &impl FieldValues) -> Result<bool, PortError> {
        let Some(record) = record(self.place.object, self.selection, row) else {
            self.index.skipped += 1;
            return Ok(false);
        };
        self.index.refused += refused(self.place.object, self.selection, row);
        let is_marked = |(_, value): (&str, &str)| value.contains(char::REPLACEMENT_CHARACTER);
        self.index.undecodable += u64::from(record.fields.iter().any(is_marked));
        // serde_json's error could quote the record.
        serde_json::to_writer(&mut self.part, &record)
            .map_err(|_| PortError::reject("store a page", "a record has no form"))?;
        Ok(self.part.len() >= PART_BYTES)
    }

    /// Stores the part that was filled, while the next one is filled. Waits for the one before, so
    /// that two are held at most.
    pub(super) async fn store_part(&mut self) -> Result<(), PortError> {
        self.stored().await?;
        if self.part.is_empty() {
            return Ok(());
        }
        let key = self.place.part(self.index.parts);
        let part = std::mem::take(&mut self.part);
        let (generation, ports) = (self.place.generation.clone(), self.place.import.ports.clone());
        let store = async move { generation.put_object(&ports, &key, &part).await };
        self.storing = Some(Box::pin(beside("store a page", store)));
        self.index.parts += 1;
        Ok(())
    }

    /// Waits until the part before is stored.
    async fn stored(&mut self) -> Result<(), PortError> {
        match self.storing.take() {
            Some(storing) => storing.await,
            None => Ok(()),
        }
    }

    /// Stores what is left. Only then is there a page.
    pub(super) async fn finish(mut self) -> Result<(), PortError> {
        self.store_part().await?;
        self.stored().await?;
        let plain = serde_json::to_vec(&self.index)
            .map_err(|error| PortError::reject("store a page", error))?;
        let key = self.place.whole();
        self.place.generation.put_object(&self.place.import.ports, &key, &plain).await
    }
}

#[cfg(test)]
#[path = "page_parts_tests.rs"]
mod tests;
