//! A look at the raw files, without the product's keys, queries or counts.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use shared::kernel::Scope;

use crate::world::World;

/// Everything that the stores hold, and how much of it is a generation's.
pub(crate) struct Scan {
    /// Items in the generation's partitions.
    pub(crate) items_of_generation: u64,
    /// Other items whose key or document names it, its purge aside: its next steps.
    others: u64,
    /// Files of objects that lie under the generation.
    pub(crate) objects_of_generation: u64,
    /// Secrets named after the generation.
    secrets: Vec<String>,
    /// All other items, by the beginnings of their keys.
    items: BTreeMap<String, u64>,
    /// All files of objects.
    objects: u64,
}

impl Scan {
    /// Reads every row and every name.
    pub(crate) async fn of(world: &World) -> anyhow::Result<Self> {
        let secrets_file = world.copy_of_secrets().await?;
        let scope = world.scope;
        let (mut items_of_generation, mut others, mut items) = (0, 0, BTreeMap::new());
        let table = read_only(&world.folder().join("table.db"))?;
        let mut rows = table.prepare(
            "SELECT pk, sk, doc FROM items JOIN partitions ON partitions.id = partition",
        )?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (pk, sk, doc): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if names(&pk, scope) {
                items_of_generation += 1;
                continue;
            }
            let names_it = [&sk, &doc].into_iter().any(|text| names(text, scope));
            others += u64::from(names_it && !sk.starts_with("PURGE#"));
            let kind = [&pk, &sk].map(|key| key.split('#').next().unwrap_or_default()).join(" ");
            *items.entry(kind).or_insert(0) += 1;
        }
        let (mut objects, mut objects_of_generation) = (0, 0);
        let folder = world.folder().join("objects");
        walk(&folder, &mut |file| {
            objects += 1;
            objects_of_generation +=
                u64::from(names(&file.to_string_lossy().replace("+/", "/"), scope));
        })?;
        let file = read_only(&secrets_file)?;
        let mut statement = file.prepare("SELECT DISTINCT name FROM secrets")?;
        let found: rusqlite::Result<Vec<String>> =
            statement.query_map([], |row| row.get(0))?.collect();
        let mut secrets = found?;
        secrets.retain(|name| names(name, scope));
        Ok(Self { items_of_generation, others, objects_of_generation, secrets, items, objects })
    }

    /// True if nothing names the generation.
    pub(crate) fn is_without_generation(&self) -> bool {
        self.items_of_generation == 0
            && self.objects_of_generation == 0
            && self.others == 0
            && self.secrets.is_empty()
    }

    /// As it is printed.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "items_of_the_generation": self.items_of_generation,
            "other_items_that_name_it": self.others,
            "objects_of_the_generation": self.objects_of_generation,
            "secrets_of_the_generation": self.secrets,
            "all_other_items": self.items,
            "all_objects": self.objects,
        })
    }
}

/// True if a text names a generation. Keys join its parts by `#`, names by `/`.
fn names(text: &str, scope: Scope) -> bool {
    let Scope { tenant, environment, generation } = scope;
    ['#', '/'].into_iter().any(|by| {
        let name = format!("{tenant}{by}{environment}{by}{generation}");
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit());
        text.split(name.as_str()).skip(1).any(ends)
    })
}

fn read_only(file: &Path) -> anyhow::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    Connection::open_with_flags(file, flags).with_context(|| file.display().to_string())
}

fn walk(folder: &Path, found: &mut impl FnMut(&Path)) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, found)?;
        } else {
            found(&path);
        }
    }
    Ok(())
}
