//! What belongs together, gathered in a folder in which nobody changes it.

use std::io;
use std::path::{Path, PathBuf};

use embedded::keys::SealedSecrets;
use embedded::objects::{FileObjects, link_objects};
use embedded::private;
use embedded::queues::LocalQueues;
use embedded::table::{SqliteTable, TableSnapshot};
use serde::{Deserialize, Serialize};
use shared::host::SystemClock;
use shared::ports::{Clock, PortError};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::manifest::About;
use super::{BackupError, at};
use crate::folder::{self, DEAD_LETTERS, OBJECTS, SECRETS, STAGING, TABLE};

/// The stores of a process that works on them.
#[derive(Clone)]
pub(crate) struct Live {
    /// The data folder.
    pub data: PathBuf,
    /// The table.
    pub table: SqliteTable,
    /// The queues.
    pub queues: LocalQueues,
    /// The objects.
    pub objects: FileObjects,
    /// The secrets.
    pub secrets: SealedSecrets,
}

/// The staging folder; it is removed when this is dropped.
pub(crate) struct Staged {
    folder: TempDir,
    about: About,
}

/// Where a command finds what was staged.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    /// The staging folder's name in the data folder.
    pub(super) folder: String,
    /// What it holds.
    #[serde(flatten)]
    pub(super) about: About,
}

impl Staged {
    fn begin(data: &Path, about: About) -> Result<Self, BackupError> {
        let folder = private::passing_folder(data, STAGING).map_err(at(data))?;
        Ok(Self { folder, about })
    }

    /// Where it is, as a line of JSON.
    pub(crate) fn line(&self) -> Result<String, serde_json::Error> {
        let folder = self.folder.path().file_name().unwrap_or_default();
        let folder = folder.to_string_lossy().into_owned();
        Ok(serde_json::to_string(&Place { folder, about: self.about.clone() })? + "\n")
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn about(&self) -> About {
        self.about.clone()
    }
}

impl Live {
    /// Stages everything while others go on. Secrets change again within milliseconds; deletions of
    /// objects wait until the objects are linked; nothing else waits.
    pub(crate) async fn stage(&self) -> Result<Staged, BackupError> {
        let about = About { made: SystemClock.now(), table_form: 0, master_key: String::new() };
        let mut staged = Staged::begin(&self.data, about)?;
        let place = staged.path().to_owned();
        let paused = self.objects.pause_deletions().await;
        let table = self.table.clone();
        let secrets = place.join(SECRETS);
        let (snapshot, key) = self.secrets.back_up_with(&secrets, move || table.snapshot()).await?;
        let snapshot = snapshot?;
        staged.about.master_key = key.to_string();
        let (objects, to) = (self.objects.clone(), objects_in(&place));
        blocking(&place, move || objects.link_into(&to)).await?;
        drop(paused);
        let (queues, to) = (self.queues.clone(), place.join(DEAD_LETTERS));
        blocking(&place, move || queues.copy_dead_letters(&to)).await?;
        let copied = spawn_blocking(move || copy_table(&snapshot, &place)).await;
        let copied = copied.map_err(|error| PortError::retry("back up the table", error))?;
        staged.about.table_form = copied?;
        Ok(staged)
    }
}

/// Stages what lies in a folder that no process has open. The master key is not needed.
pub(super) fn stage_at_rest(data: &Path) -> Result<Staged, BackupError> {
    folder::sweep(data).map_err(at(data))?;
    let about = About { made: SystemClock.now(), table_form: 0, master_key: String::new() };
    let mut staged = Staged::begin(data, about)?;
    let place = staged.path().to_owned();
    let secrets = SealedSecrets::back_up_file(&data.join(SECRETS), &place.join(SECRETS))?;
    staged.about.master_key = secrets.map(|key| key.to_string()).unwrap_or_default();
    let objects = data.join(OBJECTS);
    link_objects(&objects, &objects_in(&place)).map_err(at(&objects))?;
    let dead = data.join(DEAD_LETTERS);
    if dead.exists() {
        super::copy::copy_file(&dead, &place.join(DEAD_LETTERS)).map_err(at(&dead))?;
    }
    staged.about.table_form = copy_table(&TableSnapshot::take(&data.join(TABLE))?, &place)?;
    Ok(staged)
}

fn copy_table(snapshot: &TableSnapshot, place: &Path) -> Result<u32, BackupError> {
    snapshot.copy_to(&place.join(TABLE))?;
    Ok(snapshot.form()?)
}

/// Where the objects lie in a staging folder: where they lie in a data folder.
fn objects_in(place: &Path) -> PathBuf {
    place.join(OBJECTS).join("stored")
}

async fn blocking(
    place: &Path,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), BackupError> {
    let done = spawn_blocking(work).await;
    done.map_err(|error| PortError::retry("stage a backup", error))?.map_err(at(place))
}
