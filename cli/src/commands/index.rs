//! `crm-sync index`: builds an index folder and says what one holds.

use super::Outcome;
use super::sources::directory;
use crate::args::{IndexBuildArgs, IndexInspectArgs};
use crate::linkage::{Directory, Manifest, open_index, read_manifest, write_index};
use crate::progress;
use crate::report::{self, Table, thousands};
use anyhow::ensure;
use std::time::{Duration, Instant};

/// Builds an index.
pub fn build(args: &IndexBuildArgs) -> anyhow::Result<Outcome> {
    let sources = &args.directory;
    ensure!(sources.index.is_none(), "an index is built of files: give --people or --companies");
    ensure!(
        sources.people.is_some() || sources.companies.is_some(),
        "nothing to index: give --people or --companies"
    );
    let started = Instant::now();
    let bar = progress::open_ended("directory");
    let (directory, totals) = directory(sources, &bar)?;
    bar.finish_and_clear();
    let manifest = write_index(&args.out, &directory)?;
    let output = if args.voice.json {
        serde_json::to_string_pretty(&manifest)? + "\n"
    } else {
        let peak = report::peak_memory().map_or_else(|| "unknown".to_owned(), report::bytes);
        let seconds = started.elapsed().as_secs_f64();
        format!("{}{seconds:.1} s; peak memory {peak}\n", table(&manifest))
    };
    Ok(Outcome { output, problems: totals.problems, strict: args.voice.strict })
}

/// Checks every file of an index and says what it holds.
pub fn inspect(args: &IndexInspectArgs) -> anyhow::Result<Outcome> {
    let manifest = read_manifest(&args.index)?;
    let started = Instant::now();
    let directory = open_index(&args.index)?;
    let checked = started.elapsed();
    let started = Instant::now();
    let columns = columns(&directory)?;
    let opened = started.elapsed();
    let output = if args.json {
        serde_json::to_string_pretty(&manifest)? + "\n"
    } else {
        format!(
            "{}\n{columns}\nchecked in {:.1} ms, opened again without the checksum in {:.3} ms\n",
            table(&manifest),
            milliseconds(checked),
            milliseconds(opened)
        )
    };
    Ok(Outcome { output, ..Outcome::default() })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn table(manifest: &Manifest) -> Table {
    let mut table = Table::new(["file", "entities", "bytes", "bytes/entity"]);
    for shard in &manifest.shards {
        table.row([
            shard.file.clone(),
            thousands(shard.entities.into()),
            report::bytes(shard.bytes),
            per_entity(shard.bytes, shard.entities),
        ]);
    }
    table
}

fn per_entity(bytes: u64, entities: u32) -> String {
    format!("{}", bytes / u64::from(entities.max(1)))
}

fn columns(directory: &Directory) -> anyhow::Result<Table> {
    let mut table = Table::new(["column", "bytes", "bytes/entity"]);
    for shard in directory.open_shards()? {
        for (name, bytes) in shard.columns() {
            let name = format!("{} {} {name}", shard.kind().as_str(), shard.number());
            let bytes = bytes as u64;
            table.row([name, report::bytes(bytes), per_entity(bytes, shard.len())]);
        }
    }
    Ok(table)
}
