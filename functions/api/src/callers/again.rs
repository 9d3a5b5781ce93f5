//! A write that comes again under its `Idempotency-Key` is not done again: it is answered as the
//! first time. Decided here, by the route, for every write.

use axum::body::{self, Body};
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shared::capabilities::answers::{Answer, Claim, KeyedRequest, Known, Reached};
use shared::kernel::{Environment, TenantEnvironment, TenantId};
use shared::work::WorkError;

use super::admission::place_of;
use super::token::Caller;
use crate::extract::LARGEST_BODY;
use crate::problem::Problem;
use crate::state::Api;

/// Stands in an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// No longer body is kept: an item of the table has room for 400 kB.
const LONGEST_KEPT: usize = 200 * 1024;

/// Routes whose calls are one by their key for good, and not for a day.
const ONE_FOR_GOOD: [&str; 3] = ["/activities", "/seats/{seat}/changes", "/seats/{seat}/bulks"];

/// Answers a write from what was answered before, if it has a key that was used before.
pub(crate) async fn answered_once(
    State(api): State<Api>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let (Some(route), Some(key)) = (route, request.headers().get("idempotency-key").cloned())
    else {
        return Ok(next.run(request).await);
    };
    if !keeps_answers(request.method(), &route) {
        return Ok(next.run(request).await);
    }
    let key = key.to_str().ok().filter(|key| is_plain(key)).ok_or_else(|| {
        Problem::invalid(
            "the header Idempotency-Key has 1 to 200 characters of ASCII, and no spaces",
        )
    })?;
    let (mut parts, sent) = request.into_parts();
    let caller = Caller::of(&mut parts, &api).await?.identity();
    let params = RawPathParams::from_request_parts(&mut parts, &api).await;
    let reached = params.map_or(Reached::Nothing, |params| reached(&params, place_of(&route)));
    let sent = body::to_bytes(sent, LARGEST_BODY)
        .await
        .map_err(|_| Problem::unreadable(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"))?;
    let place = parts.uri.to_string();
    let asked = [parts.method.as_str().as_bytes(), place.as_bytes(), &sent];
    let known = api.answers.claim(&KeyedRequest::new(&caller, key, reached, asked)).await?;
    let claim = match known {
        Known::New(claim) => claim,
        Known::Answered(answer) => return Ok(replayed(answer)),
        Known::Underway => return Err(Problem::underway()),
        Known::Another => {
            let detail = "this idempotency key was used for another call".to_owned();
            return Err(Problem::conflict("key_reused", detail));
        }
    };
    let answer = next.run(Request::from_parts(parts, Body::from(sent))).await;
    Ok(kept(&claim, answer).await?)
}

/// True for a key as the description has it.
fn is_plain(key: &str) -> bool {
    (1..=200).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A key as it counts; none if it is no key.
pub(crate) fn usable_key(key: &str) -> Option<&str> {
    Some(key.trim()).filter(|key| (1..=200).contains(&key.len()))
}

/// True for a route that does something, and may be answered from what was answered before. A
/// login is begun anew each time: its address is good once, and is kept nowhere.
pub(crate) fn keeps_answers(method: &Method, route: &str) -> bool {
    let place = place_of(route);
    let is_write = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method);
    is_write
        && !ONE_FOR_GOOD.contains(&place)
        && !place.ends_with("/badges")
        && !place.ends_with("/authorize")
        && !place.ends_with("/console-links")
}

/// What a call is about. One about a connection as a whole may end it.
fn reached(params: &RawPathParams, place: &str) -> Reached {
    let of = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    let tenant = of("tenant").and_then(|tenant| tenant.parse::<TenantId>().ok());
    let environment = of("environment").and_then(|of| of.parse::<Environment>().ok());
    match (tenant, environment) {
        (Some(tenant), Some(environment)) if !place.is_empty() => {
            Reached::Connection(TenantEnvironment { tenant, environment })
        }
        (Some(tenant), _) => Reached::Tenant(tenant),
        (None, _) => Reached::Nothing,
    }
}

/// The answer of a call that was done, kept for its repetition. Whoever was refused did nothing:
/// the key is free again.
async fn kept(claim: &Claim, answer: Response) -> Result<Response, WorkError> {
    let (parts, body) = answer.into_parts();
    let Ok(body) = body::to_bytes(body, usize::MAX).await else {
        claim.end(None).await?;
        return Ok((StatusCode::INTERNAL_SERVER_ERROR).into_response());
    };
    let text = std::str::from_utf8(&body).ok().filter(|_| body.len() <= LONGEST_KEPT);
    let told = text.filter(|_| parts.status.is_success()).map(|text| {
        let headers = parts.headers.iter();
        let headers = headers.filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        Answer { status: parts.status.as_u16(), headers: headers.collect(), body: text.to_owned() }
    });
    claim.end(told).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replayed(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = answer.headers.iter().filter_map(|(name, value)| {
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
    });
    response.headers_mut().extend(headers);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
