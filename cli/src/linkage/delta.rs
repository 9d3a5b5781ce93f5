//! Deltas of a directory: what changed since its full files.

use super::rows::{Change, Content, Rows};
use crate::input::{FileProblems, InputError, RowProblem};
use matching::Probe;
use rustc_hash::FxHashMap;
use std::hash::{DefaultHasher, Hasher};
use std::path::PathBuf;

/// Two ids of one 64-bit hash would lose an entity: one chance in 37 million for a million ids.
pub(super) fn hash_id(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(id.as_bytes());
    hasher.finish()
}

/// The changes that deltas make to entities; the last change of an entity counts. They stay in
/// memory, so that the full files can stream.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By hashed id: the entity as it is now, none when it is gone.
    latest: FxHashMap<u64, Option<Probe>>,
    /// The entities that others were merged into: the delta, the line and the hashed id.
    survivors: Vec<(usize, u64, u64)>,
    /// The faults of each delta.
    pub(super) problems: Vec<FileProblems>,
}

impl Changes {
    /// Reads deltas, the oldest first.
    pub(super) fn read(paths: &[PathBuf], content: Content) -> Result<Self, InputError> {
        let mut changes = Self::default();
        for (delta, path) in paths.iter().enumerate() {
            let (rows, chunks) = Rows::open(path, content)?;
            let mut found = FileProblems::new(&rows.name);
            for chunk in chunks {
                let chunk = chunk?;
                let mut problems = Vec::new();
                rows.read_changes(&chunk, &mut problems, |line, change| {
                    changes.take(delta, line, change);
                });
                problems.extend(chunk.problems);
                for problem in problems {
                    found.add(problem);
                }
            }
            changes.problems.push(found);
        }
        Ok(changes)
    }

    fn take(&mut self, delta: usize, line: u64, change: Change) {
        let id = hash_id(change.id());
        let now = match change {
            Change::Upsert(probe) => Some(*probe),
            Change::Gone { into, .. } => {
                self.survivors.extend(into.map(|into| (delta, line, hash_id(&into))));
                None
            }
        };
        self.latest.insert(id, now);
    }

    /// True if the full file's line of an entity is out of date.
    pub(super) fn replace(&self, id: u64) -> bool {
        self.latest.contains_key(&id)
    }

    /// The new and changed entities, ordered by id: the outcome does not depend on how they came.
    pub(super) fn upserts(&self) -> Vec<&Probe> {
        let mut upserts: Vec<&Probe> = self.latest.values().flatten().collect();
        upserts.sort_unstable_by_key(|probe| probe.record_id());
        upserts
    }

    /// Counts the merges into entities that are not there.
    pub(super) fn check_survivors(&mut self, is_there: impl Fn(u64) -> bool) {
        for &(delta, line, into) in &self.survivors {
            let there = self.latest.get(&into).map_or_else(|| is_there(into), Option::is_some);
            if !there {
                self.problems[delta].add(RowProblem::kept(line, "merged-into-nobody"));
            }
        }
    }
}
