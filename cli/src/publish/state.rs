//! The digest file: what was published last, so that the next export is sent as a delta.
//!
//! For each kind it holds the entities' ids in the order of the export (gzip, JSON texts, one a
//! line) and their fingerprints by id. Deletions need the ids themselves; they are read only when
//! something is gone. A checksum of all ends the file, so that a damaged one is never believed.

use super::export::Scanned;
use super::fingerprints::{Fingerprint, hash};
use crate::linkage::OutputFile;
use anyhow::{Context, bail, ensure};
use flate2::bufread::GzDecoder;
use matching::EntityKind;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"crmsyncD";
/// The checksum, the length of the description, and the magic.
const TAIL_BYTES: usize = 32 + 4 + 8;
const TAIL: u64 = TAIL_BYTES as u64;

/// What the file says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    format: u32,
    /// The version that it is of.
    pub version: String,
    /// Deltas since the last full version.
    pub deltas: u32,
    people: Section,
    companies: Section,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Section {
    start: u64,
    bytes_of_ids: u64,
    entities: u64,
}

/// A digest file that was found whole.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    /// What it says of itself.
    pub description: Description,
}

/// The entities of one kind in a new digest.
#[derive(Debug)]
pub enum Entities<'a> {
    /// As an export has them.
    Read(&'a mut Scanned),
    /// As an earlier digest has them.
    Kept(&'a State),
    /// None.
    None,
}

impl State {
    /// Opens a digest file; none when there is none.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is of another format.
    pub fn open(path: &Path) -> anyhow::Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("cannot read it"),
        };
        let length = file.metadata()?.len();
        ensure!(length > TAIL, "it is cut short");
        file.seek(SeekFrom::Start(length - TAIL))?;
        let mut tail = [0; TAIL_BYTES];
        file.read_exact(&mut tail)?;
        ensure!(tail[36..] == MAGIC, "it is cut short or no digest file");
        file.rewind()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader((&mut file).take(length - TAIL))?;
        ensure!(hasher.finalize().as_bytes()[..] == tail[..32], "its checksum is wrong");
        let about = u64::from(u32::from_le_bytes([tail[32], tail[33], tail[34], tail[35]]));
        ensure!(about <= length - TAIL, "it is cut short");
        file.seek(SeekFrom::Start(length - TAIL - about))?;
        let description: Description = serde_json::from_reader(file.take(about))?;
        ensure!(description.format == FORMAT, "it is of another release of this program");
        Ok(Some(Self { path: path.to_owned(), description }))
    }

    /// How many entities of a kind it knows.
    #[must_use]
    pub fn count(&self, kind: EntityKind) -> u64 {
        self.section(kind).entities
    }

    /// The fingerprints of a kind, by id, read as they are asked for.
    pub fn fingerprints(
        &self,
        kind: EntityKind,
    ) -> anyhow::Result<impl Iterator<Item = io::Result<Fingerprint>> + use<>> {
        let section = self.section(kind);
        let start = section.start + section.bytes_of_ids;
        let mut file = BufReader::with_capacity(1 << 16, self.at(start)?);
        Ok((0..section.entities).map(move |_| {
            let mut bytes = [0; Fingerprint::BYTES];
            file.read_exact(&mut bytes).map(|()| Fingerprint::from_bytes(bytes))
        }))
    }

    /// Hands the ids of a kind whose hash is in `wanted`, which is in order, to `each`, once each.
    pub fn ids(
        &self,
        kind: EntityKind,
        wanted: &[u64],
        mut each: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut met = vec![false; wanted.len()];
        let section = self.section(kind);
        let ids = BufReader::new(self.at(section.start)?.take(section.bytes_of_ids));
        for line in BufReader::new(GzDecoder::new(ids)).lines() {
            let id: String = serde_json::from_str(&line?)?;
            // An export may name an id twice.
            if let Ok(at) = wanted.binary_search(&hash(id.as_bytes()))
                && !std::mem::replace(&mut met[at], true)
            {
                each(&id)?;
            }
        }
        Ok(())
    }

    /// Writes a digest file.
    pub fn write(
        path: &Path,
        version: &str,
        deltas: u32,
        people: Entities<'_>,
        companies: Entities<'_>,
    ) -> anyhow::Result<()> {
        let mut out =
            Checked { out: OutputFile::create(path)?, hash: blake3::Hasher::new(), at: 0 };
        let description = Description {
            format: FORMAT,
            version: version.to_owned(),
            deltas,
            people: people.write(EntityKind::Person, &mut out)?,
            companies: companies.write(EntityKind::Company, &mut out)?,
        };
        let about = serde_json::to_vec(&description)?;
        let length = u32::try_from(about.len()).context("the description is too long")?;
        out.write_all(&about)?;
        let checksum = out.hash.finalize();
        let mut out = out.out;
        out.write_all(checksum.as_bytes())?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(&MAGIC)?;
        out.keep()
    }

    fn section(&self, kind: EntityKind) -> Section {
        match kind {
            EntityKind::Person => self.description.people,
            EntityKind::Company => self.description.companies,
        }
    }

    fn at(&self, start: u64) -> anyhow::Result<File> {
        let mut file = File::open(&self.path)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        file.seek(SeekFrom::Start(start))?;
        Ok(file)
    }
}

impl Entities<'_> {
    fn write(self, kind: EntityKind, out: &mut Checked) -> anyhow::Result<Section> {
        let start = out.at;
        match self {
            Self::None => Ok(Section { start, ..Section::default() }),
            Self::Kept(state) => {
                let section = state.section(kind);
                let fingerprints = section.entities * Fingerprint::BYTES as u64;
                let length = section.bytes_of_ids + fingerprints;
                let copied = io::copy(&mut state.at(section.start)?.take(length), out)?;
                if copied < length {
                    bail!("{} was cut short meanwhile", state.path.display());
                }
                Ok(Section { start, ..section })
            }
            Self::Read(scanned) => {
                scanned.ids.rewind()?;
                let bytes_of_ids = io::copy(&mut scanned.ids, out)?;
                for entity in &scanned.entities {
                    out.write_all(&entity.to_bytes())?;
                }
                Ok(Section { start, bytes_of_ids, entities: scanned.entities.len() as u64 })
            }
        }
    }
}

/// Counts and hashes what is written.
struct Checked {
    out: OutputFile,
    hash: blake3::Hasher,
    at: u64,
}

impl Write for Checked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
