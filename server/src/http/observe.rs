//! Each request gets an id, and is counted.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument;
use ulid::Ulid;

use super::Frame;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a caller.
const LONGEST_ID: usize = 64;

/// Gives the request its id, which the log and the answer bear, and counts it. A path is not
/// logged: it can hold a code or a signature.
pub(super) async fn request(
    State(frame): State<Frame>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let id = request.headers().get(&REQUEST_ID).filter(|id| is_plain(id)).cloned();
    let id =
        id.or_else(|| HeaderValue::from_str(&Ulid::from(frame.entropy.bits()).to_string()).ok());
    let method = request.method().clone();
    let span =
        tracing::info_span!("request", request.id = id.as_ref().and_then(|id| id.to_str().ok()),);
    if let Some(id) = &id {
        request.headers_mut().insert(REQUEST_ID, id.clone());
    }
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let (status, taken) = (response.status().as_u16(), begun.elapsed());
    span.in_scope(|| tracing::debug!(method = %method, status, ?taken, "answered"));
    frame.metrics.count_request(name(&method), status, taken);
    response
}

/// A caller may send any word as a method: each would be a series of its own.
fn name(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// An id that can stand in a log as it is.
fn is_plain(id: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    !id.is_empty() && id.len() <= LONGEST_ID && id.as_bytes().iter().all(plain)
}
