//! Retiring directory versions: the files of one that was replaced are deleted when no match run is
//! made with it any more.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{Directory, FAN_OUT};
use crate::capabilities::directory;
use crate::capabilities::directory::{DirectoryState, DirectoryVersion};
use crate::capabilities::linking::MatchRun;
use crate::kernel::{DirectoryMessage, DirectoryVersionId};
use crate::ports::{Condition, Range};
use crate::store::keys::GenerationKeys;
use crate::store::{self, Next, keys};
use crate::work::{Done, WorkError};

/// How long a replaced version is kept at least: nothing that was under way when it was replaced
/// takes this long to write down that it is made with it.
const KEPT: Duration = Duration::from_hours(24);

/// How long a version that a run is made with is left alone.
const PINNED: Duration = Duration::from_hours(1);

impl Directory {
    /// The retirements that follow from a version's becoming the current one.
    pub(super) async fn replaced_by(
        &self,
        current: DirectoryVersionId,
    ) -> Result<Vec<Next>, WorkError> {
        let older = |v: &DirectoryVersion| v.state == DirectoryState::Published && v.id < current;
        let retire = |version: DirectoryVersion| {
            let message = DirectoryMessage::Retire { version: version.id, after: None };
            Next::after(KEPT, message)
        };
        Ok(self.versions().await?.into_iter().filter(older).map(retire).collect())
    }

    async fn versions(&self) -> Result<Vec<DirectoryVersion>, WorkError> {
        Ok(store::query_all(&*self.ports.table, &directory::keys::directory_versions()).await?)
    }

    /// Looks through some live connections for a run that is made with the version; behind the last
    /// of them, deletes it.
    pub(super) async fn retire(
        &self,
        id: DirectoryVersionId,
        after: Option<String>,
    ) -> Result<Done, WorkError> {
        let Some(version) = self.get(id).await? else { return Ok(Done::Finished) };
        if version.state == DirectoryState::Retired {
            // It was interrupted among the files.
            self.delete(version).await?;
            return Ok(Done::Finished);
        }
        let table = &*self.ports.table;
        let page = table.query(keys::LIVE, &Range::All, after.as_deref(), FAN_OUT).await?;
        for item in page.items {
            let Some((scope, buckets)) = self.live(item).await? else { continue };
            let runs = GenerationKeys::new(scope, buckets).match_runs();
            let runs: Vec<MatchRun> = store::query_all(table, &runs).await?;
            if runs.iter().any(|run| run.directory == id && run.finished_at.is_none()) {
                let again = DirectoryMessage::Retire { version: id, after };
                let _ = self.outbox.commit(vec![], vec![Next::after(PINNED, again)]).await?;
                return Ok(Done::Finished);
            }
        }
        match page.next {
            Some(next) => {
                let on = DirectoryMessage::Retire { version: id, after: Some(next) };
                let _ = self.outbox.commit(vec![], vec![Next::now(on)]).await?;
            }
            None => self.delete(version).await?,
        }
        Ok(Done::Finished)
    }

    /// Deletes a version's files: of its parts, those that no other version is made of.
    async fn delete(&self, mut version: DirectoryVersion) -> Result<(), WorkError> {
        let gone = |v: &DirectoryVersion| v.state == DirectoryState::Retired || v.id == version.id;
        let needed: BTreeSet<String> = self
            .versions()
            .await?
            .into_iter()
            .filter(|v| !gone(v))
            .flat_map(|v| v.parts.into_iter().map(|part| part.key))
            .collect();
        let files = self.ports.objects.list(&version.prefix()).await?.into_iter().map(|f| f.key);
        let parts = version.parts.iter().map(|part| part.key.clone());
        let surplus: BTreeSet<String> =
            files.chain(parts).filter(|key| !needed.contains(key)).collect();
        let surplus: Vec<String> = surplus.into_iter().collect();
        // The word first: who sees files that are not there must see why.
        version.state = DirectoryState::Retired;
        let same = Condition::Eq("state", json!(DirectoryState::Published));
        let write = store::put(directory::keys::directory_version(version.id), &version, same)?;
        let _ = self.ports.table.write(write).await?;
        Ok(self.ports.objects.delete(&surplus).await?)
    }
}
