//! Replies of every kind: JSON, HTML, redirects, none.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::Value as Json;

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
