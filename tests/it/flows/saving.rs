//! What auto-save goes by: the admin's answer, the stage, the owner's seat, the directory; and what
//! a change of it does to what is imported already.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::capabilities::connecting::WizardAnswer;
use shared::capabilities::linking::{CandidateList, Correcting};
use shared::capabilities::seats::{CrmUserError, CrmUserStatus};
use shared::kernel::{Author, CareMessage, EntityId, SObject, SeatId};
use shared::ports::Key;
use shared::salesforce::SalesforceId;
use shared::store::Next;
use tests::world::{Delivery, World, WorldOptions};

use super::connection::Scene;
use super::main_job::{assert_saved, import_again, imported, imported_with};
use super::observe::{lists, saved, saved_anywhere};
use super::org::{Row, directory, json_of, small, tiny};

const SELLER: &str = "noor.castellan@acme.example";

/// The small org, imported while auto-save is off.
async fn unsaved(folder: &Path) -> World {
    let options = WorldOptions { auto_save: Some(false), ..WorldOptions::default() };
    let world = imported_with(options, folder, Delivery::Plain).await;
    assert_saved(&world, folder, |_| false).await;
    world
}

#[tokio::test]
async fn nothing_is_saved_before_the_admin_says_so_and_everything_after() {
    let folder = small();
    let options = WorldOptions { auto_save: None, ..WorldOptions::default() };
    let world = imported_with(options, folder.path(), Delivery::Plain).await;
    assert_saved(&world, folder.path(), |_| false).await;
    let answer =
        WizardAnswer::Sync { auto_save: true, stage: None, log_messages: true, log_notes: true };
    let by = Author::Admin { subject: None };
    world.functions.wizards.answer(world.at(), &answer, by).await.unwrap();
    world.run().await;
    assert_saved(&world, folder.path(), |_| true).await;
}

/// True for deals at or after the stage "Negotiation/Review", and at the retired one, whose place
/// cannot be told.
fn late(deal: &Row) -> bool {
    ["Negotiation/Review", "Verbal Agreement"].contains(&deal["StageName"].as_str())
}

#[tokio::test]
async fn a_changed_rule_is_applied_to_what_is_imported_already() {
    let folder = small();
    let world = unsaved(folder.path()).await;
    world.set(&json!({ "auto_save": true, "stage": "Negotiation/Review" })).await;
    world.run().await;
    assert_saved(&world, folder.path(), late).await;
    world.set(&json!({ "stage": null })).await;
    world.run().await;
    assert_saved(&world, folder.path(), |_| true).await;
}

#[tokio::test]
async fn a_stage_is_known_by_its_api_name_whatever_its_label() {
    let folder = small();
    let world = unsaved(folder.path()).await;
    let renamed = "Perception Analysis";
    world.set(&json!({ "auto_save": true, "stage": renamed })).await;
    touch_every_deal(&world).await;
    let stages = super::org::rows(folder.path(), "OpportunityStage.csv");
    let place = |name: &str| stages.iter().position(|stage| stage["ApiName"] == name).unwrap();
    assert_ne!(stages[place(renamed)]["MasterLabel"], renamed, "it was renamed");
    assert_saved(&world, folder.path(), |deal| place(&deal["StageName"]) >= place(renamed)).await;
}

/// Imports every deal again.
async fn touch_every_deal(world: &World) {
    let control = world.control();
    for deal in control.records(&world.org, "Opportunity", 0, 10_000).unwrap() {
        control.update(&world.org, deal["Id"].as_str().unwrap(), &json!({ "Amount": 7 })).unwrap();
    }
    control.advance(60);
    import_again(world, "touched").await;
}

/// A matched contact that nobody saved, and its account, which somebody did.
pub(super) async fn nobodys(world: &World) -> (CandidateList, Value) {
    let leads = saved_anywhere(world, "leads").await;
    let accounts = saved_anywhere(world, "accounts").await;
    for list in lists(world, SObject::Contact).await {
        let contact = world.control().record(&world.org, list.id.as_str()).unwrap();
        let account = contact["AccountId"].clone();
        let known = account.as_str().is_some_and(|account| accounts.contains(account));
        if list.matched.is_some() && known && !leads.contains(list.id.as_str()) {
            return (list, account);
        }
    }
    panic!("every matched contact is saved");
}

/// A CRM user of an e-mail address.
pub(super) fn user(world: &World, email: &str) -> Value {
    let users = world.control().records(&world.org, "User", 0, 1_000).unwrap();
    users.into_iter().find(|user| user["Email"] == email).unwrap()["Id"].clone()
}

/// An open deal of `owner` at `account` with `contact` in a role.
pub(super) fn deal(world: &World, owner: &Value, account: &Value, contact: SalesforceId) {
    let control = world.control();
    let mut fields = json!({ "Name": "Deal", "OwnerId": owner, "StageName": "Prospecting",
        "CloseDate": "2027-01-31" });
    if !account.is_null() {
        fields["AccountId"] = account.clone();
    }
    let deal = control.create(&world.org, "Opportunity", &fields).unwrap();
    let role = json!({ "OpportunityId": deal, "ContactId": contact, "Role": "Evaluator" });
    control.create(&world.org, "OpportunityContactRole", &role).unwrap();
    control.advance(60);
}

#[tokio::test]
async fn a_contact_of_an_open_opportunity_without_an_account_is_saved() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let (contact, _) = nobodys(world).await;
    deal(world, &user(world, SELLER), &Value::Null, contact.id);
    import_again(world, "second").await;
    assert!(saved(world, scene.seat, "leads").await.contains(contact.id.as_str()));
}

#[tokio::test]
async fn an_account_that_is_filtered_out_takes_no_contact_along() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let (contact, account) = nobodys(world).await;
    let scope = world.connection().await.scope();
    let inspect = Next::now(CareMessage::Inspect { scope });
    let _ = world.functions.outbox.commit(vec![], vec![inspect]).await.unwrap();
    world.run().await;
    let name =
        world.control().record(&world.org, account.as_str().unwrap()).unwrap()["Name"].clone();
    let filter = json!([{ "object": "Account",
        "conditions": [{ "field": "Name", "operator": "not_equals", "value": name }] }]);
    let filter = serde_json::from_value(filter).unwrap();
    world.functions.selections.filter(world.at(), filter, &Author::Service).await.unwrap();
    world.run().await;
    // It was found by its employer, which is not imported any more: a person says who it is.
    let what = Correcting::Match { entity_id: contact.matched.unwrap() };
    let corrections = &world.functions.corrections;
    corrections
        .say(scope, SObject::Contact, contact.id, what, &Author::Seat { seat: scene.seat })
        .await
        .unwrap();
    deal(world, &user(world, SELLER), &account, contact.id);
    import_again(world, "second").await;
    assert!(saved(world, scene.seat, "leads").await.contains(contact.id.as_str()));
}

#[tokio::test]
async fn what_a_new_owner_of_a_deal_is_called_for_is_saved_for_them_and_stays_with_the_old_one() {
    let scene = Scene::new().await;
    let (world, control) = (&scene.world, scene.world.control());
    let users = control.records(&world.org, "User", 0, 1_000).unwrap();
    let other = |user: &&Value| user["IsActive"] == true && user["Email"] != SELLER;
    let (new, email) = users.iter().find(other).map(|user| (&user["Id"], &user["Email"])).unwrap();
    let seat = world.seat(email.as_str().unwrap()).await;
    let (contact, _) = nobodys(world).await;
    deal(world, &user(world, SELLER), &Value::Null, contact.id);
    import_again(world, "second").await;
    let has = async |seat| saved(world, seat, "leads").await.contains(contact.id.as_str());
    assert_eq!((has(scene.seat).await, has(seat).await), (true, false));
    let deals = control.records(&world.org, "Opportunity", 0, 1_000).unwrap();
    let moved = deals.iter().find(|deal| deal["Name"] == "Deal").unwrap()["Id"].as_str().unwrap();
    control.update(&world.org, moved, &json!({ "OwnerId": new })).unwrap();
    control.advance(60);
    import_again(world, "third").await;
    assert_eq!((has(scene.seat).await, has(seat).await), (true, true), "what was saved stays");
}

/// Another active CRM user with the seller's e-mail address.
fn twin(world: &World) -> SalesforceId {
    let control = world.control();
    let first = user(world, SELLER);
    let profile = control.record(&world.org, first.as_str().unwrap()).unwrap();
    let twin = json!({ "Username": "noor.twin@acme.example", "Email": SELLER.to_uppercase(),
        "FirstName": "Noor", "LastName": "Castellan", "IsActive": true,
        "ProfileId": profile["ProfileId"] });
    control.create(&world.org, "User", &twin).unwrap().parse().unwrap()
}

#[tokio::test]
async fn two_crm_users_with_one_email_save_nothing_for_the_seat_until_one_is_chosen() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let (contact, account) = nobodys(world).await;
    let contact = contact.id;
    let twin = twin(world);
    deal(world, &Value::from(twin.as_str()), &account, contact);
    import_again(world, "second").await;
    let saved = async || saved(world, scene.seat, "leads").await.contains(contact.as_str());
    assert!(!saved().await, "either may be meant");
    let (crm_users, at) = (&world.functions.crm_users, world.at());
    let link = crm_users.link(at, scene.seat).await.unwrap();
    assert_eq!((link.status, link.user), (CrmUserStatus::Ambiguous, None));
    let told: Vec<SalesforceId> = link.candidates.iter().map(|user| user.id).collect();
    assert!(told.len() == 2 && told.contains(&twin), "an admin is told between whom to choose");
    let chosen = crm_users.choose(at, scene.seat, twin, Author::Service).await.unwrap();
    assert_eq!((chosen.status, chosen.user), (CrmUserStatus::MappedByHand, Some(twin)));
    world.run().await;
    assert!(saved().await);
    let other = world.seat("other.seller@acme.example").await;
    let taken = crm_users.choose(at, other, twin, Author::Service).await;
    assert!(matches!(taken, Err(CrmUserError::Taken(seat)) if seat == scene.seat));
    let again = crm_users.forget(at, scene.seat, &Author::Service).await.unwrap();
    assert_eq!(again.status, CrmUserStatus::Ambiguous);
    assert!(crm_users.choose(at, other, twin, Author::Service).await.is_ok(), "free again");
    let first = crm_users.link(at, scene.seat).await.unwrap();
    assert_eq!(first.status, CrmUserStatus::Matched, "the other user is somebody else's now");
}

#[tokio::test]
async fn a_seat_is_its_one_user_again_when_the_other_one_gets_another_email() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let (contact, account) = nobodys(world).await;
    let twin = twin(world);
    import_again(world, "second").await;
    deal(world, &user(world, SELLER), &account, contact.id);
    import_again(world, "third").await;
    let saved = async || saved(world, scene.seat, "leads").await.contains(contact.id.as_str());
    assert!(!saved().await, "either may be meant");
    let moved = json!({ "Email": "noor.twin@acme.example" });
    world.control().update(&world.org, twin.as_str(), &moved).unwrap();
    world.control().advance(60);
    import_again(world, "fourth").await;
    assert!(saved().await);
}

#[tokio::test]
async fn whoever_was_merged_into_another_does_not_stay_saved_beside_them() {
    let folder = small();
    let world = imported(folder.path(), Delivery::Plain).await;
    let merge = json_of(folder.path(), "expectations.json")["merge"].clone();
    let of = |name: &str| merge[name].as_str().unwrap().parse::<EntityId>().unwrap();
    let (old, into) = (of("person_id"), of("into"));
    let contact = lists(&world, SObject::Contact)
        .await
        .into_iter()
        .find(|list| list.matched.as_ref() == Some(&old))
        .expect("a contact that is matched to the one who is merged");
    let owner = user(&world, SELLER);
    deal(&world, &owner, &Value::Null, contact.id);
    import_again(&world, "second").await;
    let seat = SeatId::derived(SELLER);
    let people = async || -> BTreeSet<EntityId> { entities(&world, seat).await };
    assert!(people().await.contains(&old));
    world.publish_current(folder.path()).await;
    world.run().await;
    let now = people().await;
    assert!(now.contains(&into) && !now.contains(&old));
}

/// The people saved for a seat.
async fn entities(world: &World, seat: SeatId) -> BTreeSet<EntityId> {
    let place = world.keys().await.saved_list(seat, "leads");
    let saved = world.documents().await.all(&place).await.unwrap();
    saved.into_iter().map(|saved| saved.into_inner().entity).collect()
}

#[tokio::test]
async fn whoever_leaves_the_directory_is_saved_for_nobody() {
    let folder = small();
    let world = imported(folder.path(), Delivery::Plain).await;
    let seat = SeatId::derived(SELLER);
    let before = entities(&world, seat).await;
    let gone = before.first().expect("somebody is saved").clone();
    world.memory.clock.advance(SignedDuration::from_secs(1));
    let people = std::fs::read_to_string(folder.path().join("people.jsonl")).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].clone();
    let left: Vec<&str> = people.lines().filter(|line| id(line) != gone.as_str()).collect();
    std::fs::write(folder.path().join("people.jsonl"), left.join("\n")).unwrap();
    world.publish(None, &directory(folder.path())).await;
    world.run().await;
    let now = entities(&world, seat).await;
    assert!(!now.contains(&gone));
    assert!(now.is_superset(&before.into_iter().filter(|entity| *entity != gone).collect()));
}

/// Takes away all that is saved, as if nothing had been.
async fn forget_saved(world: &World) {
    let (keys, ports) = (world.keys().await, world.ports());
    for bucket in 0..keys.buckets() {
        let all = keys.all_saved(bucket);
        let page = ports.table.query(all.pk(), all.range(), None, 100_000).await.unwrap();
        let gone: Vec<Key> = page.items.into_iter().map(|item| item.key).collect();
        ports.table.delete_many(&gone).await.unwrap();
    }
    let counts = keys.tallies();
    let page = ports.table.query(counts.pk(), counts.range(), None, 1_000).await.unwrap();
    let counts: Vec<Key> = page.items.into_iter().map(|item| item.key).collect();
    ports.table.delete_many(&counts).await.unwrap();
}

/// Two rules that say the same of these deals: every open one counts, and every one from the first
/// stage on.
fn every_open_deal(n: u64) -> Value {
    json!({ "stage": if n.is_multiple_of(2) { Value::Null } else { json!("Prospecting") } })
}

#[tokio::test]
async fn a_pass_that_dies_anywhere_or_is_told_twice_comes_to_its_end() {
    let folder = tiny();
    let mut world = imported(folder.path(), Delivery::Plain).await;
    assert_saved(&world, folder.path(), |_| true).await;
    world.set(&every_open_deal(1)).await;
    let before = world.fuse.calls();
    world.run().await;
    let calls = world.fuse.calls() - before;
    let deaths = (1..calls).step_by(usize::try_from(calls / 24).unwrap());
    for (n, death) in (0..).zip(deaths) {
        forget_saved(&world).await;
        world.set(&every_open_deal(n)).await;
        world.fuse.light(death, n.is_multiple_of(3));
        world.run().await;
        assert_saved(&world, folder.path(), |_| true).await;
    }
    for delivery in [Delivery::TwiceAndBackwards, Delivery::Lossy] {
        world.delivery = delivery;
        forget_saved(&world).await;
        world.set(&json!({ "auto_save": false, "stage": null })).await;
        world.set(&json!({ "auto_save": true })).await;
        world.run().await;
        assert_saved(&world, folder.path(), |_| true).await;
    }
}

#[tokio::test]
async fn changes_in_a_row_make_one_pass() {
    let folder = tiny();
    let world = imported(folder.path(), Delivery::Plain).await;
    let calls = async |changes: std::ops::Range<u64>| {
        for n in changes {
            world.set(&every_open_deal(n)).await;
        }
        let before = world.fuse.calls();
        world.run().await;
        world.fuse.calls() - before
    };
    let one = calls(1..2).await;
    let five = calls(2..7).await;
    assert!(five < one * 2, "{five} calls for five changes, {one} for one");
}
