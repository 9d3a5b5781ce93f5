//! The parts of a version: gzip JSON lines in nameless files beside the digest, ready to be sent.

use super::export::{Export, zip};
use super::fingerprints::Difference;
use super::state::State;
use anyhow::Context;
use matching::EntityKind;
use serde_json::json;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

/// A deployment takes parts of up to 128 MB; smaller ones cost it less memory.
const PART_BYTES: u64 = 64 << 20;

/// Deletions that are packed at once.
const DELETIONS_AT_ONCE: usize = 1 << 16;

/// A part.
#[derive(Debug)]
pub struct Part {
    /// People or companies.
    pub kind: EntityKind,
    /// Its content. It has no name, so that nothing of it stays.
    pub file: File,
    /// Its size.
    pub bytes: u64,
}

/// Parts in the making.
#[derive(Debug)]
pub struct Parts<'a> {
    folder: &'a Path,
    threads: usize,
    largest: u64,
    done: Vec<Part>,
}

impl<'a> Parts<'a> {
    /// No parts yet; their files go to `folder`.
    #[must_use]
    pub fn in_folder(folder: &'a Path, threads: usize) -> Self {
        Self { folder, threads, largest: PART_BYTES, done: Vec::new() }
    }

    /// The same with another largest size.
    #[must_use]
    pub fn of_at_most(self, bytes: u64) -> Self {
        Self { largest: bytes, ..self }
    }

    /// Adds all entities of a kind.
    pub fn add_all(&mut self, export: &Export, kind: EntityKind) -> anyhow::Result<()> {
        let threads = self.threads;
        export.lines(kind, threads, |_| true, |_, zipped| self.append(kind, zipped))
    }

    /// Adds what changed among the entities of a kind since `state`.
    pub fn add_changes(
        &mut self,
        export: &Export,
        state: &State,
        kind: EntityKind,
        difference: &Difference,
    ) -> anyhow::Result<()> {
        let (threads, upserts) = (self.threads, &difference.upserts);
        if !upserts.is_empty() {
            let wanted = |id| upserts.binary_search(&id).is_ok();
            export.lines(kind, threads, wanted, |_, zipped| self.append(kind, zipped))?;
        }
        let mut deletions = Vec::new();
        state.ids(kind, &difference.gone, |id| {
            serde_json::to_writer(&mut deletions, &json!({"id": id, "op": "delete"}))?;
            deletions.push(b'\n');
            if deletions.len() >= DELETIONS_AT_ONCE {
                self.append(kind, &zip(&std::mem::take(&mut deletions))?)?;
            }
            Ok(())
        })?;
        if deletions.is_empty() { Ok(()) } else { self.append(kind, &zip(&deletions)?) }
    }

    fn append(&mut self, kind: EntityKind, zipped: &[u8]) -> anyhow::Result<()> {
        let bytes = zipped.len() as u64;
        let last = self.done.last_mut();
        if let Some(part) = last.filter(|p| p.kind == kind && p.bytes + bytes <= self.largest) {
            part.file.write_all(zipped).context("cannot keep a part")?;
            part.bytes += bytes;
            return Ok(());
        }
        let mut file = tempfile::tempfile_in(self.folder)
            .with_context(|| format!("cannot write in {}", self.folder.display()))?;
        file.write_all(zipped).context("cannot keep a part")?;
        self.done.push(Part { kind, file, bytes });
        Ok(())
    }

    /// The parts, each at its beginning.
    pub fn finish(mut self) -> anyhow::Result<Vec<Part>> {
        for part in &mut self.done {
            part.file.rewind()?;
        }
        Ok(self.done)
    }
}
