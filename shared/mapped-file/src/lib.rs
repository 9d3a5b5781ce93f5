//! Files mapped into memory, read where they lie.
//!
//! Invariant: this is the workspace's one exception to `unsafe_code`. It does not interpret the
//! bytes: their reader bounds-checks every access and verifies a checksum.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// A whole file as bytes, mapped read-only.
///
/// Nobody may change or cut the file while it is mapped. Ours are immutable by construction. An
/// index file is written under another name, renamed into place, and never opened for writing
/// again. A fetched shard has no name at all.
#[derive(Debug)]
pub struct MappedFile {
    map: Option<Mmap>,
}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// The system's, if the file is missing, is a folder, or cannot be mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::of(&File::open(path)?)
    }

    /// Maps an open file, which may be closed afterwards.
    ///
    /// # Errors
    /// The system's, if the file cannot be mapped.
    pub fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            // An empty file cannot be mapped. It is no error here: its reader will refuse it.
            return Ok(Self { map: None });
        }
        #[expect(
            unsafe_code,
            reason = "mapping is unsafe only because others could change the file"
        )]
        // SAFETY: nobody writes to the file while it is mapped, as the type asks of its callers.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self { map: Some(map) })
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_file_is_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for bytes in [&b"some bytes"[..], b""] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(&*MappedFile::open(&path).unwrap(), bytes);
        }
        assert!(MappedFile::open(&folder.path().join("none")).is_err());
        assert!(MappedFile::open(folder.path()).is_err());
    }
}
