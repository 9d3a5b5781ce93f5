//! Connect, import, match, save, write back, import again, disconnect and purge.

use std::path::Path;

use org_generator::{Base, Options, Org};
use shared::domain::{Grantee, ImportRun, RunState};
use shared::matching::EntityKind;
use shared::store;
use tempfile::TempDir;
use tests::world::World;

/// The small org in a folder of its own.
fn small_org() -> TempDir {
    let folder = TempDir::new().unwrap();
    let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/dev"));
    let options = Options { small: true, ..Options::default() };
    Org::generate(&Base::read(base).unwrap(), options).unwrap().write(folder.path()).unwrap();
    folder
}

fn directory(folder: &Path) -> [(EntityKind, std::path::PathBuf); 2] {
    [
        (EntityKind::Person, folder.join("people.jsonl")),
        (EntityKind::Company, folder.join("companies.jsonl")),
    ]
}

#[tokio::test]
async fn the_first_import_brings_every_row_and_matches_them() {
    let folder = small_org();
    let world = World::new(folder.path()).await;
    world.publish(None, &directory(folder.path())).await;
    world.run().await;
    world.authorize(Grantee::Admin, "crm.integration@acme.example").await.unwrap();
    world.run().await;
    let keys = world.keys().await;
    let ports = world.memory.ports();
    let runs: Vec<ImportRun> = store::query_all(&*ports.table, &keys.runs()).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].state, RunState::Complete);
}
