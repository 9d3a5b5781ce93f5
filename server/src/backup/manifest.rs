//! What a copy holds: every file with its size and its sum.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use embedded::table::LATEST_FORM;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::folder::{DEAD_LETTERS, OBJECTS, SECRETS, TABLE};

/// The manifest's file in a copy.
pub(super) const FILE: &str = "manifest.json";

/// The form of copies that this version writes, and the latest that it reads.
const FORM: u32 = 1;

/// A copy, as its manifest tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the copy.
    pub form: u32,
    /// The version of the program that made it.
    pub made_by: String,
    /// What is copied.
    #[serde(flatten)]
    pub about: About,
    /// Its files, in the order of their paths.
    pub files: Vec<Entry>,
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The moment of the data.
    pub made: Timestamp,
    /// The form of the table's file.
    pub table_form: u32,
    /// The id of the master key that opens it, which tells nothing else about the key.
    pub master_key: String,
}

/// A file of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path, in the copy and in the data folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its BLAKE3 sum, in hex.
    pub blake3: String,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is none.
    #[error("{} is no copy of crm-sync's: it has no {FILE}", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error("{} cannot be read", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// It is no manifest any more.
    #[error("{} is damaged: take another copy", .0.display())]
    Damaged(PathBuf),
    /// A later version of the program made it.
    #[error(
        "the copy has form {found} ({what}), and this version of crm-sync knows forms up to \
         {known}: take the version that made it ({made_by}), or a later one"
    )]
    TooNew {
        /// Whose form it is.
        what: &'static str,
        /// The form.
        found: u32,
        /// The latest form known.
        known: u32,
        /// The version of the program that made the copy.
        made_by: String,
    },
}

/// What every form's manifest tells.
#[derive(Deserialize)]
struct Head {
    form: u32,
    #[serde(default)]
    made_by: String,
}

impl Manifest {
    /// The manifest of these files.
    pub(super) fn of(about: About, files: Vec<Entry>) -> Self {
        Self { form: FORM, made_by: env!("CARGO_PKG_VERSION").to_owned(), about, files }
    }

    /// The manifest of the copy in `folder`.
    ///
    /// # Errors
    /// When there is none, it is damaged, or of a later form.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ManifestError::Missing(folder.to_owned()),
            io::ErrorKind::InvalidData => ManifestError::Damaged(path.clone()),
            _ => ManifestError::File(path.clone(), error),
        })?;
        Self::parse(&text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        let damaged = || ManifestError::Damaged(path.to_owned());
        let head: Head = serde_json::from_str(text).map_err(|_| damaged())?;
        let too_new = |what, found, known| ManifestError::TooNew {
            what,
            found,
            known,
            made_by: head.made_by.clone(),
        };
        if head.form > FORM {
            return Err(too_new("of the copy itself", head.form, FORM));
        }
        let manifest: Self = serde_json::from_str(text).map_err(|_| damaged())?;
        let known = u32::try_from(LATEST_FORM).unwrap_or(u32::MAX);
        if manifest.about.table_form > known {
            return Err(too_new("of the table", manifest.about.table_form, known));
        }
        let paths: BTreeSet<&str> = manifest.files.iter().map(|file| &*file.path).collect();
        let whole = paths.contains(TABLE)
            && paths.contains(SECRETS)
            && paths.len() == manifest.files.len()
            && paths.iter().all(|path| is_ours(Path::new(path)));
        if whole { Ok(manifest) } else { Err(damaged()) }
    }

    /// The sum of all files' sizes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// True if a copy may hold this path: no path leads out of the data folder, to a key or to a lock.
fn is_ours(path: &Path) -> bool {
    let mut parts = path.components();
    let Some(Component::Normal(first)) = parts.next() else { return false };
    let (mut beneath, mut plain) = (0, true);
    for part in parts {
        beneath += 1;
        plain &= matches!(part, Component::Normal(_));
    }
    let alone = [TABLE, SECRETS, DEAD_LETTERS].iter().any(|name| first == *name);
    plain && (alone && beneath == 0 || first == OBJECTS && beneath > 0)
}
