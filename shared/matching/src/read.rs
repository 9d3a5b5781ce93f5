//! Readers of directory parts and deltas. They skip a JSON line that cannot be read, and tell its
//! number and the reason.

use std::io::{BufRead, Read as _};
use std::marker::PhantomData;

use serde::Deserialize;

use crate::entity::{Company, DirectoryLine, Person};

/// The longest line that is read. A longer one is skipped without being kept in memory.
pub const LINE_LIMIT: usize = 1 << 20;

/// The reason a line was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// Over [`LINE_LIMIT`].
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// Not the JSON of an entity, a deletion or a merge.
    NotJson,
    /// No id, or an empty one.
    NoId,
}

impl SkipReason {
    /// The reason in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "the line is over 1 MiB",
            Self::NotUtf8 => "the line is not UTF-8",
            Self::NotJson => "the line is not JSON of the expected shape",
            Self::NoId => "the row has no id",
        }
    }
}

/// A line that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its number, from 1.
    pub line: u64,
    /// The reason.
    pub reason: SkipReason,
    /// The parser's words, without the line's content.
    pub detail: String,
}

/// An entity with an id.
pub trait Identified {
    /// The id.
    fn id(&self) -> &str;
}

impl Identified for Person {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Identified for Company {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Parses one line of a directory part; `None` for an empty line.
///
/// # Errors
/// The reason to skip the line, with the parser's words.
pub fn directory_line<T: Identified + for<'de> Deserialize<'de>>(
    line: &[u8],
) -> Result<Option<DirectoryLine<T>>, (SkipReason, String)> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() > LINE_LIMIT {
        return Err((SkipReason::TooLong, String::new()));
    }
    let parsed = DirectoryLine::<T>::parse(line).map_err(|error| {
        if std::str::from_utf8(line).is_err() {
            (SkipReason::NotUtf8, String::new())
        } else if error.to_string().starts_with("missing field `id`") {
            (SkipReason::NoId, String::new())
        } else {
            // The parser's text may quote values; only its kind and place are kept.
            (
                SkipReason::NotJson,
                format!("{:?} error at column {}", error.classify(), error.column()),
            )
        }
    })?;
    let id = match &parsed {
        DirectoryLine::Upsert(entity) => entity.id(),
        DirectoryLine::Delete { id } | DirectoryLine::Merge { id, .. } => id,
    };
    if id.trim().is_empty() { Err((SkipReason::NoId, String::new())) } else { Ok(Some(parsed)) }
}

/// The lines of a directory part: entities, deletions, merges and skipped lines.
///
/// An error of the source (a truncated gzip, say) ends the iteration and is kept in
/// [`DirectoryReader::failure`].
#[derive(Debug)]
pub struct DirectoryReader<R, T> {
    source: R,
    line: u64,
    buffer: Vec<u8>,
    failure: Option<std::io::Error>,
    entity: PhantomData<T>,
}

impl<R: BufRead, T> DirectoryReader<R, T> {
    /// Reads from a source.
    pub fn new(source: R) -> Self {
        Self { source, line: 0, buffer: Vec::new(), failure: None, entity: PhantomData }
    }

    /// The error that ended the reading before the source's end, with the number of the line it was
    /// in.
    #[must_use]
    pub fn failure(&self) -> Option<(u64, &std::io::Error)> {
        self.failure.as_ref().map(|error| (self.line, error))
    }

    /// Fills the buffer with the next line; `false` at the end. It keeps no more of a line than the
    /// limit.
    fn next_line(&mut self) -> std::io::Result<bool> {
        self.buffer.clear();
        self.line += 1;
        let read =
            self.source.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut self.buffer)?;
        if read > LINE_LIMIT && !self.buffer.ends_with(b"\n") {
            self.skip_line()?;
        }
        Ok(read > 0)
    }

    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                return Ok(());
            }
            if let Some(end) = memchr::memchr(b'\n', available) {
                self.source.consume(end + 1);
                return Ok(());
            }
            let length = available.len();
            self.source.consume(length);
        }
    }
}

impl<R: BufRead, T: Identified + for<'de> Deserialize<'de>> Iterator for DirectoryReader<R, T> {
    type Item = Result<DirectoryLine<T>, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.failure.is_some() {
                return None;
            }
            match self.next_line() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.failure = Some(error);
                    return None;
                }
            }
            match directory_line(&self.buffer) {
                Ok(Some(line)) => return Some(Ok(line)),
                Ok(None) => {}
                Err((reason, detail)) => {
                    return Some(Err(Skipped { line: self.line, reason, detail }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Vec<Result<DirectoryLine<Person>, Skipped>> {
        DirectoryReader::new(bytes).collect()
    }

    #[test]
    fn bad_lines_are_skipped_with_number_and_reason_and_the_rest_goes_on() {
        let long = format!("{{\"id\":\"x\",\"title\":\"{}\"}}\n", "a".repeat(10 << 20));
        let lines = [
            "\u{feff}{\"id\":\"a\"}\n",
            "\n",
            "{\"first_name\":\"no id\"}\n",
            "{\"id\":\"\"}\n",
            "not json\n",
            &long,
            "{\"id\":\"b\",\"op\":\"delete\"}\n",
            "{\"id\":\"c\",\"op\":\"merge\",\"into\":\"a\"}",
        ];
        let text = lines.concat();
        let rows = read(text.as_bytes());
        let reasons: Vec<_> = rows
            .iter()
            .filter_map(|row| row.as_ref().err())
            .map(|skipped| (skipped.line, skipped.reason))
            .collect();
        assert_eq!(
            reasons,
            [
                (3, SkipReason::NoId),
                (4, SkipReason::NoId),
                (5, SkipReason::NotJson),
                (6, SkipReason::TooLong)
            ]
        );
        assert_eq!(rows.len(), 7);
        assert_eq!(rows[5], Ok(DirectoryLine::Delete { id: "b".into() }));
        assert_eq!(rows[6], Ok(DirectoryLine::Merge { id: "c".into(), into: "a".into() }));
        assert!(matches!(
            read(b"{\"id\":\"\xff\"}")[0],
            Err(Skipped { reason: SkipReason::NotUtf8, .. })
        ));
        assert!(read(b"").is_empty());
        assert!(matches!(
            read(b"{\"id\":\"a\",\"emails\":null,\"company\":null}")[0],
            Ok(DirectoryLine::Upsert(_))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let _ = read(&bytes);
        }
    }
}
