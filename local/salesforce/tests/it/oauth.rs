//! Grants, rotation, policies and the ways in which a token dies.

use serde_json::{Value, json};

use crate::support::{REDIRECT, VERIFIER, World, world};

const APP: &str = "crm-sync-local";

fn refusal(body: &Value) -> (&str, &str) {
    (body["error"].as_str().unwrap(), body["error_description"].as_str().unwrap())
}

const EXPIRED: (&str, &str) = ("invalid_grant", "expired access/refresh token");

#[tokio::test]
async fn a_refresh_rotates_and_the_old_token_ends_the_family() {
    let world = world().await;
    let first = world.log_in("ada@acme.example").await;
    let (status, second) = world.refresh(&first.refresh).await;
    assert_eq!(status, 200);
    let newer = second["refresh_token"].as_str().unwrap();
    assert_ne!(newer, first.refresh);
    let access = second["access_token"].as_str().unwrap();
    assert_eq!(world.get(access, "/limits").await.status(), 200);
    let (status, body) = world.refresh(&first.refresh).await;
    assert_eq!((status.as_u16(), refusal(&body)), (400, EXPIRED));
    assert_eq!(refusal(&world.refresh(newer).await.1), EXPIRED);
    assert_eq!(world.get(access, "/limits").await.status(), 401);
}

#[tokio::test]
async fn a_concurrent_refresh_is_retryable_where_the_switch_says_so() {
    let world = world().await;
    world.control.set_policy(APP, None, &json!({ "concurrent_window_ms": 60_000 })).unwrap();
    let tokens = world.log_in("ada@acme.example").await;
    let (_, rotated) = world.refresh(&tokens.refresh).await;
    let (_, body) = world.refresh(&tokens.refresh).await;
    assert_eq!(refusal(&body), ("invalid_grant", "expired authorization code"));
    let (status, _) = world.refresh(rotated["refresh_token"].as_str().unwrap()).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn without_rotation_a_refresh_brings_no_refresh_token() {
    let world = world().await;
    world
        .control
        .set_policy(APP, Some("acme"), &json!({ "rotation": false, "reuse_session": true }))
        .unwrap();
    let tokens = world.log_in("ada@acme.example").await;
    let (_, body) = world.refresh(&tokens.refresh).await;
    assert!(body.get("refresh_token").is_none());
    assert_eq!(body["access_token"].as_str(), Some(tokens.access.as_str()));
    assert_eq!(world.refresh(&tokens.refresh).await.0, 200);
}

#[tokio::test]
async fn the_sixth_approval_ends_the_first() {
    let world = world().await;
    let mut all = Vec::new();
    for _ in 0..6 {
        all.push(world.log_in("ada@acme.example").await);
    }
    let other = world.log_in("sam@acme.example").await;
    assert_eq!(world.get(&all[0].access, "/limits").await.status(), 401);
    assert_eq!(refusal(&world.refresh(&all[0].refresh).await.1), EXPIRED);
    for kept in all[1..].iter().chain([&other]) {
        assert_eq!(world.refresh(&kept.refresh).await.0, 200);
    }
}

#[tokio::test]
async fn tokens_die_of_idleness_and_sessions_of_time() {
    let world = world().await;
    let tokens = world.log_in("ada@acme.example").await;
    world.control.advance(119 * 60);
    assert_eq!(world.get(&tokens.access, "/limits").await.status(), 200);
    world.control.advance(119 * 60);
    assert_eq!(world.get(&tokens.access, "/limits").await.status(), 200);
    world.control.advance(121 * 60);
    assert_eq!(world.get(&tokens.access, "/limits").await.status(), 401);
    world.control.advance(29 * 86_400);
    let (status, body) = world.refresh(&tokens.refresh).await;
    assert_eq!(status, 200);
    world.control.advance(31 * 86_400);
    let (_, body) = world.refresh(body["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refusal(&body), EXPIRED);
}

#[tokio::test]
async fn policies_refuse_refreshes() {
    let world = world().await;
    let policy = |changes: Value| world.control.set_policy(APP, None, &changes).unwrap();
    let tokens = world.log_in("ada@acme.example").await;
    policy(json!({ "refresh_ip_allow_list": ["10.*"] }));
    assert_eq!(
        refusal(&world.refresh(&tokens.refresh).await.1),
        ("invalid_grant", "ip restricted")
    );
    policy(json!({ "refresh_ip_allow_list": ["127.0.0.1"], "cross_org_blocked": true }));
    assert_eq!(world.refresh(&tokens.refresh).await.1["error"], "invalid_client");
    policy(json!({ "cross_org_blocked": false, "admin_approval_only": true }));
    let (_, body) = world.refresh(&tokens.refresh).await;
    assert_eq!(refusal(&body).1, "user is not admin approved to access this app");
    policy(json!({ "approved_usernames": ["ada@acme.example"],
            "refresh_token_policy": { "lifetime_hours": 5 } }));
    assert_eq!(world.control.apps()[0].policy.approved_usernames.len(), 1);
    world.control.advance(4 * 3600);
    let (status, body) = world.refresh(&tokens.refresh).await;
    assert_eq!(status, 200, "{body}");
    world.control.advance(2 * 3600);
    let (_, body) = world.refresh(body["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refusal(&body), EXPIRED);
    policy(json!({ "refresh_token_policy": "zero" }));
    let tokens = world.log_in("ada@acme.example").await;
    assert_eq!(refusal(&world.refresh(&tokens.refresh).await.1), EXPIRED);
}

#[tokio::test]
async fn users_and_orgs_lose_their_access() {
    let world = world().await;
    let tokens = world.log_in("sam@acme.example").await;
    world.control.freeze_user("acme", "sam@acme.example", true).unwrap();
    assert_eq!(
        refusal(&world.refresh(&tokens.refresh).await.1),
        ("invalid_grant", "user is inactive")
    );
    let (status, body) = world.get_json(&tokens.access, "/limits").await;
    assert_eq!((status.as_u16(), &body[0]["errorCode"]), (403, &json!("API_CURRENTLY_DISABLED")));
    world.control.freeze_user("acme", "sam@acme.example", false).unwrap();
    world.control.set("acme", &json!({ "api_enabled": false })).unwrap();
    let (status, body) = world.get_json(&tokens.access, "/limits").await;
    assert_eq!((status.as_u16(), &body[0]["errorCode"]), (403, &json!("API_DISABLED_FOR_ORG")));
    world.control.set("acme", &json!({ "suspended": true })).unwrap();
    assert_eq!(world.refresh(&tokens.refresh).await.1["error"], "inactive_org");
}

#[tokio::test]
async fn an_uninstalled_app_or_a_generic_host_is_a_page_not_a_redirect() {
    let world = world().await;
    let url = "https://login.salesforce.com/services/oauth2/authorize";
    let query = World::authorize_url();
    let mut form: Vec<(String, String)> =
        reqwest::Url::parse(&query).unwrap().query_pairs().into_owned().collect();
    form.extend([
        ("username".to_owned(), "ada@acme.example".to_owned()),
        ("password".to_owned(), "x".to_owned()),
    ]);
    world.control.set("acme", &json!({ "block_uninstalled_apps": true })).unwrap();
    let page = world.client.post(url).form(&form).send().await.unwrap();
    assert_eq!(page.status(), 400);
    let text = page.text().await.unwrap();
    assert!(
        text.contains("app must be installed into org")
            && text.contains("OAUTH_APPROVAL_ERROR_GENERIC")
    );
    world
        .control
        .set("acme", &json!({ "installed_apps": [APP], "my_domain_login_only": true }))
        .unwrap();
    let text = world.client.post(url).form(&form).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("log in at https://acme.my.salesforce.com"), "{text}");
    let own = url.replace("login.", "acme.my.");
    let text = world.client.post(own).form(&form).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("Allow access?"));
    let bad =
        world.client.get(query.replace("client_id=crm", "client_id=xrm")).send().await.unwrap();
    assert_eq!(bad.status(), 400);
    let plain = world.client.get(query.replace("=S256", "=plain")).send().await.unwrap();
    assert!(plain.headers()["location"].to_str().unwrap().contains("error=invalid_request"));
}

#[tokio::test]
async fn denying_tells_the_app() {
    let world = world().await;
    let mut form: Vec<(String, String)> =
        reqwest::Url::parse(&World::authorize_url()).unwrap().query_pairs().into_owned().collect();
    form.extend([
        ("username".to_owned(), "sam@acme.example".to_owned()),
        ("password".to_owned(), "x".to_owned()),
    ]);
    let base = "https://login.salesforce.com/services/oauth2";
    let text = world
        .client
        .post(format!("{base}/authorize"))
        .form(&form)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let ticket = text.split("name=\"ticket\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = [("ticket", ticket), ("decision", "deny")];
    let back = world.client.post(format!("{base}/approve")).form(&form).send().await.unwrap();
    let to = back.headers()["location"].to_str().unwrap();
    assert!(
        to.contains("error=access_denied&error_description=end-user+denied+authorization&state=s1"),
        "{to}"
    );
}

#[tokio::test]
async fn a_code_is_good_once_with_its_verifier_and_its_host() {
    let world = world().await;
    let code = world.code("ada@acme.example");
    let exchange = |code: String, verifier: &'static str| {
        let world = &world;
        async move {
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", REDIRECT),
                ("code_verifier", verifier),
            ];
            world.token_call(&form).await
        }
    };
    let wrong = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    assert_eq!(refusal(&exchange(code.clone(), wrong).await.1).1, "invalid code verifier");
    assert_eq!(exchange(code.clone(), VERIFIER).await.0, 200);
    assert_eq!(refusal(&exchange(code, VERIFIER).await.1).1, "expired authorization code");
    let code = world.code("ada@acme.example");
    world.control.advance(16 * 60);
    assert_eq!(refusal(&exchange(code, VERIFIER).await.1).1, "expired authorization code");
    assert_eq!(
        refusal(&exchange("nonsense".to_owned(), VERIFIER).await.1).1,
        "invalid authorization code"
    );
    let form = [
        ("client_id", APP),
        ("client_secret", "wrong"),
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
    ];
    let url = "https://login.salesforce.com/services/oauth2/token";
    let body: Value =
        world.client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    assert_eq!(refusal(&body), ("invalid_client", "invalid client credentials"));
}

#[tokio::test]
async fn a_sandbox_lives_at_its_own_hosts() {
    let world = world().await;
    world
        .control
        .load_org(json!({ "my_domain": "acme--qa", "is_sandbox": true, "records": {} }))
        .unwrap();
    let code = world.code("admin@acme--qa.example");
    let form = [
        ("client_id", APP),
        ("client_secret", "crm-sync-local-secret"),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let token = |host: &str| {
        world.client.post(format!("https://{host}/services/oauth2/token")).form(&form).send()
    };
    let body: Value = token("login.salesforce.com").await.unwrap().json().await.unwrap();
    assert_eq!(refusal(&body).1, "invalid authorization code");
    let body: Value = token("test.salesforce.com").await.unwrap().json().await.unwrap();
    assert_eq!(body["instance_url"], "https://acme--qa.sandbox.my.salesforce.com");
    assert!(body["id"].as_str().unwrap().starts_with("https://test.salesforce.com/id/"));
    let url = format!(
        "{}/services/data/v62.0/query?q=SELECT+IsSandbox+FROM+Organization",
        body["instance_url"].as_str().unwrap()
    );
    let found: Value = world
        .client
        .get(url)
        .bearer_auth(body["access_token"].as_str().unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(found["records"][0]["IsSandbox"], true);
}

#[tokio::test]
async fn a_token_is_introspected_and_says_whose_it_is() {
    let world = world().await;
    let tokens = world.log_in("sam@acme.example").await;
    let introspect = |token: String| {
        let form = [
            ("client_id", APP.to_owned()),
            ("client_secret", "crm-sync-local-secret".to_owned()),
            ("token", token),
        ];
        world
            .client
            .post("https://login.salesforce.com/services/oauth2/introspect")
            .form(&form)
            .send()
    };
    let body: Value = introspect(tokens.access.clone()).await.unwrap().json().await.unwrap();
    assert_eq!((&body["active"], &body["username"]), (&json!(true), &json!("sam@acme.example")));
    let body: Value = introspect("dead".to_owned()).await.unwrap().json().await.unwrap();
    assert_eq!(body, json!({ "active": false }));
    let id = tokens.body["id"].as_str().unwrap();
    let identity: Value = world
        .client
        .get(id)
        .bearer_auth(&tokens.access)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(identity["username"], "sam@acme.example");
    let none = world.client.get(id).send().await.unwrap();
    assert_eq!(
        (none.status().as_u16(), none.text().await.unwrap()),
        (403, "Missing_OAuth_Token".to_owned())
    );
    let userinfo = "https://acme.my.salesforce.com/services/oauth2/userinfo";
    let info: Value = world
        .client
        .get(userinfo)
        .bearer_auth(&tokens.access)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(info["urls"]["rest"].as_str().unwrap().contains("v{version}"));
}

#[tokio::test]
async fn access_control_and_the_rate_of_logins_refuse_tokens() {
    let world = world().await;
    let tokens = world.log_in("ada@acme.example").await;
    world.control.set("acme", &json!({ "hourly_logins": 2 })).unwrap();
    let (status, body) = world.refresh(&tokens.refresh).await;
    assert_eq!(status, 200, "{body}");
    let next = body["refresh_token"].as_str().unwrap().to_owned();
    let (_, refused) = world.refresh(&next).await;
    assert_eq!(refusal(&refused), ("rate_limit_exceeded", "login rate exceeded"));
    world.control.advance(3601);
    let (status, body) = world.refresh(&next).await;
    assert_eq!(status, 200, "the grant lives on: {body}");
    let next = body["refresh_token"].as_str().unwrap();
    world.control.set("acme", &json!({ "api_access_control": true })).unwrap();
    let (_, refused) = world.refresh(next).await;
    assert_eq!(refusal(&refused), ("invalid_grant", "this app is blocked by admin"));
    world.control.set("acme", &json!({ "installed_apps": ["crm-sync-local"] })).unwrap();
    assert_eq!(world.refresh(next).await.0, 200);
}

#[tokio::test]
async fn a_password_is_enough_where_the_org_allows_it() {
    let world = world().await;
    let ask = [("grant_type", "password"), ("username", "sam@acme.example"), ("password", "any")];
    let (status, refused) = world.token_call(&ask).await;
    assert_eq!(status, 400);
    assert_eq!(refusal(&refused), ("invalid_grant", "authentication failure"));
    world.control.set("acme", &json!({ "password_flow": true })).unwrap();
    let (status, body) = world.token_call(&ask).await;
    assert_eq!((status.as_u16(), body.get("refresh_token")), (200, None), "{body}");
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(world.query(token, "SELECT COUNT() FROM Lead").await.1["totalSize"], 1);
    let (_, refused) = world
        .token_call(&[("grant_type", "password"), ("username", "nobody"), ("password", "any")])
        .await;
    assert_eq!(refusal(&refused), ("invalid_grant", "authentication failure"));
}
