//! Dead letters: the messages that failed too often, in a file that a person can read.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::kernel::Queue;

use crate::private;

/// A message that failed too often. Like every message it holds ids and object keys only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The queue that it was for.
    pub queue: Queue,
    /// The JSON text.
    pub body: String,
    /// The fair-queue group.
    pub group: String,
}

/// The file of dead letters, a line each, and its contents.
#[derive(Debug)]
pub(super) struct DeadLetters {
    path: PathBuf,
    letters: Vec<DeadLetter>,
}

impl DeadLetters {
    /// A last line that a kill cut off is passed over: its due item brings the message again.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let letters = whole.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        let letters = letters.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let opened = Self { path: path.to_owned(), letters };
        if whole.len() < text.len() {
            opened.rewrite()?;
        }
        Ok(opened)
    }

    pub(super) fn count(&self, queue: Queue) -> usize {
        self.letters.iter().filter(|letter| letter.queue == queue).count()
    }

    pub(super) fn of(&self, queue: Queue) -> Vec<DeadLetter> {
        self.letters.iter().filter(|letter| letter.queue == queue).cloned().collect()
    }

    pub(super) fn add(&mut self, letter: DeadLetter) -> io::Result<()> {
        let mut file = private::options().append(true).create(true).open(&self.path)?;
        file.write_all(line(&letter)?.as_bytes())?;
        file.sync_all()?;
        self.letters.push(letter);
        Ok(())
    }

    /// Takes the letters of one queue out.
    pub(super) fn take(&mut self, queue: Queue) -> io::Result<Vec<DeadLetter>> {
        let (taken, kept) = self.letters.drain(..).partition(|letter| letter.queue == queue);
        self.letters = kept;
        if let Err(error) = self.rewrite() {
            self.letters.extend::<Vec<_>>(taken);
            return Err(error);
        }
        Ok(taken)
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
