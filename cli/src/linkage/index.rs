//! An index folder: a directory's shards and statistics as files, with a manifest.

use super::directory::{Directory, ShardBytes};
use super::output::OutputFile;
use anyhow::{Context, ensure};
use mapped_file::MappedFile;
use matching::{EntityKind, Shard, Statistics};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// The manifest's own format; the shards have one too.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const STATISTICS: &str = "statistics.bin";

/// The content of an index folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The manifest's format.
    pub format: u32,
    /// Ties shards and statistics of one version together.
    pub statistics: u64,
    /// The shard files, people first, in the order of their numbers.
    pub shards: Vec<ShardFile>,
}

/// One shard file.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShardFile {
    /// Its name in the folder.
    pub file: String,
    /// Its content.
    pub kind: EntityKind,
    /// How many of them.
    pub entities: u32,
    /// Its size.
    pub bytes: u64,
}

/// Writes a directory into `folder`. The manifest comes last: a folder without it is no index.
pub fn write_index(folder: &Path, directory: &Directory) -> anyhow::Result<Manifest> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    put(&folder.join(STATISTICS), &directory.statistics.to_bytes()?)?;
    let mut manifest = Manifest {
        format: FORMAT,
        statistics: directory.statistics.fingerprint(),
        shards: Vec::new(),
    };
    for (bytes, shard) in directory.shards.iter().zip(directory.open_shards()?) {
        let name = match shard.kind() {
            EntityKind::Person => "people",
            EntityKind::Company => "companies",
        };
        let file = format!("{name}-{:03}-of-{:03}.shard", shard.number(), shard.shard_count());
        put(&folder.join(&file), bytes)?;
        let (kind, entities) = (shard.kind(), shard.len());
        manifest.shards.push(ShardFile { file, kind, entities, bytes: bytes.len() as u64 });
    }
    put(&folder.join(MANIFEST), serde_json::to_string_pretty(&manifest)?.as_bytes())?;
    Ok(manifest)
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = OutputFile::create(path)?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))?;
    file.keep()
}

/// Reads the manifest of an index folder.
pub fn read_manifest(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join(MANIFEST);
    let name = path.display();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} is no index: cannot read {name}", folder.display()))?;
    let manifest: Manifest =
        serde_json::from_str(&text).with_context(|| format!("{name} is no manifest"))?;
    ensure!(
        manifest.format == FORMAT,
        "{name} is of format {}, this program reads {FORMAT}: build the index again",
        manifest.format
    );
    Ok(manifest)
}

/// Maps the files of an index folder.
pub fn open_index(folder: &Path) -> anyhow::Result<Directory> {
    let manifest = read_manifest(folder)?;
    let path = folder.join(STATISTICS);
    let name = path.display();
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {name}"))?;
    let statistics =
        Statistics::from_bytes(&bytes).with_context(|| format!("{name} is not usable"))?;
    let mut shards = Vec::new();
    for shard in &manifest.shards {
        let path = folder.join(&shard.file);
        let name = path.display();
        let file = MappedFile::open(&path).with_context(|| format!("cannot read {name}"))?;
        // Told here with the file's name; opened again, without the checksum, by who reads it.
        let opened = Shard::open(&file).with_context(|| format!("{name} is not usable"))?;
        ensure!(
            opened.statistics() == statistics.fingerprint(),
            "{name} belongs to another directory version than {STATISTICS}: build the index again"
        );
        shards.push(ShardBytes::Mapped(file));
    }
    Ok(Directory { statistics, shards })
}
