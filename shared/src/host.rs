//! The machine's own clock and random source, and the lines of its log.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;

use crate::ports::{Clock, Entropy};

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port that the others take")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// # Panics
    /// When the operating system has no random source: nothing that follows would be safe.
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = aws_lc_rs::rand::fill(bytes) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}

/// A log whose events are one line each, whatever texts of others they quote: a line end, a
/// control character or a change of direction in them is written as JSON escapes it.
#[derive(Debug)]
pub struct OneLine<W> {
    log: W,
    is_coloured: bool,
}

impl<W: Write> OneLine<W> {
    /// Writes to `log`. With colours, the sequences that make them pass; texts of others have been
    /// freed of such before.
    pub fn new(log: W, is_coloured: bool) -> Self {
        Self { log, is_coloured }
    }

    fn is_escaped(&self, c: char) -> bool {
        is_unseen(c) && !(c == '\u{1b}' && self.is_coloured)
    }
}

impl<W: Write> Write for OneLine<W> {
    /// Takes an event whole, with the line end behind it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut written = String::with_capacity(text.len());
        for c in line.chars() {
            if self.is_escaped(c) {
                // All of these are of the basic plane: one escape each.
                let _ = write!(written, "\\u{:04x}", u32::from(c));
            } else {
                written.push(c);
            }
        }
        written.push_str(&text[line.len()..]);
        self.log.write_all(written.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.log.flush()
    }
}

/// True for a character that ends a line, steers a terminal or turns the direction of a text.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}
