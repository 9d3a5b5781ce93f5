//! Opens a file. Its bytes, not its name, decide how it is read.

use super::{ChunkReader, InputError};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
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
    let (head, bytes) = peek(bytes);
    let head = match head.as_slice() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            return Err(InputError::Format { path: name, format: "UTF-16 text" });
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        all => all,
    };
    let layout = layout(head);
    let chunks = ChunkReader::new(name.clone(), bytes, layout);
    Ok(RowFile { name, layout, chunks })
}

/// Enough of the start to see the whole header.
const PEEK: u64 = 64 << 10;

/// The first bytes, and a reader that gives them again. A read error is left for the reader to
/// meet a second time, where it is counted with its line.
fn peek(mut bytes: Box<dyn Read + Send>) -> (Vec<u8>, Box<dyn Read + Send>) {
    let mut head = Vec::new();
    let _ = bytes.by_ref().take(PEEK).read_to_end(&mut head);
    (head.clone(), Box::new(Cursor::new(head).chain(bytes)))
}

fn layout(head: &[u8]) -> Layout {
    // Any line that begins an object tells: the first one may be the one at fault.
    let mut lines = head.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
    if lines.clone().any(|line| line.starts_with(b"{")) {
        return Layout::JsonLines;
    }
    let header = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let count = |delimiter: &u8| memchr::memchr_iter(*delimiter, header).count();
    // Of equal counts the first named wins: a comma, when the header has one column only.
    let delimiter = b"\t|;,".iter().copied().max_by_key(count).unwrap_or(b',');
    Layout::Csv { delimiter }
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
    fn formats_that_are_not_read_are_named() {
        let utf16 = from_reader("x".into(), Box::new(&b"\xff\xfeI\0d\0"[..]));
        assert!(utf16.unwrap_err().to_string().contains("UTF-16"));
    }
}
