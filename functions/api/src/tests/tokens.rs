//! Tokens that must be refused, and the issuer's keys: fetched when they must be, and no oftener.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use shared::capabilities::connecting::NetworkAccess;
use shared::testing::{Memory, product};
use stack::{AUDIENCE, Caller, Issuer, Server};
use tower::ServiceExt;

use super::Served;
use crate::{callers, router, state};

/// The address of a public key set, and what it holds.
async fn key_set(issuer: &Issuer) -> Value {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(issuer.key_set_url()).send().await.unwrap().json().await.unwrap()
}

/// The public key as a file would hold it (`SubjectPublicKeyInfo` in PEM).
fn public_key_pem(key: &Value) -> String {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let der = |tag: u8, content: &[u8]| {
        let length = content.len();
        let mut out = vec![tag];
        match length {
            0..=127 => out.push(u8::try_from(length).unwrap()),
            128..=255 => out.extend([0x81, u8::try_from(length).unwrap()]),
            _ => {
                out.push(0x82);
                out.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        out.extend(content);
        out
    };
    let positive = |bytes: Vec<u8>| [vec![0], bytes].concat();
    let pair = [der(2, &positive(number("n"))), der(2, &number("e"))].concat();
    let rsa_encryption = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let bits = [vec![0], der(0x30, &pair)].concat();
    let info = der(0x30, &[der(0x30, &rsa_encryption), der(3, &bits)].concat());
    let text = STANDARD.encode(info);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// I63: whatever is wrong with a token, the answer is one and the same.
#[tokio::test]
async fn i63_a_forged_token_is_refused_however_it_is_forged() {
    let served = Served::new().await;
    let tenant = served.tenant.to_string();
    let caller = Caller { roles: &["admin"], tenant: Some(&tenant), seat: None };
    let claims = served.issuer.claims(caller, Duration::from_mins(1));
    let key = key_set(&served.issuer).await["keys"][0].clone();
    let kid = key["kid"].as_str().unwrap().to_owned();
    let pem = public_key_pem(&key);
    let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    let mut forged = Vec::new();
    // The public key, in every form that it is known in, as the secret of an HMAC.
    let forms = [
        pem.as_bytes(),
        pem.trim_end().as_bytes(),
        &modulus,
        key["n"].as_str().unwrap().as_bytes(),
    ];
    for secret in forms {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = Header { kid: Some(kid.clone()), ..Header::new(algorithm) };
            forged.push(encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap());
        }
    }
    // No name of a key, one that nobody has, and ones that lead elsewhere.
    let long = "k".repeat(4_000);
    for kid in [
        None,
        Some("another"),
        Some("../../local"),
        Some("local\0"),
        Some("' OR '1'='1"),
        Some(&*long),
    ] {
        forged.push(served.issuer.sign_under(kid, &claims).unwrap());
    }
    // Without an end, or without saying for whom and by whom.
    for claim in ["exp", "aud", "iss"] {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(claim);
        forged.push(served.issuer.sign(&claims).unwrap());
    }
    let path = served.connection("/runs");
    let mut told = Vec::new();
    for token in &forged {
        let answer = served.get(token, &path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
        told.push(answer.body);
    }
    assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:?}");
    let good = served.issuer.sign(&claims).unwrap();
    assert_ne!(served.get(&good, &path).await.status, StatusCode::UNAUTHORIZED);
}

/// An issuer whose key set a test decides, and who counts how often it is asked.
#[derive(Clone, Default)]
struct Keys {
    asked: Arc<AtomicU32>,
    answer: Arc<std::sync::Mutex<Answering>>,
}

#[derive(Clone, Default)]
enum Answering {
    #[default]
    Down,
    Keys(Value),
    /// An error whose page holds keys, as an attacker's would.
    Failing(Value),
    Elsewhere(String),
    Endless(Value),
}

impl Keys {
    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn answer(&self, answering: Answering) {
        *self.answer.lock().unwrap() = answering;
    }

    fn respond(&self) -> Response {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.answer.lock().unwrap().clone() {
            Answering::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Answering::Keys(keys) => Json(keys).into_response(),
            Answering::Failing(keys) => {
                (StatusCode::INTERNAL_SERVER_ERROR, Json(keys)).into_response()
            }
            Answering::Elsewhere(to) => {
                (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
            }
            Answering::Endless(keys) => {
                (HeaderMap::new(), keys.to_string() + &" ".repeat(65 * 1024)).into_response()
            }
        }
    }
}

/// The API whose callers' issuer has its keys at an address of the test's.
struct Verified {
    router: Router,
    memory: Memory,
    issuer: Issuer,
    keys: Keys,
    genuine: Value,
    _servers: [Server; 2],
}

impl Verified {
    async fn new() -> Self {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let (issuer, own) = Issuer::serve().await.unwrap();
        let (keys, genuine) = (Keys::default(), key_set(&issuer).await);
        let answering = keys.clone();
        let route = get(async move || answering.respond());
        let (server, address) = Server::start(Router::new().route("/keys", route)).await.unwrap();
        let ports = memory.ports();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let url = format!("http://{address}/keys").parse().unwrap();
        let (name, audience) = (issuer.address().to_owned(), AUDIENCE.to_owned());
        let callers = callers::Issuer::new(name, audience, url, http, ports.clock.clone()).unwrap();
        let api = state::Api::new(&product(ports, "test/"), callers, NetworkAccess::default());
        let router = router::router(api.unwrap());
        Self { router, memory, issuer, keys, genuine, _servers: [own, server] }
    }

    /// The status that a caller with a token under this key's name gets.
    async fn call(&self, kid: &str) -> StatusCode {
        let claims = self.issuer.claims(Caller::default(), Duration::from_mins(1));
        let token = self.issuer.sign_under(Some(kid), &claims).unwrap();
        let request = Request::get("/v1/network-access")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty());
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status();
        response.into_body().collect().await.unwrap();
        status
    }

    fn pass(&self, seconds: i64) {
        self.memory.clock.advance(SignedDuration::from_secs(seconds));
    }
}

#[tokio::test]
async fn a_key_that_nobody_has_does_not_have_the_issuer_asked_each_time() {
    let verified = Verified::new().await;
    verified.keys.answer(Answering::Keys(verified.genuine.clone()));
    assert_eq!(verified.call("local").await, StatusCode::OK);
    for n in 0..50 {
        assert_eq!(verified.call(&format!("made up {n}")).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(verified.keys.asked(), 1, "within half a minute of the first time");
    verified.pass(31);
    for n in 0..50 {
        assert_eq!(verified.call(&format!("made up {n}")).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(verified.keys.asked(), 2);
    assert_eq!(verified.call("local").await, StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_the_issuer_withdrew_is_refused_ten_minutes_later() {
    let verified = Verified::new().await;
    verified.keys.answer(Answering::Keys(verified.genuine.clone()));
    assert_eq!(verified.call("local").await, StatusCode::OK);
    verified.keys.answer(Answering::Keys(json!({ "keys": [] })));
    verified.pass(599);
    assert_eq!(verified.call("local").await, StatusCode::OK);
    verified.pass(1);
    assert_eq!(verified.call("local").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn while_the_issuer_is_down_its_keys_are_good_for_an_hour() {
    let verified = Verified::new().await;
    assert_eq!(verified.call("local").await, StatusCode::SERVICE_UNAVAILABLE);
    verified.pass(31);
    verified.keys.answer(Answering::Keys(verified.genuine.clone()));
    assert_eq!(verified.call("local").await, StatusCode::OK);
    verified.keys.answer(Answering::Down);
    verified.pass(3_599);
    assert_eq!(verified.call("local").await, StatusCode::OK);
    verified.pass(31);
    assert_eq!(verified.call("local").await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_issuer_is_not_followed_elsewhere_and_heard_neither_in_an_error_nor_without_end() {
    let verified = Verified::new().await;
    let elsewhere = Answering::Elsewhere(verified.issuer.key_set_url());
    let genuine = &verified.genuine;
    let wrong =
        [elsewhere, Answering::Failing(genuine.clone()), Answering::Endless(genuine.clone())];
    for answering in wrong {
        verified.keys.answer(answering);
        verified.pass(31);
        assert_eq!(verified.call("local").await, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(verified.keys.asked(), 3);
}
