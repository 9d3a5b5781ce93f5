//! The parts of a request beside its path: a body, a query, a precondition, with the validator
//! that answers it. Their refusals are problems.

use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::state::Api;

/// No request body is larger; directory parts go to the object store.
pub(crate) const LARGEST_BODY: usize = 256 * 1024;

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// Query parameters.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

/// Where a list goes on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Place {
    /// `next` of the page before
    #[param(nullable = false)]
    #[serde(default)]
    pub(crate) cursor: Option<String>,
}

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::unreadable(status, "the body must be application/json"));
        }
        let body = Bytes::from_request(request, api).await;
        let body =
            body.map_err(|refused| Problem::unreadable(refused.status(), refused.body_text()))?;
        read(&body).map(Self)
    }
}

impl<T: DeserializeOwned> OptionalFromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Option<Self>, Problem> {
        if request.headers().contains_key(CONTENT_TYPE) {
            <Self as FromRequest<Api>>::from_request(request, api).await.map(Some)
        } else {
            Ok(None)
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// The value of a JSON text. What is no JSON is unreadable; what is JSON and no such value is
/// wrong at some place.
fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    // A list would be read as the fields of an object, one after the other.
    if text.trim_ascii_start().starts_with(b"[") {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::unreadable(status, "the body must be a JSON object, and is a list"));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let no_json =
        |error: serde_json::Error| Problem::unreadable(StatusCode::BAD_REQUEST, error.to_string());
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        if error.is_data() {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Problem::unreadable(status, error.to_string()).at(pointer)
        } else {
            no_json(error)
        }
    })?;
    json.end().map_err(no_json)?;
    Ok(value)
}

/// A path within a value as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let escaped = |name: &str| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => escaped(key),
            Segment::Enum { variant } => escaped(variant),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// The revisions at which a thing may be changed, by the header `If-Match`: none when the caller
/// does not mind. A validator that is none of ours matches nothing.
pub(crate) struct IfMatch(pub(crate) Option<BTreeSet<u64>>);

/// An answer with its revision as the validator `ETag`, which [`IfMatch`] takes back.
pub(crate) struct Tagged<T> {
    pub(crate) revision: u64,
    pub(crate) body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(ETAG, format!("\"{}\"", self.revision))], Json(self.body)).into_response()
    }
}

impl FromRequestParts<Api> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Infallible> {
        let mut headers = parts.headers.get_all(IF_MATCH).iter().peekable();
        if headers.peek().is_none() {
            return Ok(Self(None));
        }
        let texts = headers.filter_map(|value| value.to_str().ok());
        let tags: Vec<&str> = texts.flat_map(|text| text.split(',')).map(str::trim).collect();
        if tags.contains(&"*") {
            return Ok(Self(None));
        }
        let revision = |tag: &&str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
        Ok(Self(Some(tags.iter().filter_map(revision).collect())))
    }
}
