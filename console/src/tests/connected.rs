//! The pages of an org that is connected: the simulator's, imported by the product itself.

use shared::kernel::Grantee;
use tempfile::TempDir;
use tests::world::World;

use super::html::{assert_inert, parse};
use super::*;

/// A connected org, and an admin's browser on its console.
async fn connected() -> (World, TempDir, Served, Browser) {
    let folder = TempDir::new().unwrap();
    let org = json!({ "my_domain": "acme" });
    std::fs::write(folder.path().join("org.json"), org.to_string()).unwrap();
    let world = World::new(folder.path()).await;
    world.authorize(Grantee::Admin, "admin@acme.example").await.unwrap();
    world.run().await;
    let served = Served::over(world.ports(), "crm-sync/", true).await;
    let browser = served.logged_in("admin").await;
    (world, folder, served, browser)
}

/// The first address on a page that begins so.
fn link(page: &Answer, prefix: &str) -> String {
    let (tags, _) = parse(&page.text);
    let found = tags.iter().filter_map(|tag| tag.attribute("href"));
    let found = found.into_iter().find(|href| href.starts_with(prefix));
    found.unwrap_or_else(|| panic!("no {prefix}: {}", page.text)).to_owned()
}

#[tokio::test]
async fn every_page_of_a_connected_org_is_shown() {
    let (_world, _folder, _served, mut browser) = connected().await;
    for page in PAGES {
        let answer = browser.get(&at(page)).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.text);
        assert!(!answer.text.contains("No org is connected"), "{page}");
        assert_inert(&answer.text);
    }
    let health = browser.get(&at("/health")).await;
    assert!(health.text.contains("Complete"), "{}", health.text);
    assert!(health.text.contains("<svg class=\"chart\""), "{}", health.text);
    assert!(health.text.contains("<caption>Rows by object</caption>"), "{}", health.text);
    let run = browser.get(&link(&health, &at("/runs/"))).await;
    assert_eq!(run.status, StatusCode::OK, "{}", run.text);
    let doctor = browser.get(&at("/doctor")).await;
    assert!(doctor.text.contains("The same org"), "{}", doctor.text);
}

#[tokio::test]
async fn the_wizard_is_answered_step_by_step_and_permissions_are_checked_again() {
    let (world, _folder, served, mut browser) = connected().await;
    let wizard = browser.get(&at("/wizard")).await;
    assert!(wizard.text.contains("2. Saving and logging"), "{}", wizard.text);
    let sync = [("step", "sync"), ("auto_save", "yes"), ("log_notes", "yes")];
    for (answer, next) in [
        (&sync[..], "3. Return on investment"),
        (&[("step", "roi"), ("roi", "yes")], "4. The rest"),
        (&[("step", "advanced"), ("data_validation", "yes")], "Everything is set up"),
    ] {
        let answered = browser.act(&at("/wizard"), answer).await;
        assert_eq!(answered.status, StatusCode::SEE_OTHER, "{}", answered.text);
        let page = browser.get(answered.location()).await;
        assert!(page.text.contains(next), "{next}: {}", page.text);
    }
    let saving = browser.get(&at("/saving")).await.text;
    assert!(saving.contains("name=\"roi\" value=\"yes\" checked"), "{saving}");
    assert!(saving.contains("name=\"log_messages\" value=\"yes\"> "), "{saving}");
    let asked = browser.act(&at("/wizard/check"), &[]).await;
    assert_eq!(asked.location(), "/console/production/wizard?said=asked");
    // Hours may pass meanwhile: the session does not last as long.
    world.run().await;
    let mut browser = served.logged_in("admin").await;
    let page = browser.get(&at("/wizard")).await;
    assert!(page.text.contains("Can be read"), "{}", page.text);
}

#[tokio::test]
async fn an_admin_chooses_what_sellers_may_change_in_the_crm() {
    let (_world, _folder, _served, mut browser) = connected().await;
    let before = browser.get(&at("/saving")).await.text;
    assert!(before.contains("<option value=\"overwrite\" selected>"), "{before}");
    let chosen = [
        ("create_leads", "yes"),
        ("update_title", "never"),
        ("contact_owner", "account_owner"),
        ("create_accounts", "yes"),
        ("lead_source", "Web"),
    ];
    let saved = browser.act(&at("/saving"), &chosen).await;
    let page = browser.get(saved.location()).await.text;
    for shown in [
        "name=\"create_leads\" value=\"yes\" checked",
        "name=\"create_contacts\" value=\"yes\"> ",
        "name=\"create_accounts\" value=\"yes\" checked",
        "name=\"lead_source\" maxlength=\"255\" value=\"Web\"",
        "<option value=\"never\" selected>",
        "<option value=\"account_owner\" selected>",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
}

#[tokio::test]
async fn an_admin_tries_what_auto_save_would_save_before_turning_it_on() {
    let (world, _folder, served, mut browser) = connected().await;
    let untried = browser.get(&at("/saving")).await.text;
    assert!(!untried.contains("What auto-save would save"), "{untried}");
    let boxes = [("auto_save", "yes"), ("save_owned_accounts", "yes"), ("try", "yes")];
    let tried = browser.act(&at("/saving"), &boxes).await;
    assert_eq!(tried.location(), "/console/production/saving?said=tried");
    let counting = browser.get(tried.location()).await.text;
    assert!(counting.contains("Being counted: 0 seats so far"), "{counting}");
    world.run().await;
    let mut browser = served.logged_in("admin").await;
    let page = browser.get(&at("/saving")).await.text;
    for shown in
        ["<strong>0</strong> people would be new in the lists of 0 seats", "Nothing was saved"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let is_off = "name=\"save_owned_accounts\" value=\"yes\"> ";
    assert!(page.contains(is_off), "no setting is changed: {page}");
}

#[tokio::test]
async fn an_admin_tries_rules_of_matching_and_then_sets_them() {
    let (world, _folder, served, mut browser) = connected().await;
    let page = browser.get(&at("/rules")).await.text;
    assert!(page.contains("A match is at least 50.0 % probable"), "{page}");
    let rules = [("match_at.Lead", "97.5"), ("must_agree.Lead", "email"), ("try", "yes")];
    let tried = browser.act(&at("/rules"), &rules).await;
    assert_eq!(tried.location(), "/console/production/rules?said=tried");
    world.run().await;
    let mut browser = served.logged_in("admin").await;
    let page = browser.get(&at("/rules")).await.text;
    assert!(page.contains("Nothing was changed") && !page.contains("Being counted"), "{page}");
    let is_asked = |page: &str| page.contains("step=\"any\" value=\"97.5\"");
    let email = "name=\"must_agree.Lead\" value=\"email\" checked";
    assert!(!is_asked(&page) && !page.contains(email), "{page}");

    let saved = browser.act(&at("/rules"), &rules[..2]).await;
    let page = browser.get(saved.location()).await.text;
    assert!(page.contains("A match is at least 97.5 % probable"), "{page}");
    assert!(is_asked(&page) && page.contains(email), "{page}");
    assert!(!page.contains("name=\"must_agree.Contact\" value=\"email\" checked"), "{page}");
    let wrong = browser.act(&at("/rules"), &[("match_at.Lead", "7")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text);
    assert!(wrong.text.contains("match_at must be from 0.2 to 0.9999"), "{}", wrong.text);
}

#[tokio::test]
async fn an_admin_bounds_sellers_lists_and_undoes_what_was_saved() {
    let (world, _folder, _served, mut browser) = connected().await;
    let bounds =
        [("most_saved_accounts", "7"), ("most_saved_people", "9"), ("unsave_after_days", "30")];
    let saved = browser.act(&at("/saving"), &bounds).await;
    let page = browser.get(saved.location()).await.text;
    for (name, value) in bounds {
        let field = page.split(&format!("name=\"{name}\"")).nth(1).unwrap();
        let field = field.split('>').next().unwrap();
        assert!(field.ends_with(&format!("value=\"{value}\"")), "{name}: {field}");
    }
    let undone = browser.act(&at("/saving"), &[("undo", "1")]).await;
    assert_eq!(undone.location(), "/console/production/saving?said=undoing");
    world.run().await;
    let page = browser.get(undone.location()).await.text;
    assert!(page.contains("revision 1, asked for"), "{page}");
    assert!(!page.contains("Being undone: revision"), "it came to its end: {page}");
    // Without days nothing goes.
    let saved = browser.act(&at("/saving"), &bounds[..2]).await;
    let page = browser.get(saved.location()).await.text;
    assert!(page.contains("max=\"365\" value=\"\""), "{page}");
}

#[tokio::test]
async fn a_run_is_begun_paused_resumed_and_cancelled() {
    let (world, _folder, _served, mut browser) = connected().await;
    let first = link(&browser.get(&at("/runs")).await, &at("/runs/"));
    let begun = browser.act(&at("/runs"), &[("full", "yes")]).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.text);
    // What was asked for is a message; the run is there once it was taken.
    for message in world.memory.receive() {
        world.deliver(&message.body).await;
    }
    let runs = browser.get(begun.location()).await;
    let run = link(&runs, &at("/runs/"));
    assert_ne!(run, first, "{}", runs.text);
    for (steer, said) in [
        ("pause", "The run is paused."),
        ("resume", "The run goes on."),
        ("cancel", "The run is cancelled."),
    ] {
        let steered = browser.act(&run, &[("steer", steer)]).await;
        assert_eq!(steered.status, StatusCode::SEE_OTHER, "{steer}: {}", steered.text);
        let page = browser.get(steered.location()).await;
        assert!(page.text.contains(said), "{steer}: {}", page.text);
    }
    let wrong = browser.act(&run, &[("steer", "explode")]).await;
    assert_eq!(wrong.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_org_is_disconnected_only_when_somebody_is_sure_and_its_deletion_is_shown() {
    let (world, _folder, _served, mut browser) = connected().await;
    let unsure = browser.act(&at("/leave"), &[]).await;
    assert_eq!(unsure.status, StatusCode::FORBIDDEN);
    assert!(browser.get(&at("/health")).await.text.contains(">Connected<"));
    let gone = browser.act(&at("/leave"), &[("sure", "yes")]).await;
    assert_eq!(gone.location(), "/console/production/purges/production-1", "{}", gone.text);
    let page = browser.get(gone.location()).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("data-refresh=\"3\""), "{}", page.text);
    assert_eq!(browser.get(&at("/leave")).await.location(), gone.location());
    assert_eq!(browser.get(&at("/health")).await.status, StatusCode::OK);
    assert!(browser.get(&at("")).await.text.contains("This org is disconnected"));
    drop(world);
}

#[tokio::test]
async fn a_mapping_and_a_filter_are_made_and_taken_away() {
    let (_world, _folder, _served, mut browser) = connected().await;
    let filter = [("object", "Lead"), ("field", "Status"), ("operator", "equals")];
    let mut fields = filter.to_vec();
    fields.push(("value", "Open"));
    let added = browser.act(&at("/filters"), &fields).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text);
    let page = browser.get(&at("/filters")).await.text;
    assert!(page.contains("<code>Status</code> equals <bdi>Open</bdi>"), "{page}");
    let taken = browser.act(&at("/filters"), &[("object", "Lead"), ("remove", "0")]).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.text);
    assert!(browser.get(&at("/filters")).await.text.contains("Every row is read."));
    let mapping = [("object", "Lead"), ("field", "Nope"), ("custom_field", "Nope__c")];
    let refused = browser.act(&at("/fields"), &mapping).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
}
