//! The pages as browsers meet them: over the API's own routes with the ports in memory, and over a
//! stand-in that answers with the worst texts that an org can hold.

mod connected;
mod hostile;
mod html;
mod logins;
mod openid;
mod operate;
mod pages;

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::json;
use shared::capabilities::connecting::NetworkAccess;
use shared::capabilities::seats::{self, Role, Seat, Tenant};
use shared::capabilities::sessions::{Sessions, Visitor};
use shared::kernel::{SeatId, TenantId};
use shared::ports::Ports;
use shared::store::Store;
use shared::testing::{Memory, product};
use tower::ServiceExt;
use url::form_urlencoded;

use crate::{Console, router};

/// The pages below an environment that everybody asks for by GET, for an admin.
const PAGES: [&str; 19] = [
    "",
    "/wizard",
    "/health",
    "/runs",
    "/matches",
    "/review",
    "/duplicates",
    "/rules",
    "/models",
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
const FORMS: [&str; 16] = [
    "/wizard",
    "/wizard/back",
    "/wizard/check",
    "/connect",
    "/runs",
    "/runs/run_x",
    "/rules",
    "/models",
    "/records/Lead/00Q000000000001AAA",
    "/fields",
    "/fields/preview",
    "/filters",
    "/schedule",
    "/saving",
    "/seats",
    "/leave",
];

/// The console over ports, with one tenant.
struct Served {
    router: Router,
    sessions: Sessions,
    ports: Ports,
}

impl Served {
    async fn new() -> Self {
        Self::over(Memory::new(now(), 1).ports(), "test/", true).await
    }

    async fn over(ports: Ports, secret_prefix: &str, entitled: bool) -> Self {
        let app = json!({ "client_id": "crm-sync", "client_secret": "secret" }).to_string();
        ports.secrets.put("app", &app.into(), "1").await.unwrap();
        let access = NetworkAccess::of(vec!["203.0.113.16/28".to_owned()]).unwrap();
        let product = product(ports.clone(), secret_prefix);
        let api = api::Api::new(&product, api::Issuer::nobody(), access).unwrap();
        Self::with_tenant(ports, api::router(api), entitled).await
    }

    /// The console over a stand-in for the API.
    async fn over_api(api: Router) -> Self {
        Self::with_tenant(Memory::new(now(), 1).ports(), api, true).await
    }

    async fn with_tenant(ports: Ports, api: Router, entitled: bool) -> Self {
        let store = Store::new(ports.clone());
        let acme = Tenant { entitled, ..Tenant::new(acme(), "Acme".into(), ports.clock.now()) };
        store.put(&seats::keys::tenant(acme.id), &acme).await.unwrap();
        let sessions = Sessions::new(ports.clone());
        let router = router(Console::new(api, sessions.clone(), false));
        Self { router, sessions, ports }
    }

    /// A browser that is not logged in.
    fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookie: None, token: String::new() }
    }

    /// A link that logs somebody with these roles in.
    async fn link(&self, roles: &str) -> String {
        let visitor = visitor(roles);
        if let Some(id) = visitor.seat {
            let jane = Seat {
                id,
                tenant: acme(),
                email: "jane@acme.example".into(),
                aliases: BTreeSet::new(),
                federation_id: None,
                name: "Jane".into(),
                time_zone: "UTC".into(),
                roles: [Role::Seat].into(),
            };
            let store = Store::new(self.ports.clone());
            store.put(&seats::keys::seat(acme(), id), &jane).await.unwrap();
        }
        let (link, _) = self.sessions.invite(visitor).await.unwrap();
        link.expose()
    }

    /// A browser of somebody with these roles.
    async fn logged_in(&self, roles: &str) -> Browser {
        let mut browser = self.browser();
        let link = self.link(roles).await;
        let answer = browser.post("/console/login", &[("link", &link)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser.learn().await;
        browser
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_795_294_800).unwrap()
}

fn acme() -> TenantId {
    TenantId::derived("acme")
}

/// Ada, with these roles; who runs the product has no tenant.
fn visitor(roles: &str) -> Visitor {
    let roles: BTreeSet<Role> =
        serde_json::from_value(json!(roles.split('+').collect::<Vec<_>>())).unwrap();
    let tenant = (!roles.contains(&Role::Service)).then(acme);
    let seat = roles.contains(&Role::Seat).then(|| SeatId::derived("jane"));
    Visitor { tenant, subject: "ada".into(), roles, seat }
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
        let begin = self.get("/console").await;
        let page = self.get(begin.location()).await;
        let token = page.text.split("name=\"csrf\" value=\"").nth(1);
        let token = token.unwrap_or_else(|| panic!("no form: {}", page.text));
        self.token = token.split('"').next().unwrap().to_owned();
    }
}

/// A page below production.
fn at(path: &str) -> String {
    format!("/console/production{path}")
}
