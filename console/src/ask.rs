//! Asking the API within the process, as the person who looks.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::capabilities::sessions::Visitor;
use shared::kernel::{Environment, TenantId};
use tower::ServiceExt;

use crate::trouble::Trouble;

/// No answer of the API is longer.
const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// The API, as one person has it.
pub(crate) struct Ask {
    api: Router,
    visitor: Visitor,
}

/// The API, as one person of a tenant has it.
pub(crate) struct AskOfTenant {
    ask: Ask,
    tenant: TenantId,
}

/// The API's answer when it does not do what it was asked.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Refusal {
    /// The problem's name.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The problem in words.
    pub(crate) title: String,
    pub(crate) status: u16,
    /// What it is about.
    #[serde(default)]
    pub(crate) detail: Option<String>,
}

/// The API's answer when it did.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    /// For the person's browser.
    pub(crate) cookies: Vec<HeaderValue>,
}

impl Ask {
    pub(crate) fn new(api: Router, visitor: Visitor) -> Self {
        Self { api, visitor }
    }

    /// The same, below a tenant.
    pub(crate) fn below(self, tenant: TenantId) -> AskOfTenant {
        AskOfTenant { ask: self, tenant }
    }

    /// What is at `path`.
    pub(crate) async fn at<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        Ok(self.send(Method::GET, path, None).await?.value)
    }

    /// What is at `path`, or none where there is nothing.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Trouble> {
        match self.at(path).await {
            Ok(found) => Ok(Some(found)),
            Err(Trouble::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Has something done, whatever the answer says.
    pub(crate) async fn act(&self, method: Method, path: &str) -> Result<(), Trouble> {
        self.send::<Value>(method, path, None).await.map(|_| ())
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer<T>, Trouble> {
        let mut request = Request::builder().method(method).uri(path);
        let body = match body {
            Some(value) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(value.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).map_err(|_| Trouble::NotFound)?;
        // By this the API knows who asks; over a wire it asks for a token.
        request.extensions_mut().insert(self.visitor.clone());
        let answer = match self.api.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let (head, body) = answer.into_parts();
        let bytes = to_bytes(body, LONGEST_ANSWER).await.map_err(Trouble::broken)?;
        if !head.status.is_success() {
            let refusal = serde_json::from_slice(&bytes);
            return Err(refusal.map_or_else(Trouble::broken, Trouble::Refused));
        }
        let text: &[u8] = if head.status == StatusCode::NO_CONTENT { b"null" } else { &bytes };
        let value = serde_json::from_slice(text).map_err(Trouble::broken)?;
        let cookies = head.headers.get_all(SET_COOKIE).iter().cloned().collect();
        Ok(Answer { value, cookies })
    }
}

impl AskOfTenant {
    /// What is below the tenant.
    pub(crate) async fn of_tenant<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.ask.at(&format!("/v1/tenants/{}{path}", self.tenant)).await
    }

    /// What is at `path`.
    pub(crate) async fn at<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.ask.at(path).await
    }

    /// What is below a connection of the tenant's.
    pub(crate) fn on(&self, environment: Environment) -> AskOn<'_> {
        let base = format!("/v1/tenants/{}/connections/{environment}", self.tenant);
        AskOn { ask: &self.ask, base }
    }
}

/// The API below one connection.
pub(crate) struct AskOn<'a> {
    ask: &'a Ask,
    base: String,
}

impl AskOn<'_> {
    /// What is at `path`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        self.ask.at(&format!("{}{path}", self.base)).await
    }

    /// The same, or none where there is nothing.
    pub(crate) async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Trouble> {
        self.ask.find(&format!("{}{path}", self.base)).await
    }

    /// Has something done, whatever the answer says.
    pub(crate) async fn act(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(), Trouble> {
        self.answer::<Value>(method, path, body).await.map(|_| ())
    }

    /// Has something done.
    pub(crate) async fn answer<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer<T>, Trouble> {
        let path = format!("{}{path}", self.base);
        self.ask.send(method, &path, body).await
    }
}
