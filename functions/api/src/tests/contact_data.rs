//! A seller sees how a person is reached: within their own access to the record and its fields.

use axum::http::StatusCode;
use salesforce_simulator::{FieldPermission, Profile};
use serde_json::{Value, json};
use tests::world::World;

use super::badges::{badges, ids};
use super::canary::SELLER;
use super::changes::{at, day};
use super::{Answer, Served};

/// A person of the directory who has a contact in the CRM, and the contact's id.
async fn somebody(served: &Served, people: &[String]) -> (String, String) {
    let badges = badges(served, "person", &people[..100]).await;
    let mut contacts = badges.into_iter().filter(|(_, of)| of["record"]["object"] == "Contact");
    let (person, badge) = contacts.next().unwrap();
    (person, badge["record"]["record_id"].as_str().unwrap().to_owned())
}

/// A person's contact data as the seller gets it.
async fn shown(served: &Served, token: &str, person: &str) -> Answer {
    served.get(token, &at(served, &format!("/crm/people/{person}/contact-data"))).await
}

/// The values by field.
fn fields(points: &Value) -> Vec<(&str, &str)> {
    let points = points.as_array().unwrap().iter();
    points.map(|of| (of["field"].as_str().unwrap(), of["value"].as_str().unwrap())).collect()
}

/// The profile of the seller, changed.
pub(super) fn profile(world: &World, change: impl FnOnce(&mut Profile)) {
    let users = world.control().records(&world.org, "User", 0, usize::MAX).unwrap();
    let seller = users.iter().find(|user| user["Username"] == SELLER).unwrap();
    let mut profile =
        world.control().profile_of(&world.org, seller["Id"].as_str().unwrap()).unwrap();
    change(&mut profile);
    world.control().put_profile(&world.org, profile).unwrap();
}

#[tokio::test]
async fn contact_data_is_what_the_record_has_now_with_what_the_person_does_not_want() {
    let (world, served, token, folder) = day().await;
    let people = ids(&folder.path().join("people.jsonl"));
    let (person, contact) = somebody(&served, &people).await;
    let has = json!({ "Email": "ida@aurelian.example", "Phone": "+47 22 000 100",
        "MobilePhone": "+47 400 00 100", "HomePhone": null, "OtherPhone": null,
        "AssistantPhone": null, "Fax": null, "MailingStreet": "Storgata 1",
        "MailingCity": "Oslo", "MailingPostalCode": null, "MailingState": null,
        "MailingCountry": "Norway", "DoNotCall": true, "HasOptedOutOfEmail": false });
    world.control().update(&world.org, &contact, &has).unwrap();
    let told = shown(&served, &token, &person).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    let expected = [
        ("Email", "ida@aurelian.example"),
        ("Phone", "+47 22 000 100"),
        ("MobilePhone", "+47 400 00 100"),
    ];
    assert_eq!(fields(&told.body["points"]), expected, "what is empty is left out");
    let expected =
        [("MailingStreet", "Storgata 1"), ("MailingCity", "Oslo"), ("MailingCountry", "Norway")];
    assert_eq!(fields(&told.body["address"]), expected);
    let consent = json!({ "do_not_call": true, "opted_out_of_email": false,
        "opted_out_of_fax": false });
    assert_eq!(told.body["consent"], consent);
    assert_eq!(told.body["record_id"], contact.as_str());

    let nobody = shown(&served, &token, "pr_nobody").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn contact_data_that_the_seller_may_not_see_in_the_crm_is_not_told() {
    let (world, served, token, folder) = day().await;
    let people = ids(&folder.path().join("people.jsonl"));
    let (person, contact) = somebody(&served, &people).await;
    let has = json!({ "Email": "ida@aurelian.example", "MobilePhone": "+47 400 00 100" });
    world.control().update(&world.org, &contact, &has).unwrap();
    profile(&world, |profile| {
        let hidden = FieldPermission { read: false, edit: false };
        for field in ["Contact.MobilePhone", "Contact.DoNotCall"] {
            profile.fields.insert(field.to_owned(), hidden);
        }
    });
    let told = shown(&served, &token, &person).await.body;
    assert!(fields(&told["points"]).contains(&("Email", "ida@aurelian.example")));
    assert!(!told.to_string().contains("400 00 100"), "a field of nobody's: {told}");
    assert_eq!(told["consent"]["do_not_call"], Value::Null, "the seller may not know");

    // The record itself is hidden: the badge says that there is one, and no value of it is told.
    let (hidden, users) = (json!([contact]), world.control().records(&world.org, "User", 0, 500));
    let users = users.unwrap();
    let seller = users.iter().find(|user| user["Username"] == SELLER).unwrap()["Id"].clone();
    let rule = json!({ "hidden_records": { seller.as_str().unwrap(): hidden } });
    world.control().set(&world.org, &rule).unwrap();
    let badge = badges(&served, "person", std::slice::from_ref(&person)).await;
    assert_eq!(badge[&person]["record"]["record_id"], contact.as_str());
    let told = shown(&served, &token, &person).await;
    assert_eq!(told.status, StatusCode::NOT_FOUND, "{}", told.body);

    // And without a login there is nothing but where to log in.
    let out = served.call("DELETE", &at(&served, "/authorization"), Some(&token), None).await;
    assert!(out.status.is_success(), "{}", out.body);
    let told = shown(&served, &token, &person).await;
    assert_eq!(
        (told.status, &told.body["type"]),
        (StatusCode::CONFLICT, &json!("crm_login_required"))
    );
    assert!(told.body["login_url"].as_str().unwrap().contains("/authorize"));
}
