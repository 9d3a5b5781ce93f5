//! The pages as browsers meet them: over the API's own routes with the ports in memory, and over a
//! stand-in that answers with the worst texts that an org can hold.

mod connected;
mod hostile;
mod html;
mod logins;
mod pages;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::json;
use shared::capabilities::connecting::NetworkAccess;
use shared::capabilities::seats::{self, Role, Tenant};
use shared::capabilities::sessions::{LoginLink, Sessions, Visitor};
use shared::kernel::{SeatId, TenantId};
use shared::ports::{Condition, Ports};
use shared::store;
use shared::testing::{Memory, product};
use stack::{AUDIENCE, Caller, Server};
use tower::ServiceExt;
use url::form_urlencoded;

use crate::{Console, Issuer, IssuerError, router};

/// The pages below an environment that everybody asks for by GET, for an admin.
const PAGES: [&str; 17] = [
    "",
    "/wizard",
    "/health",
    "/runs",
    "/matches",
    "/review",
    "/rules",
    "/record",
    "/fields",
    "/filters",
    "/schedule",
    "/saving",
    "/seats",
    "/audit",
    "/doctor",
    "/network",
    "/leave",
];

/// The forms below an environment.
const FORMS: [&str; 15] = [
    "/wizard",
    "/wizard/back",
    "/wizard/check",
    "/connect",
    "/runs",
    "/runs/run_x",
    "/rules",
    "/records/Lead/00Q000000000001AAA",
    "/fields",
    "/fields/preview",
    "/filters",
    "/schedule",
    "/saving",
    "/seats",
    "/leave",
];

/// Vouches for whom a test names: a link's text is its roles, a dot and its id.
struct TestIssuer {
    issuer: stack::Issuer,
    tenant: TenantId,
    until: Timestamp,
}

impl Issuer for TestIssuer {
    fn link(&self, text: &str) -> Option<LoginLink> {
        let (role, id) = text.split_once('.')?;
        let roles: BTreeSet<Role> =
            serde_json::from_value(json!(role.split('+').collect::<Vec<_>>())).ok()?;
        let seat = roles.contains(&Role::Seat).then(|| SeatId::derived("jane"));
        let visitor = Visitor { tenant: self.tenant, subject: "ada".into(), roles, seat };
        Some(LoginLink { visitor, id: id.to_owned(), until: self.until })
    }

    fn token(&self, visitor: &Visitor) -> Result<SecretString, IssuerError> {
        let roles: Vec<&str> = visitor.roles.iter().map(Into::into).collect();
        let seat = visitor.seat.map(|seat| seat.to_string());
        let tenant = visitor.tenant.to_string();
        let caller = Caller { roles: &roles, tenant: Some(&tenant), seat: seat.as_deref() };
        Ok(self.issuer.token(caller, Duration::from_mins(5)).unwrap().into())
    }
}

/// The console over ports, with one tenant.
struct Served {
    router: Router,
    _keys: Server,
}

impl Served {
    async fn new() -> Self {
        let now = Timestamp::from_second(1_795_294_800).unwrap();
        Self::over(Memory::new(now, 1).ports(), "test/", true).await
    }

    async fn over(ports: Ports, secret_prefix: &str, entitled: bool) -> Self {
        let now = ports.clock.now();
        let tenant = TenantId::derived("acme");
        let acme = Tenant { entitled, ..Tenant::new(tenant, "Acme".into(), now) };
        let write = store::put(seats::keys::tenant(tenant), &acme, Condition::Always).unwrap();
        assert!(ports.table.write(write).await.unwrap().is_done());
        let app = json!({ "client_id": "crm-sync", "client_secret": "secret" }).to_string();
        ports.secrets.put("app", &app.into(), "1").await.unwrap();
        let (issuer, keys) = stack::Issuer::serve().await.unwrap();
        let (http, clock) = (reqwest::Client::builder().no_proxy(), ports.clock.clone());
        let (name, url) = (issuer.address().to_owned(), issuer.key_set_url().parse().unwrap());
        let callers = api::Issuer::new(name, AUDIENCE.to_owned(), url, http, clock).unwrap();
        let access = NetworkAccess::of(vec!["203.0.113.16/28".to_owned()]).unwrap();
        let api = api::Api::new(&product(ports.clone(), secret_prefix), callers, access).unwrap();
        let people = TestIssuer { issuer, tenant, until: now + SignedDuration::from_hours(99) };
        let sessions = Sessions::new(ports);
        let console = Console::new(api::router(api), sessions, Arc::new(people), false);
        Self { router: router(console), _keys: keys }
    }

    /// The console over a stand-in for the API.
    async fn over_api(api: Router) -> Self {
        let now = Timestamp::from_second(1_795_294_800).unwrap();
        let ports = Memory::new(now, 1).ports();
        let tenant = TenantId::derived("acme");
        let acme = Tenant::new(tenant, "Acme".into(), now);
        let write = store::put(seats::keys::tenant(tenant), &acme, Condition::Always).unwrap();
        assert!(ports.table.write(write).await.unwrap().is_done());
        let (issuer, keys) = stack::Issuer::serve().await.unwrap();
        let people = TestIssuer { issuer, tenant, until: now + SignedDuration::from_hours(99) };
        let console = Console::new(api, Sessions::new(ports), Arc::new(people), false);
        Self { router: router(console), _keys: keys }
    }

    /// A browser that is not logged in.
    fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookie: None, token: String::new() }
    }

    /// A browser of somebody with these roles.
    async fn logged_in(&self, roles: &str, id: &str) -> Browser {
        let mut browser = self.browser();
        let link = format!("{roles}.{id}");
        let answer = browser.post("/console/login", &[("link", &link)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser.learn().await;
        browser
    }
}

/// A browser: it keeps its cookie, and the token of the forms that it was shown.
#[derive(Clone)]
struct Browser {
    router: Router,
    cookie: Option<String>,
    token: String,
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }
}

impl Browser {
    async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header("x-request-id", "req-1");
        self.send(request, Body::empty()).await
    }

    /// Sends a form with the token of this session's pages.
    async fn act(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token.clone();
        let mut all = vec![("csrf", token.as_str())];
        all.extend(fields);
        self.post(path, &all).await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_from("same-origin", path, fields).await
    }

    async fn post_from(&mut self, site: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header("sec-fetch-site", site)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body)).await
    }

    async fn send(&mut self, mut request: axum::http::request::Builder, body: Body) -> Answer {
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let answer = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            if cookie.starts_with("crm-sync-console=") {
                self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
            }
        }
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status, headers, text }
    }

    /// Reads the token of this session's forms from a page.
    async fn learn(&mut self) {
        let page = self.get("/console/production").await;
        let token = page.text.split("name=\"csrf\" value=\"").nth(1);
        let token = token.unwrap_or_else(|| panic!("no form: {}", page.text));
        self.token = token.split('"').next().unwrap().to_owned();
    }
}

/// A page below production.
fn at(path: &str) -> String {
    format!("/console/production{path}")
}
