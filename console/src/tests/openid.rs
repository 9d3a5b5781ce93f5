//! Logging in at an issuer: a stand-in for one, which answers as it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use shared::host::{OsEntropy, SystemClock};
use shared::ports::Clock;
use stack::Server;
use tokio::net::TcpListener;
use url::Url;

use super::*;
use crate::{OpenId, OpenIdClient};

const CLIENT: &str = "crm-sync-console";
const BASE: &str = "https://crm.example.com";

/// What the issuer does.
#[derive(Default)]
struct Conduct {
    /// What it says of itself, in place of the truth.
    description: Value,
    /// Claims of its ID tokens, in place of the usual ones.
    claims: Value,
    /// Signs nothing: the token has this header, and no signature.
    unsigned: Option<Value>,
    /// Codes that were given, with the challenge and the nonce that they were asked with.
    codes: BTreeMap<String, (String, String)>,
    /// Codes were exchanged so often.
    exchanged: u32,
}

/// An issuer of people.
#[derive(Clone)]
struct Provider {
    address: String,
    /// Signs, and shows its key.
    issuer: stack::Issuer,
    conduct: Arc<Mutex<Conduct>>,
}

impl Provider {
    async fn serve() -> (Self, [Server; 2]) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (issuer, keys) = stack::Issuer::serve().await.unwrap();
        let provider = Self { address, issuer, conduct: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/token", post(exchange))
            .with_state(provider.clone());
        (provider, [keys, Server::spawn(listener, router)])
    }

    fn conduct(&self) -> std::sync::MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap()
    }

    /// A person logs in at the issuer: where the browser is sent back to.
    fn log_in(&self, address: &str) -> String {
        let address: Url = address.parse().unwrap();
        let asked: BTreeMap<_, _> = address.query_pairs().into_owned().collect();
        assert_eq!(address.path(), "/authorize");
        for (name, value) in [
            ("client_id", CLIENT),
            ("response_type", "code"),
            ("scope", "openid"),
            ("code_challenge_method", "S256"),
            ("redirect_uri", "https://crm.example.com/console/login/callback"),
        ] {
            assert_eq!(asked[name], value, "{name}");
        }
        let mut conduct = self.conduct();
        let code = format!("code-{}", conduct.codes.len());
        let asked_with = (asked["code_challenge"].clone(), asked["nonce"].clone());
        conduct.codes.insert(code.clone(), asked_with);
        let answer = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", &self.address)
            .finish();
        format!("/console/login/callback?{answer}")
    }
}

async fn describe(State(provider): State<Provider>) -> Json<Value> {
    let address = &provider.address;
    let mut description = json!({
        "issuer": address,
        "authorization_endpoint": format!("{address}/authorize"),
        "token_endpoint": format!("{address}/token"),
        "jwks_uri": provider.issuer.key_set_url(),
    });
    put(&mut description, &provider.conduct().description);
    Json(description)
}

async fn exchange(
    State(provider): State<Provider>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let mut conduct = provider.conduct();
    conduct.exchanged += 1;
    let verifier = digest(&SHA256, form["code_verifier"].as_bytes());
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(verifier.as_ref());
    let known = conduct.codes.remove(&form["code"]).filter(|(asked, _)| *asked == challenge);
    let (Some((_, nonce)), CLIENT) = (known, form["client_id"].as_str()) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" })))
            .into_response();
    };
    let now = SystemClock.now().as_second();
    let mut claims = json!({
        "iss": provider.address, "aud": CLIENT, "sub": "grace", "nonce": nonce,
        "iat": now, "exp": now + 300, "roles": ["admin"], "tenant": acme(),
    });
    put(&mut claims, &conduct.claims);
    let token = match &conduct.unsigned {
        Some(header) => {
            let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", part(header), part(&claims))
        }
        None => provider.issuer.sign(&claims).unwrap(),
    };
    Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": token })).into_response()
}

/// Puts the fields of `other` in place of those of `value`; null takes one away.
fn put(value: &mut Value, other: &Value) {
    for (name, field) in other.as_object().into_iter().flatten() {
        if field.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = field.clone();
        }
    }
}

/// The console of an org whose people log in at the provider.
async fn served(provider: &Provider) -> Served {
    let mut served = Served::new().await;
    let issuer = provider.address.parse().unwrap();
    let client = OpenIdClient { issuer, client_id: CLIENT.to_owned(), client_secret: None };
    let http = reqwest::Client::builder().no_proxy();
    let clock = served.ports.clock.clone();
    let openid = OpenId::new(client, BASE, http, clock, Arc::new(OsEntropy)).unwrap();
    let access = NetworkAccess::default();
    let product = product(served.ports.clone(), "test/");
    let api = api::Api::new(&product, api::Issuer::nobody(), access).unwrap();
    let console = Console::new(api::router(api), served.sessions.clone(), false);
    served.router = router(console.with_openid(openid));
    served
}

/// The cookie of a login that goes on.
fn login_cookie(answer: &Answer) -> String {
    let cookies = answer.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    let mut own = cookies.filter(|cookie| cookie.starts_with("crm-sync-login="));
    let cookie = own.next().unwrap();
    for flag in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age=600"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}

/// Somebody goes to the issuer and comes back.
async fn come_back(served: &Served, provider: &Provider) -> (Browser, Answer) {
    let mut browser = served.browser();
    let gone = browser.get("/console/login/openid").await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER, "{}", gone.text);
    browser.cookie = Some(login_cookie(&gone));
    let back = provider.log_in(gone.location());
    let answer = browser.get(&back).await;
    (browser, answer)
}

#[tokio::test]
async fn somebody_logs_in_at_the_issuer_with_the_rights_that_it_vouches_for() {
    let (provider, _servers) = Provider::serve().await;
    let served = served(&provider).await;
    let page = served.browser().get("/console/login").await.text;
    assert!(page.contains("href=\"/console/login/openid\""), "{page}");
    let (mut browser, answer) = come_back(&served, &provider).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/console"));
    let start = browser.get(&at("")).await;
    assert_eq!(start.status, StatusCode::OK);
    assert!(start.text.contains("<bdi class=\"who\">grace</bdi>"), "{}", start.text);

    provider.conduct().claims = json!({ "roles": ["service"], "tenant": null });
    let (mut browser, _) = come_back(&served, &provider).await;
    assert_eq!(browser.get("/console").await.location(), "/console/operate");
}

#[tokio::test]
async fn a_login_ends_only_in_the_browser_that_began_it_and_once() {
    let (provider, _servers) = Provider::serve().await;
    let served = served(&provider).await;
    let begin = async || {
        let mut browser = served.browser();
        let gone = browser.get("/console/login/openid").await;
        browser.cookie = Some(login_cookie(&gone));
        (browser, provider.log_in(gone.location()))
    };
    let (mut one, back) = begin().await;
    let (mut two, _) = begin().await;
    let refused = served.browser().get(&back).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "a browser without the cookie");
    assert!(refused.text.contains("not begun here"), "{}", refused.text);
    let refused = two.get(&back).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "a browser with another login's cookie");
    for (what, wrong) in [
        ("another state", back.replace("state=", "state=x")),
        ("two states", format!("{back}&state=x")),
        ("no state", back.replace("state=", "stat=")),
        ("another issuer", back.replace("iss=", "iss=https%3A%2F%2Fother.example&x=")),
    ] {
        let refused = one.get(&wrong).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{what}");
    }
    let sent_back = back.replace("code=code-0", "error=access_denied");
    let refused = one.get(&sent_back).await;
    assert!(refused.text.contains("You were not logged in"), "{}", refused.text);
    assert_eq!(provider.conduct().exchanged, 0, "no code went to the issuer meanwhile");
    let mut again = one.clone();
    assert_eq!(one.get(&back).await.location(), "/console");
    let used = again.get(&back).await;
    assert_eq!(used.status, StatusCode::BAD_GATEWAY, "the issuer takes a code once");
}

#[tokio::test]
async fn a_token_that_does_not_hold_logs_nobody_in() {
    let (provider, _servers) = Provider::serve().await;
    let served = served(&provider).await;
    let past = SystemClock.now().as_second() - 3_600;
    for (claims, status) in [
        (json!({ "aud": "another" }), StatusCode::BAD_GATEWAY),
        (json!({ "aud": [CLIENT, "another"], "azp": "another" }), StatusCode::BAD_GATEWAY),
        (json!({ "iss": "https://other.example" }), StatusCode::BAD_GATEWAY),
        (json!({ "nonce": "another login's" }), StatusCode::BAD_GATEWAY),
        (json!({ "nonce": null }), StatusCode::BAD_GATEWAY),
        (json!({ "exp": past }), StatusCode::BAD_GATEWAY),
        (json!({ "exp": null }), StatusCode::BAD_GATEWAY),
        (json!({ "sub": null }), StatusCode::BAD_GATEWAY),
        (json!({ "roles": ["king"] }), StatusCode::BAD_GATEWAY),
        (json!({ "roles": null }), StatusCode::FORBIDDEN),
        (json!({ "tenant": TenantId::derived("gone") }), StatusCode::FORBIDDEN),
        (json!({ "tenant": null }), StatusCode::FORBIDDEN),
        (json!({ "roles": ["service"] }), StatusCode::FORBIDDEN),
        (json!({ "roles": ["seat"], "seat": SeatId::derived("gone") }), StatusCode::FORBIDDEN),
    ] {
        provider.conduct().claims = claims.clone();
        let (browser, answer) = come_back(&served, &provider).await;
        assert_eq!(answer.status, status, "{claims}: {}", answer.text);
        let cookie = browser.cookie.unwrap();
        assert!(cookie.starts_with("crm-sync-login="), "{claims}: no session was opened");
    }
    provider.conduct().claims = Value::Null;
    for header in [
        json!({ "alg": "none", "kid": "local" }),
        json!({ "alg": "HS256", "kid": "local" }),
        json!({ "alg": "RS256", "kid": "local" }),
    ] {
        provider.conduct().unsigned = Some(header.clone());
        let (_, answer) = come_back(&served, &provider).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{header}");
    }
}

#[tokio::test]
async fn an_issuer_that_says_it_is_another_or_sends_people_over_a_readable_way_is_not_used() {
    for description in [
        json!({ "issuer": "https://other.example" }),
        json!({ "authorization_endpoint": "http://login.example/authorize" }),
        json!({ "token_endpoint": "http://login.example/token" }),
        json!({ "jwks_uri": "http://login.example/keys" }),
        json!({ "token_endpoint": null }),
    ] {
        let (provider, _servers) = Provider::serve().await;
        provider.conduct().description = description.clone();
        let served = served(&provider).await;
        let answer = served.browser().get("/console/login/openid").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{description}");
        assert!(answer.text.contains("cannot be used"), "{}", answer.text);
        assert!(!answer.text.contains("example"), "no address is told: {}", answer.text);
    }
    let (provider, servers) = Provider::serve().await;
    let served = served(&provider).await;
    drop(servers);
    let answer = served.browser().get("/console/login/openid").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "an issuer that is down");
    let none = Served::new().await.browser().get("/console/login/openid").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND, "no issuer");
}
