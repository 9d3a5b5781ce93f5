//! Sets of the entities that are in the CRM: bitmaps that a search engine intersects.

use matching::EntityKind;
use roaring::RoaringBitmap;

use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::directory::Ordinals;
use crate::capabilities::directory::keys::{directory_current, directory_version};
use crate::capabilities::linking::EntityLink;
use crate::kernel::{DirectoryVersionId, EntityId};
use crate::ports::{PortError, Ports};
use crate::store::Stored;
use crate::work::WorkError;

const ACTION: &str = "make a set";

/// The ids of those of a page's entities that are linked, a JSON string each line.
pub(super) fn lines(page: &[Stored<EntityLink>]) -> Result<(u32, String), PortError> {
    let (mut rows, mut lines) = (0, String::new());
    for link in page.iter().filter(|link| link.matched.is_some()) {
        let id = serde_json::to_string(&link.entity);
        lines.push_str(&id.map_err(|error| PortError::reject(ACTION, error))?);
        lines.push('\n');
        rows += 1;
    }
    Ok((rows, lines))
}

/// The bitmap of the ordinals that the entities of these lines have in the current directory
/// version; how many they are, and the version. Without a version nobody has one.
pub(super) async fn bitmap(
    ports: &Ports,
    opened: &OpenGeneration,
    kind: EntityKind,
    lines: &[u8],
) -> Result<(Vec<u8>, u64, Option<DirectoryVersionId>), WorkError> {
    let current = opened.store.read(&directory_current()).await?;
    let version = match &current {
        Some(current) => opened.store.read(&directory_version(current.version)).await?,
        None => None,
    };
    let ordinals = match &version {
        Some(version) => {
            let ids = ids(lines)?;
            Ordinals::new(ports.clone()).of(version, kind, &ids).await?
        }
        None => Vec::new(),
    };
    let count = ordinals.len() as u64;
    Ok((serialized(ordinals)?, count, version.map(|version| version.id)))
}

/// The bitmap of some ordinals, which ascend, in its portable form.
pub(super) fn serialized(ordinals: Vec<u32>) -> Result<Vec<u8>, WorkError> {
    let set = RoaringBitmap::from_sorted_iter(ordinals);
    let mut set = set.map_err(|error| WorkError::reject(ACTION, error))?;
    set.optimize();
    let mut bytes = Vec::with_capacity(set.serialized_size());
    set.serialize_into(&mut bytes).map_err(|error| WorkError::reject(ACTION, error))?;
    Ok(bytes)
}

fn ids(lines: &[u8]) -> Result<Vec<EntityId>, WorkError> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let ids = lines.map(serde_json::from_slice::<EntityId>).collect::<Result<_, _>>();
    // serde_json's error could quote an id.
    ids.map_err(|_| WorkError::reject(ACTION, "a line holds no id"))
}
