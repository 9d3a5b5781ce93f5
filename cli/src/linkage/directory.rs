//! A directory as shards in memory or mapped: built from files in one pass each, or opened from an
//! index folder.

use super::delta::{Changes, hash_id};
use super::rows::{AccountsById, Content, Rows};
use crate::input::{Chunk, ChunkReader, FileProblems, InputError, RowProblem};
use crate::pipeline::in_order;
use indicatif::ProgressBar;
use mapped_file::MappedFile;
use matching::{EntityKind, Probe, Shard, ShardBuilder, ShardError, Statistics, shard_of};
use rustc_hash::FxHashSet;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// Where a directory is read from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// People, JSON lines or CSV.
    pub people: Option<&'a Path>,
    /// Companies, JSON lines or CSV.
    pub companies: Option<&'a Path>,
    /// The deltas of people since, the oldest first.
    pub people_deltas: &'a [PathBuf],
    /// The same of companies.
    pub company_deltas: &'a [PathBuf],
    /// Shards a kind.
    pub shards: NonZeroU32,
    /// Threads to parse on.
    pub threads: usize,
}

/// The directory as read.
#[derive(Debug, Default)]
pub struct Totals {
    /// Entities kept.
    pub entities: u64,
    /// Rows at fault, by file.
    pub problems: Vec<FileProblems>,
}

/// A shard file's bytes.
#[derive(Debug)]
pub enum ShardBytes {
    /// Just built.
    Built(Vec<u8>),
    /// Mapped from an index folder.
    Mapped(MappedFile),
}

impl Deref for ShardBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Built(bytes) => bytes,
            Self::Mapped(file) => file,
        }
    }
}

/// One directory version.
#[derive(Debug, Default)]
pub struct Directory {
    /// The statistics of the whole version.
    pub statistics: Statistics,
    /// Its shards, people first, each kind in the order of the shards' numbers.
    pub shards: Vec<ShardBytes>,
}

impl Directory {
    /// Opens the shards for reading.
    pub fn open_shards(&self) -> Result<Vec<Shard<'_>>, ShardError> {
        // Built by this process, or checked when they were mapped.
        self.shards.iter().map(|bytes| Shard::open_verified(bytes)).collect()
    }

    /// Reads the sources and builds the shards. `bar` hears of the rows.
    pub fn build(sources: &Sources<'_>, bar: &ProgressBar) -> anyhow::Result<(Self, Totals)> {
        let kinds = [
            (EntityKind::Person, Content::People, sources.people, sources.people_deltas),
            (EntityKind::Company, Content::Companies, sources.companies, sources.company_deltas),
        ];
        // Every file is opened before any is read: a missing one is reported at once.
        let mut opened = Vec::new();
        for (kind, content, path, deltas) in kinds {
            if let Some(path) = path {
                let file = Rows::open(path, content)?;
                opened.push((kind, file, Changes::read(deltas, content)?));
            }
        }
        let mut builders = Vec::new();
        let mut totals = Totals::default();
        for (kind, file, mut changes) in opened {
            let slice = Slice::read(kind, file, &mut changes, sources, bar)?;
            totals.entities +=
                slice.builders.iter().map(|builder| builder.len() as u64).sum::<u64>();
            totals.problems.push(slice.problems);
            totals.problems.extend(changes.problems);
            builders.extend(slice.builders);
        }
        let threads = rayon::ThreadPoolBuilder::new().num_threads(sources.threads).build()?;
        let (statistics, shards) = threads.install(|| {
            let statistics = Statistics::of(&builders);
            let finish = |builder: ShardBuilder| ShardBytes::Built(builder.finish(&statistics));
            let shards = builders.into_iter().map(finish).collect();
            (statistics, shards)
        });
        Ok((Self { statistics, shards }, totals))
    }
}

/// The result of the pass over one file.
struct Slice {
    builders: Vec<ShardBuilder>,
    problems: FileProblems,
}

/// The result of one chunk.
struct Parsed {
    builders: Vec<ShardBuilder>,
    /// The line and the hashed id of every row laid down.
    rows: Vec<(u64, u64)>,
    problems: Vec<RowProblem>,
    chunk: Chunk,
}

impl Slice {
    fn read(
        kind: EntityKind,
        (rows, chunks): (Rows, ChunkReader),
        changes: &mut Changes,
        sources: &Sources<'_>,
        bar: &ProgressBar,
    ) -> Result<Self, InputError> {
        let count = sources.shards.get();
        let new =
            || (0..count).map(|number| ShardBuilder::new(kind, number, count)).collect::<Vec<_>>();
        let mut builders = new();
        let mut problems = FileProblems::new(&rows.name);
        let mut seen: FxHashSet<u64> = FxHashSet::default();
        let current = |id| !changes.replace(id);
        in_order(
            chunks,
            sources.threads,
            || (),
            |(), chunk| chunk.map(|chunk| parse(&rows, chunk, new(), |_, id| current(id))),
            |parsed| {
                let mut parsed = parsed?;
                // In the file's order, in one place: of two rows with one id the first counts.
                let repeated = parsed.rows.iter().filter(|(_, id)| !seen.insert(*id));
                let again: FxHashSet<u64> = repeated.map(|(line, _)| *line).collect();
                if !again.is_empty() {
                    // Rare, so the chunk is simply read again without them.
                    let wanted = |line, id| !again.contains(&line) && current(id);
                    parsed.builders = parse(&rows, parsed.chunk, new(), wanted).builders;
                    let faults =
                        again.iter().map(|&line| RowProblem::skipped(line, "duplicate-id"));
                    parsed.problems.extend(faults);
                    parsed.problems.sort_by_key(|problem| problem.line);
                }
                for (builder, piece) in builders.iter_mut().zip(&parsed.builders) {
                    builder.append(piece);
                }
                for problem in parsed.problems {
                    problems.add(problem);
                }
                bar.inc(parsed.rows.len() as u64);
                Ok(())
            },
        )?;
        changes.upserts().into_iter().for_each(|probe| lay_down(&mut builders, probe));
        changes.check_survivors(|id| seen.contains(&id));
        Ok(Self { builders, problems })
    }
}

fn lay_down(builders: &mut [ShardBuilder], probe: &Probe) {
    let number = shard_of(probe.record_id(), u32::try_from(builders.len()).unwrap_or(1));
    let Some(builder) = builders.get_mut(usize::try_from(number).unwrap_or(0)) else { return };
    match probe {
        Probe::Person(form) => builder.add_person(form),
        Probe::Company(form) => builder.add_company(form),
    }
}

/// Lays down the rows of a chunk that are wanted by their line and hashed id.
fn parse(
    rows: &Rows,
    mut chunk: Chunk,
    mut builders: Vec<ShardBuilder>,
    wanted: impl Fn(u64, u64) -> bool,
) -> Parsed {
    let (mut problems, mut read) = (Vec::new(), Vec::new());
    rows.read(&chunk, &AccountsById::default(), &mut problems, |row| {
        let id = hash_id(row.probe.record_id());
        if wanted(row.line, id) {
            lay_down(&mut builders, &row.probe);
            read.push((row.line, id));
        }
    });
    problems.append(&mut chunk.problems);
    Parsed { builders, rows: read, problems, chunk }
}
