//! Logging in and out, cookies, and forms.

use super::*;

#[tokio::test]
async fn a_link_is_shown_first_and_logs_in_once() {
    let served = Served::new().await;
    let mut browser = served.browser();
    let link = served.link("admin").await;
    for _ in 0..2 {
        let page = browser.get(&format!("/console/login?link={link}")).await;
        assert_eq!(page.status, StatusCode::OK, "to look at a link uses nothing up");
        assert!(page.text.contains("ada") && page.text.contains("Admin"), "{}", page.text);
        assert_eq!(browser.cookie, None);
    }
    let opened = browser.post("/console/login", &[("link", &link)]).await;
    assert_eq!((opened.status, opened.location()), (StatusCode::SEE_OTHER, "/console"));
    assert_eq!(browser.get(&at("")).await.status, StatusCode::OK);
    let again = served.browser().post("/console/login", &[("link", &link)]).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
    assert!(again.text.contains("does not work any more"), "{}", again.text);
    let other = format!("{}.{}", acme(), "s".repeat(43));
    for wrong in ["", "nonsense", &other, &link[..link.len() - 1]] {
        let refused = served.browser().post("/console/login", &[("link", wrong)]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{wrong}");
    }
    let link = served.link("admin").await;
    let elsewhere = [("link", link.as_str())];
    let refused = served.browser().post_from("cross-site", "/console/login", &elsewhere).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "another site logs nobody in");
}

#[tokio::test]
async fn the_sessions_cookie_is_for_this_host_and_no_script() {
    let served = Served::new().await;
    let mut browser = served.browser();
    let link = served.link("admin").await;
    let plain = browser.post("/console/login", &[("link", &link)]).await;
    let cookie = plain.header("set-cookie");
    for flag in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age=43200"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "plain HTTP: {cookie}");
    let secure = crate::guard::set_cookie(true, None);
    let answer = axum::response::IntoResponse::into_response((secure, ""));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-crm-sync=;") && cookie.ends_with("; Secure"), "{cookie}");
}

/// Line 6 of the checklist: a new session id after login and after connect; a cookie from before is
/// worth nothing.
#[tokio::test]
async fn checklist_6_a_cookie_from_before_the_login_or_the_connect_is_worth_nothing() {
    let served = Served::new().await;
    let mut browser = served.browser();
    // An attacker's cookie, planted before.
    browser.cookie = Some("crm-sync-console=planted".to_owned());
    let link = served.link("admin").await;
    browser.post("/console/login", &[("link", &link)]).await;
    let mut before = browser.clone();
    assert_ne!(before.cookie.as_deref(), Some("crm-sync-console=planted"));
    browser.learn().await;
    let page = browser.act(&at("/connect"), &[("login_host", "")]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.contains("login.salesforce.com"), "{}", page.text);
    assert_ne!(browser.cookie, before.cookie);
    assert_eq!(before.get(&at("")).await.location(), "/console/login", "the one before");
    assert_eq!(browser.get(&at("")).await.status, StatusCode::OK, "the one now");
}

#[tokio::test]
async fn logging_out_ends_one_session_and_everywhere_ends_all() {
    let served = Served::new().await;
    let mut one = served.logged_in("admin").await;
    let mut two = served.logged_in("admin").await;
    let mut copy = one.clone();
    let out = one.act("/console/logout", &[]).await;
    assert_eq!(out.location(), "/console/login");
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(copy.get(&at("")).await.location(), "/console/login", "a copy of the cookie");
    assert_eq!(two.get(&at("")).await.status, StatusCode::OK);
    let mut three = served.logged_in("admin").await;
    two.act("/console/logout", &[("everywhere", "yes")]).await;
    assert_eq!(three.get(&at("")).await.location(), "/console/login");
}

/// Line 20 of the checklist: a form counts with its session's token only, and from our pages only.
#[tokio::test]
async fn checklist_20_a_form_without_its_sessions_token_changes_nothing() {
    let served = Served::new().await;
    let mut browser = served.logged_in("admin").await;
    let other = served.logged_in("admin").await.token;
    let own = browser.token.clone();
    let forms = FORMS.map(at).into_iter().chain(["/console/logout".to_owned()]);
    for form in forms {
        let wrong = [("none", None), ("another's", Some(other.as_str())), ("empty", Some(""))];
        for (what, token) in wrong {
            let fields: Vec<(&str, &str)> = token.iter().map(|token| ("csrf", *token)).collect();
            let answer = browser.post(&form, &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form} with {what}");
            assert!(answer.text.contains("out of date"), "{form}");
        }
        // A neighbouring host is of the same site, and may be anybody's.
        for site in ["cross-site", "same-site"] {
            let answer = browser.post_from(site, &form, &[("csrf", &own)]).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form} from {site}");
        }
    }
    let page = browser.get(&at("/saving")).await;
    assert!(!page.text.contains("Last changed"), "nothing was changed");
    let saved = browser.act(&at("/saving"), &[("log_notes", "yes"), ("auto_save", "yes")]).await;
    assert_eq!(saved.location(), "/console/production/saving?said=saved");
    let page = browser.get(saved.location()).await;
    assert!(page.text.contains("Last changed") && page.text.contains("Saved."), "{}", page.text);
    let log = browser.get(&at("/audit")).await.text;
    assert!(log.contains("Settings changed") && log.contains("<bdi>ada</bdi>"), "{log}");
}

/// Whoever rules a neighbouring host can put a cookie of theirs beside the session's own.
#[tokio::test]
async fn a_second_cookie_of_the_sessions_name_opens_nothing() {
    let served = Served::new().await;
    let mut browser = served.logged_in("admin").await;
    let own = browser.cookie.clone().unwrap();
    let other = served.logged_in("admin").await.cookie.unwrap();
    for both in [format!("{own}; {other}"), format!("{other}; {own}")] {
        browser.cookie = Some(both);
        let answer = browser.get(&at("/saving")).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/console/login"));
    }
    browser.cookie = Some(format!("another=1; {own}"));
    assert_eq!(browser.get(&at("/saving")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn who_is_not_logged_in_sees_no_page_and_sends_no_form() {
    let served = Served::new().await;
    let mut browser = served.browser();
    for page in PAGES.map(at) {
        let answer = browser.get(&page).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/console/login"), "{page}");
    }
    for form in FORMS.map(at) {
        assert_eq!(browser.post(&form, &[]).await.location(), "/console/login", "{form}");
    }
}
