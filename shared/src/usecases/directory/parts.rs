//! Reading the parts of a directory version.

use std::io::{BufRead, BufReader, Cursor, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use matching::DirectoryLine;
use matching::read::DirectoryReader;
use serde::Deserialize;

use crate::work::WorkError;

/// The last entry about each entity of a part, by position among the entries.
pub(super) fn last_lines<T>(bytes: &Bytes) -> Result<std::collections::HashMap<u64, u64>, WorkError>
where
    T: matching::read::Identified + for<'de> Deserialize<'de>,
{
    let mut last = std::collections::HashMap::new();
    let mut reader = DirectoryReader::<_, T>::new(lines(bytes));
    let mut line = 0_u64;
    for read in reader.by_ref() {
        line += 1;
        if let Ok(entry) = read {
            last.insert(identity(entity_id(&entry)), line);
        }
    }
    match reader.failure() {
        Some((line, error)) => {
            Err(WorkError::reject("read a directory part", format!("line {line}: {error}")))
        }
        None => Ok(last),
    }
}

pub(super) fn entity_id<T: matching::read::Identified>(line: &DirectoryLine<T>) -> &str {
    match line {
        DirectoryLine::Upsert(entity) => entity.id(),
        DirectoryLine::Delete { id } | DirectoryLine::Merge { id, .. } => id,
    }
}

/// 64 bits of an id's hash: among a hundred million ids a clash has a chance of 1 in 4,000.
pub(super) fn identity(id: &str) -> u64 {
    let hash = blake3::hash(id.as_bytes());
    u64::from_le_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// A part's lines, unpacked when it is gzip.
pub(super) fn lines(bytes: &Bytes) -> Box<dyn BufRead + Send> {
    let source = Cursor::new(bytes.clone());
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let unpacked: Box<dyn Read + Send> = Box::new(MultiGzDecoder::new(source));
        Box::new(BufReader::with_capacity(1 << 16, unpacked))
    } else {
        Box::new(source)
    }
}
