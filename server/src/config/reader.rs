//! Reading a TOML file key by key, so that every mistake is found in one go, with its line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue, Error};

/// What is wrong with one key. A value is never repeated: it could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// The line, from 1; none when the key is not there.
    pub line: Option<usize>,
    /// The key with its section, as in `server.listen`; empty when the file is no TOML there.
    pub key: String,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.instead)
    }
}

/// A file that is read, and what was found wrong with it so far.
pub(super) struct Reader<'t> {
    text: &'t str,
    folder: &'t Path,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'t> Reader<'t> {
    /// A reader of `text`, whose relative paths begin at `folder`.
    pub(super) fn new(text: &'t str, folder: &'t Path) -> Self {
        Self { text, folder, mistakes: RefCell::default() }
    }

    /// Everything that was found wrong, in the order of the file.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort();
        mistakes
    }

    /// Notes what makes the file no TOML.
    pub(super) fn note_syntax(&self, errors: &[Error]) {
        for error in errors {
            let line = error.span().map(|span| self.line(span.start));
            let instead = format!("this is not TOML: {}", error.message());
            self.mistakes.borrow_mut().push(Mistake { line, key: String::new(), instead });
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
    }

    fn note(&self, line: Option<usize>, key: String, instead: impl Into<String>) {
        self.mistakes.borrow_mut().push(Mistake { line, key, instead: instead.into() });
    }
}

/// A table of the file, or the empty one where the file has none.
pub(super) struct Section<'t> {
    reader: &'t Reader<'t>,
    /// With its point at the end; empty at the root.
    prefix: String,
    line: Option<usize>,
    table: Option<&'t DeTable<'t>>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'t> Section<'t> {
    /// The whole file.
    pub(super) fn root(reader: &'t Reader<'t>, table: &'t DeTable<'t>) -> Self {
        Self::at(reader, String::new(), None, Some(table))
    }

    fn at(
        reader: &'t Reader<'t>,
        prefix: String,
        line: Option<usize>,
        table: Option<&'t DeTable<'t>>,
    ) -> Self {
        Self { reader, prefix, line, table, asked: RefCell::default() }
    }

    /// True if the file has this section.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    fn find(&self, key: &'static str) -> Option<(&'t DeValue<'t>, usize)> {
        self.asked.borrow_mut().insert(key);
        let (name, value) = self.table?.get_key_value(key)?;
        Some((value.get_ref(), self.reader.line(name.span().start)))
    }

    /// True if the section has this key, whatever its value.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// Notes that this key should be something else.
    pub(super) fn wrong(&self, key: &'static str, instead: impl Into<String>) {
        let line = self.find(key).map(|(_, line)| line).or(self.line);
        self.reader.note(line, format!("{}{key}", self.prefix), instead);
    }

    /// Notes what is wrong with the section as a whole.
    pub(super) fn wrong_here(&self, instead: impl Into<String>) {
        self.reader.note(self.line, self.prefix.trim_end_matches('.').to_owned(), instead);
    }

    fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        take: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        let (value, _) = self.find(key)?;
        let taken = take(value);
        if taken.is_none() {
            self.wrong(key, format!("write {expected}"));
        }
        taken
    }

    /// A value that `parse` makes of a text; `expected` says what to write.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.typed(key, expected, |value| value.as_str().and_then(parse))
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.parsed(key, "a text in quotes", filled)
    }

    /// The same, which must be there.
    pub(super) fn required_text(&self, key: &'static str, instead: &str) -> Option<String> {
        if !self.has(key) {
            self.wrong(key, format!("is missing: write {instead}"));
            return None;
        }
        self.text(key)
    }

    /// A path; a relative one begins at the file's folder.
    pub(super) fn path(&self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(|text| self.reader.folder.join(text))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        self.typed(key, "true or false, without quotes", DeValue::as_bool)
    }

    /// A whole number between these.
    pub(super) fn number(&self, key: &'static str, least: u32, most: u32) -> Option<u32> {
        let expected = format!("a whole number from {least} to {most}");
        self.typed(key, &expected, |value| {
            let number = value.as_integer()?;
            let number = u32::from_str_radix(number.as_str(), number.radix()).ok()?;
            (least..=most).contains(&number).then_some(number)
        })
    }

    /// A list of texts.
    pub(super) fn texts(&self, key: &'static str, expected: &str) -> Option<Vec<String>> {
        self.typed(key, expected, |value| {
            let texts = value.as_array()?.iter();
            texts.map(|text| text.get_ref().as_str().map(str::to_owned)).collect()
        })
    }

    /// A section within this one.
    pub(super) fn section(&self, key: &'static str) -> Self {
        let table = self.typed(key, "a section", DeValue::as_table);
        let line = self.find(key).map(|(_, line)| line);
        Self::at(self.reader, format!("{}{key}.", self.prefix), line, table)
    }

    /// Notes the keys that nobody asked for.
    pub(super) fn end(self) {
        let asked = self.asked.into_inner();
        let known: Vec<&str> = asked.iter().copied().collect();
        for (key, _) in self.table.into_iter().flatten() {
            if !asked.contains(key.get_ref().as_ref()) {
                let line = self.reader.line(key.span().start);
                let instead = format!("is unknown here; write one of: {}", known.join(", "));
                self.reader.note(Some(line), format!("{}{}", self.prefix, key.get_ref()), instead);
            }
        }
    }
}
