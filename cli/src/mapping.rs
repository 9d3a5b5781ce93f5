//! Files mapped into memory, read where they lie.
//!
//! This module is the workspace's one exception to `unsafe_code`. It knows nothing of what the bytes
//! mean and has no other dependency, so that it can move to the common crate as it is.

use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// A whole file as bytes, mapped read-only.
#[derive(Debug)]
pub struct MappedFile {
    map: Option<Mmap>,
}

impl MappedFile {
    /// Maps the file. The file must not be changed or cut while it is mapped: index files are
    /// written under another name and renamed into place, and never written again.
    ///
    /// # Errors
    /// The system's, when the file is missing, is a folder, or cannot be mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            // An empty file cannot be mapped, and is no error here: its reader will refuse it.
            return Ok(Self { map: None });
        }
        #[expect(
            unsafe_code,
            reason = "a mapping is sound only while nobody changes the file; index files are \
                      immutable by construction (written aside, renamed, never opened for writing \
                      again), and their reader bounds-checks every access and verifies a checksum"
        )]
        // SAFETY: the file is not modified while mapped, as said above.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map: Some(map) })
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
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
