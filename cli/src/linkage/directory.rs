//! A directory as shards in memory or mapped: built from files in one pass each, or opened from an
//! index folder.

use super::rows::{AccountsById, Content, Rows};
use crate::input::{Chunk, ChunkReader, FileProblems, InputError, Problem};
use crate::pipeline::in_order;
use indicatif::ProgressBar;
use mapped_file::MappedFile;
use matching::{
    EntityKind, Probe, Shard, ShardBuilder, ShardError, Statistics, StatisticsBuilder, shard_of,
};
use rustc_hash::FxHashSet;
use std::hash::{DefaultHasher, Hasher};
use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::Path;

/// Where a directory is read from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// People, JSON lines or CSV.
    pub people: Option<&'a Path>,
    /// Companies, JSON lines or CSV.
    pub companies: Option<&'a Path>,
    /// Shards a kind.
    pub shards: NonZeroU32,
    /// Threads to parse on.
    pub threads: usize,
}

/// What was read.
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
            (EntityKind::Person, Content::People, sources.people),
            (EntityKind::Company, Content::Companies, sources.companies),
        ];
        // Every file is opened before any is read: a missing one is told at once.
        let mut opened = Vec::new();
        for (kind, content, path) in kinds {
            if let Some(path) = path {
                opened.push((kind, Rows::open(path, content)?));
            }
        }
        let mut statistics = StatisticsBuilder::default();
        let mut builders = Vec::new();
        let mut totals = Totals::default();
        for (kind, (rows, chunks)) in opened {
            let slice = Slice::read(kind, &rows, chunks, sources, &mut statistics, bar)?;
            totals.entities +=
                slice.builders.iter().map(|builder| builder.len() as u64).sum::<u64>();
            totals.problems.push(slice.problems);
            builders.extend(slice.builders);
        }
        let statistics = statistics.finish();
        let finish = |builder: ShardBuilder| ShardBytes::Built(builder.finish(&statistics));
        let shards = builders.into_iter().map(finish).collect();
        Ok((Self { statistics, shards }, totals))
    }
}

/// What the pass over one file left.
struct Slice {
    builders: Vec<ShardBuilder>,
    problems: FileProblems,
}

/// What a worker makes of one chunk.
struct Parsed {
    builders: Vec<ShardBuilder>,
    /// Every row laid down, with its line and hashed id.
    rows: Vec<(u64, u64, Probe)>,
    problems: Vec<Problem>,
}

/// Two ids of one 64-bit hash would lose an entity: one chance in 37 million for a million ids.
fn hash_id(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(id.as_bytes());
    hasher.finish()
}

impl Slice {
    fn read(
        kind: EntityKind,
        rows: &Rows,
        chunks: ChunkReader,
        sources: &Sources<'_>,
        statistics: &mut StatisticsBuilder,
        bar: &ProgressBar,
    ) -> Result<Self, InputError> {
        let count = sources.shards.get();
        let new =
            || (0..count).map(|number| ShardBuilder::new(kind, number, count)).collect::<Vec<_>>();
        let mut builders = new();
        let mut problems = FileProblems::new(&rows.name);
        let mut seen: FxHashSet<u64> = FxHashSet::default();
        in_order(
            chunks,
            sources.threads,
            || (),
            |(), chunk| chunk.map(|chunk| parse(rows, chunk, new())),
            |parsed| {
                let mut parsed = parsed?;
                let mut again: FxHashSet<u64> = FxHashSet::default();
                for (line, id, probe) in &parsed.rows {
                    if seen.insert(*id) {
                        // In the file's order, in one place: what is counted of large blocks
                        // depends on the order, and must not depend on the threads.
                        count_terms(statistics, probe);
                    } else {
                        again.insert(*line);
                    }
                }
                if !again.is_empty() {
                    // Rare, so the chunk is simply laid down again without them.
                    parsed.builders = lay_down_without(&parsed.rows, new(), &again);
                    let faults = again.iter().map(|&line| Problem::skipped(line, "duplicate-id"));
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
        Ok(Self { builders, problems })
    }
}

fn count_terms(statistics: &mut StatisticsBuilder, probe: &Probe) {
    match probe {
        Probe::Person(form) => statistics.add_person(form),
        Probe::Company(form) => statistics.add_company(form),
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

fn parse(rows: &Rows, chunk: Chunk, mut builders: Vec<ShardBuilder>) -> Parsed {
    let (mut problems, mut read) = (Vec::new(), Vec::new());
    rows.read(&chunk, &AccountsById::default(), &mut problems, |row| {
        lay_down(&mut builders, &row.probe);
        read.push((row.line, hash_id(row.probe.record_id()), row.probe));
    });
    problems.extend(chunk.problems);
    Parsed { builders, rows: read, problems }
}

fn lay_down_without(
    rows: &[(u64, u64, Probe)],
    mut builders: Vec<ShardBuilder>,
    lines: &FxHashSet<u64>,
) -> Vec<ShardBuilder> {
    for (line, _, probe) in rows {
        if !lines.contains(line) {
            lay_down(&mut builders, probe);
        }
    }
    builders
}
