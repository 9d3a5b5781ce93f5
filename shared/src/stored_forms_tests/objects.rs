//! Every kind of object in the bucket, and how objects and bodies are sealed.

use std::collections::BTreeMap;

use matching::normalize::NameKind;
use matching::{
    Candidate, Company, CompanyForm, Employer, EmployerEvidence, EntityKind, MatchModel,
    MatchWeight, Person, PersonForm, Probe, ShardBuilder, Statistics, shard_of,
};
use zeroize::Zeroizing;

use super::{Forms, at, environment, match_run, model, run, scope, text, version};
use crate::capabilities::custody::{Custody, OpenGeneration};
use crate::capabilities::directory::{DirectoryState, DirectoryVersion, directory_part_key};
use crate::capabilities::exporting::keys::{export_folder, file_object, rows_object};
use crate::capabilities::importing::keys::{
    changed_folder, changed_object, deleted_object, ids_object, page_object, page_part_object,
    read_object,
};
use crate::capabilities::importing::{GoneRow, PageIndex};
use crate::capabilities::linking::keys::{batch_object, model_object, probe_folder, scored_object};
use crate::capabilities::linking::{ProbeEntry, ScoredCandidate, ScoredEntry};
use crate::kernel::{Connection, ConnectionState, Fields, Generation, Gone, Record, SObject};
use crate::ports::Key;
use crate::salesforce::LoginHost;
use crate::seal::Sealer;
use crate::store::Store;
use crate::store::keys::GenerationKeys;
use crate::store::records::Records;
use crate::testing::{Memory, entity_id, record_id};

/// `some plain text` under the key of [`sealer`] for `a|b`: a version, a nonce, then AES-256-GCM
/// over the length and an LZ4 block of literals alone. Python's `cryptography` made it.
const SEALED_ELSEWHERE: &str = concat!(
    "02000102030405060708090a0b1781e970ed09aa261ad7c5ec",
    "8e390594c148d3f66c6c57b073fab7a625a14f32e0860a6981"
);

pub(super) fn sealer() -> Sealer {
    Sealer::new(&Zeroizing::new([7; 32]))
}

fn directory_version() -> DirectoryVersion {
    DirectoryVersion {
        id: version(),
        base: None,
        state: DirectoryState::Published,
        parts: vec![],
        people_shards: 1,
        company_shards: 1,
        people: 1,
        companies: 1,
        skipped: BTreeMap::new(),
        shards_left: 0,
        reason: None,
        created_at: at(0),
        published_at: None,
    }
}

#[test]
fn where_objects_lie_is_pinned() {
    let mut forms = Forms::default();
    let (scope, object) = (scope(), SObject::Contact);
    forms.line("page", page_object(scope, run(), object, 3));
    forms.line("part of a page", page_part_object(scope, run(), object, 3, 1));
    forms.line("ids of a page", read_object(scope, run(), object, 3));
    forms.line("ids of a sweep", ids_object(scope, run(), object, 3));
    forms.line("deletions", deleted_object(scope, run(), object));
    forms.line("changed folder", changed_folder(scope, run(), object));
    forms.line("changed", changed_object(scope, run(), object, "000003", 1));
    forms.line("probes", probe_folder(scope, object, 5));
    forms.line("batch", batch_object(scope, match_run(), 2));
    forms.line("scored", scored_object(scope, match_run(), 2, 3));
    forms.line("model", model_object(scope, model()));
    let export = super::export();
    forms.line("export", export_folder(scope, export));
    forms.line("rows of an export", rows_object(scope, export, "00000003-0a1b"));
    forms.line("file of an export", file_object(scope, export, ("0a1b", "matched-1.csv")));
    let version = directory_version();
    forms.line("directory", version.prefix());
    forms.line("directory part", directory_part_key(version.id, 3));
    forms.line("merges", version.merges_key());
    forms.line("statistics", version.statistics_key());
    for kind in [EntityKind::Person, EntityKind::Company] {
        forms.line("shard", version.shard_key(kind, 3));
        forms.line("ids of a shard", version.ids_key(kind, 3));
        forms.line("bodies of a shard", version.bodies_key(kind, 3));
    }
    forms.line("shard of an entity", shard_of("pe_1", 64));
    let secret = Custody::new(Memory::new(at(0), 1).ports(), text("crm-sync/"));
    forms.line("secret", secret.secret_name(scope));
    insta::assert_snapshot!("objects", forms.0);
}

fn person() -> Person {
    Person {
        id: text("pe_1"),
        first_name: text("Ada"),
        last_name: text("Lovell"),
        title: text("Head of Sales"),
        company: Some(Employer {
            name: text("Acme GmbH"),
            company_id: Some(text("co_1")),
            ..Employer::default()
        }),
        emails: vec![text("ada.lovell@acme.example")],
        phones: vec![text("+49 30 1234567")],
        city: text("Berlin"),
        country: text("Germany"),
        ..Person::default()
    }
}

fn company() -> Company {
    Company {
        id: text("co_1"),
        name: text("Acme GmbH"),
        domain: text("acme.example"),
        phone: text("+49 30 1234567"),
        street: text("Hauptstr. 5"),
        city: text("Berlin"),
        country: text("Germany"),
        industry: text("Software"),
        employees: Some(120.0),
        ..Company::default()
    }
}

#[test]
fn what_objects_hold_is_pinned() {
    let mut forms = Forms::default();
    forms.json("list of ids (changed, read)", &vec![record_id("003", 1), record_id("003", 2)]);
    let index = PageIndex { parts: 2, skipped: 3, too_large: 4, undecodable: 5, refused: 6 };
    forms.json("page", &index);
    let fields = [("LastName", text("Lovell")), ("Title", text("Head of Sales"))];
    let fields = Fields::from_iter(fields);
    let (id, stamp) = (record_id("003", 1), at(0));
    forms.json("record in a part", &Record::read(SObject::Contact, id, stamp, fields));
    let gone = Record::tombstone(SObject::Contact, id, stamp, Gone::Deleted);
    forms.json("record in a part", &gone);
    forms.json("deletions", &[GoneRow { id: record_id("003", 1), at: at(0), gone: Gone::Deleted }]);
    let probes =
        [Probe::Person(PersonForm::from(&person())), Probe::Company(CompanyForm::from(&company()))];
    forms.all("probe", &probes);
    forms.all(
        "kind of name",
        &[NameKind::Absent, NameKind::Person, NameKind::Role, NameKind::Placeholder],
    );
    let mut entries: Vec<ProbeEntry> = probes
        .into_iter()
        .map(|probe| ProbeEntry { record: record_id("003", 1), stamp: 5, probe: Some(probe) })
        .collect();
    entries.push(ProbeEntry { record: record_id("003", 2), stamp: 6, probe: None });
    forms.json("batch or probes", &entries);
    let employers = [
        EmployerEvidence::Current,
        EmployerEvidence::Past,
        EmployerEvidence::Conflict,
        EmployerEvidence::Unknown,
    ];
    forms.all("employer", &employers);
    let candidates = vec![ScoredCandidate {
        candidate: Candidate {
            entity_id: text("pe_1"),
            weight: MatchWeight::new(7.5),
            employer: EmployerEvidence::Past,
        },
        evidence: text("ab"),
        company: Some(entity_id("co_1")),
    }];
    let entry = ScoredEntry { record: record_id("003", 1), stamp: 5, gone: true, candidates };
    forms.json("scored", &vec![entry]);
    forms.json("merges", &BTreeMap::from([(entity_id("old"), entity_id("new"))]));
    let model = MatchModel::shipped().unwrap().to_json().unwrap();
    let mut model: serde_json::Value = serde_json::from_str(&model).unwrap();
    model.sort_all_objects();
    for part in ["version", "provenance", "thresholds"] {
        forms.line(&format!("model {part}"), &model[part]);
    }
    forms.line("model person, first comparison", &model["person"]["comparisons"][0]);
    insta::assert_snapshot!("what_objects_hold", forms.0);
}

#[test]
fn the_directory_files_are_pinned() {
    let mut forms = Forms::default();
    let mut people = ShardBuilder::new(EntityKind::Person, 0, 1);
    people.add_person(&PersonForm::from(&person()));
    let mut companies = ShardBuilder::new(EntityKind::Company, 0, 1);
    companies.add_company(&CompanyForm::from(&company()));
    let builders = [people, companies];
    let statistics = Statistics::of(&builders);
    let mut file = |name: &str, bytes: &[u8]| {
        let (length, digest) = (bytes.len(), blake3::hash(bytes));
        let magic = bytes[..8].escape_ascii();
        forms.line(name, format!("{magic}, {length} bytes, {digest}"));
    };
    file("statistics", &statistics.to_bytes().unwrap());
    let [people, companies] = builders;
    file("shard of people", &people.finish(&statistics));
    file("shard of companies", &companies.finish(&statistics));
    insta::assert_snapshot!("directory_files", forms.0);
}

fn opened(memory: &Memory) -> OpenGeneration {
    let keys = GenerationKeys::new(scope(), 16);
    let connection = Connection {
        at: environment(),
        generation: Generation(7),
        state: ConnectionState::Connected,
        trouble: None,
        paused_since: None,
        degraded_since: None,
        handed_over_at: None,
        org_id: "00D000000000001EAA".parse().unwrap(),
        org_name: text("Acme"),
        edition: text("Enterprise Edition"),
        instance_url: "https://acme.my.salesforce.com".parse().unwrap(),
        login_host: LoginHost::production(),
        buckets: 16,
        integration_user: "005000000000001AAA".parse().unwrap(),
        connected_at: at(0),
        slot_offset: 0,
    };
    let records = Records::new(memory.ports(), keys, sealer());
    let store = Store::opening(memory.ports(), sealer());
    OpenGeneration { connection, keys, sealer: sealer(), records, store }
}

#[tokio::test]
async fn what_bodies_and_objects_are_sealed_for_is_pinned() {
    let memory = Memory::new(at(0), 1);
    let (ports, opened) = (memory.ports(), opened(&memory));
    let key = Key::stored(text("GEN#1"), text("ACT#2"));
    let mut forms = Forms::default();
    forms.line("a body is sealed for", key.place());
    insta::assert_snapshot!("sealed_for", forms.0);
    let preview = opened.sealed(&ports, &key, &"value").unwrap();
    assert_eq!(sealer().open("GEN#1|ACT#2", &preview).unwrap(), b"\"value\"");
    opened.put_object(&ports, "a/object", b"plain").await.unwrap();
    let object = ports.objects.get("a/object").await.unwrap().unwrap();
    assert_eq!(sealer().open("a/object", &object).unwrap(), b"plain");
    assert_eq!(object[0], 2, "the version of sealed texts");
}

#[test]
fn what_another_implementation_sealed_opens() {
    let sealed: Vec<u8> = SEALED_ELSEWHERE
        .as_bytes()
        .chunks(2)
        .map(|hex| u8::from_str_radix(str::from_utf8(hex).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(sealer().open("a|b", &sealed).unwrap(), b"some plain text");
}
