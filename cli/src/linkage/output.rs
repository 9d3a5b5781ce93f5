//! The files a run writes, each written aside and put in place when it is whole.

use super::records::{Decided, Linked};
use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use matching::EmployerEvidence;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file in the making; dropping it before [`Self::keep`] leaves no trace.
pub struct OutputFile {
    path: PathBuf,
    aside: PathBuf,
    writer: Option<Writer>,
}

enum Writer {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl std::fmt::Debug for OutputFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutputFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl OutputFile {
    /// Begins a file; one whose name ends in `.gz` is compressed.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(format!(".{}.part", std::process::id()));
        let aside = PathBuf::from(aside);
        let file =
            File::create(&aside).with_context(|| format!("cannot write {}", path.display()))?;
        let file = BufWriter::with_capacity(256 << 10, file);
        let writer = if path.extension().is_some_and(|extension| extension == "gz") {
            Writer::Gzip(Box::new(GzEncoder::new(file, Compression::new(4))))
        } else {
            Writer::Plain(file)
        };
        Ok(Self { path: path.to_owned(), aside, writer: Some(writer) })
    }

    /// Puts the whole file in its place.
    pub fn keep(mut self) -> anyhow::Result<()> {
        let done = match self.writer.take() {
            Some(Writer::Plain(mut file)) => file.flush(),
            Some(Writer::Gzip(file)) => file.finish().and_then(|mut file| file.flush()),
            None => Ok(()),
        };
        done.and_then(|()| std::fs::rename(&self.aside, &self.path))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        // After `keep` there is nothing of this name any more.
        let _ = std::fs::remove_file(&self.aside);
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut self.writer {
            Some(Writer::Plain(file)) => file.write(bytes),
            Some(Writer::Gzip(file)) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match &mut self.writer {
            Some(Writer::Plain(file)) => file.flush(),
            Some(Writer::Gzip(file)) => file.flush(),
            None => Ok(()),
        }
    }
}

/// A probability as the files write it: twelve decimals tell the surest matches apart.
pub(crate) fn probability(p: f64) -> String {
    let text = format!("{p:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Writes `crm_id,profile_id,score`: one row for each matched record.
pub fn predictions_file(path: &Path, linked: &[Linked<'_>]) -> anyhow::Result<()> {
    let mut file = OutputFile::create(path)?;
    {
        let mut rows = csv::Writer::from_writer(&mut file);
        rows.write_record(["crm_id", "profile_id", "score"])?;
        for object in linked {
            for (id, _, decided) in object.records() {
                if let Decided::Match(with) = decided {
                    rows.write_record([
                        id,
                        object.entity_id(with.entity),
                        &probability(with.probability),
                    ])?;
                }
            }
        }
        rows.flush()?;
    }
    file.keep()
}

/// Writes every record's candidates, best first, with its decision.
pub fn candidates_file(path: &Path, linked: &[Linked<'_>]) -> anyhow::Result<()> {
    let mut file = OutputFile::create(path)?;
    {
        let mut rows = csv::Writer::from_writer(&mut file);
        rows.write_record([
            "object",
            "crm_id",
            "decision",
            "rank",
            "profile_id",
            "probability",
            "weight",
            "employer",
        ])?;
        for object in linked {
            for (id, candidates, decided) in object.records() {
                for (rank, candidate) in (1_u32..).zip(candidates) {
                    rows.write_record([
                        object.object,
                        id,
                        decided.word(),
                        &rank.to_string(),
                        object.entity_id(candidate.entity),
                        &probability(candidate.probability),
                        &format!("{:.3}", candidate.weight),
                        employer(candidate.employer),
                    ])?;
                }
            }
        }
        rows.flush()?;
    }
    file.keep()
}

fn employer(evidence: EmployerEvidence) -> &'static str {
    match evidence {
        EmployerEvidence::Current => "current",
        EmployerEvidence::Past => "past",
        EmployerEvidence::Conflict => "conflict",
        EmployerEvidence::Unknown => "unknown",
    }
}
