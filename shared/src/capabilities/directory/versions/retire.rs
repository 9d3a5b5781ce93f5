//! Retiring versions: the files of a replaced version are deleted once no work uses them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{CONNECTIONS_PER_STEP, Directory};
use crate::capabilities::directory::{DirectoryState, DirectoryVersion, keys as directory_keys};
use crate::kernel::{DirectoryMessage, DirectoryVersionId};
use crate::store::{Commit, Next, Stored, keys};
use crate::work::{Done, WorkError};

/// A replaced version is kept at least this long. Work that was under way when it was replaced has
/// recorded by then that it uses the version.
const KEPT: Duration = Duration::from_hours(24);

/// A version that is in use is left alone for this long.
const IN_USE: Duration = Duration::from_hours(1);

/// How many versions are called to retire with one that takes their place: all is one transaction.
const RETIRED_TOGETHER: usize = 50;

impl Directory {
    /// The retirements that follow once a version is the current one.
    pub(super) async fn replaced_by(
        &self,
        current: DirectoryVersionId,
    ) -> Result<Vec<Next>, WorkError> {
        let versions = self.store.all(&directory_keys::directory_versions()).await?;
        let older = versions
            .iter()
            .filter(|version| version.state == DirectoryState::Published && version.id < current);
        let retire = |version: &Stored<DirectoryVersion>| {
            Next::after(KEPT, DirectoryMessage::Retire { version: version.id, after: None })
        };
        // The next version that is published calls for the rest.
        Ok(older.map(retire).take(RETIRED_TOGETHER).collect())
    }

    /// Looks through some live connections for work that uses the version. Behind the last of them,
    /// deletes the version's files.
    pub(super) async fn retire(
        &self,
        id: DirectoryVersionId,
        after: Option<String>,
    ) -> Result<Done, WorkError> {
        let Some(version) = self.load(id).await? else { return Ok(Done::Finished) };
        if version.state == DirectoryState::Retired {
            // An earlier delivery was interrupted among the files.
            self.delete_files(&version).await?;
            return Ok(Done::Finished);
        }
        let live = keys::live_connections();
        let page = self.store.page(&live, after.as_deref(), CONNECTIONS_PER_STEP).await?;
        for &at in page.documents.iter().map(|at| &**at) {
            let Some(generation) = self.live_generation(at).await? else { continue };
            if self.version_use.is_in_use(&generation, id).await? {
                let again = DirectoryMessage::Retire { version: id, after };
                self.go_on(Next::after(IN_USE, again)).await?;
                return Ok(Done::Finished);
            }
        }
        match page.next {
            Some(next) => {
                let on = DirectoryMessage::Retire { version: id, after: Some(next) };
                self.go_on(Next::now(on)).await?;
            }
            None => self.delete(version).await?,
        }
        Ok(Done::Finished)
    }

    async fn go_on(&self, next: Next) -> Result<(), WorkError> {
        let mut commit = Commit::new();
        commit.then(next);
        self.store.commit(commit).await?.may_lose_to("nobody: the step has no condition");
        Ok(())
    }

    /// Marks a version as retired, then deletes its files: who misses a file finds the reason.
    async fn delete(&self, before: Stored<DirectoryVersion>) -> Result<(), WorkError> {
        let mut version = DirectoryVersion::clone(&before);
        version.state = DirectoryState::Retired;
        let mut commit = Commit::new();
        commit.replace(&before, &version)?;
        let outcome = self.store.commit(commit).await?;
        outcome.may_lose_to("another delivery of this message, which retired the same version");
        self.delete_files(&version).await
    }

    /// Deletes a version's files: of its parts, those that no other version is made of.
    async fn delete_files(&self, version: &DirectoryVersion) -> Result<(), WorkError> {
        let versions = self.store.all(&directory_keys::directory_versions()).await?;
        let stays = |other: &DirectoryVersion| {
            other.state != DirectoryState::Retired && other.id != version.id
        };
        let needed: BTreeSet<String> = versions
            .into_iter()
            .filter(|other| stays(other))
            .flat_map(|other| other.into_inner().parts.into_iter().map(|part| part.key))
            .collect();
        let files = self.ports.objects.list(&version.prefix()).await?.into_iter().map(|f| f.key);
        let parts = version.parts.iter().map(|part| part.key.clone());
        let surplus: BTreeSet<String> =
            files.chain(parts).filter(|key| !needed.contains(key)).collect();
        let surplus: Vec<String> = surplus.into_iter().collect();
        Ok(self.ports.objects.delete(&surplus).await?)
    }
}
