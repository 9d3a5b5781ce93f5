//! The rules by which things are saved for sellers: what they own, whose team they are on, and what
//! each of them wants of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::capabilities::linking::CandidateList;
use shared::capabilities::saving::{Saved, SavedList};
use shared::capabilities::settings::SavingRule;
use shared::kernel::{SObject, SeatId};
use shared::product::{Generations, Product};
use tests::world::World;

use super::connection::Scene;
use super::main_job::import_again;
use super::observe::{lists, saved};
use super::saving::{deal, user};

const SELLER: &str = "noor.castellan@acme.example";

fn product(world: &World) -> Product<Generations> {
    Product::new(world.ports()).opening("crm-sync/".to_owned())
}

/// A matched record of an object that is in no list of the seat's.
async fn unsaved(world: &World, seat: SeatId, object: SObject) -> CandidateList {
    let list = SavedList::of(object).as_str();
    let known = saved(world, seat, list).await;
    let matched = lists(world, object).await.into_iter().filter(|list| list.matched.is_some());
    let mut free = matched.filter(|list| !known.contains(list.id.as_str()));
    free.next().unwrap()
}

/// Gives a record to the seller.
fn give(world: &World, record: &CandidateList, seller: &Value) {
    let fields = json!({ "OwnerId": seller });
    world.control().update(&world.org, record.id.as_str(), &fields).unwrap();
}

/// Everything of a seat's list, by record.
async fn reasons(world: &World, seat: SeatId, list: SavedList) -> BTreeMap<String, Saved> {
    let page = product(world).saved_lists().page(world.at(), seat, list, None).await.unwrap();
    page.items.into_iter().map(|saved| (saved.record.to_string(), saved)).collect()
}

fn rules(saved: &Saved) -> Vec<SavingRule> {
    saved.reasons.iter().map(|reason| reason.rule).collect()
}

#[tokio::test]
async fn what_a_seller_owns_is_saved_where_the_admin_allows_it_and_says_why() {
    let scene = Scene::new().await;
    let (world, seller) = (&scene.world, user(&scene.world, SELLER));
    let account = unsaved(world, scene.seat, SObject::Account).await;
    let lead = unsaved(world, scene.seat, SObject::Lead).await;
    for record in [&account, &lead] {
        give(world, record, &seller);
    }
    world.control().advance(60);
    import_again(world, "given").await;
    let accounts = async || reasons(world, scene.seat, SavedList::Accounts).await;
    let people = async || reasons(world, scene.seat, SavedList::Leads).await;
    assert!(!accounts().await.contains_key(account.id.as_str()), "no rule says so yet");

    world.set(&json!({ "save_owned_accounts": true, "save_owned_people": true })).await;
    world.run().await;
    let own = &accounts().await[account.id.as_str()];
    assert_eq!(rules(own), [SavingRule::OwnedAccounts]);
    assert_eq!(own.reasons[0].record, account.id);
    assert_eq!(rules(&people().await[lead.id.as_str()]), [SavingRule::OwnedPeople]);

    // A deal of the account is a reason beside.
    deal(world, &seller, &json!(account.id), unsaved(world, scene.seat, SObject::Contact).await.id);
    import_again(world, "a deal").await;
    let both = [SavingRule::OwnedAccounts, SavingRule::OpportunityAccounts];
    assert_eq!(rules(&accounts().await[account.id.as_str()]), both);
}

#[tokio::test]
async fn an_account_is_saved_for_a_new_owner_with_its_contacts_and_stays_with_the_old_one() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let all = json!({ "save_owned_accounts": true, "save_people_of_owned_accounts": true });
    world.set(&all).await;
    world.run().await;
    let contact = unsaved(world, scene.seat, SObject::Contact).await;
    let row = world.control().record(&world.org, contact.id.as_str()).unwrap();
    let account = row["AccountId"].as_str().unwrap().to_owned();
    let has = async || {
        let (accounts, people) = (
            saved(world, scene.seat, "accounts").await.contains(&account),
            saved(world, scene.seat, "leads").await.contains(contact.id.as_str()),
        );
        (accounts, people)
    };
    let owner = world.control().record(&world.org, &account).unwrap()["OwnerId"].clone();
    let give = async |to: &Value, name: &str| {
        world.control().update(&world.org, &account, &json!({ "OwnerId": to })).unwrap();
        world.control().advance(60);
        import_again(world, name).await;
    };
    assert!(!has().await.1);
    give(&user(world, SELLER), "given").await;
    let is_matched = lists(world, SObject::Account)
        .await
        .iter()
        .any(|list| list.id.as_str() == account && list.matched.is_some());
    assert_eq!(has().await, (is_matched, true));
    give(&owner, "given back").await;
    assert_eq!(has().await, (is_matched, true), "what was saved stays");
}

#[tokio::test]
async fn who_is_on_an_accounts_team_has_it_saved() {
    let scene = Scene::new().await;
    let world = &scene.world;
    world.set(&json!({ "save_team_accounts": true })).await;
    world.run().await;
    let account = unsaved(world, scene.seat, SObject::Account).await;
    let member = json!({ "AccountId": account.id, "UserId": user(world, SELLER) });
    world.control().create(&world.org, "AccountTeamMember", &member).unwrap();
    world.control().advance(60);
    import_again(world, "a member").await;
    let accounts = reasons(world, scene.seat, SavedList::Accounts).await;
    assert_eq!(rules(&accounts[account.id.as_str()]), [SavingRule::TeamAccounts]);
}

#[tokio::test]
async fn a_seller_leaves_out_a_rule_that_the_admin_allows_and_takes_it_up_again() {
    let scene = Scene::new().await;
    let world = &scene.world;
    let lead = unsaved(world, scene.seat, SObject::Lead).await;
    give(world, &lead, &user(world, SELLER));
    world.control().advance(60);
    import_again(world, "given").await;
    let choose = async |on: bool| {
        let chosen = [(SavingRule::OwnedPeople, on), (SavingRule::TeamAccounts, true)].into();
        let saving = product(world).seat_saving();
        saving.choose(world.at(), scene.seat, &chosen).await.unwrap();
        world.run().await;
        saving.of(world.at(), scene.seat).await.unwrap()
    };
    let has = async || saved(world, scene.seat, "leads").await.contains(lead.id.as_str());
    choose(false).await;
    world.set(&json!({ "save_owned_people": true })).await;
    world.run().await;
    assert!(!has().await, "the seller does not want it");
    let now = choose(true).await;
    assert!(has().await, "what was left out meanwhile is saved");
    let of = |rule| now.iter().find(|effective| effective.rule == rule).unwrap();
    let (own, team) = (of(SavingRule::OwnedPeople), of(SavingRule::TeamAccounts));
    assert!(own.on && own.is_allowed);
    assert!(!team.on && !team.is_allowed, "the admin's word goes first");
    choose(false).await;
    assert!(has().await, "what is saved stays");
}

#[tokio::test]
async fn only_deals_after_the_stage_count_where_that_is_what_the_admin_chose() {
    let scene = Scene::new().await;
    let (world, seller) = (&scene.world, user(&scene.world, SELLER));
    let contact = unsaved(world, scene.seat, SObject::Contact).await;
    world.set(&json!({ "stage": "Prospecting", "after_stage": true })).await;
    deal(world, &seller, &Value::Null, contact.id);
    import_again(world, "at the stage").await;
    let has = async || saved(world, scene.seat, "leads").await.contains(contact.id.as_str());
    assert!(!has().await, "it is at the stage, not after it");
    world.set(&json!({ "after_stage": false })).await;
    world.run().await;
    assert!(has().await);
}
