//! A seller creates and updates accounts over HTTP, where the admin lets them.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::badges::{badges, ids};
use super::changes::{at, day, told};
use super::{Answer, Served};

/// Posts a change under a key.
pub(super) async fn post(served: &Served, token: &str, key: &str, wanted: &Value) -> Answer {
    served.keyed(token, &at(served, "/changes"), key, wanted).await
}

/// A field of a form.
pub(super) fn field<'a>(form: &'a Value, name: &str) -> &'a Value {
    let mut fields = form["fields"].as_array().unwrap().iter();
    fields.find(|field| field["name"] == name).unwrap()
}

/// A company of the directory that has no account in the CRM.
async fn not_in_crm(served: &Served, companies: &[String]) -> String {
    let badges = badges(served, "company", companies).await;
    let mut free = badges.into_iter().filter(|(_, badge)| badge["state"] == "not_in_crm");
    free.next().unwrap().0
}

#[tokio::test]
async fn an_account_is_created_where_the_admin_allows_it_and_becomes_its_companys_match() {
    let (world, served, token, folder) = day().await;
    let company = not_in_crm(&served, &ids(&folder.path().join("companies.jsonl"))).await;
    let wanted = json!({ "kind": "create", "object": "Account", "company_id": company,
        "fields": { "Name": "Aurelian Lamps", "Website": "https://aurelian.example" } });
    let off = post(&served, &token, "1", &wanted).await;
    assert_eq!((off.status, &off.body["type"]), (StatusCode::CONFLICT, &json!("turned_off")));
    assert!(off.body["detail"].as_str().unwrap().contains("create_accounts"), "{}", off.body);

    world.set(&json!({ "create_accounts": true })).await;
    let form = served.get(&token, &at(&served, "/crm/forms/Account")).await.body;
    assert_eq!(field(&form, "Name")["required"], true);
    assert_eq!(field(&form, "Website")["required"], false);
    let created = told(&world, &served, &token, &post(&served, &token, "1", &wanted).await).await;
    assert_eq!((&created["state"], &created["company_id"]), (&json!("made"), &json!(company)));
    assert_eq!(created["person_id"], Value::Null);
    let id = created["record_id"].as_str().unwrap();
    let row = world.control().record(&world.org, id).unwrap();
    assert_eq!((&row["Name"], &row["OwnerId"]), (&json!("Aurelian Lamps"), &row["CreatedById"]));
    let badge =
        badges(&served, "company", std::slice::from_ref(&company)).await.remove(&company).unwrap();
    assert_eq!(badge["record"]["record_id"], id, "{badge}");

    let again = post(&served, &token, "2", &wanted).await;
    let again = told(&world, &served, &token, &again).await;
    assert_eq!(again["refusals"][0]["code"], "DUPLICATES_FOUND", "{again}");
    assert_eq!(again["duplicates"][0]["record_id"], id);
    assert_eq!(again["may_create_anyway"], true);

    let undo = at(&served, &format!("/changes/{}/undo", created["change_id"].as_str().unwrap()));
    let undo = served.call("POST", &undo, Some(&token), None).await;
    assert_eq!(undo.status, StatusCode::CONFLICT);
    let why = undo.body["detail"].as_str().unwrap();
    assert!(why.contains("deletes an account's contacts"), "{why}");

    let list = served.get(&token, &at(&served, "/changes")).await.body;
    let list: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|change| &change["change_id"]).collect();
    assert_eq!(list, [&again["change_id"], &created["change_id"]], "the newest first");
}

#[tokio::test]
async fn what_an_account_tells_of_its_company_is_updated_by_the_policy_and_can_be_undone() {
    let (world, served, token, _folder) = day().await;
    let account = world.control().records(&world.org, "Account", 0, 1).unwrap().remove(0);
    let id = account["Id"].as_str().unwrap();
    let fields = json!({ "Website": { "from": account["Website"], "to": "https://new.example" } });
    let wanted = json!({ "kind": "update", "object": "Account", "record_id": id,
        "fields": fields });
    let off = post(&served, &token, "1", &wanted).await;
    assert!(off.body["detail"].as_str().unwrap().contains("update_accounts"), "{}", off.body);

    world.set(&json!({ "update_accounts": true, "update_company": "never" })).await;
    let never = post(&served, &token, "1", &wanted).await;
    assert_eq!(never.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(never.body["detail"].as_str().unwrap().contains("update_company"), "{}", never.body);

    world.set(&json!({ "update_company": "overwrite" })).await;
    let now = served.get(&token, &at(&served, &format!("/crm/records/Account/{id}"))).await.body;
    assert_eq!(field(&now, "Website")["value"], account["Website"]);
    let made = told(&world, &served, &token, &post(&served, &token, "1", &wanted).await).await;
    assert_eq!(
        (&made["state"], &made["left"]["Website"]),
        (&json!("made"), &fields["Website"]["to"])
    );

    let undo = at(&served, &format!("/changes/{}/undo", made["change_id"].as_str().unwrap()));
    let undo = served.call("POST", &undo, Some(&token), None).await;
    assert_eq!(told(&world, &served, &token, &undo).await["state"], "made");
    let row = world.control().record(&world.org, id).unwrap();
    assert_eq!(row["Website"], account["Website"]);
}

#[tokio::test]
async fn a_person_is_no_account_and_a_company_no_lead() {
    let (_world, served, token, _folder) = day().await;
    let account = json!({ "kind": "create", "object": "Account", "person_id": "pr_1",
        "fields": { "Name": "Aurelian" } });
    let lead = json!({ "kind": "create", "object": "Lead", "company_id": "co_1",
        "fields": { "LastName": "Aurelian", "Company": "Aurelian" } });
    for (wanted, why) in [(account, "leave person_id out"), (lead, "leave company_id out")] {
        let refused = post(&served, &token, "1", &wanted).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.body["detail"].as_str().unwrap().contains(why), "{}", refused.body);
    }
}

#[tokio::test]
async fn an_account_is_found_by_any_word_of_its_name_and_by_how_it_begins() {
    let (world, served, token, _folder) = day().await;
    for name in ["Norddeutsche Lampen Werke", "Lampenhaus Oslo", "Unterlampen"] {
        world.control().create(&world.org, "Account", &json!({ "Name": name })).unwrap();
    }
    for (words, expected) in [
        ("lamp", &["Lampenhaus Oslo", "Norddeutsche Lampen Werke"][..]),
        ("lampen w", &["Norddeutsche Lampen Werke"]),
        ("Un", &["Unterlampen"]),
    ] {
        let search = format!("/crm/accounts?name={}", words.replace(' ', "%20"));
        let hits = served.get(&token, &at(&served, &search)).await.body;
        let names: Vec<_> =
            hits["items"].as_array().unwrap().iter().map(|hit| hit["name"].clone()).collect();
        assert!(expected.iter().all(|name| names.contains(&json!(name))), "{words}: {names:?}");
        assert_eq!(names.contains(&json!("Unterlampen")), words == "Un", "{words}: {names:?}");
    }
}
