//! What an admin says of the changes that sellers may make: which fields an update touches, and
//! whose a new contact is.

use serde_json::{Value, json};
use shared::capabilities::changing::{ChangeError, ChangeKind, ChangeState, NewChange};
use shared::kernel::{Author, SObject};
use tests::world::World;

use super::changes::{account, editable, made, new, row, turn_on, update, values};
use super::connection::Scene;
use super::main_job::import_again;

/// The admin's word on titles.
async fn titles(world: &World, policy: &str) {
    world.set(&json!({ "update_title": policy })).await;
}

async fn refusal(scene: &Scene, new: NewChange) -> String {
    let world = &scene.world;
    let refused = world.functions.changes.post(world.at(), new).await;
    let Err(ChangeError::Invalid(problems)) = refused else { panic!("{refused:?}") };
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_field_is_updated_never_or_where_it_is_blank_or_always_as_the_admin_says() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let (record, _) = editable(world).await;
    let title = json!("Buyer");
    world.control().update(&world.org, record.id.as_str(), &json!({ "Title": title })).unwrap();
    titles(world, "never").await;
    let why = refusal(&scene, update(&scene, "1", record, (&title, "Chief"))).await;
    assert_eq!(why, "Title is not updated; the setting is update_title");
    titles(world, "fill_blank").await;
    let why = refusal(&scene, update(&scene, "1", record, (&title, "Chief"))).await;
    let told = "Title is filled in where it is empty, not replaced; the setting is update_title";
    assert_eq!(why, told);

    // What the seller saw is empty, and is not: nothing is replaced.
    let (change, _) = made(&scene, update(&scene, "2", record, (&Value::Null, "Chief"))).await;
    assert_eq!(change.state, ChangeState::Refused { code: "STALE".to_owned() });
    world.control().update(&world.org, record.id.as_str(), &json!({ "Title": null })).unwrap();
    let (change, _) = made(&scene, update(&scene, "3", record, (&Value::Null, "Chief"))).await;
    assert_eq!(change.state, ChangeState::Made);
    assert_eq!(row(world, record.id)["Title"], "Chief");

    // An address has a setting of its own.
    let city = |to: &str| values(&json!({ "MailingCity": to }));
    let what = ChangeKind::Update { record };
    let from = values(&json!({ "MailingCity": row(world, record.id)["MailingCity"] }));
    titles(world, "never").await;
    let moved = NewChange { from: from.clone(), to: city("Oslo"), ..new(&scene, "4", what) };
    assert_eq!(made(&scene, moved).await.0.state, ChangeState::Made);
    world.set(&json!({ "update_address": "never", "update_title": "overwrite" })).await;
    let back = NewChange { from: city("Oslo"), to: city("Bergen"), ..new(&scene, "5", what) };
    let why = refusal(&scene, back).await;
    assert_eq!(why, "MailingCity is not updated; the setting is update_address");
}

#[tokio::test]
async fn what_was_written_before_the_admin_forbade_it_can_still_be_undone() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let (record, title) = editable(world).await;
    let (change, _) = made(&scene, update(&scene, "1", record, (&title, "Chief"))).await;
    titles(world, "never").await;
    world.functions.changes.undo(world.at(), scene.seat, change.id).await.unwrap();
    world.run().await;
    assert_eq!(row(world, record.id)["Title"], title);
}

#[tokio::test]
async fn a_setting_that_is_none_of_its_words_is_refused() {
    let scene = Scene::new().await;
    let settings = &scene.world.functions.settings;
    for (patch, why) in [
        (json!({ "update_title": "sometimes" }), "must be never, fill_blank or overwrite"),
        (json!({ "update_company": null }), "must be never, fill_blank or overwrite"),
        (json!({ "contact_owner": "nobody" }), "must be seller or account_owner"),
        (json!({ "lead_source": "  " }), "must be a lead source of at most 255 characters"),
    ] {
        let patch = serde_json::from_value(patch).unwrap();
        let author = Author::Service;
        let refused = settings.patch(scene.world.at(), &patch, None, &author).await;
        assert!(refused.unwrap_err().to_string().contains(why), "{why}");
    }
}

/// A contact in the account of the scene's own, by its owner rule.
async fn contact_in(scene: &Scene, key: &str, account: &str) -> Value {
    let what = ChangeKind::Create { object: SObject::Contact };
    let to = values(&json!({ "LastName": format!("Aurelian{key}"), "AccountId": account }));
    let (change, _) = made(scene, NewChange { to, entity: None, ..new(scene, key, what) }).await;
    assert_eq!(change.state, ChangeState::Made);
    row(&scene.world, change.created.unwrap())
}

#[tokio::test]
async fn a_new_contact_is_the_account_owners_where_the_admin_wants_it_so_and_they_work_there() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    let account = account(&scene).await;
    let users = world.control().records(&world.org, "User", 0, usize::MAX).unwrap();
    let is_other = |user: &&Value| {
        user["IsActive"] == true
            && !["noor", "crm.integration"]
                .iter()
                .any(|begin| user["Username"].as_str().unwrap().starts_with(begin))
    };
    let colleague = users.iter().find(is_other).unwrap()["Id"].clone();
    world.control().update(&world.org, &account, &json!({ "OwnerId": colleague })).unwrap();
    let own = contact_in(&scene, "1", &account).await;
    assert_eq!(own["OwnerId"], own["CreatedById"], "the seller's, as nothing else was said");

    world.set(&json!({ "contact_owner": "account_owner" })).await;
    let theirs = contact_in(&scene, "2", &account).await;
    assert_eq!((&theirs["OwnerId"], &theirs["CreatedById"]), (&colleague, &own["CreatedById"]));

    let left = json!({ "IsActive": false });
    world.control().update(&world.org, colleague.as_str().unwrap(), &left).unwrap();
    world.control().advance(3600);
    import_again(world, "a colleague left").await;
    let kept = contact_in(&scene, "3", &account).await;
    assert_eq!(kept["OwnerId"], own["CreatedById"], "nobody else works there any more");
}

#[tokio::test]
async fn a_new_lead_needs_an_address_and_has_the_admins_source_where_these_are_set() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    world.set(&json!({ "require_email": true, "lead_source": "Web" })).await;
    let lead = |key: &str, more: Value| {
        let mut to = values(&json!({ "LastName": format!("Aurelian{key}"), "Company": "Lamps" }));
        to.extend(values(&more));
        let what = ChangeKind::Create { object: SObject::Lead };
        NewChange { to, entity: None, ..new(&scene, key, what) }
    };
    let why = refusal(&scene, lead("1", json!({}))).await;
    assert_eq!(why, "Email must be given; the setting is require_email");
    let email = |n: u32| json!({ "Email": format!("a{n}@aurelian.example") });
    let (change, _) = made(&scene, lead("2", email(2))).await;
    assert_eq!(row(world, change.created.unwrap())["LeadSource"], "Web");
    let mut own = email(3);
    own["LeadSource"] = json!("Referral");
    let (change, _) = made(&scene, lead("3", own)).await;
    assert_eq!(row(world, change.created.unwrap())["LeadSource"], "Referral", "their own word");
}

#[tokio::test]
async fn many_changes_at_once_are_the_admins_to_allow() {
    let scene = Scene::new().await;
    let world = &scene.world;
    turn_on(world).await;
    world.set(&json!({ "bulk_changes": false })).await;
    let (record, title) = editable(world).await;
    let wanted = vec![update(&scene, "1", record, (&title, "Chief"))];
    let refused = world.functions.changes.post_bulk(world.at(), scene.seat, "1", wanted).await;
    assert!(matches!(refused, Err(ChangeError::TurnedOff("bulk_changes"))), "{refused:?}");
    assert_eq!(row(world, record.id)["Title"], title);
}
