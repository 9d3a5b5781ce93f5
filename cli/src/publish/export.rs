//! A full export as files: which hold people and which companies, and what is in them.

use super::fingerprints::{Fingerprint, hash, settle};
use crate::input::{
    Chunk, ChunkReader, FileProblems, Header, InputError, Layout, RowProblem, lines, open,
};
use crate::linkage::{Content, Rows};
use crate::pipeline::in_order;
use anyhow::{Context, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::ProgressBar;
use matching::EntityKind;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

/// Faults after which the rest of a file is unknown: its entities would be taken for gone.
const CUT_SHORT: [&str; 3] = ["truncated-gzip", "corrupt-gzip", "read-error"];

/// What only people have, as JSON lines and CSV name it.
const OF_PEOPLE: [&str; 14] = [
    "first_name",
    "firstname",
    "given_name",
    "last_name",
    "lastname",
    "family_name",
    "full_name",
    "headline",
    "past_positions",
    "job_title",
    "title",
    "emails",
    "photo_url",
    "person_id",
];

/// What only companies have.
const OF_COMPANIES: [&str; 8] =
    ["domain", "website", "url", "industry", "employees", "former_names", "brands", "postal_code"];

/// The files of an export, of each kind in the order given.
#[derive(Debug, Default)]
pub struct Export {
    /// Files of people.
    pub people: Vec<PathBuf>,
    /// Files of companies.
    pub companies: Vec<PathBuf>,
}

impl Export {
    /// Adds a file whose kind its first row or its header tells.
    pub fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        match recognise(path)? {
            EntityKind::Person => self.people.push(path.to_owned()),
            EntityKind::Company => self.companies.push(path.to_owned()),
        }
        Ok(())
    }

    /// The files of a kind.
    #[must_use]
    pub fn files(&self, kind: EntityKind) -> &[PathBuf] {
        match kind {
            EntityKind::Person => &self.people,
            EntityKind::Company => &self.companies,
        }
    }

    /// Reads the files of a kind once. `folder` takes the ids meanwhile.
    pub fn scan(
        &self,
        kind: EntityKind,
        threads: usize,
        folder: &Path,
        bar: &ProgressBar,
    ) -> anyhow::Result<Scanned> {
        let ids = tempfile::tempfile_in(folder)
            .with_context(|| format!("cannot write in {}", folder.display()))?;
        let mut ids = GzEncoder::new(ids, Compression::fast());
        let mut entities = Vec::new();
        let scanned = |(): &mut (), (rows, chunk): (&Rows, Chunk)| {
            let mut found = (Vec::new(), Vec::new(), Vec::new());
            rows.read_entities(&chunk, &mut found.2, |id, line| {
                found.0.push(Fingerprint::of(id, line));
                // One a line, whatever the id holds.
                let _ = serde_json::to_writer(&mut found.1, id);
                found.1.push(b'\n');
            });
            found.2.extend(chunk.problems);
            found
        };
        let problems = self.read(kind, threads, scanned, |found| {
            bar.inc(found.0.len() as u64);
            entities.extend(found.0);
            ids.write_all(&found.1)?;
            Ok(found.2)
        })?;
        let repeated = settle(&mut entities);
        let mut ids = ids.finish()?;
        ids.rewind()?;
        Ok(Scanned { entities, ids, repeated, problems })
    }

    /// Writes the lines of the entities whose hashed id `wanted` accepts to `out`, as gzip members.
    pub(super) fn lines(
        &self,
        kind: EntityKind,
        threads: usize,
        wanted: impl Fn(u64) -> bool + Sync,
        mut out: impl FnMut(u64, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let zipped = |(): &mut (), (rows, chunk): (&Rows, Chunk)| {
            let (mut lines, mut text, mut told) = (0, Vec::new(), Vec::new());
            rows.read_entities(&chunk, &mut told, |id, line| {
                if wanted(hash(id.as_bytes())) {
                    lines += 1;
                    text.extend_from_slice(line);
                    text.push(b'\n');
                }
            });
            told.extend(chunk.problems);
            (lines, zip(&text), told)
        };
        self.read(kind, threads, zipped, |(lines, zipped, told)| {
            if lines > 0 {
                out(lines, &zipped?)?;
            }
            Ok(told)
        })?;
        Ok(())
    }

    /// Hands each chunk of the files to `work` on `threads` threads, and the results in order to
    /// `collect`, which returns the chunk's faults.
    fn read<R: Send>(
        &self,
        kind: EntityKind,
        threads: usize,
        work: impl Fn(&mut (), (&Rows, Chunk)) -> R + Sync,
        mut collect: impl FnMut(R) -> anyhow::Result<Vec<RowProblem>>,
    ) -> anyhow::Result<Vec<FileProblems>> {
        let mut problems = Vec::new();
        for path in self.files(kind) {
            let (rows, chunks): (Rows, ChunkReader) = Rows::open(path, content(kind))?;
            let mut found = FileProblems::new(&rows.name);
            in_order(
                chunks,
                threads,
                || (),
                |state, chunk: Result<Chunk, InputError>| {
                    chunk.map(|chunk| work(state, (&rows, chunk)))
                },
                |result| {
                    for problem in collect(result?)? {
                        found.add(problem);
                    }
                    Ok::<_, anyhow::Error>(())
                },
            )?;
            check_whole(&found)?;
            problems.push(found);
        }
        Ok(problems)
    }
}

/// A kind's entities, as read.
#[derive(Debug)]
pub struct Scanned {
    /// One an entity, by id.
    pub entities: Vec<Fingerprint>,
    /// The ids in the files' order, one a line as JSON, gzip.
    pub ids: File,
    /// Rows whose id a later row has too.
    pub repeated: u64,
    /// Faults, by file.
    pub problems: Vec<FileProblems>,
}

fn content(kind: EntityKind) -> Content {
    match kind {
        EntityKind::Person => Content::People,
        EntityKind::Company => Content::Companies,
    }
}

fn check_whole(found: &FileProblems) -> anyhow::Result<()> {
    let cut = found.reasons().find(|(reason, ..)| CUT_SHORT.contains(reason));
    if let Some((reason, _, _, lines)) = cut {
        let line = lines.first().copied().unwrap_or_default();
        bail!(
            "{}, line {line}: {reason}; what follows would be taken for gone, so nothing is sent: \
             export the file again",
            found.file()
        );
    }
    Ok(())
}

pub(super) fn zip(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(4));
    encoder.write_all(text)?;
    encoder.finish()
}

/// The kind of a file's entities, by the names in its first row or header.
fn recognise(path: &Path) -> anyhow::Result<EntityKind> {
    let mut file = open(path)?;
    let names: Vec<String> = match file.layout {
        Layout::Csv { delimiter } => {
            Header::parse(&file.name, &file.chunks.header(), delimiter)?.columns
        }
        Layout::JsonLines => {
            let chunk = file.chunks.next().transpose()?.unwrap_or_default();
            let first = lines(&chunk.bytes).find_map(|line| serde_json::from_slice(line).ok());
            let object: serde_json::Map<String, serde_json::Value> = first.unwrap_or_default();
            object.into_iter().map(|(name, _)| name).collect()
        }
    };
    let among = |known: &[&str]| {
        let is_known = |name: &String| known.iter().any(|known| name.eq_ignore_ascii_case(known));
        names.iter().filter(|name| is_known(name)).count()
    };
    let (people, companies) = (among(&OF_PEOPLE), among(&OF_COMPANIES));
    ensure!(
        people != companies,
        "{}: cannot tell whether it holds people or companies; say --people or --companies",
        file.name
    );
    Ok(if people > companies { EntityKind::Person } else { EntityKind::Company })
}
