//! Opens a file. Its bytes, not its name, decide how it is read.

use super::chunks::separator;
use super::lines::lines;
use super::text::Text;
use super::{ChunkReader, InputError};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// How the rows of a file lie in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One JSON object a line.
    JsonLines,
    /// A header and records, quoted as RFC 4180 says.
    Csv {
        /// `,`, `;`, `|` or a tab.
        delimiter: u8,
    },
}

/// An opened file, ready to be read in chunks of whole rows.
pub struct RowFile {
    /// The name that messages use.
    pub name: String,
    /// How its rows lie.
    pub layout: Layout,
    /// The rows.
    pub chunks: ChunkReader,
}

impl std::fmt::Debug for RowFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowFile")
            .field("name", &self.name)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

const BUFFER: usize = 256 << 10;

/// Opens `path`, whether gzip or plain, JSON lines or CSV.
pub fn open(path: &Path) -> Result<RowFile, InputError> {
    let name = path.display().to_string();
    let unreadable = |source| InputError::Unreadable { path: name.clone(), source };
    let mut file = BufReader::with_capacity(BUFFER, File::open(path).map_err(unreadable)?);
    let magic = file.fill_buf().map_err(unreadable)?;
    let bytes: Box<dyn Read + Send> = match magic {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => {
            return Err(InputError::Format { path: name, format: "a zip archive" });
        }
        _ => Box::new(file),
    };
    from_reader(name, bytes)
}

/// The same for bytes that are already at hand, inflated.
pub fn from_reader(name: String, bytes: Box<dyn Read + Send>) -> Result<RowFile, InputError> {
    let mut text = Text::new(bytes);
    let Ok(head) = text.head(PEEK) else { return Err(InputError::Encoding { path: name }) };
    let layout = layout(head);
    let chunks = ChunkReader::new(name.clone(), text, layout);
    Ok(RowFile { name, layout, chunks })
}

/// Enough of the start to see the whole header and some rows.
const PEEK: usize = 64 << 10;

/// How many rows tell whether a delimiter fits.
const ROWS: usize = 50;

fn layout(head: &[u8]) -> Layout {
    let head = head.trim_ascii_start();
    if let Some(delimiter) = separator(head) {
        Layout::Csv { delimiter }
    } else if is_json(head) {
        Layout::JsonLines
    } else {
        Layout::Csv { delimiter: delimiter(head) }
    }
}

/// True if the first line begins an object, or half of the lines are objects: the first one may be
/// the one at fault, and a note in a CSV file may hold a line that begins with a brace.
fn is_json(head: &[u8]) -> bool {
    if head.starts_with(b"{") {
        return true;
    }
    let lines = lines(head).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let is_object = |line: &[u8]| {
        line.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
    };
    let (objects, all) = lines
        .fold((0, 0), |(objects, all), line| (objects + usize::from(is_object(line)), all + 1));
    all > 0 && objects * 2 >= all
}

/// The delimiter by which most rows are as wide as the header; of equals the one that makes most
/// columns, and a comma when the header has one column only.
fn delimiter(head: &[u8]) -> u8 {
    let fit = |delimiter: &u8| fit(head, *delimiter);
    b"\t|;,".iter().copied().max_by_key(fit).unwrap_or(b',')
}

/// How well a delimiter fits: no quote is left over in the header, rows as wide as the header,
/// the header's columns.
fn fit(head: &[u8], delimiter: u8) -> (bool, usize, usize) {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(head);
    let mut rows = reader.byte_records().map_while(Result::ok);
    let header = rows.next().unwrap_or_default();
    let width = header.len();
    let sound = !header.iter().any(|name| name.contains(&b'"'));
    let alike = rows.take(ROWS).filter(|row| width > 1 && row.len() == width).count();
    (sound && width > 1, alike, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_told_by_the_first_bytes() {
        assert_eq!(layout(b" \n{\"id\": 1}"), Layout::JsonLines);
        assert_eq!(layout(b"not json\n{\"id\": 1}"), Layout::JsonLines);
        for (head, delimiter) in
            [("Id,Name\n", b','), ("Id;Name;a,b\n", b';'), ("Id\tName", b'\t'), ("Id|Name", b'|')]
        {
            assert_eq!(layout(head.as_bytes()), Layout::Csv { delimiter }, "{head}");
        }
        assert_eq!(layout(b"Id"), Layout::Csv { delimiter: b',' });
        assert_eq!(layout(b""), Layout::Csv { delimiter: b',' });
    }

    #[test]
    fn labels_with_delimiters_notes_with_braces_and_short_rows_do_not_mislead() {
        for (head, delimiter) in [
            ("\"Id\";\"Name\";\"Notes, old, see wiki, v2, v3\"\n\"1\";\"Jane\";\"\"\n", b';'),
            ("Id;Name;Notes, old, see wiki, v2, v3\n1;Jane;\n2;Joe;\n", b';'),
            ("\"Id\",\"Name\"\n\"1\",\"uses\n{!Lead.FirstName}, thank you\"\n", b','),
            ("Id,Name,City,Notes\n1,Jane\n2,Joe\n", b','),
            ("Id,Name,City\n1,Jane,\"a;b;c;d;e\"\n", b','),
            ("sep=|\nId;Name|x\n", b'|'),
            ("\"Id\", \"Name\"\n\"1\", \"Jane\"\n", b','),
        ] {
            assert_eq!(layout(head.as_bytes()), Layout::Csv { delimiter }, "{head}");
        }
    }

    #[test]
    fn a_text_whose_encoding_cannot_be_told_is_refused_with_the_remedy() {
        let late = [b"Id\n".repeat(40_000), b"J\x94rg\n".to_vec()].concat();
        for bytes in [b"J\x94rg\n".to_vec(), late] {
            let read = from_reader("x".into(), Box::new(std::io::Cursor::new(bytes)));
            let error = read.and_then(|file| file.chunks.collect::<Result<Vec<_>, _>>());
            assert!(error.unwrap_err().to_string().contains("save it as UTF-8"));
        }
    }
}
