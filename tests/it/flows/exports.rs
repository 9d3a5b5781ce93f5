//! Large answers as files: what they say of an imported org, and that they go with it.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::Value;
use shared::capabilities::audit::Actor;
use shared::capabilities::exporting::{
    ExportFormat, ExportJob, ExportKind, ExportOrder, ExportState,
};
use shared::capabilities::linking::MATCHED_OBJECTS;
use shared::kernel::Author;
use tests::Home;
use tests::world::{Delivery, World};

use super::main_job::imported_at;
use super::observe::lists;
use super::org::tiny;

in_both_homes!(
    an_export_of_an_imported_org_says_of_every_record_what_it_is,
    a_purge_takes_exports_and_counts_them,
    an_exports_files_go_after_a_day,
);

async fn export(world: &World, kind: ExportKind) -> ExportJob {
    let order = ExportOrder { kind, format: ExportFormat::Jsonl, sample: None };
    let asked = world.functions.exports.ask(world.at(), order, &Author::Service).await.unwrap();
    world.run().await;
    let (job, addresses) = world.functions.exports.get(world.at(), asked.id).await.unwrap();
    assert_eq!((job.state, addresses.len()), (ExportState::Ready, job.files.len()));
    job
}

fn files(keys: Vec<String>) -> Vec<String> {
    keys.into_iter().filter(|key| key.starts_with("exports/")).collect()
}

/// The rows of an export.
async fn rows(world: &World, job: &ExportJob) -> Vec<Value> {
    let mut rows = Vec::new();
    for key in files(world.object_keys().await) {
        if key.contains("/files/") && key.contains(&job.id.to_string()) {
            let bytes = world.ports().objects.get(&key).await.unwrap().unwrap();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            rows.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    rows
}

async fn an_export_of_an_imported_org_says_of_every_record_what_it_is(home: Home) {
    let folder = tiny();
    let world = imported_at(home, folder.path(), Delivery::Plain).await;
    let mut told = BTreeSet::new();
    for (kind, is_matched) in [(ExportKind::Matched, true), (ExportKind::Unmatched, false)] {
        let job = export(&world, kind).await;
        for row in rows(&world, &job).await {
            let (id, decision) = (&row["record_id"], &row["decision"]);
            assert_eq!(decision == "match", is_matched, "{row}");
            assert_eq!(row["reason"].is_null(), is_matched, "{row}");
            let here = world.control().record(&world.org, id.as_str().unwrap()).unwrap();
            let last = here["LastName"].as_str().or(here["Name"].as_str()).unwrap();
            assert!(row["name"].as_str().unwrap().ends_with(last), "{row}");
            let entity = row["entity_id"].as_str().filter(|_| is_matched).map(str::to_owned);
            assert!(told.insert((id.as_str().unwrap().to_owned(), entity)), "twice: {row}");
        }
    }
    let mut known = BTreeSet::new();
    for object in MATCHED_OBJECTS {
        let lists = lists(&world, object).await.into_iter().filter(|list| !list.gone);
        known.extend(lists.map(|l| (l.id.to_string(), l.matched.map(|e| e.to_string()))));
    }
    assert!(known.iter().any(|(_, entity)| entity.is_some()), "somebody is matched");
    assert_eq!(told, known);
}

async fn a_purge_takes_exports_and_counts_them(home: Home) {
    let folder = tiny();
    let world = imported_at(home, folder.path(), Delivery::Plain).await;
    export(&world, ExportKind::Matched).await;
    assert!(!files(world.object_keys().await).is_empty());
    let scope = world.connection().await.scope();
    world.functions.disconnect.disconnect(world.at(), &Actor::Service).await.unwrap();
    world.run().await;
    let purge = world.functions.disconnect.get(scope).await.unwrap().unwrap();
    assert!(purge.completed_at.is_some(), "{purge:?}");
    // The export itself, and the note that it was asked for.
    assert_eq!(purge.found["items EXPORT"], 2, "{:?}", purge.found);
    assert_eq!(files(world.object_keys().await), Vec::<String>::new());
    let left = world.item_keys().await.into_iter().filter(|key| key.contains("#EXPORT#"));
    assert_eq!(left.count(), 0);
}

async fn an_exports_files_go_after_a_day(home: Home) {
    let folder = tiny();
    let world = imported_at(home, folder.path(), Delivery::Plain).await;
    let job = export(&world, ExportKind::Unmatched).await;
    for _ in 0..30 {
        world.memory.clock.advance(SignedDuration::from_hours(1));
        world.run().await;
    }
    let (job, addresses) = world.functions.exports.get(world.at(), job.id).await.unwrap();
    assert_eq!((job.state, addresses.len()), (ExportState::Expired, 0));
    assert_eq!(files(world.object_keys().await), Vec::<String>::new());
}
