//! Every page: for whom it is, what it bears, and what it says when there is nothing to show.

use super::html::assert_inert;
use super::*;

/// What no page may be without.
#[track_caller]
fn assert_dressed(path: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
    if !path.starts_with("/console/assets/") {
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn an_admin_sees_every_page_before_an_org_is_connected() {
    let served = Served::new().await;
    let mut browser = served.logged_in("admin").await;
    for environment in ["production", "sandbox"] {
        for page in PAGES {
            let path = format!("/console/{environment}{page}");
            let answer = browser.get(&path).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
            assert!(answer.text.contains("<h1>"), "{path}");
            assert!(answer.text.contains("aria-current=\"page\""), "{path}");
            assert_dressed(&path, &answer);
            assert_inert(&answer.text);
        }
    }
    assert!(browser.get(&at("/health")).await.text.contains("No org is connected"));
    let network = browser.get(&at("/network")).await.text;
    assert!(network.contains("203.0.113.16") && network.contains("203.0.113.31"), "{network}");
}

#[tokio::test]
async fn who_is_no_admin_is_shown_no_admins_page_and_no_way_there() {
    let served = Served::new().await;
    for role in ["seat", "reporting", "vendor-rep"] {
        let mut browser = served.logged_in(role).await;
        let start = browser.get(&at("")).await;
        assert_eq!(start.status, StatusCode::OK);
        for path in ["/wizard", "/runs", "/saving", "/leave", "/audit"] {
            assert!(!start.text.contains(&at(path)), "{role} is shown {path}");
        }
        let open = ["", "/record", "/network"];
        for page in PAGES.into_iter().filter(|page| !open.contains(page)) {
            let answer = browser.get(&at(page)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role} {page}");
            assert!(answer.text.contains("not for your role"), "{role} {page}");
            assert_dressed(page, &answer);
        }
        // The API's own guards decide what is done.
        let forms: [(&str, &[(&str, &str)]); 4] = [
            ("/saving", &[("roi", "yes")]),
            ("/schedule", &[("every_minutes", "60")]),
            ("/runs", &[]),
            ("/leave", &[("sure", "yes")]),
        ];
        for (form, fields) in forms {
            let answer = browser.act(&at(form), fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{role} {form}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_breaks_has_a_page_too() {
    let served = Served::new().await;
    let mut browser = served.logged_in("admin").await;
    for missing in [
        "/console/production/nothing",
        "/console/staging",
        "/console/nowhere/at/all",
        "/console/production/runs/run_nonsense",
        "/console/production/purges/production-7",
        "/console/production/records/Lead/nonsense",
        "/console/production/runs/..%2Fsettings",
        "/console/production/records/User/005000000000001AAA",
    ] {
        let answer = browser.get(missing).await;
        assert!(answer.status.is_client_error(), "{missing}: {}", answer.status);
        assert!(answer.text.contains("To the start"), "{missing}");
        assert_dressed(missing, &answer);
    }
    let broken = async || (StatusCode::INTERNAL_SERVER_ERROR, "a secret that leaked");
    let served = Served::over_api(Router::new().fallback(broken)).await;
    let mut browser = served.browser();
    let link = served.link("admin").await;
    browser.post("/console/login", &[("link", &link)]).await;
    let answer = browser.get(&at("/health")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text.contains("<code>req-1</code>"), "{}", answer.text);
    assert!(!answer.text.contains("leaked"), "{}", answer.text);
}

#[tokio::test]
async fn who_has_no_contract_sees_so_and_may_still_leave() {
    let served = Served::over(Memory::new(now(), 1).ports(), "test/", false).await;
    let mut browser = served.logged_in("admin").await;
    let start = browser.get(&at("")).await;
    assert_eq!(start.status, StatusCode::OK);
    assert!(start.text.contains("not part of your contract"), "{}", start.text);
    let wizard = browser.get(&at("/wizard")).await;
    assert_eq!(wizard.status, StatusCode::FORBIDDEN);
    assert!(wizard.text.contains("not part of your contract"), "{}", wizard.text);
    assert_eq!(browser.get(&at("/leave")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_first_page_with_all_it_needs_is_small_and_what_it_needs_is_kept() {
    let served = Served::new().await;
    let mut browser = served.logged_in("admin").await;
    let page = browser.get(&at("")).await;
    let mut bytes = page.text.len();
    let (tags, _) = html::parse(&page.text);
    let needed = tags.iter().filter(|tag| ["link", "script"].contains(&tag.name.as_str()));
    let needed: BTreeSet<&str> =
        needed.filter_map(|tag| tag.attribute("href").or(tag.attribute("src"))).collect();
    assert_eq!(needed.len(), 3, "a style, a script, an icon: {needed:?}");
    for path in needed {
        let asset = served.browser().get(path).await;
        assert_eq!(asset.status, StatusCode::OK, "{path}");
        assert!(asset.header("cache-control").contains("immutable"), "{path}");
        assert_dressed(path, &asset);
        bytes += asset.text.len();
    }
    assert!(bytes <= 100_000, "{bytes} bytes");
    assert_eq!(served.browser().get("/console/assets/other.css").await.status, 404);
}

#[tokio::test]
async fn what_the_api_says_of_a_wrong_answer_is_said_to_the_person() {
    let served = Served::new().await;
    let mut browser = served.logged_in("admin").await;
    let answer = browser.act(&at("/schedule"), &[("every_minutes", "1")]).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let host = [("login_host", "<b>evil</b>.example")];
    let answer = browser.act(&at("/connect"), &host).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text);
    assert_inert(&answer.text);
}
