//! The pages for who runs the product.

use shared::kernel::DirectoryVersionId;

use super::html::assert_inert;
use super::*;

/// They take no environment.
pub(super) const PAGES: [&str; 3] =
    ["/console/operate", "/console/operate/directory", "/console/operate/queues"];

#[tokio::test]
async fn who_runs_the_product_sees_tenants_directory_and_queues() {
    let served = Served::new().await;
    let product = product(served.ports.clone(), "test/");
    let made = product.tenants().create("Globex".into(), true, None).await.unwrap();
    let mut browser = served.logged_in("service").await;
    assert_eq!(browser.get("/console").await.location(), "/console/operate");
    for page in PAGES {
        let answer = browser.get(page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.text);
        assert!(answer.text.contains("aria-current=\"page\""), "{page}");
        assert!(!answer.text.contains("Environments"), "{page}: no org's environment");
        assert_inert(&answer.text);
    }
    let tenants = browser.get(PAGES[0]).await.text;
    assert!(tenants.contains("Globex") && tenants.contains(&made.id.to_string()), "{tenants}");
    let none = browser.get("/console/operate?state=lapsed").await.text;
    assert!(!none.contains("Globex") && none.contains("None."), "{none}");
    assert_eq!(browser.get("/console/operate?state=odd").await.status, StatusCode::NOT_FOUND);
    let queues = browser.get(PAGES[2]).await.text;
    assert!(queues.contains("Write-back") && queues.contains("No dead letters"), "{queues}");
}

#[tokio::test]
async fn a_version_of_the_directory_is_published_and_one_without_its_parts_says_so() {
    let served = Served::new().await;
    let directory = product(served.ports.clone(), "test/").directory();
    let (version, _) = directory.begin(None, &[matching::EntityKind::Person]).await.unwrap();
    let mut browser = served.logged_in("service").await;
    let page = browser.get(PAGES[1]).await.text;
    assert!(page.contains(&version.id.to_string()) && page.contains("Publish"), "{page}");
    let publish = async |browser: &mut Browser, id: DirectoryVersionId| {
        browser.act(PAGES[1], &[("version", &id.to_string())]).await
    };
    let missing = publish(&mut browser, version.id).await;
    assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(missing.text.contains("was not uploaded"), "{}", missing.text);
    let part = &version.parts[0].key;
    served.ports.objects.put(part, "{}".into()).await.unwrap();
    let begun = publish(&mut browser, version.id).await;
    assert_eq!(begun.location(), "/console/operate/directory?said=publishing", "{}", begun.text);
    let page = browser.get(begun.location()).await.text;
    assert!(page.contains("Counting") && !page.contains(">Publish<"), "{page}");
}

/// A customer's admin learns nothing of other customers, and who runs the product nothing of a
/// customer's records: for that the glass is broken.
#[tokio::test]
async fn operators_and_customers_see_nothing_of_each_others_pages() {
    let served = Served::new().await;
    let mut operator = served.logged_in("service").await;
    for page in super::PAGES.map(at) {
        let answer = operator.get(&page).await;
        assert_eq!(answer.location(), "/console/operate", "{page}");
    }
    for form in FORMS.map(at) {
        let answer = operator.act(&form, &[]).await;
        assert_eq!(answer.location(), "/console/operate", "{form}");
    }
    for roles in ["admin", "seat", "admin+operator"] {
        let mut browser = served.logged_in(roles).await;
        for page in PAGES {
            assert_eq!(browser.get(page).await.status, StatusCode::NOT_FOUND, "{roles} {page}");
        }
        let form = browser.act(PAGES[1], &[("version", "dir_x")]).await;
        assert_eq!(form.status, StatusCode::NOT_FOUND, "{roles}");
    }
    let mut nobody = served.browser();
    for page in PAGES {
        assert_eq!(nobody.get(page).await.location(), "/console/login", "{page}");
    }
    // A form without its session's token publishes nothing.
    let form = operator.post(PAGES[1], &[("version", "dir_x")]).await;
    assert_eq!(form.status, StatusCode::FORBIDDEN);
}
