//! Who is in the CRM and who is not, over HTTP: together everybody, each once, and as the badges
//! say.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Served;
use super::badges::{badges, ids, seller};

/// The ids of every page of a list.
async fn listed(served: &Served, kind: &str, in_crm: bool) -> BTreeSet<String> {
    let first = served.connection(&format!("/crm-filter?entity_kind={kind}&in_crm={in_crm}"));
    let (mut found, mut path) = (BTreeSet::new(), Some(first.clone()));
    while let Some(at) = path {
        let page = served.get(&served.token("seat"), &at).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        for id in page.body["entity_ids"].as_array().unwrap() {
            assert!(found.insert(id.as_str().unwrap().to_owned()), "{id} twice");
        }
        path = page.body["next"].as_str().map(|next| format!("{first}&cursor={next}"));
    }
    found
}

/// Spec, search filters: limited to in CRM or not in CRM.
#[tokio::test]
async fn a_search_is_limited_to_who_is_in_the_crm_or_to_who_is_not() {
    let (world, served, folder) = seller().await;
    for (kind, file, set) in [
        ("person", "people.jsonl", "in_crm_people"),
        ("company", "companies.jsonl", "in_crm_companies"),
    ] {
        let all = ids(&folder.path().join(file));
        let badges = badges(&served, kind, &all).await;
        let of = |wanted: bool| -> BTreeSet<String> {
            let badges = badges.iter().filter(|(_, b)| (b["state"] != "not_in_crm") == wanted);
            badges.map(|(id, _)| id.clone()).collect()
        };
        let (inside, outside) = (of(true), of(false));
        assert!(inside.len() > 20 && outside.len() > 20, "{kind}");
        assert_eq!(listed(&served, kind, true).await, inside, "{kind}");
        assert_eq!(listed(&served, kind, false).await, outside, "{kind}");

        let order = json!({ "kind": set, "format": "roaring" });
        let admin = served.token("admin");
        let asked = served.post(&admin, &served.connection("/exports"), &order).await.body;
        world.run().await;
        let shown = format!("/exports/{}", asked["export_id"].as_str().unwrap());
        let made = served.get(&admin, &served.connection(&shown)).await.body;
        let current = served.api.directory.current().await.unwrap().unwrap().id;
        assert_eq!(made["rows"], inside.len(), "{made}");
        assert_eq!(made["directory_version"], current.to_string());
        assert_eq!(made["files"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_filter_that_is_none_is_refused_and_a_cursor_leads_its_own_list_on() {
    let (_world, served, _folder) = seller().await;
    let seat = served.token("seat");
    let get = async |query: &str| {
        served.get(&seat, &served.connection(&format!("/crm-filter?{query}"))).await
    };
    for query in [
        "entity_kind=person",
        "in_crm=true",
        "entity_kind=lead&in_crm=true",
        "entity_kind=person&in_crm=maybe",
        "entity_kind=person&in_crm=true&page_size=9",
        "entity_kind=person&in_crm=true&cursor=x",
        "entity_kind=person&in_crm=false&cursor=",
    ] {
        let answer = get(query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        assert_eq!(answer.content_type, "application/problem+json");
    }
    let next = |page: Value| page["next"].as_str().unwrap().to_owned();
    let of_people = next(get("entity_kind=person&in_crm=true").await.body);
    let others = next(get("entity_kind=person&in_crm=false").await.body);
    for (query, cursor) in [
        ("entity_kind=company&in_crm=true", &of_people),
        ("entity_kind=person&in_crm=false", &of_people),
        ("entity_kind=person&in_crm=true", &others),
    ] {
        let answer = get(&format!("{query}&cursor={cursor}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        assert_eq!(answer.body["type"], "bad_cursor");
    }
}
