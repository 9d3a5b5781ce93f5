//! Writing the file of a tenant. It has people's texts: nobody but its owner may read it, and it
//! has its name only once it is whole.

use anyhow::{Context, ensure};
use shared::capabilities::moving::{End, Header, Line};
use shared::salesforce::SalesforceId;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A file in the making.
#[derive(Debug)]
pub struct TenantFileWriter {
    to: PathBuf,
    file: BufWriter<NamedTempFile>,
    under_way: UnderWay,
    header: Option<Header>,
    end: End,
}

/// The activities of an org that are under way. They come in no order, and go to the file in the
/// order of their lanes, in which the other home takes them in.
#[derive(Debug)]
struct UnderWay {
    /// Without a name, so that nothing of it stays.
    file: File,
    /// Lane, place, and where the line lies in the file.
    places: Vec<(SalesforceId, u64, u64, usize)>,
    length: u64,
}

impl TenantFileWriter {
    /// A file that will be `to`; nothing may lie there.
    ///
    /// # Errors
    /// When something does, or its folder cannot be written.
    pub fn create(to: &Path) -> anyhow::Result<Self> {
        ensure!(!to.exists(), "{} exists; move it away or name another file", to.display());
        let folder = folder_of(to);
        let cannot = || format!("cannot write in {}", folder.display());
        let file = tempfile::Builder::new().prefix(".tenant-").tempfile_in(folder);
        let spool = tempfile::tempfile_in(folder).with_context(cannot)?;
        Ok(Self {
            to: to.to_owned(),
            file: BufWriter::new(file.with_context(cannot)?),
            under_way: UnderWay { file: spool, places: Vec::new(), length: 0 },
            header: None,
            end: End::default(),
        })
    }

    /// Adds a line as the API gave it.
    ///
    /// # Errors
    /// When it is none that this version knows, or cannot be written.
    pub fn add(&mut self, text: &str) -> anyhow::Result<()> {
        if self.header.is_none() {
            self.header = Some(Header::parse(text).context("what the deployment sent first")?);
            return self.write(text);
        }
        let line = Line::parse(text).context("a line that the deployment sent")?;
        self.end.count(&line);
        if let Some((lane, place)) = line.place() {
            return self.under_way.add(lane, place, text).context("cannot keep a line");
        }
        if matches!(line, Line::Connection(_)) {
            self.write_under_way()?;
        }
        self.write(text)
    }

    /// Ends the file, and gives it its name. Gives how many lines there are of each kind.
    ///
    /// # Errors
    /// When it cannot be written, or something lies there by now.
    pub fn finish(mut self) -> anyhow::Result<End> {
        ensure!(self.header.is_some(), "the deployment sent nothing");
        self.write_under_way()?;
        let end = self.end.clone();
        self.write(&Line::End(end.clone()).to_json()?)?;
        let cannot = || format!("cannot write {}", self.to.display());
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        let file = file.with_context(cannot)?;
        file.as_file().sync_all().with_context(cannot)?;
        file.persist_noclobber(&self.to).with_context(cannot)?;
        // The name is durable once the folder is.
        File::open(folder_of(&self.to))
            .and_then(|folder| folder.sync_all())
            .with_context(cannot)?;
        Ok(end)
    }

    fn write(&mut self, line: &str) -> anyhow::Result<()> {
        let written =
            self.file.write_all(line.as_bytes()).and_then(|()| self.file.write_all(b"\n"));
        written.with_context(|| format!("cannot write {}", self.to.display()))
    }

    fn write_under_way(&mut self) -> anyhow::Result<()> {
        let mut places = std::mem::take(&mut self.under_way.places);
        places.sort_unstable();
        for (_, _, at, length) in places {
            let line = self.under_way.read(at, length).context("cannot read a line back")?;
            self.write(&line)?;
        }
        Ok(())
    }
}

impl UnderWay {
    fn add(&mut self, lane: SalesforceId, place: u64, text: &str) -> std::io::Result<()> {
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(text.as_bytes())?;
        self.places.push((lane, place, self.length, text.len()));
        self.length += text.len() as u64;
        Ok(())
    }

    fn read(&mut self, at: u64, length: usize) -> std::io::Result<String> {
        let mut line = vec![0; length];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut line)?;
        String::from_utf8(line).map_err(std::io::Error::other)
    }
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
