//! The table without revisions, for tests: they look at documents, and put what they need.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::documents;
use super::slot::{Series, Slot};
use crate::ports::{Condition, Item, PortError, Table, Write};

/// The document that an item holds.
pub fn typed<T: DeserializeOwned>(item: Item) -> Result<T, PortError> {
    documents::parse(item.doc)
}

/// The document at `slot`, if there is one.
pub async fn get<T: DeserializeOwned>(
    table: &dyn Table,
    slot: &Slot<T>,
) -> Result<Option<T>, PortError> {
    table.get(slot).await?.map(typed).transpose()
}

/// A put of `document` at `slot`, under a condition.
pub fn put<T: Serialize>(slot: Slot<T>, document: &T, when: Condition) -> Result<Write, PortError> {
    Ok(Write::Put { item: documents::item(slot, document)?, when })
}

/// Every document of a series.
pub async fn query_all<T: DeserializeOwned>(
    table: &dyn Table,
    series: &Series<T>,
) -> Result<Vec<T>, PortError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = table.query(series.pk(), series.range(), after.as_deref(), 500).await?;
        for item in page.items {
            all.push(typed(item)?);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}
