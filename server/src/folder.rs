//! The data folder: the names of what lies in it, its lock, and who may look into it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use embedded::private;

use crate::stores::StoresError;

/// The table.
pub(crate) const TABLE: &str = "table.db";

/// The secrets.
pub(crate) const SECRETS: &str = "secrets.db";

/// The messages that failed too often.
pub(crate) const DEAD_LETTERS: &str = "dead-letters.jsonl";

/// The folder of all objects.
pub(crate) const OBJECTS: &str = "objects";

/// The master key, unless the configuration names another place.
pub(crate) const MASTER_KEY: &str = "master.key";

/// The socket for commands.
pub(crate) const SOCKET: &str = "control.sock";

/// Held by the process that has the folder.
const LOCK: &str = "lock";

/// Lies in a folder while a copy is restored into it.
pub(crate) const RESTORING: &str = "restore-unfinished";

/// How the names of folders begin that hold what a backup copies.
pub(crate) const STAGING: &str = ".crm-sync-staging-";

/// The sticky bit: a folder that has it is everybody's.
const STICKY: u32 = 0o1000;

/// Makes the folder at `data`, for its owner alone, if there is none.
pub(crate) fn make(data: &Path) -> Result<(), StoresError> {
    private::folder(data).map_err(|error| StoresError::Folder(data.to_owned(), error))
}

/// Takes the folder for this process. The system lets go of it however the process ends.
pub(crate) fn lock(data: &Path) -> Result<File, StoresError> {
    let failed = |error| StoresError::Folder(data.to_owned(), error);
    let options = private::options().write(true).create(true).truncate(false).clone();
    let file = options.open(data.join(LOCK)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoresError::InUse(data.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Tells if the folder holds a product's data.
pub(crate) fn is_filled(data: &Path) -> bool {
    data.join(SECRETS).exists() || data.join(TABLE).exists()
}

/// Removes what a backup left that was cut off. Whoever calls has the folder alone.
pub(crate) fn sweep(data: &Path) -> io::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STAGING) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Takes everything of ours in the folder from others, and the folder itself if nothing but ours
/// lies in it: a folder that is shared with something else is not ours to close. What cannot be
/// taken is told in the log. A master key that others may use is refused where it is read.
pub(crate) fn close_to_others(data: &Path) -> io::Result<()> {
    // A link to the folder has no mode of its own.
    let data = &fs::canonicalize(data)?;
    let mut alone = true;
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        let name = entry.file_name();
        match kind(&name.to_string_lossy()) {
            Kind::Ours => narrow(&entry.path()),
            Kind::Key => {}
            Kind::Foreign => alone = false,
        }
    }
    let mode = fs::metadata(data)?.mode() & 0o7777;
    if mode & private::OTHERS == 0 {
        return Ok(());
    }
    if alone && mode & STICKY == 0 {
        narrow(data);
    } else {
        tracing::warn!(
            "others may look into the data folder {} (mode {mode:04o}), which holds more than \
             crm-sync's files: give crm-sync a folder of its own, or chmod 700 it",
            data.display()
        );
    }
    Ok(())
}

/// Whose a file in the data folder is.
enum Kind {
    Ours,
    Key,
    Foreign,
}

fn kind(name: &str) -> Kind {
    let database = |of: &str| {
        name.strip_prefix(of).is_some_and(|rest| matches!(rest, "" | "-wal" | "-shm" | "-journal"))
    };
    if name.starts_with(MASTER_KEY) {
        Kind::Key
    } else if database(TABLE)
        || database(SECRETS)
        || name.starts_with(STAGING)
        || [DEAD_LETTERS, "dead-letters.new", OBJECTS, LOCK, SOCKET].contains(&name)
    {
        Kind::Ours
    } else {
        Kind::Foreign
    }
}

fn narrow(path: &Path) {
    match private::narrow(path) {
        Ok(None) => {}
        Ok(Some(mode)) => {
            let path = path.display();
            tracing::warn!(
                "{path} was open to others (mode {mode:04o}), and is closed to them now"
            );
        }
        Err(error) => {
            let path = path.display();
            tracing::warn!(error = %error, "{path} is open to others and cannot be closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// A folder that everybody may look into, with a file of ours in it.
    fn open_folder(mode: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TABLE), "").unwrap();
        set(&folder.path().join(TABLE), 0o644);
        set(folder.path(), mode);
        folder
    }

    #[test]
    fn a_folder_of_ours_is_closed_to_others_with_all_that_lies_in_it() {
        let folder = open_folder(0o755);
        let at = |name: &str| folder.path().join(name);
        for name in ["table.db-wal", "secrets.db-shm", DEAD_LETTERS, LOCK] {
            fs::write(at(name), "").unwrap();
            set(&at(name), 0o666);
        }
        fs::create_dir(at(OBJECTS)).unwrap();
        set(&at(OBJECTS), 0o775);
        close_to_others(folder.path()).unwrap();
        for name in [TABLE, "table.db-wal", "secrets.db-shm", DEAD_LETTERS, LOCK] {
            assert_eq!(mode(&at(name)), 0o600, "{name}");
        }
        assert_eq!((mode(folder.path()), mode(&at(OBJECTS))), (0o700, 0o700));
    }

    #[test]
    fn a_folder_behind_a_link_is_closed_as_any_other() {
        let folder = open_folder(0o755);
        let beside = tempfile::tempdir().unwrap();
        let link = beside.path().join("data");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        close_to_others(&link).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
    }

    #[test]
    fn a_folder_with_more_than_ours_or_of_everybody_stays_open_and_our_files_do_not() {
        let shared = open_folder(0o755);
        fs::write(shared.path().join("letters.txt"), "").unwrap();
        set(&shared.path().join("letters.txt"), 0o644);
        let temporary = open_folder(0o1777);
        for (folder, before) in [(&shared, 0o755), (&temporary, 0o1777)] {
            close_to_others(folder.path()).unwrap();
            assert_eq!(mode(folder.path()), before);
            assert_eq!(mode(&folder.path().join(TABLE)), 0o600);
        }
        assert_eq!(mode(&shared.path().join("letters.txt")), 0o644);
    }

    #[test]
    fn a_master_key_that_others_may_use_is_left_for_its_reader_to_refuse() {
        let folder = open_folder(0o755);
        fs::write(folder.path().join(MASTER_KEY), "").unwrap();
        set(&folder.path().join(MASTER_KEY), 0o644);
        close_to_others(folder.path()).unwrap();
        assert_eq!(mode(&folder.path().join(MASTER_KEY)), 0o644);
    }
}
