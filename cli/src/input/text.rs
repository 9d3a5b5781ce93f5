//! A file's bytes as UTF-8, whichever encoding they came in.

use super::encoding::{Encoding, detect, dos, once, utf16};
use encoding_rs::Decoder;
use std::io::{Error, ErrorKind, Read};

/// How much is read at a time.
const READ: usize = 64 << 10;

/// How much is looked at to tell an encoding, from the first character beyond ASCII on.
const SAMPLE: usize = 64 << 10;

/// The encoding of a text cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("the encoding cannot be told")]
pub(super) struct Unknown;

/// Text as UTF-8. All encodings have ASCII in common, so that the first character beyond it
/// decides; UTF-16, which has not, is told at the start.
pub(super) struct Text {
    source: Box<dyn Read + Send>,
    /// Bytes read, and not yet decoded.
    raw: Vec<u8>,
    /// Bytes decoded; those before `given` were given out.
    decoded: Vec<u8>,
    given: usize,
    decoding: Decoding,
    found: Option<&'static str>,
    started: bool,
    /// The source has no more bytes.
    ended: bool,
    /// The source's error, given after all that was read before it.
    error: Option<Error>,
}

enum Decoding {
    /// Nothing but ASCII came so far.
    Ascii,
    /// As it is.
    Utf8,
    /// Runs of what is not ASCII are decoded once more.
    Utf8Twice,
    /// Byte for byte.
    Dos,
    Standard(Decoder),
}

impl From<Encoding> for Decoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Utf8 => Self::Utf8,
            Encoding::Utf8Twice => Self::Utf8Twice,
            Encoding::Dos => Self::Dos,
            Encoding::Standard(standard) => {
                Self::Standard(standard.new_decoder_without_bom_handling())
            }
        }
    }
}

impl Text {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Self {
            source,
            raw: Vec::new(),
            decoded: Vec::new(),
            given: 0,
            decoding: Decoding::Ascii,
            found: None,
            started: false,
            ended: false,
            error: None,
        }
    }

    /// The first bytes, up to `most` of them; they will still be read. An error is left for the
    /// reader to meet, but for that of an encoding that cannot be told.
    pub(super) fn head(&mut self, most: usize) -> Result<&[u8], Unknown> {
        while self.decoded.len() < most && !self.is_over() {
            self.refill()?;
        }
        Ok(&self.decoded[..self.decoded.len().min(most)])
    }

    /// The encoding that was found, once, if it is to be told.
    pub(super) fn take_found(&mut self) -> Option<&'static str> {
        self.found.take()
    }

    fn is_over(&self) -> bool {
        self.ended && self.raw.is_empty()
    }

    /// Reads and decodes some more.
    fn refill(&mut self) -> Result<(), Unknown> {
        self.decoded.drain(..std::mem::take(&mut self.given));
        self.read_some();
        if !self.started {
            self.start();
        }
        if matches!(self.decoding, Decoding::Ascii) {
            let Some(at) = self.raw.iter().position(|byte| !byte.is_ascii()) else {
                self.decoded.append(&mut self.raw);
                return Ok(());
            };
            while self.raw.len() - at < SAMPLE && !self.ended {
                self.read_some();
            }
            // A letter or two before it tell what it belongs to.
            let sample = &self.raw[at.saturating_sub(2)..];
            let encoding = detect(sample, self.ended).ok_or(Unknown)?;
            (self.found, self.decoding) = (encoding.name(), encoding.into());
        }
        self.decode();
        Ok(())
    }

    /// Passes over marks, and tells UTF-16.
    fn start(&mut self) {
        while self.raw.len() < 512 && !self.ended {
            self.read_some();
        }
        self.started = true;
        if let Some((standard, mark)) = utf16(&self.raw) {
            self.raw.drain(..mark);
            self.decoding = Encoding::Standard(standard).into();
            return;
        }
        // Some programs write the mark before a text that has it.
        while self.raw.starts_with(b"\xef\xbb\xbf") {
            self.raw.drain(..3);
            self.decoding = Decoding::Utf8;
        }
    }

    fn read_some(&mut self) {
        let before = self.raw.len();
        self.raw.resize(before + READ, 0);
        let read = loop {
            match self.source.read(&mut self.raw[before..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let read = read.unwrap_or_else(|error| {
            self.error = Some(error);
            0
        });
        self.ended |= read == 0;
        self.raw.truncate(before + read);
    }

    fn decode(&mut self) {
        match &mut self.decoding {
            Decoding::Ascii | Decoding::Utf8 => self.decoded.append(&mut self.raw),
            Decoding::Dos => {
                let text: String = self.raw.drain(..).map(dos).collect();
                self.decoded.extend_from_slice(text.as_bytes());
            }
            Decoding::Utf8Twice => self.decode_twice(),
            Decoding::Standard(decoder) => {
                let most = decoder.max_utf8_buffer_length(self.raw.len()).unwrap_or(usize::MAX);
                let mut text = String::with_capacity(most);
                // The buffer is as long as it may have to be, so all is taken.
                let _ = decoder.decode_to_string(&self.raw, &mut text, self.ended);
                self.raw.clear();
                let text = text.trim_start_matches('\u{feff}');
                self.decoded.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// Decodes up to the last byte of ASCII: what follows may go on in the next read.
    fn decode_twice(&mut self) {
        let last = self.raw.iter().rposition(u8::is_ascii).map_or(0, |at| at + 1);
        let end = if self.ended { self.raw.len() } else { last };
        let rest = self.raw.split_off(end);
        for part in self.raw.chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
            let bytes = std::str::from_utf8(part).ok().and_then(once);
            self.decoded.extend_from_slice(bytes.as_deref().unwrap_or(part));
        }
        self.raw = rest;
    }
}

impl Read for Text {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.decoded.len() && !self.is_over() {
            self.refill().map_err(Error::other)?;
        }
        let left = &self.decoded[self.given..];
        if left.is_empty()
            && let Some(error) = self.error.take()
        {
            return Err(error);
        }
        let given = left.len().min(into.len());
        into[..given].copy_from_slice(&left[..given]);
        self.given += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time, then an error.
    struct Trickle(&'static [u8], usize);

    impl Read for Trickle {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(Error::new(ErrorKind::UnexpectedEof, "cut"));
            }
            let (some, rest) = self.0.split_at(self.1.min(self.0.len()).min(into.len()));
            into[..some.len()].copy_from_slice(some);
            self.0 = rest;
            Ok(some.len())
        }
    }

    #[test]
    fn all_that_came_before_an_error_is_read_in_whatever_pieces() {
        for (bytes, found) in [
            (&b"Id;Name\n1;J\xf6rg\n"[..], Some("windows-1252")),
            ("Id;Name\n1;Jörg\n".as_bytes(), None),
            ("\u{feff}\u{feff}Id;Name\n1;Jörg\n".as_bytes(), None),
            ("Id;Name\n1;JÃ¶rg\n".as_bytes(), Some("UTF-8 encoded twice")),
            (b"\xff\xfeI\0d\0;\0N\0a\0m\0e\0\n\x001\0;\0J\0\xf6\0r\0g\0\n\0", None),
        ] {
            for piece in [1, 2, 7, 100] {
                let mut text = Text::new(Box::new(Trickle(bytes, piece)));
                let mut read = Vec::new();
                let error = text.read_to_end(&mut read).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                assert_eq!(String::from_utf8_lossy(&read), "Id;Name\n1;Jörg\n", "{piece}");
                assert_eq!(text.take_found(), found);
            }
        }
    }

    #[test]
    fn text_beyond_the_sample_is_decoded_as_the_sample_is() {
        let row = b"1;J\xf6rg H\xfclsbeck\n";
        let mut bytes = b"Id;Name\n".to_vec();
        bytes.extend(b"0;ascii\n".repeat(20_000));
        bytes.extend(row.repeat(20_000));
        let mut read = String::new();
        Text::new(Box::new(std::io::Cursor::new(bytes))).read_to_string(&mut read).unwrap();
        assert!(read.starts_with("Id;Name\n0;ascii\n"));
        assert_eq!(read.matches("1;Jörg Hülsbeck\n").count(), 20_000);
    }
}
