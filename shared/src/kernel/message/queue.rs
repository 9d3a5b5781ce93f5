//! The queues between the functions.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A queue between two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant is the queue of that name")]
pub enum Queue {
    Import,
    Match,
    AutoSave,
    Writeback,
    Care,
    Telling,
    Purge,
    Directory,
}

impl Queue {
    /// All queues.
    pub const ALL: [Self; 8] = [
        Self::Import,
        Self::Match,
        Self::AutoSave,
        Self::Writeback,
        Self::Care,
        Self::Telling,
        Self::Purge,
        Self::Directory,
    ];

    /// The name in the template and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Match => "match",
            Self::AutoSave => "auto-save",
            Self::Writeback => "writeback",
            Self::Care => "care",
            Self::Telling => "telling",
            Self::Purge => "purge",
            Self::Directory => "directory",
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
