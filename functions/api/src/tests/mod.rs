//! The router as its callers meet it: real tokens, the ports in memory, and every answer held to
//! `docs/openapi.yaml`.

mod accounts;
mod again;
mod audit;
mod badges;
mod break_glass;
mod bulks;
mod canary;
mod changes;
mod contact_data;
mod crm_users;
mod dry_runs;
mod employers;
mod exports;
mod filters;
mod forms;
mod guards;
mod guide;
mod inputs;
mod left;
mod limits;
mod lists;
mod match_rules;
mod openapi;
mod operating;
mod opportunities;
mod panel;
mod preflight;
mod requests;
mod retroactive;
mod saved;
mod selections;
mod sellers;
mod settings;
mod sides;
mod tenants;
mod tokens;
mod walks;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::capabilities::connecting::NetworkAccess;
use shared::capabilities::seats::{self, Tenant};
use shared::kernel::{SeatId, TenantId};
use shared::ports::{Condition, Ports};
use shared::store;
use shared::testing::{Memory, product};
use stack::{AUDIENCE, Caller, Issuer, Server};
use tower::ServiceExt;

use self::openapi::Description;
use crate::{callers, router, state};

/// An answer.
struct Answer {
    status: StatusCode,
    content_type: String,
    /// Seconds after which the call may be made again.
    retry_after: Option<u64>,
    /// It was given before.
    replayed: bool,
    body: Value,
}

/// The API over the ports in memory, with one tenant.
struct Served {
    api: state::Api,
    router: Router,
    issuer: Issuer,
    _keys: Server,
    tenant: TenantId,
    seat: SeatId,
    description: Description,
}

impl Served {
    async fn new() -> Self {
        let now = Timestamp::from_second(1_795_294_800).unwrap();
        Self::over(Memory::new(now, 1).ports(), "test/").await
    }

    /// The API over ports that others use too.
    async fn over(ports: Ports, secret_prefix: &str) -> Self {
        let now = ports.clock.now();
        let tenant = TenantId::derived("acme");
        let acme = Tenant::new(tenant, "Acme".into(), now);
        let write = store::put(seats::keys::tenant(tenant), &acme, Condition::Always).unwrap();
        assert!(ports.table.write(write).await.unwrap().is_done());
        let app = json!({ "client_id": "crm-sync", "client_secret": "secret" }).to_string();
        ports.secrets.put("app", &app.into(), "1").await.unwrap();

        let (issuer, server) = Issuer::serve().await.unwrap();
        let (http, clock) = (reqwest::Client::builder().no_proxy(), ports.clock.clone());
        let (name, keys) = (issuer.address().to_owned(), issuer.key_set_url().parse().unwrap());
        let callers = callers::Issuer::new(name, AUDIENCE.to_owned(), keys, http, clock).unwrap();
        let access = NetworkAccess::of(vec!["203.0.113.7/32".to_owned()]).unwrap();
        let api = state::Api::new(&product(ports, secret_prefix), callers, access).unwrap();
        Self {
            router: router::router(api.clone()),
            api,
            issuer,
            _keys: server,
            tenant,
            seat: SeatId::derived("jane"),
            description: Description::read(),
        }
    }

    /// The same, where somebody configured a contact for security.
    fn with_contact(self, contact: &str) -> Self {
        let contact = shared::kernel::security_contact(contact);
        let api = self.api.clone().with_security_contact(contact);
        Self { router: router::router(api.clone()), api, ..self }
    }

    /// The text that a public path answers.
    async fn text(&self, path: &str) -> String {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// A token of the tenant's, with one role or `none`; the back end's belongs to no tenant.
    fn token(&self, role: &str) -> String {
        self.token_of(self.tenant, role)
    }

    fn token_of(&self, tenant: TenantId, role: &str) -> String {
        let (tenant, seat) = (tenant.to_string(), self.seat.to_string());
        let caller = match role {
            "none" => Caller { roles: &[], tenant: Some(&tenant), seat: None },
            "service" => Caller { roles: &[role], tenant: None, seat: None },
            "seat" => Caller { roles: &[role], tenant: Some(&tenant), seat: Some(&seat) },
            _ => Caller { roles: &[role], tenant: Some(&tenant), seat: None },
        };
        self.issuer.token(caller, Duration::from_mins(5)).unwrap()
    }

    async fn get(&self, token: &str, path: &str) -> Answer {
        self.call("GET", path, Some(token), None).await
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(token), Some(body.to_string())).await
    }

    /// Posts under an idempotency key.
    async fn keyed(&self, token: &str, path: &str, key: &str, body: &Value) -> Answer {
        self.call_keyed("POST", path, Some(token), Some(body.to_string()), Some(key)).await
    }

    /// Makes a call, and holds the answer to the description.
    async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
    ) -> Answer {
        // What must have a key gets one.
        let place = path.split('?').next().unwrap_or_default();
        let needs = ["/activities", "/changes", "/bulks"].iter().any(|of| place.ends_with(of));
        self.call_keyed(method, path, token, body, needs.then_some("1")).await
    }

    async fn call_keyed(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
        key: Option<&str>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        request = key.into_iter().fold(request, |r, key| r.header("idempotency-key", key));
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.map_or("", |value| value.to_str().unwrap()).to_owned();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.map(|value| value.to_str().unwrap().parse().unwrap());
        let replayed = response.headers().contains_key("idempotency-replayed");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        let answer = Answer { status, content_type, retry_after, replayed, body };
        self.description.check(method, path, &answer);
        answer
    }

    /// A path below the tenant's production connection.
    fn connection(&self, path: &str) -> String {
        format!("/v1/tenants/{}/connections/production{path}", self.tenant)
    }
}
