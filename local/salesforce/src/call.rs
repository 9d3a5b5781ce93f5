//! One request, and the small things that every handler does with it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::Value as Json;

use crate::server::Host;
use crate::world::World;

/// A request as handlers see it.
pub(crate) struct Call {
    pub(crate) world: Arc<World>,
    pub(crate) host: Host,
    pub(crate) method: Method,
    /// The path, percent-decoded, without a trailing slash.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) ip: IpAddr,
}

impl Call {
    /// A parameter of the query string.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The parameters of a form body, behind those of the query string.
    pub(crate) fn form(&self) -> Form {
        let mut all = self.query.clone();
        all.extend(url::form_urlencoded::parse(&self.body).into_owned());
        Form(all)
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The token in the `Authorization` header.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        ["bearer", "oauth"].contains(&scheme.to_ascii_lowercase().as_str()).then(|| token.trim())
    }

    /// Whether a list header, such as `Accept-Encoding`, names a value.
    pub(crate) fn accepts(&self, name: &str, value: &str) -> bool {
        self.header(name).is_some_and(|own| own.to_ascii_lowercase().contains(value))
    }
}

/// Parameters of a form.
pub(crate) struct Form(pub(crate) Vec<(String, String)>);

impl Form {
    /// A parameter, `None` when absent or empty. The last one counts, which is the body's.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// A reply with a body of a type.
pub(crate) fn reply(
    status: StatusCode,
    content_type: &str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

/// A JSON reply.
pub(crate) fn json(status: StatusCode, body: &Json) -> Response<Body> {
    reply(status, "application/json;charset=UTF-8", body.to_string())
}

/// A reply without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An HTML page.
pub(crate) fn html(status: StatusCode, body: String) -> Response<Body> {
    let mut response = reply(status, "text/html;charset=UTF-8", body);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// A time in milliseconds since 1970 as HTTP writes it.
pub(crate) fn http_date(ms: i64) -> Option<HeaderValue> {
    let time = jiff::Timestamp::from_second(ms.div_euclid(1000)).ok()?;
    HeaderValue::from_str(&time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

/// A redirect of a person's browser.
pub(crate) fn redirect(to: &str) -> Response<Body> {
    redirect_with(StatusCode::FOUND, to)
}

/// A redirect with a status of one's own.
pub(crate) fn redirect_with(status: StatusCode, to: &str) -> Response<Body> {
    let mut response = empty(status);
    if let Ok(value) = to.parse() {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
