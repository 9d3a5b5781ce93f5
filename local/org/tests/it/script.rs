//! The demo's script: the directory delta and the changes between two import runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::folder::{Folder, both};

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}"))
}

fn directory(folder: &Folder, file: &str) -> BTreeMap<String, Value> {
    folder.lines(file).into_iter().map(|line| (text(&line, "id").to_owned(), line)).collect()
}

fn seller(folder: &Folder, seat_email: &str) -> String {
    let users = folder.rows("User").iter();
    let mut found = users.filter(|user| user["Email"].eq_ignore_ascii_case(seat_email));
    found.next().unwrap()["Id"].clone()
}

#[test]
fn job_changers_are_contacts_on_open_and_won_deals_of_sellers() {
    for folder in both() {
        let truth = folder.truth();
        let before = directory(folder, "people.jsonl");
        let after = folder.lines("delta-people.jsonl");
        let changes = folder.json("expectations.json")["job_changes"].clone();
        let mut kinds = BTreeMap::new();
        let mut persons = BTreeSet::new();
        for change in changes.as_array().unwrap() {
            let person = text(change, "person_id");
            assert!(persons.insert(person.to_owned()), "{person} twice");
            *kinds.entry(text(change, "role_on")).or_insert(0) += 1;
            assert_eq!(truth[text(change, "contact_id")], person);
            let line = after.iter().find(|line| line["id"] == person).unwrap();
            assert_eq!(before[person]["company"], change["old_employer"]);
            assert_eq!(line["company"], change["new_employer"]);
            assert_ne!(change["old_employer"]["company_id"], change["new_employer"]["company_id"]);
            assert_eq!(line["past_positions"][0]["company"], change["old_employer"]["name"]);
            assert_eq!(line["title"], change["new_title"]);
            assert_eq!(line["last_name"], before[person]["last_name"]);

            let deal = folder.row("Opportunity", text(change, "opportunity_id"));
            assert_eq!(deal["OwnerId"], seller(folder, text(change, "seat_email")));
            match text(change, "role_on") {
                "open" => assert_eq!(deal["IsClosed"], "false"),
                _ => assert!(deal["IsWon"] == "true" && deal["CloseDate"].as_str() >= "2024-11-20"),
            }
            let role = folder.rows("OpportunityContactRole").iter().find(|role| {
                role["OpportunityId"] == deal["Id"] && role["ContactId"] == change["contact_id"]
            });
            assert!(role.is_some());
        }
        assert!(kinds["open"] >= 2 && kinds["won"] >= 2, "{kinds:?}");
    }
}

#[test]
fn the_delta_has_upserts_one_merge_and_one_retirement_and_names_only_known_ids() {
    for folder in both() {
        let truth = folder.truth();
        let people = directory(folder, "people.jsonl");
        let mut companies = directory(folder, "companies.jsonl");
        for line in folder.lines("delta-companies.jsonl") {
            assert!(line.get("op").is_none());
            companies.insert(text(&line, "id").to_owned(), line);
        }
        let expected = folder.json("expectations.json");
        let (mut upserted, mut merges, mut deletes) = (BTreeSet::new(), 0, 0);
        for line in folder.lines("delta-people.jsonl") {
            let id = text(&line, "id");
            match line.get("op").and_then(Value::as_str) {
                None => {
                    assert!(companies.contains_key(text(&line["company"], "company_id")));
                    upserted.insert(id.to_owned());
                }
                Some("merge") => {
                    merges += 1;
                    assert!(people.contains_key(id) && upserted.contains(text(&line, "into")));
                    assert!(!people.contains_key(text(&line, "into")), "the id is new");
                    assert_eq!(truth[text(&expected["merge"], "contact_id")], id);
                    assert_eq!(expected["merge"]["into"], line["into"]);
                }
                Some("delete") => {
                    deletes += 1;
                    assert!(people.contains_key(id));
                    assert_eq!(truth[text(&expected["retirement"], "contact_id")], id);
                }
                Some(other) => panic!("{other}"),
            }
        }
        assert_eq!((merges, deletes), (1, 1));
    }
}

#[test]
fn champions_are_past_customers_who_work_elsewhere() {
    for folder in both() {
        let truth = folder.truth();
        let people = directory(folder, "people.jsonl");
        let expected = folder.json("expectations.json");
        let champions = expected["champions"].as_array().unwrap();
        assert!(champions.len() >= 3, "{}", champions.len());
        for champion in champions {
            let contact = folder.row("Contact", text(champion, "contact_id"));
            let person = &people[truth[contact["Id"].as_str()]];
            assert_eq!(person["company"], champion["now_at"]);
            let now_at = person["company"]["company_id"].as_str();
            let account = truth.get(contact["AccountId"].as_str()).copied();
            assert!(account.is_none() || now_at != account);
            let deal = folder.row("Opportunity", text(champion, "opportunity_id"));
            assert!(deal["IsWon"] == "true" && deal["AccountId"] == contact["AccountId"]);
        }
    }
}

#[test]
fn nothing_but_its_reopening_can_save_the_reopened_deal_s_account() {
    for folder in both() {
        let truth = folder.truth();
        let changes = folder.json("changes.json");
        let reopened = &changes["reopened"];
        let account = text(reopened, "account_id");
        assert_eq!(truth[account], text(reopened, "company_id"));
        assert_eq!(truth[text(reopened, "contact_id")], text(reopened, "person_id"));
        let owner = seller(folder, text(reopened, "seat_email"));
        assert_eq!(text(reopened, "owner_id"), owner);

        let deals: Vec<_> =
            folder.rows("Opportunity").iter().filter(|deal| deal["AccountId"] == account).collect();
        assert_eq!(deals.len(), 1);
        assert!(deals[0]["IsClosed"] == "true" && deals[0]["OwnerId"] == owner);
        assert_eq!(deals[0]["Id"], text(reopened, "opportunity_id"));
        assert_ne!(folder.row("Account", account)["OwnerId"], owner);
        assert!(folder.rows("AccountTeamMember").iter().all(|row| row["AccountId"] != account));
        let roles = folder.rows("OpportunityContactRole");
        let cast: BTreeSet<&String> = roles
            .iter()
            .filter(|role| role["OpportunityId"] == deals[0]["Id"])
            .map(|role| &role["ContactId"])
            .collect();
        assert!(cast.contains(&text(reopened, "contact_id").to_owned()));
        for role in roles.iter().filter(|role| cast.contains(&role["ContactId"])) {
            assert_eq!(role["OpportunityId"], deals[0]["Id"]);
        }

        let update = &changes["changes"][0];
        assert_eq!(update["id"], reopened["opportunity_id"]);
        let stages = folder.rows("OpportunityStage").iter();
        let mut stages = stages.filter(|stage| stage["ApiName"] == update["fields"]["StageName"]);
        let stage = stages.next().unwrap();
        assert!(stage["IsActive"] == "true" && stage["IsClosed"] == "false");
    }
}

#[test]
fn the_second_run_s_counts_are_those_of_the_changes() {
    for folder in both() {
        let document = folder.json("changes.json");
        let mut counted: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut touched = BTreeSet::new();
        for change in document["changes"].as_array().unwrap() {
            let (op, object) = (text(change, "op"), text(change, "object"));
            *counted.entry((object.to_owned(), format!("{op}d"))).or_default() += 1;
            if op != "create" {
                let row = folder.row(object, text(change, "id"));
                assert!(touched.insert(row["Id"].clone()));
                for (field, value) in change["fields"].as_object().into_iter().flatten() {
                    let new = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    assert!(
                        field == "IsWon" || row[field] != new,
                        "{object}.{field} does not change"
                    );
                }
            }
        }
        for (object, counts) in document["expected"].as_object().unwrap() {
            for (what, count) in counts.as_object().unwrap() {
                let key = (object.clone(), what.clone());
                assert_eq!(counted.get(&key).copied().unwrap_or(0), count.as_u64().unwrap());
            }
        }
        let kinds: BTreeSet<_> =
            counted.keys().map(|(object, op)| (object.as_str(), op.as_str())).collect();
        let wanted = BTreeSet::from([
            ("Contact", "created"),
            ("Contact", "updated"),
            ("Lead", "updated"),
            ("Opportunity", "updated"),
            ("Task", "deleted"),
        ]);
        assert_eq!(kinds, wanted);
    }
}

#[test]
fn the_new_contact_is_a_person_at_that_account_who_was_no_record_before() {
    for folder in both() {
        let document = folder.json("changes.json");
        let created = &document["created_contact"];
        let person = &directory(folder, "people.jsonl")[text(created, "person_id")];
        let company = folder.truth()[text(created, "account_id")];
        assert_eq!(person["company"]["company_id"], company);
        assert!(!folder.truth().values().any(|id| *id == text(created, "person_id")));
        let changes = document["changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["op"] == "create").unwrap();
        assert_eq!(change["fields"]["LastName"], person["last_name"]);
        assert_eq!(change["fields"]["AccountId"], created["account_id"]);
    }
}
