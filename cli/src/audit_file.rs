//! An audit log as a file: an entry a line, and the head of the log as the last line.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use shared::capabilities::audit::{AuditEntry, HeadMark};

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(Box<AuditEntry>),
    Head { head: HeadMark },
}

/// A file that was read.
pub struct AuditFile {
    /// Its entries, as they stand there.
    pub entries: Vec<AuditEntry>,
    /// Its last line; none when that is missing.
    pub head: Option<HeadMark>,
}

/// Reads a file. It need not be whole: a check says what is wrong with it.
pub fn read(path: &Path) -> anyhow::Result<AuditFile> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let mut read = AuditFile { entries: Vec::new(), head: None };
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("cannot read {shown}"))?;
        let number = number + 1;
        ensure!(read.head.is_none(), "{shown}: line {number} stands behind the head of the log");
        match serde_json::from_str(&line) {
            Ok(Line::Entry(entry)) => read.entries.push(*entry),
            Ok(Line::Head { head }) => read.head = Some(head),
            Err(_) => bail!("{shown}: line {number} is no entry of an audit log: it was edited"),
        }
    }
    Ok(read)
}

/// A file in the making. It has its name only once it is whole.
pub struct AuditFileWriter {
    out: BufWriter<tempfile::NamedTempFile>,
    to: PathBuf,
}

impl AuditFileWriter {
    /// A file at `to`, where nothing may lie.
    pub fn create(to: &Path) -> anyhow::Result<Self> {
        ensure!(!to.exists(), "{} is there already", to.display());
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .with_context(|| format!("cannot write {}", to.display()))?;
        Ok(Self { out: BufWriter::new(file), to: to.to_owned() })
    }

    /// Adds an entry.
    pub fn add(&mut self, entry: &AuditEntry) -> anyhow::Result<()> {
        self.line(&Line::Entry(Box::new(entry.clone())))
    }

    /// Ends the file with the head of the log.
    pub fn finish(mut self, head: &HeadMark) -> anyhow::Result<()> {
        self.line(&Line::Head { head: head.clone() })?;
        let file = self.out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&self.to)
            .with_context(|| format!("cannot write {}", self.to.display()))?;
        Ok(())
    }

    fn line(&mut self, line: &Line) -> anyhow::Result<()> {
        let text = serde_json::to_string(line)?;
        writeln!(self.out, "{text}").with_context(|| format!("cannot write {}", self.to.display()))
    }
}
