//! The texts of the directory's entities that are asked for.

use crate::args::MatchArgs;
use crate::input::salesforce::{COMPANY, PERSON};
use crate::input::{Chunk, CsvRows, Header, InputError, Layout, lines, open};
use crate::linkage::{Content, Linked};
use crate::pipeline::in_order;
use anyhow::{Context, ensure};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value;
use std::path::Path;

/// The columns of each entity that a record was matched to, by its id.
pub(super) type Texts = FxHashMap<String, Vec<String>>;

/// Reads the columns of the entities that were decided on; nothing where none is asked for. What a
/// delta says of an entity goes before what older files say.
pub(super) fn texts(
    args: &MatchArgs,
    content: Content,
    columns: &[String],
    linked: &Linked<'_>,
    threads: usize,
) -> anyhow::Result<Texts> {
    let (full, deltas, ids) = match content {
        Content::Accounts => {
            (&args.directory.companies, &args.directory.companies_delta, COMPANY[0])
        }
        _ => (&args.directory.people, &args.directory.people_delta, PERSON[0]),
    };
    let mut texts = Texts::default();
    if columns.is_empty() {
        return Ok(texts);
    }
    let placed = linked.records().filter_map(|(_, _, decided)| decided.placed());
    let wanted: FxHashSet<&str> = placed.map(|placed| linked.entity_id(placed.entity)).collect();
    for path in full.iter().chain(deltas) {
        read(path, &Asked { columns, ids, wanted: &wanted }, threads, &mut texts)?;
    }
    Ok(texts)
}

struct Asked<'a> {
    columns: &'a [String],
    ids: &'a [&'a str],
    wanted: &'a FxHashSet<&'a str>,
}

fn read(path: &Path, asked: &Asked<'_>, threads: usize, texts: &mut Texts) -> anyhow::Result<()> {
    let mut file = open(path)?;
    let header = match file.layout {
        Layout::JsonLines => None,
        Layout::Csv { delimiter } => {
            let header = file.chunks.header();
            if header.is_empty() {
                return Ok(());
            }
            Some(Header::parse(&file.name, &header, delimiter)?)
        }
    };
    let positions = header.as_ref().map(|header| asked.positions(path, header)).transpose()?;
    let of_chunk = |chunk: &Chunk| match (&header, &positions) {
        (Some(header), Some(positions)) => asked.of_csv(chunk, header, positions),
        _ => asked.of_json(chunk),
    };
    in_order(
        file.chunks,
        threads,
        || (),
        |(), chunk| chunk.map(|chunk| of_chunk(&chunk)),
        |found| {
            texts.extend(found?);
            Ok::<_, InputError>(())
        },
    )?;
    Ok(())
}

type Found = Vec<(String, Vec<String>)>;

impl Asked<'_> {
    /// Where the id and the columns stand.
    fn positions(&self, path: &Path, header: &Header) -> anyhow::Result<(usize, Vec<usize>)> {
        let id = self.ids.iter().find_map(|name| header.position(name)).context("no id column")?;
        let position = |name: &String| {
            let found = header.position(name);
            ensure!(
                found.is_some(),
                "{}: no column {name:?} for --join-columns; the header has: {}",
                path.display(),
                header.found()
            );
            Ok(found.unwrap_or_default())
        };
        Ok((id, self.columns.iter().map(position).collect::<anyhow::Result<_>>()?))
    }

    fn of_csv(&self, chunk: &Chunk, header: &Header, (id, at): &(usize, Vec<usize>)) -> Found {
        let mut found = Vec::new();
        let mut records = CsvRows::new(chunk, header, 0);
        while let Some((_, record)) = records.next_as_it_stands() {
            let cell = |at: &usize| record.get(*at).unwrap_or_default().to_owned();
            if self.wanted.contains(&*cell(id)) {
                found.push((cell(id), at.iter().map(cell).collect()));
            }
        }
        found
    }

    fn of_json(&self, chunk: &Chunk) -> Found {
        let entities = lines(&chunk.bytes).filter_map(|line| {
            let entity: Value = serde_json::from_slice(line).ok()?;
            let id = entity["id"].as_str().filter(|id| self.wanted.contains(id))?;
            let column = |name: &String| text(&entity[name.as_str()]);
            // A deletion or a merge has no columns, and nobody is matched to it.
            let columns: Vec<String> = self.columns.iter().map(column).collect();
            Some((id.to_owned(), columns))
        });
        entities.collect()
    }
}

/// A value as a cell has it: of an employer its name, of a list its items.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => fields.get("name").map(text).unwrap_or_default(),
        other => other.to_string(),
    }
}
