//! Dead letters: the messages that failed too often, in a file that a person can read.
//!
//! Invariant: *a message is one letter, however often it fails.* The tick goes on trying it, at
//! growing pauses, and each start knows it by its letter. Once its work is done the letter goes.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::kernel::Queue;
use shared::ports::MOST_RECEIVES;

use crate::private;

/// The length of a letter's id, in hex digits: short enough to be typed.
const ID_DIGITS: usize = 12;

/// A message that failed too often. Like every message it holds ids and object keys only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// What tells it from other letters. The same message has the same one.
    #[serde(default)]
    pub id: String,
    /// The queue that it was for.
    pub queue: Queue,
    /// The JSON text.
    pub body: String,
    /// The fair-queue group.
    pub group: String,
    /// When it failed too often, the last time; older files do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Counts how often it was tried, whenever it was.
    #[serde(default = "once")]
    pub tries: u32,
    /// The class of its last failure, without any data; older files do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

fn once() -> u32 {
    MOST_RECEIVES
}

/// The due item behind a message, which a body names.
#[derive(Deserialize)]
struct Behind {
    due: Option<String>,
}

/// The id of the letter of the message with this body. The due item behind it names the message,
/// however often it was put off; a message without one is named by its text.
pub(super) fn id_of_body(body: &str) -> String {
    let due = serde_json::from_str(body).ok().and_then(|Behind { due }| due);
    id_of(due.as_deref().unwrap_or(body))
}

/// The id of the letter of the message behind which this due item stands.
pub(super) fn id_of(due: &str) -> String {
    blake3::hash(due.as_bytes()).to_hex()[..ID_DIGITS].to_owned()
}

/// The file of dead letters, a line each, and its contents.
#[derive(Debug)]
pub(super) struct DeadLetters {
    path: PathBuf,
    /// The one that failed last at the end.
    letters: Vec<DeadLetter>,
    ids: HashSet<String>,
}

impl DeadLetters {
    /// A last line that a kill cut off is passed over: its due item brings the message again.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let parsed = whole.lines().map(serde_json::from_str::<DeadLetter>);
        let letters = parsed.collect::<Result<Vec<_>, _>>();
        let letters = letters.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let (lines, mut opened) = (
            letters.len(),
            Self { path: path.to_owned(), letters: Vec::new(), ids: HashSet::new() },
        );
        for mut letter in letters {
            // Older versions gave no id, and wrote a line each time.
            letter.id = id_of_body(&letter.body);
            opened.join(letter);
        }
        if whole.len() < text.len() || opened.letters.len() < lines {
            opened.rewrite()?;
        }
        Ok(opened)
    }

    pub(super) fn all(&self) -> &[DeadLetter] {
        &self.letters
    }

    pub(super) fn count(&self, queue: Queue) -> usize {
        self.letters.iter().filter(|letter| letter.queue == queue).count()
    }

    pub(super) fn holds(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Adds a letter. One that is there already is counted on.
    pub(super) fn add(&mut self, letter: DeadLetter) -> io::Result<()> {
        if self.holds(&letter.id) {
            self.join(letter);
            return self.rewrite();
        }
        let mut file = private::options().append(true).create(true).open(&self.path)?;
        file.write_all(line(&letter)?.as_bytes())?;
        file.sync_all()?;
        self.join(letter);
        Ok(())
    }

    /// Takes the letters out that are `chosen`.
    pub(super) fn take(
        &mut self,
        chosen: impl Fn(&DeadLetter) -> bool,
    ) -> io::Result<Vec<DeadLetter>> {
        let before = self.letters.clone();
        let (taken, kept): (Vec<_>, _) = self.letters.drain(..).partition(chosen);
        self.letters = kept;
        if !taken.is_empty()
            && let Err(error) = self.rewrite()
        {
            self.letters = before;
            return Err(error);
        }
        for letter in &taken {
            self.ids.remove(&letter.id);
        }
        Ok(taken)
    }

    /// Puts a letter at the end, with the tries of the one of the same message.
    fn join(&mut self, mut letter: DeadLetter) {
        if let Some(before) = self.letters.iter().position(|before| before.id == letter.id) {
            let before = self.letters.remove(before);
            letter.tries = letter.tries.saturating_add(before.tries);
        }
        self.ids.insert(letter.id.clone());
        self.letters.push(letter);
    }

    /// Writes the file anew, aside and then in its place.
    fn rewrite(&self) -> io::Result<()> {
        let aside = self.path.with_extension("new");
        self.write_to(private::options().write(true).create(true).truncate(true).open(&aside)?)?;
        fs::rename(&aside, &self.path)
    }

    /// Writes all letters to a new file.
    pub(super) fn copy_to(&self, path: &Path) -> io::Result<()> {
        self.write_to(private::options().write(true).create_new(true).open(path)?)
    }

    fn write_to(&self, mut file: File) -> io::Result<()> {
        for letter in &self.letters {
            file.write_all(line(letter)?.as_bytes())?;
        }
        file.sync_all()
    }
}

fn line(letter: &DeadLetter) -> io::Result<String> {
    Ok(serde_json::to_string(letter)? + "\n")
}
