//! Ids, references, times, bytes, and the base data's own values.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::GzDecoder;
use org_generator::Options;

use crate::folder::{FULL, Folder, IMPORTED, OTHER, SMALL, both, csv, data};

/// Key prefix of each object.
const PREFIXES: [(&str, &str); 14] = [
    ("Account", "001"),
    ("AccountTeamMember", "01M"),
    ("Contact", "003"),
    ("Event", "00U"),
    ("Group", "00G"),
    ("Lead", "00Q"),
    ("Note", "002"),
    ("Opportunity", "006"),
    ("OpportunityContactRole", "00K"),
    ("OpportunityStage", "01J"),
    ("Profile", "00e"),
    ("Task", "00T"),
    ("User", "005"),
    ("UserRole", "00E"),
];

/// Object, field, the objects that it may point to, and whether it must.
const REFERENCES: [(&str, &str, &[&str], bool); 26] = [
    ("Account", "OwnerId", &["User"], true),
    ("Account", "ParentId", &["Account"], false),
    ("AccountTeamMember", "AccountId", &["Account"], true),
    ("AccountTeamMember", "UserId", &["User"], true),
    ("Contact", "AccountId", &["Account"], false),
    ("Contact", "OwnerId", &["User"], true),
    ("Event", "OwnerId", &["User"], true),
    ("Event", "WhatId", &["Account", "Opportunity"], false),
    ("Event", "WhoId", &["Contact", "Lead"], false),
    ("Lead", "ConvertedAccountId", &["Account"], false),
    ("Lead", "ConvertedContactId", &["Contact"], false),
    ("Lead", "ConvertedOpportunityId", &["Opportunity"], false),
    ("Lead", "OwnerId", &["User", "Group"], true),
    ("Note", "OwnerId", &["User"], true),
    ("Note", "ParentId", &["Account", "Contact", "Lead", "Opportunity"], true),
    ("Opportunity", "AccountId", &["Account"], true),
    ("Opportunity", "OwnerId", &["User"], true),
    ("OpportunityContactRole", "ContactId", &["Contact"], true),
    ("OpportunityContactRole", "OpportunityId", &["Opportunity"], true),
    ("Task", "OwnerId", &["User"], true),
    ("Task", "WhatId", &["Account", "Opportunity"], false),
    ("Task", "WhoId", &["Contact", "Lead"], false),
    ("User", "ProfileId", &["Profile"], true),
    ("User", "UserRoleId", &["UserRole"], false),
    ("UserRole", "ParentRoleId", &["UserRole"], false),
    ("truth", "crm_id", &["Account", "Contact", "Lead"], true),
];

/// The checksum of 15 characters, written once more from its definition.
fn suffix(id: &str) -> String {
    let upper = |place: usize| usize::from(id.as_bytes()[place].is_ascii_uppercase());
    (0..3)
        .map(|block| (0..5).map(|bit| upper(block * 5 + bit) << bit).sum())
        .map(|index: usize| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[index]))
        .collect()
}

#[test]
fn ids_are_valid_unique_and_of_their_object() {
    for folder in both() {
        let mut all = BTreeSet::new();
        for (object, prefix) in PREFIXES {
            for row in folder.rows(object) {
                let id = &row["Id"];
                assert_eq!(id.len(), 18, "{object} {id}");
                assert_eq!(id[15..], suffix(id), "{object} {id}");
                assert!(id.starts_with(prefix), "{object} {id}");
                assert!(all.insert(id.to_lowercase()), "{object} {id} occurs twice");
            }
        }
        let organization = folder.json("org.json")["id"].as_str().unwrap().to_owned();
        assert_eq!(organization[15..], suffix(&organization));
    }
}

#[test]
fn every_object_is_there_and_has_rows() {
    for folder in both() {
        for object in IMPORTED.iter().chain(&OTHER) {
            assert!(!folder.rows(object).is_empty(), "{object}");
        }
        let expected = folder.json("expectations.json");
        for object in IMPORTED {
            assert_eq!(expected["rows"][object], folder.rows(object).len(), "{object}");
        }
    }
}

#[test]
fn references_point_to_rows_of_the_right_object() {
    for folder in both() {
        for (object, field, targets, required) in REFERENCES {
            let known: BTreeSet<&str> =
                targets.iter().flat_map(|target| folder.ids(target)).collect();
            for row in folder.rows(object) {
                let id = row[field].as_str();
                if id.is_empty() {
                    assert!(!required, "{object}.{field} is empty in {row:?}");
                } else {
                    assert!(known.contains(id), "{object}.{field} {id} points nowhere");
                }
            }
        }
    }
}

#[test]
fn times_are_salesforce_s_and_in_order() {
    for folder in both() {
        for (object, _) in PREFIXES {
            for row in folder.rows(object) {
                let (modified, stamp) = (&row["LastModifiedDate"], &row["SystemModstamp"]);
                let created = row.get("CreatedDate").unwrap_or(modified);
                for time in [created, modified, stamp] {
                    assert_eq!(time.len(), "2026-11-20T00:00:00.000Z".len(), "{object} {time}");
                    assert_eq!(&time[19..], ".000Z", "{object} {time}");
                    assert!(
                        time.as_str() > "2019" && time.as_str() < "2026-11-20",
                        "{object} {time}"
                    );
                }
                assert!(created <= modified && modified <= stamp, "{object} {row:?}");
            }
        }
    }
}

#[test]
fn users_and_roles_have_no_deleted_flag_and_all_others_do() {
    for object in IMPORTED {
        let row = &FULL.rows(object)[0];
        let has = !matches!(object, "User" | "UserRole");
        assert_eq!(row.contains_key("IsDeleted"), has, "{object}");
        assert!(
            FULL.rows(object).iter().all(|row| !has || row["IsDeleted"] == "false"),
            "{object}"
        );
        assert_eq!(row.contains_key("CreatedDate"), object != "UserRole", "{object}");
    }
}

#[test]
fn base_values_and_the_truth_are_untouched() {
    for object in ["Account", "Contact", "Lead"] {
        let mut text = Vec::new();
        let file = std::fs::File::open(data().join(format!("{object}.csv.gz"))).unwrap();
        GzDecoder::new(file).read_to_end(&mut text).unwrap();
        let base: BTreeMap<String, _> =
            csv(&text).into_iter().map(|row| (row["Id"].clone(), row)).collect();
        assert_eq!(FULL.rows(object).len(), base.len());
        for row in FULL.rows(object).iter().chain(SMALL.rows(object)) {
            for (field, value) in &base[&row["Id"]] {
                assert_eq!(&row[field], value, "{object} {} {field}", row["Id"]);
            }
        }
    }
    let mut truth = Vec::new();
    let file = std::fs::File::open(data().join("truth.csv.gz")).unwrap();
    GzDecoder::new(file).read_to_end(&mut truth).unwrap();
    let truth = csv(&truth);
    assert_eq!(FULL.rows("truth"), truth);
    let whole: BTreeSet<_> = truth.into_iter().collect();
    assert!(SMALL.rows("truth").iter().all(|row| whole.contains(row)));
}

#[test]
fn the_small_org_s_directory_holds_whom_its_truth_names() {
    let people = SMALL.lines("people.jsonl");
    let companies = SMALL.lines("companies.jsonl");
    assert!((380..=420).contains(&people.len()), "{}", people.len());
    assert!((180..=220).contains(&companies.len()), "{}", companies.len());
    let id = |entity: &serde_json::Value| entity["id"].as_str().unwrap().to_owned();
    let company_ids: BTreeSet<String> = companies.iter().map(id).collect();
    for person in &people {
        if let Some(company) = person["company"]["company_id"].as_str() {
            assert!(company_ids.contains(company), "{company}");
        }
    }
    let entities: BTreeSet<String> = people.iter().map(id).chain(company_ids).collect();
    let records: usize =
        ["Account", "Contact", "Lead"].iter().map(|object| SMALL.rows(object).len()).sum();
    assert_eq!(SMALL.rows("truth").len(), records);
    assert!(SMALL.truth().values().all(|entity| entities.contains(*entity)));
}

#[test]
fn every_case_of_the_truth_is_in_the_small_org() {
    let cases = |folder: &Folder| -> BTreeSet<(String, String)> {
        let rows = folder.rows("truth").iter();
        rows.map(|row| (row["object"].clone(), row["case"].clone())).collect()
    };
    assert_eq!(cases(&SMALL), cases(&FULL));
}

/// A change of these is a change of every count that a demo or a test relies on: make it knowingly.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let hash = |folder: &Folder| {
        let mut hasher = blake3::Hasher::new();
        for (name, bytes) in &folder.files {
            hasher.update(name.as_bytes()).update(bytes);
        }
        hasher.finalize().to_hex()[..16].to_owned()
    };
    let seed = Options::default().seed;
    assert_eq!(hash(&SMALL), hash(&Folder::generate(seed, true)));
    assert_ne!(hash(&SMALL), hash(&Folder::generate(seed + 1, true)));
    assert_eq!([hash(&FULL), hash(&SMALL)], ["e94dc9aed585f296", "439c914f6f1a1d28"]);
}
