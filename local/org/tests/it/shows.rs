//! Every case that some feature needs is in the org, in the numbers that the demo counts on.

use std::collections::{BTreeMap, BTreeSet};

use crate::folder::{FULL, Folder, Row, both};

fn count(folder: &Folder, object: &str, wanted: impl Fn(&Row) -> bool) -> usize {
    folder.rows(object).iter().filter(|row| wanted(row)).count()
}

fn users(folder: &Folder, wanted: impl Fn(&Row) -> bool) -> BTreeSet<&str> {
    folder.rows("User").iter().filter(|row| wanted(row)).map(|row| row["Id"].as_str()).collect()
}

fn seated(folder: &Folder) -> BTreeSet<&str> {
    let seats = folder.json("seats.json");
    let held: Vec<String> = seats
        .as_array()
        .unwrap()
        .iter()
        .filter(|seat| seat["roles"].as_array().unwrap().iter().any(|role| role == "seat"))
        .map(|seat| seat["email"].as_str().unwrap().to_lowercase())
        .collect();
    users(folder, |user| held.contains(&user["Email"].to_lowercase()))
}

#[test]
fn the_full_org_has_the_size_it_should() {
    let near = |object: &str, wanted: usize| {
        let rows = FULL.rows(object).len();
        assert!(rows.abs_diff(wanted) * 20 <= wanted, "{object}: {rows}");
    };
    for (object, wanted) in [
        ("User", 40),
        ("Opportunity", 1_500),
        ("OpportunityContactRole", 3_000),
        ("AccountTeamMember", 800),
        ("Task", 4_000),
        ("Event", 500),
        ("Note", 400),
    ] {
        near(object, wanted);
    }
    assert_eq!(count(&FULL, "Lead", |lead| lead["IsConverted"] == "true"), 100);
}

#[test]
fn the_role_tree_has_three_levels() {
    for folder in both() {
        let parents: BTreeMap<&str, &str> = folder
            .rows("UserRole")
            .iter()
            .map(|role| (role["Id"].as_str(), role["ParentRoleId"].as_str()))
            .collect();
        let depth = |mut role: &str| {
            let mut depth = 0;
            while !role.is_empty() {
                depth += 1;
                role = parents[role];
            }
            depth
        };
        let depths: BTreeSet<usize> = parents.keys().map(|role| depth(role)).collect();
        assert_eq!(depths, BTreeSet::from([1, 2, 3]));
    }
}

#[test]
fn owners_are_sellers_one_unseated_two_who_left_and_a_queue() {
    for folder in both() {
        let sellers = seated(folder);
        assert_eq!(sellers.len(), 12);
        let left = users(folder, |user| user["IsActive"] == "false");
        assert_eq!(left.len(), 2);
        let mut unseated = BTreeSet::new();
        for object in ["Account", "Contact", "Lead", "Opportunity"] {
            let owners: BTreeSet<&str> =
                folder.rows(object).iter().map(|row| row["OwnerId"].as_str()).collect();
            assert!(owners.iter().any(|owner| left.contains(owner)), "{object}");
            assert!(
                owners.iter().filter(|owner| sellers.contains(*owner)).count() >= 8,
                "{object}"
            );
            unseated.extend(owners.into_iter().filter(|owner| {
                owner.starts_with("005") && !sellers.contains(owner) && !left.contains(owner)
            }));
        }
        assert_eq!(unseated.len(), 1, "one active owner holds no seat");
        assert!(count(folder, "Lead", |lead| lead["OwnerId"].starts_with("00G")) >= 2);
        let used: BTreeSet<&str> =
            FULL.rows("Opportunity").iter().map(|row| row["OwnerId"].as_str()).collect();
        assert!(sellers.iter().all(|seller| used.contains(seller)));
    }
}

#[test]
fn seats_join_by_email_but_for_one_stranger_and_one_in_other_case() {
    for folder in both() {
        let seats = folder.json("seats.json");
        let emails: BTreeSet<&str> =
            folder.rows("User").iter().map(|user| user["Email"].as_str()).collect();
        let (mut other_case, mut strangers) = (0, 0);
        for seat in seats.as_array().unwrap() {
            let email = seat["email"].as_str().unwrap();
            if emails.contains(email) {
                continue;
            }
            if emails.contains(email.to_lowercase().as_str()) {
                other_case += 1;
            } else {
                strangers += 1;
            }
        }
        assert_eq!((other_case, strangers), (1, 1));
        let expected = folder.json("expectations.json");
        let unmatched = expected["seats"].as_array().unwrap().iter();
        assert_eq!(unmatched.filter(|seat| seat["crm_user_id"].is_null()).count(), 1);
    }
}

#[test]
fn the_integration_user_s_profile_may_see_and_not_change() {
    for folder in both() {
        let id = folder.json("expectations.json")["integration_user"].as_str().unwrap().to_owned();
        let user = folder.row("User", &id);
        let profile = folder.row("Profile", &user["ProfileId"]);
        assert_eq!(user["IsActive"], "true");
        let described = folder.json("org.json")["profiles"][0].clone();
        assert_eq!(described["name"], profile["Name"]);
        assert_eq!(described["other_objects"]["read"], true);
        assert_eq!(described["other_objects"]["edit"], false);
    }
}

#[test]
fn opportunities_are_in_every_stage_and_agree_with_it() {
    for folder in both() {
        let stages: BTreeMap<&str, &Row> = folder
            .rows("OpportunityStage")
            .iter()
            .map(|stage| (stage["ApiName"].as_str(), stage))
            .collect();
        assert_eq!(stages.values().filter(|stage| stage["IsActive"] == "false").count(), 1);
        let renamed = |stage: &&Row| stage["MasterLabel"] != stage["ApiName"];
        assert_eq!(stages.values().copied().filter(renamed).count(), 1);
        let mut used = BTreeSet::new();
        for deal in folder.rows("Opportunity") {
            let stage = stages[deal["StageName"].as_str()];
            assert_eq!(deal["IsClosed"], stage["IsClosed"]);
            assert_eq!(deal["IsWon"], stage["IsWon"]);
            assert!(!deal["CloseDate"].is_empty());
            used.insert(deal["StageName"].as_str());
        }
        assert_eq!(used.len(), stages.len());
    }
    assert!(count(&FULL, "Opportunity", |deal| deal["IsClosed"] == "false") >= 500);
    assert!(count(&FULL, "Opportunity", |deal| deal["IsWon"] == "true") >= 400);
    assert!(count(&FULL, "Opportunity", |deal| deal["Amount"].is_empty()) >= 20);
}

#[test]
fn contact_roles_are_unique_with_one_primary_at_most_and_some_deals_have_none() {
    for folder in both() {
        let (mut pairs, mut primaries) = (BTreeSet::new(), BTreeSet::new());
        for role in folder.rows("OpportunityContactRole") {
            assert!(pairs.insert((&role["OpportunityId"], &role["ContactId"])));
            assert!(role["IsPrimary"] == "false" || primaries.insert(&role["OpportunityId"]));
        }
        let cast: BTreeSet<&String> = pairs.into_iter().map(|(deal, _)| deal).collect();
        let bare = count(folder, "Opportunity", |deal| !cast.contains(&deal["Id"]));
        assert!(bare >= 1 && bare * 10 < folder.rows("Opportunity").len(), "{bare}");
        let members: BTreeSet<_> = folder
            .rows("AccountTeamMember")
            .iter()
            .map(|member| (&member["AccountId"], &member["UserId"]))
            .collect();
        assert_eq!(members.len(), folder.rows("AccountTeamMember").len());
    }
}

#[test]
fn a_converted_lead_is_its_contact_at_that_account() {
    for folder in both() {
        let truth = folder.truth();
        let mut converted = 0;
        for lead in folder.rows("Lead") {
            let ids = ["ConvertedAccountId", "ConvertedContactId", "ConvertedDate"];
            let is_converted = lead["IsConverted"] == "true";
            assert!(ids.iter().all(|field| lead[*field].is_empty() != is_converted));
            if !is_converted {
                continue;
            }
            converted += 1;
            let contact = folder.row("Contact", &lead["ConvertedContactId"]);
            assert_eq!(contact["AccountId"], lead["ConvertedAccountId"]);
            assert_eq!(truth[lead["Id"].as_str()], truth[contact["Id"].as_str()]);
            if !lead["ConvertedOpportunityId"].is_empty() {
                let deal = folder.row("Opportunity", &lead["ConvertedOpportunityId"]);
                assert_eq!(deal["AccountId"], lead["ConvertedAccountId"]);
            }
        }
        assert!(converted >= 5, "{converted}");
        let with_deal = count(folder, "Lead", |lead| !lead["ConvertedOpportunityId"].is_empty());
        assert!(with_deal >= 1);
    }
}

#[test]
fn activities_follow_salesforce_s_rules() {
    for folder in both() {
        let converted: BTreeSet<&str> = folder
            .rows("Lead")
            .iter()
            .filter(|lead| lead["IsConverted"] == "true")
            .map(|lead| lead["Id"].as_str())
            .collect();
        for activity in folder.rows("Task").iter().chain(folder.rows("Event")) {
            let (who, what) = (&activity["WhoId"], &activity["WhatId"]);
            assert!(!who.is_empty() || !what.is_empty());
            assert!(!who.starts_with("00Q") || what.is_empty(), "a lead with a WhatId");
            assert!(!converted.contains(who.as_str()));
        }
        for event in folder.rows("Event") {
            assert!(event["StartDateTime"] < event["EndDateTime"]);
            assert_eq!(event["ActivityDate"], event["StartDateTime"][..10]);
        }
        for note in folder.rows("Note") {
            assert!(
                note["Title"].chars().count() <= 80
                    && !converted.contains(note["ParentId"].as_str())
            );
        }
        assert!(count(folder, "Event", |event| event["IsPrivate"] == "true") >= 2);
        let logged = |task: &Row| task["Subject"].contains("sent from Sales Navigator");
        assert!(count(folder, "Task", logged) >= 1);
        let parents: BTreeSet<&str> =
            folder.rows("Note").iter().map(|note| &note["ParentId"][..3]).collect();
        assert!(parents.len() >= 3, "{parents:?}");
    }
}

#[test]
fn the_last_activity_is_the_latest_done_one() {
    let mut latest: BTreeMap<&str, &str> = BTreeMap::new();
    let done = FULL.rows("Task").iter().filter(|task| task["Status"] == "Completed");
    for activity in done.chain(FULL.rows("Event")) {
        let day = activity["ActivityDate"].as_str();
        if !day.is_empty() && day <= "2026-11-20" {
            let last = latest.entry(activity["WhoId"].as_str()).or_insert(day);
            *last = day.max(*last);
        }
    }
    for row in FULL.rows("Contact").iter().chain(FULL.rows("Lead")) {
        let expected = latest.get(row["Id"].as_str()).copied().unwrap_or_default();
        assert_eq!(row["LastActivityDate"], expected, "{}", row["Id"]);
    }
}

#[test]
fn many_rows_share_one_stamp() {
    for object in ["Account", "Contact", "Lead"] {
        let mut stamps: BTreeMap<&str, usize> = BTreeMap::new();
        for row in FULL.rows(object) {
            *stamps.entry(&row["SystemModstamp"]).or_default() += 1;
        }
        assert!(stamps.values().max() >= Some(&800), "{object}");
    }
}

#[test]
fn the_counts_in_the_expectations_are_the_org_s() {
    for folder in both() {
        let shows = folder.json("expectations.json")["shows"].clone();
        assert!(
            shows.as_object().unwrap().values().all(|count| count.as_u64() > Some(0)),
            "{shows}"
        );
        let won = count(folder, "Opportunity", |deal| deal["IsWon"] == "true");
        assert_eq!(shows["opportunities_won"], won);
        let left = users(folder, |user| user["IsActive"] == "false");
        let theirs = count(folder, "Opportunity", |deal| left.contains(deal["OwnerId"].as_str()));
        assert_eq!(shows["opportunities_of_inactive_owners"], theirs);
        let private = count(folder, "Event", |event| event["IsPrivate"] == "true");
        assert_eq!(shows["events_private"], private);
    }
}
