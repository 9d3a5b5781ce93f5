//! Marked tokens and marked people: whatever is written, sent, answered or logged is searched for
//! the marks, in the clear and in the disguises that a careless line gives them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Looks for marks and remembers where it saw one.
#[derive(Debug, Clone)]
pub struct Canary {
    marks: Arc<[Mark]>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Mark {
    text: String,
    /// The texts sought without regard to case: the mark itself, and its bytes in hexadecimal.
    folded: Vec<String>,
    /// The mark in Base64, at each of the three offsets that it can stand at.
    encoded: Vec<String>,
}

#[derive(Debug, Default)]
struct Seen {
    places: BTreeSet<String>,
    looked_at: usize,
}

impl Canary {
    /// Looks for these marks: letters and digits only, so that neither JSON nor URLs change them.
    #[must_use]
    pub fn new(marks: &[&str]) -> Self {
        let marks = marks.iter().map(|mark| Mark::new(mark)).collect();
        Self { marks, seen: Arc::default() }
    }

    /// Looks at the bytes of one place.
    pub fn look(&self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let folded = text.to_ascii_lowercase();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.looked_at += 1;
        for mark in self.marks.iter().filter(|mark| mark.is_in(&text, &folded)) {
            seen.places.insert(format!("{} in {place}", mark.text));
        }
    }

    /// Where marks were seen.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.places.iter().cloned().collect()
    }

    /// How many places were looked at.
    #[must_use]
    pub fn looked_at(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).looked_at
    }
}

impl Mark {
    fn new(text: &str) -> Self {
        let hex = text.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let encoded = (0..3).map(|offset| base64_within(text.as_bytes(), offset)).collect();
        Self { text: text.to_owned(), folded: vec![text.to_ascii_lowercase(), hex], encoded }
    }

    fn is_in(&self, text: &str, folded: &str) -> bool {
        self.folded.iter().any(|form| folded.contains(form))
            || self.encoded.iter().any(|form| text.contains(form))
    }
}

/// Puts a mark before every value of a CSV file's column that is not empty.
pub fn mark_column(file: &Path, column: &str, mark: &str) {
    let mut reader = csv::Reader::from_path(file).expect("a CSV file");
    let headers = reader.headers().expect("a header").clone();
    let at = headers.iter().position(|own| own == column).expect("the column");
    let records: Vec<csv::StringRecord> =
        reader.records().collect::<Result<_, _>>().expect("whole rows");
    let mut writer = csv::Writer::from_path(file).expect("a file");
    writer.write_record(&headers).expect("a row");
    for record in records {
        let cells = record.iter().enumerate().map(|(n, cell)| {
            let marked = n == at && !cell.is_empty();
            if marked { format!("{mark}.{cell}") } else { cell.to_owned() }
        });
        writer.write_record(cells).expect("a row");
    }
    writer.flush().expect("a file");
}

/// The characters of the Base64 of a longer text that depend on `bytes` alone, where `bytes` stands
/// at this offset from a multiple of three.
fn base64_within(bytes: &[u8], offset: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let skipped = (3 - offset) % 3;
    bytes[skipped..]
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]))
        })
        .collect()
}

/// Every log line goes past the canary, and nowhere else.
impl<'a> MakeWriter<'a> for Canary {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { canary: self.clone(), line: Vec::new() }
    }
}

/// A log line while it is written.
#[derive(Debug)]
pub struct LogLine {
    canary: Canary,
    line: Vec<u8>,
}

impl io::Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        self.canary.look(&format!("log line {}", line.trim_end()), &self.line);
    }
}
