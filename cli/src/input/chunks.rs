//! Cutting a file into chunks of whole rows, so that rows can be parsed in parallel.

use super::lines::{count_lines, first_line, last_line_end, lines};
use super::text::{Text, Unknown};
use super::{InputError, Layout, RowProblem};
use std::io::{ErrorKind, Read};

/// Whole rows of one file, in its order.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The line of the file on which `bytes` begins, from 1.
    pub first_line: u64,
    /// The rows, with their line ends.
    pub bytes: Vec<u8>,
    /// Faults met while cutting, at or after the rows of this chunk.
    pub problems: Vec<RowProblem>,
}

/// Reads a file as chunks. After an error or a damaged end it yields nothing more.
pub struct ChunkReader {
    name: String,
    source: Text,
    /// None: a quote means nothing (JSON lines).
    delimiter: Option<u8>,
    /// Bytes read and not yet given out; always begins at a row's start.
    pending: Vec<u8>,
    line: u64,
    state: State,
    /// The encoding of the text cannot be told.
    refused: bool,
    /// Inside a row too long to hold: all up to the next line end is dropped.
    dropping: bool,
    /// Faults not yet given out.
    problems: Vec<RowProblem>,
    unbalanced: u32,
    /// [`GIVE_UP_BYTES`], less in tests.
    give_up: usize,
}

impl std::fmt::Debug for ChunkReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkReader").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// The source has no more bytes.
    Ended,
    /// All has been given out.
    Done,
}

/// Large enough that handing a chunk over costs nothing, small enough that all cores have one.
const CHUNK_BYTES: usize = 1 << 20;

/// The longest row that is kept. A longer one has no line end, or a quote that never closes.
const GIVE_UP_BYTES: usize = 16 << 20;

/// Each unbalanced quote costs a scan of up to [`GIVE_UP_BYTES`]; this bounds what a file can cost.
const MAX_UNBALANCED: u32 = 64;

/// Where the whole rows of a buffer end.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    /// One past the last whole row's line end; 0 when no row ends here.
    end: usize,
    /// A quote stands open at the end of the buffer.
    open_quote: bool,
}

impl ChunkReader {
    pub(super) fn new(name: String, source: Text, layout: Layout) -> Self {
        let delimiter = match layout {
            Layout::JsonLines => None,
            Layout::Csv { delimiter } => Some(delimiter),
        };
        Self {
            name,
            source,
            delimiter,
            pending: Vec::new(),
            line: 1,
            state: State::Reading,
            refused: false,
            dropping: false,
            problems: Vec::new(),
            unbalanced: 0,
            give_up: GIVE_UP_BYTES,
        }
    }

    /// The first record's bytes; empty in an empty file. Call before the first chunk.
    pub fn header(&mut self) -> Vec<u8> {
        self.fill(CHUNK_BYTES);
        let blank = self.pending.iter().take_while(|b| matches!(b, b'\n' | b'\r' | b' ')).count();
        self.take(blank);
        if separator(&self.pending).is_some() {
            self.take(first_line(&self.pending));
        }
        let end = match row_ends(&self.pending, Some(self.delimiter.unwrap_or(b',')), true) {
            Cut { end: 0, .. } => first_line(&self.pending),
            Cut { end, .. } => end,
        };
        self.take(end)
    }

    /// Reads until `target` bytes are pending or the source ends.
    fn fill(&mut self, target: usize) {
        let wanted = target.saturating_sub(self.pending.len());
        if wanted == 0 || self.state != State::Reading {
            return;
        }
        self.pending.reserve(wanted);
        let read = self.source.by_ref().take(wanted as u64).read_to_end(&mut self.pending);
        if let Some(encoding) = self.source.take_found() {
            self.problems.push(RowProblem::read_as(self.line, encoding));
        }
        match read {
            Ok(read) if read < wanted => self.state = State::Ended,
            Ok(_) => {}
            Err(error) => self.cut_damaged_end(&error),
        }
    }

    /// Keeps the whole rows before the damage and drops the row that it cuts.
    fn cut_damaged_end(&mut self, error: &std::io::Error) {
        if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Unknown>) {
            self.refused = true;
            return;
        }
        let keep = row_ends(&self.pending, self.delimiter, false).end;
        let reason = match error.kind() {
            ErrorKind::UnexpectedEof => "truncated-gzip",
            ErrorKind::InvalidInput | ErrorKind::InvalidData => "corrupt-gzip",
            _ => "read-error",
        };
        let line = self.line + count_lines(&self.pending[..keep]);
        self.problems.push(RowProblem::skipped(line, reason));
        self.pending.truncate(keep);
        self.state = State::Ended;
    }

    fn take(&mut self, end: usize) -> Vec<u8> {
        let rest = self.pending.split_off(end);
        self.line += count_lines(&self.pending);
        std::mem::replace(&mut self.pending, rest)
    }

    /// Drops the first physical line of what is pending: it opens a quote that never closes.
    fn drop_unbalanced(&mut self) -> Result<(), InputError> {
        self.unbalanced += 1;
        if self.unbalanced > MAX_UNBALANCED {
            self.state = State::Done;
            return Err(InputError::Unbalanced { path: self.name.clone(), line: self.line });
        }
        self.problems.push(RowProblem::skipped(self.line, "unbalanced-quote"));
        self.take(first_line(&self.pending));
        Ok(())
    }

    /// Drops bytes up to the next line end, holding none of them.
    fn drop_long_row(&mut self) {
        let end = first_line(&self.pending);
        if matches!(self.pending[..end].last(), Some(b'\n' | b'\r')) {
            self.take(end);
            self.dropping = false;
        } else {
            self.pending.clear();
            self.dropping = self.state == State::Reading;
        }
    }

    fn next_chunk(&mut self) -> Result<Option<Chunk>, InputError> {
        let mut target = CHUNK_BYTES;
        loop {
            self.fill(target);
            if self.refused {
                self.state = State::Done;
                return Err(InputError::Encoding { path: self.name.clone() });
            }
            if self.dropping {
                self.drop_long_row();
                continue;
            }
            let ended = self.state == State::Ended;
            let mut found = row_ends(&self.pending, self.delimiter, false);
            if ended && !found.open_quote {
                found.end = self.pending.len();
            }
            let stuck = self.pending.len() >= self.give_up;
            if found.end > 0 {
                return Ok(Some(self.chunk(found.end)));
            } else if found.open_quote && (ended || stuck) {
                self.drop_unbalanced()?;
                target = CHUNK_BYTES;
            } else if stuck {
                self.problems.push(RowProblem::skipped(self.line, "row-too-long"));
                self.dropping = true;
            } else if ended {
                self.state = State::Done;
                return Ok((!self.problems.is_empty()).then(|| self.chunk(0)));
            } else {
                target = (self.pending.len() * 2).clamp(CHUNK_BYTES, GIVE_UP_BYTES);
            }
        }
    }

    fn chunk(&mut self, end: usize) -> Chunk {
        let first_line = self.line;
        let bytes = self.take(end);
        Chunk { first_line, bytes, problems: std::mem::take(&mut self.problems) }
    }
}

impl Iterator for ChunkReader {
    type Item = Result<Chunk, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Done {
            return None;
        }
        self.next_chunk().transpose()
    }
}

/// Finds the end of the last whole row that has a line end, or of the first one.
fn row_ends(bytes: &[u8], delimiter: Option<u8>, first: bool) -> Cut {
    let Some(delimiter) = delimiter else {
        return Cut { end: last_line_end(bytes), open_quote: false };
    };
    let (mut at, mut end) = (0, 0);
    while let Some(found) = memchr::memchr3(b'"', b'\n', b'\r', &bytes[at..]) {
        at += found + 1;
        if bytes[at - 1] != b'"' {
            // The row ends after the LF of a CR LF; of a CR that stands last, that is not known.
            let ends = bytes[at - 1] == b'\n' || bytes.get(at).is_some_and(|&next| next != b'\n');
            if ends {
                end = at;
            }
            if ends && first {
                break;
            }
        } else if opens_field(&bytes[..at - 1], delimiter) {
            match closing_quote(&bytes[at..]) {
                Some(length) => at += length,
                None => return Cut { end, open_quote: true },
            }
        }
    }
    Cut { end, open_quote: false }
}

/// A quote opens a field only at its start; elsewhere it is a character like any other.
fn opens_field(before: &[u8], delimiter: u8) -> bool {
    before.last().is_none_or(|&b| b == delimiter || b == b'\n' || b == b'\r')
}

/// One past the quote that closes a field whose opening quote lies before `bytes`.
fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'"', &bytes[at..])? + 1;
        if bytes.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

/// The delimiter that a spreadsheet's line `sep=;` names, if the file's first line is one. A
/// program that filled the line up to the file's width wrote it several times.
pub(super) fn separator(bytes: &[u8]) -> Option<u8> {
    let line = lines(bytes).next()?;
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (name, rest) = line.split_at_checked(4)?;
    let (&delimiter, more) = rest.split_first()?;
    let is_delimiter = delimiter == b'\t' || delimiter.is_ascii_punctuation();
    let is_alone = more.iter().all(|&byte| byte == delimiter);
    let is_named = name.eq_ignore_ascii_case(b"sep=");
    (is_named && is_delimiter && is_alone && delimiter != b'"').then_some(delimiter)
}

#[cfg(test)]
#[path = "chunks_tests.rs"]
mod tests;
