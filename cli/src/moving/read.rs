//! Reading the file of a tenant: checked whole before anything of it is sent, then in batches.

use anyhow::{Context, bail, ensure};
use shared::capabilities::moving::{End, Header, Line, MovedConnection};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Lines of a batch: the deployment takes a batch within one answer.
const BATCH_LINES: usize = 100;

/// Bytes of a batch's lines, unless one line has more.
const BATCH_BYTES: usize = 1 << 20;

/// The file of a tenant, found to be whole.
#[derive(Debug)]
pub struct TenantFile {
    path: PathBuf,
    first: String,
    /// Its first line.
    pub header: Header,
    /// How many lines there are of each kind.
    pub end: End,
}

/// Lines that are taken in together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The org that they belong to; none for the tenant itself.
    pub org: Option<MovedConnection>,
    /// The file's first line, the line of the org, and theirs.
    pub lines: Vec<String>,
}

impl TenantFile {
    /// Opens a file and reads it once, whole.
    ///
    /// # Errors
    /// When it is no export, of a later version, damaged, or cut short. No line is quoted: it may
    /// hold people's texts.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let mut lines = lines_of(path)?;
        let first = lines.next().transpose()?.unwrap_or_default();
        let at = |number: usize| format!("{}: line {number}", path.display());
        let header = Header::parse(&first).with_context(|| at(1))?;
        let mut counted = End::default();
        let mut found = None;
        for (n, text) in lines.enumerate() {
            ensure!(found.is_none(), "{} comes behind the last line", at(n + 2));
            match text.and_then(|text| Line::parse(&text).with_context(|| at(n + 2)))? {
                Line::End(end) => found = Some(end),
                line => counted.count(&line),
            }
        }
        let Some(end) = found else {
            bail!("{} is cut short: its last line is missing; export again", path.display());
        };
        ensure!(
            end == counted,
            "{} is not whole: its last line counts other lines; export again",
            path.display()
        );
        Ok(Self { path: path.to_owned(), first, header, end })
    }

    /// Its batches, in the order in which they are to be taken in.
    ///
    /// # Errors
    /// When the file cannot be read again.
    pub fn batches(&self) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Batch>>> {
        let lines = lines_of(&self.path)?.skip(1);
        Ok(Batches { lines, first: self.first.clone(), org: None, ahead: None, is_over: false })
    }
}

struct Batches<I> {
    lines: I,
    first: String,
    org: Option<(MovedConnection, String)>,
    /// A line that begins the next batch.
    ahead: Option<(Line, String)>,
    is_over: bool,
}

impl<I: Iterator<Item = anyhow::Result<String>>> Batches<I> {
    fn read(&mut self) -> anyhow::Result<Option<(Line, String)>> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(text) = self.lines.next().transpose()? else { return Ok(None) };
        Ok(Some((Line::parse(&text).context("the file was changed")?, text)))
    }

    fn batch(&mut self) -> anyhow::Result<Option<Batch>> {
        if self.is_over {
            return Ok(None);
        }
        let mut lines = Vec::new();
        let mut bytes = 0;
        let mut begins_org = false;
        while lines.len() < BATCH_LINES && bytes < BATCH_BYTES {
            let Some((line, text)) = self.read()? else {
                self.is_over = true;
                break;
            };
            match line {
                Line::Connection(_) if begins_org || !lines.is_empty() => {
                    self.ahead = Some((line, text));
                    break;
                }
                // An org without any line is asked for too: a wrong one is told of.
                Line::Connection(org) => {
                    self.org = Some((org, text));
                    begins_org = true;
                }
                Line::End(_) => {}
                _ => {
                    bytes += text.len();
                    lines.push(text);
                }
            }
        }
        if lines.is_empty() && !begins_org {
            return Ok(None);
        }
        let org = self.org.as_ref().map(|(org, _)| org.clone());
        let head = [Some(&self.first), self.org.as_ref().map(|(_, text)| text)];
        let lines = head.into_iter().flatten().cloned().chain(lines).collect();
        Ok(Some(Batch { org, lines }))
    }
}

impl<I: Iterator<Item = anyhow::Result<String>>> Iterator for Batches<I> {
    type Item = anyhow::Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

fn lines_of(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<String>> + use<>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let cannot = format!("cannot read {}", path.display());
    Ok(BufReader::new(file).lines().map(move |line| line.with_context(|| cannot.clone())))
}
