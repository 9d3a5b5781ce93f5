//! Pins what is stored: a shard's bytes, the statistics', a probe's, the model file and evidence.
//!
//! Stored data outlives the code. A change here makes every directory version be built again, or
//! every record be matched again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write as _;

use common::golden::{Golden, records};
use matching::text::hash64;
use matching::{Evidence, MatchModel, Scorer, Shard};

const MODEL_FILE: &str = include_str!("../data/model.json");

fn print(bytes: &[u8]) -> String {
    format!("{} bytes, {:016x}", bytes.len(), hash64(bytes))
}

#[test]
fn what_is_stored_keeps_its_bytes() {
    let golden = Golden::build();
    let model = MatchModel::shipped().unwrap();
    let engine = Scorer::new(model, &golden.statistics);
    let mut stored = String::new();
    writeln!(stored, "shipped model: {}", print(MODEL_FILE.as_bytes())).unwrap();
    writeln!(
        stored,
        "shipped model, written again: {}",
        print(model.to_json().unwrap().as_bytes())
    )
    .unwrap();
    writeln!(stored, "person shard: {}", print(&golden.people)).unwrap();
    writeln!(stored, "company shard: {}", print(&golden.companies)).unwrap();
    writeln!(stored, "statistics: {}", print(&golden.statistics.to_bytes().unwrap())).unwrap();
    let (mut probes, mut all, mut shown) = (Vec::new(), String::new(), String::new());
    for (number, record) in records().iter().enumerate() {
        let probe = record.probe();
        probes.extend(probe.to_bytes().unwrap());
        let shard = Shard::open(golden.shard(probe.kind())).unwrap();
        for raw in engine.raw_candidates(&shard, &probe, 8) {
            let evidence = Evidence::new(probe.kind(), &raw.levels);
            let (entity, words) = (shard.entity_id(raw.ordinal), evidence.words(model));
            let line = format!("{} {entity} {evidence} {:?} {words}", record.id, raw.employer);
            if number % 50 == 0 {
                writeln!(shown, "{line}").unwrap();
            }
            writeln!(all, "{line} {}", raw.weight.bits()).unwrap();
        }
    }
    writeln!(stored, "probes: {}", print(&probes)).unwrap();
    writeln!(stored, "evidence of all candidates: {}", print(all.as_bytes())).unwrap();
    insta::assert_snapshot!(stored + &shown);
}
