//! A seller is told who left their open opportunities.

use serde_json::{Value, json};
use tests::world::World;

use super::Served;
use super::badges::{badges, ids};
use super::canary::SELLER;
use super::changes::{at, day};

/// A contact's role in a new open opportunity of the seller's, at the contact's account: the
/// opportunity, and the role.
pub(super) fn role(world: &World, contact: &str) -> (String, String) {
    let (control, org) = (world.control(), &world.org);
    let users = control.records(org, "User", 0, usize::MAX).unwrap();
    let seller = users.iter().find(|user| user["Username"] == SELLER).unwrap();
    let account = control.record(org, contact).unwrap()["AccountId"].clone();
    let deal = json!({ "Name": "Lamps", "AccountId": account, "OwnerId": seller["Id"],
        "StageName": "Prospecting", "CloseDate": "2027-06-30" });
    let deal = control.create(org, "Opportunity", &deal).unwrap();
    let role = json!({ "OpportunityId": deal, "ContactId": contact, "Role": "Decision Maker" });
    let role = control.create(org, "OpportunityContactRole", &role).unwrap();
    (deal, role)
}

pub(super) async fn import(world: &World, served: &Served) {
    world.control().advance(3600);
    let (admin, runs) = (served.token("admin"), served.connection("/runs"));
    served.post(&admin, &runs, &json!({})).await;
    world.run().await;
}

/// Who left, by person.
async fn left(served: &Served, token: &str) -> Vec<Value> {
    let page = served.get(token, &at(served, "/left-opportunities")).await.body;
    assert_eq!(page["next"], Value::Null, "{page}");
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn who_works_elsewhere_has_left_the_sellers_open_opportunities_until_these_are_closed() {
    let (world, served, token, folder) = day().await;
    let before = left(&served, &token).await;
    let people = ids(&folder.path().join("people.jsonl"));
    let badges = badges(&served, "person", &people).await;
    let contacts = badges.iter().filter(|(_, of)| of["record"]["object"] == "Contact");
    let has_left = |of: &&Value| {
        let facts = of["outdated"].as_array().unwrap().iter();
        facts.map(|of| &of["fact"]).any(|fact| fact == "company")
    };
    let (elsewhere, at_home): (Vec<_>, Vec<_>) = contacts.partition(|(_, of)| has_left(of));
    let is_new =
        |(person, _): &&(&String, &Value)| before.iter().all(|left| left["person_id"] != **person);
    let (gone, there) = (elsewhere.iter().find(is_new).unwrap(), &at_home[0]);
    let id = |(_, of): &(&String, &Value)| of["record"]["record_id"].as_str().unwrap().to_owned();
    let (deal, own) = role(&world, &id(gone));
    role(&world, &id(there));
    import(&world, &served).await;
    let mut told = left(&served, &token).await;
    told.retain(|left| !before.contains(left));
    assert_eq!(told.len(), 1, "who is at home is not told: {told:?}");
    assert_eq!((&told[0]["person_id"], &told[0]["record_id"]), (&json!(gone.0), &json!(id(gone))));
    assert_eq!(told[0]["opportunity_ids"], json!([deal]));
    let facts = gone.1["outdated"].as_array().unwrap().iter();
    let now = facts.filter(|of| of["fact"] == "company").map(|of| &of["now"]).next().unwrap();
    assert_eq!(&told[0]["company"], now, "as the badge has it");

    // Whose deal it is, and who has a role in it, is as the org has it now.
    let (control, org) = (world.control(), &world.org);
    let users = control.records(org, "User", 0, usize::MAX).unwrap();
    let is_of = |user: &&Value, name: &str| user["Username"].as_str().unwrap().starts_with(name);
    let owner = |name: &str| users.iter().find(|user| is_of(user, name)).unwrap()["Id"].clone();
    let to = |name: &str| {
        control.update(org, &deal, &json!({ "OwnerId": owner(name) })).unwrap();
    };
    to("tobias.wrenfield");
    import(&world, &served).await;
    assert_eq!(left(&served, &token).await, before, "it is a colleague's now");
    to("noor.castellan");
    import(&world, &served).await;
    assert_eq!(left(&served, &token).await.len(), before.len() + 1);
    control.delete(org, &own).unwrap();
    served
        .post(&served.token("admin"), &served.connection("/runs"), &json!({ "full": true }))
        .await;
    control.advance(3600);
    world.run().await;
    assert_eq!(left(&served, &token).await, before, "they have no role in it any more");

    let again = json!({ "OpportunityId": deal, "ContactId": id(gone), "Role": "Decision Maker" });
    control.create(org, "OpportunityContactRole", &again).unwrap();
    import(&world, &served).await;
    assert_eq!(left(&served, &token).await.len(), before.len() + 1);
    let won = json!({ "StageName": "Closed Won" });
    control.update(org, &deal, &won).unwrap();
    import(&world, &served).await;
    assert_eq!(left(&served, &token).await, before, "it is decided");
}
