//! The people or companies who are in the CRM, and those who are not, page by page: for a search
//! that is limited to the ones or the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use matching::EntityKind;

use crate::capabilities::custody::{CursorError, Custody, LookupError, OpenGeneration};
use crate::capabilities::directory::keys::{directory_current, directory_version};
use crate::capabilities::directory::{Bodies, BodiesError, DirectoryState, DirectoryVersion};
use crate::kernel::{DirectoryVersionId, EntityId, TenantEnvironment};
use crate::ports::{Clock, PortError, Ports};
use crate::store::Stored;
use crate::work::{WorkError, boxed};

/// How many linked entities a page looks at.
const LINKED: usize = 500;

/// How many blocks of the directory a page looks at: some three hundred people.
const BLOCKS: usize = 8;

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// There is no such connection.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The cursor is made up, another list's, or too old.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The current directory version keeps no bodies that this release reads.
    #[error(transparent)]
    Directory(BodiesError),
}

impl From<PortError> for FilterError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<WorkError> for FilterError {
    fn from(error: WorkError) -> Self {
        match error.source.downcast_ref::<BodiesError>() {
            Some(bodies) if !error.is_retryable() => Self::Directory(*bodies),
            _ => Self::Lookup(error.into()),
        }
    }
}

/// Some of the entities that are in the CRM, or of those that are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterPage {
    /// The entities; there may be none while more pages follow.
    pub entities: Vec<EntityId>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// Tells who is in the CRM, and who is not.
#[derive(Clone)]
pub struct CrmFilter {
    custody: Custody,
    clock: Arc<dyn Clock>,
    bodies: Bodies,
}

/// A place among the entities of a directory version.
struct Place {
    version: DirectoryVersion,
    shard: u32,
    block: usize,
}

impl CrmFilter {
    /// The filter over generations that `custody` opens.
    #[must_use]
    pub fn new(ports: &Ports, custody: Custody) -> Self {
        Self { custody, clock: ports.clock.clone(), bodies: Bodies::new(ports.objects.clone()) }
    }

    /// A page of the entities of a kind that are linked to a record. The cursor names the bucket
    /// and the last entity of the page before.
    #[must_use]
    #[boxed]
    pub async fn in_crm(
        &self,
        at: TenantEnvironment,
        kind: EntityKind,
        cursor: Option<&str>,
    ) -> Result<FilterPage, FilterError> {
        let opened = self.custody.shown(at).await?;
        let (keys, now) = (opened.keys, self.clock.now());
        let of = format!("in-crm|{kind:?}");
        let place = match cursor {
            Some(cursor) => opened.position(&of, cursor, now)?,
            None => "0.".to_owned(),
        };
        let (bucket, name) = place.split_once('.').ok_or(CursorError)?;
        let bucket: u32 = bucket.parse().map_err(|_| CursorError)?;
        if bucket >= keys.buckets() {
            return Err(CursorError.into());
        }
        let series = keys.entities(kind, bucket);
        let after = (!name.is_empty()).then(|| series.place(name));
        let page = opened.store.page(&series, after.as_deref(), LINKED).await?;
        let next = match (page.next, page.documents.last()) {
            (Some(_), Some(last)) => Some(format!("{bucket}.{}", series.name(last))),
            _ => Some(bucket + 1).filter(|n| *n < keys.buckets()).map(|n| format!("{n}.")),
        };
        let linked = page.documents.into_iter().map(Stored::into_inner);
        let linked = linked.filter(|link| link.matched.is_some());
        Ok(FilterPage {
            entities: linked.map(|link| link.entity).collect(),
            next: next.map(|position| opened.cursor(&of, &position, now)),
        })
    }

    /// A page of the entities of a kind that no record is linked to, of the directory version that
    /// was current when the list was begun.
    #[must_use]
    #[boxed]
    pub async fn not_in_crm(
        &self,
        at: TenantEnvironment,
        kind: EntityKind,
        cursor: Option<&str>,
    ) -> Result<FilterPage, FilterError> {
        let opened = self.custody.shown(at).await?;
        let now = self.clock.now();
        let of = format!("not-in-crm|{kind:?}");
        let position = cursor.map(|cursor| opened.position(&of, cursor, now)).transpose()?;
        let Some(place) = place(&opened, position.as_deref()).await? else {
            return Ok(FilterPage { entities: Vec::new(), next: None });
        };
        let Place { version, shard, block } = place;
        if shard >= version.shards(kind) {
            return Ok(FilterPage { entities: Vec::new(), next: None });
        }
        let (mut ids, next) = self.bodies.ids(&version, (kind, shard), (block, BLOCKS)).await?;
        let linked = linked(&opened, kind, &ids).await?;
        ids.retain(|id| !linked.contains(id));
        let next = match next {
            Some(block) => Some((shard, block)),
            None => Some((shard + 1, 0)).filter(|(shard, _)| *shard < version.shards(kind)),
        };
        let next = next.map(|(shard, block)| format!("{}.{shard}.{block}", version.id));
        Ok(FilterPage {
            entities: ids,
            next: next.map(|position| opened.cursor(&of, &position, now)),
        })
    }
}

/// Those of some entities that are linked.
async fn linked(
    opened: &OpenGeneration,
    kind: EntityKind,
    ids: &[EntityId],
) -> Result<BTreeSet<EntityId>, PortError> {
    let found = opened.store.load_many(ids.iter().map(|id| opened.keys.entity(kind, id))).await?;
    let linked = found.into_iter().filter(|matches| matches.matched.is_some());
    Ok(linked.map(|matches| matches.into_inner().entity).collect())
}

/// The place that a position names, or the begin of the current directory version; none without
/// one. A version whose files are gone leads nowhere.
async fn place(
    opened: &OpenGeneration,
    position: Option<&str>,
) -> Result<Option<Place>, FilterError> {
    let (id, shard, block) = match position {
        Some(position) => parts(position).ok_or(CursorError)?,
        None => match opened.store.read(&directory_current()).await? {
            Some(current) => (current.version, 0, 0),
            None => return Ok(None),
        },
    };
    let version = opened.store.read(&directory_version(id)).await?;
    let version = version.filter(|version| version.state == DirectoryState::Published);
    match version {
        Some(version) => Ok(Some(Place { version, shard, block })),
        None if position.is_some() => Err(CursorError.into()),
        None => Ok(None),
    }
}

fn parts(position: &str) -> Option<(DirectoryVersionId, u32, usize)> {
    let mut parts = position.split('.');
    let place =
        (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_among_the_directorys_entities_reads_back_or_is_none() {
        let version = DirectoryVersionId::derived("x");
        assert_eq!(parts(&format!("{version}.3.40")), Some((version, 3, 40)));
        for wrong in ["", "3.40", "x.3.40", &format!("{version}.3"), &format!("{version}.3.4.5")] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
