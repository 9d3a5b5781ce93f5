//! The parts of a request beside its path: a body, a query, a precondition. Their refusals are
//! problems.

use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::state::Api;

/// A JSON body.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// Query parameters.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> OptionalFromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Option<Self>, Problem> {
        let body = <Json<T> as OptionalFromRequest<Api>>::from_request(request, api).await?;
        Ok(body.map(|Json(body)| Self(body)))
    }
}

/// The revisions at which a thing may be changed, by the header `If-Match`: none when the caller
/// does not mind. A validator that is none of ours matches nothing.
pub(crate) struct IfMatch(pub(crate) Option<BTreeSet<u64>>);

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
