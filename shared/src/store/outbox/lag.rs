//! How late what is due is: for a look, which sends nothing.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::SignedDuration;
use serde_json::Value;

use super::CONCURRENT_PARTITIONS;
use crate::kernel::Queue;
use crate::ports::{PortError, Ports};
use crate::store::due::Due;
use crate::store::{Store, keys};

/// So many due items of a partition are looked at, those that are due longest: a look costs the
/// same however long the backlog is.
const LOOKED_AT: usize = 100;

/// How late the latest step of each queue is that is due and not done, among those that are due
/// longest. A step that a queue was given counts once the grace for its work is over.
pub(crate) async fn lag(ports: &Ports) -> Result<BTreeMap<Queue, SignedDuration>, PortError> {
    let (store, now) = (Store::new(ports.clone()), ports.clock.now());
    let pages: Vec<_> = stream::iter(0..keys::DUE_PARTITIONS)
        .map(async |partition| {
            store.page::<Value>(&keys::due_by(partition, now), None, LOOKED_AT).await
        })
        .buffer_unordered(CONCURRENT_PARTITIONS)
        .try_collect()
        .await?;
    let mut latest = BTreeMap::new();
    for item in pages.into_iter().flat_map(|page| page.documents) {
        let at = keys::due_time(item.slot().key().sk());
        let step = serde_json::from_value::<Due>(item.into_inner());
        if let (Some(at), Ok(step)) = (at, step) {
            let late: &mut SignedDuration = latest.entry(step.message.queue()).or_default();
            *late = now.duration_since(at).max(*late);
        }
    }
    Ok(latest)
}
