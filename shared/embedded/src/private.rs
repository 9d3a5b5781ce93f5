//! Files and folders that nobody but their owner may use, whatever the umask is.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tempfile::{Builder, TempDir};

/// The bits that let others than the owner read, write or run a file.
pub const OTHERS: u32 = 0o077;

/// The mode of a file of ours.
const FILE: u32 = 0o600;

/// The mode of a folder of ours.
const FOLDER: u32 = 0o700;

/// How a file is opened that is made, if it has to be, for its owner alone.
#[must_use]
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE);
    options
}

/// Makes an empty file at `path` if there is none, and takes it from others if they may use it.
/// SQLite gives the files that it makes beside it the same mode.
pub fn file(path: &Path) -> io::Result<()> {
    let file = options().append(true).create(true).open(path)?;
    if file.metadata()?.permissions().mode() & OTHERS == 0 {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(FILE))
}

/// Makes the folder at `path`, which may not be there yet.
pub(crate) fn new_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER).create(path)
}

/// Makes the folder at `path`, and those above it, where they are missing.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER).recursive(true).create(path)
}

/// Makes a folder in `folder` whose name begins with `prefix`. It goes when it is dropped.
pub fn passing_folder(folder: &Path, prefix: &str) -> io::Result<TempDir> {
    Builder::new().prefix(prefix).permissions(Permissions::from_mode(FOLDER)).tempdir_in(folder)
}

/// Puts the names in a folder on the disk.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that a path lies in.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Takes what lies at `path` from others, if they may use it. Gives the mode that it had then.
pub fn narrow(path: &Path) -> io::Result<Option<u32>> {
    let about = fs::symlink_metadata(path)?;
    let mode = about.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 || about.is_symlink() {
        return Ok(None);
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS))?;
    Ok(Some(mode))
}
