//! Answers requests: finds the handler, plays faults, keeps the log.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::response::Parts;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use bytes::Bytes;
use flate2::read::GzDecoder;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::Value as Json;

use crate::call::Call;
use crate::error::ApiError;
use crate::faults::{FaultKind, Played};
use crate::ids::RecordId;
use crate::reply::{html, http_date, redirect, redirect_with, reply};
use crate::server::{Host, Peer};
use crate::storage::format_date_time;
use crate::sync::{lock, read};
use crate::world::{RequestEntry, World};
use crate::{oauth, rest};

/// The largest body accepted: an ingest upload of 100 MB, with room for its form.
const MOST_BODY: usize = 160 * 1024 * 1024;
/// Salesforce's limit on the URI and the headers together.
const MOST_HEAD: usize = 16_384;

/// Answers one request; `None` drops the connection.
pub(crate) async fn answer(
    world: Arc<World>,
    request: Request<Incoming>,
    peer: Peer,
) -> Option<Response<Body>> {
    let (parts, body) = request.into_parts();
    let authority = parts
        .uri
        .host()
        .map(|_| parts.uri.authority().map(ToString::to_string).unwrap_or_default())
        .or_else(|| {
            parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned)
        })
        .unwrap_or_default();
    let Ok(body) = Limited::new(body, MOST_BODY).collect().await else {
        return Some(reply(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the body is too large"));
    };
    let head: usize = parts.uri.to_string().len()
        + parts
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum::<usize>();
    let path = decode(parts.uri.path());
    let call = Call {
        host: Host::parse(&authority, peer.tls),
        method: parts.method,
        path,
        query: url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        headers: parts.headers,
        body: body.to_bytes(),
        ip: peer.ip,
        world: Arc::clone(&world),
    };
    let mut entry = RequestEntry {
        at: format_date_time(world.clock.now(), "Z"),
        method: call.method.to_string(),
        host: authority.clone(),
        path: call.path.clone(),
        soql: call.param("q").filter(|_| call.path.contains("/query")).map(str::to_owned),
        status: None,
        fault: None,
    };
    let played = lock(&world.faults).play(call.method.as_str(), &authority, &call.path, &call.body);
    entry.fault = played.as_ref().map(|played| played.id);
    let response = if head > MOST_HEAD {
        Some(reply(StatusCode::URI_TOO_LONG, "text/html", "URI Too Long"))
    } else {
        with_fault(&world, call, played).await
    };
    entry.status = response.as_ref().map(|response| response.status().as_u16());
    world.log(entry);
    response
}

fn decode(path: &str) -> String {
    let decoded: String = url::form_urlencoded::parse(
        format!("p={}", path.replace('+', "%2B").replace('&', "%26")).as_bytes(),
    )
    .next()
    .map(|(_, value)| value.into_owned())
    .unwrap_or_default();
    let trimmed = decoded.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
}

async fn with_fault(
    world: &Arc<World>,
    call: Call,
    played: Option<Played>,
) -> Option<Response<Body>> {
    let mut skew = 0;
    let kind = played.map(|played| played.kind);
    match &kind {
        Some(FaultKind::Respond { status, body, content_type, retry_after }) => {
            return Some(dated(
                world,
                planned(*status, body, content_type.as_deref(), *retry_after),
                0,
            ));
        }
        Some(FaultKind::Html { status }) => {
            return Some(dated(world, edge_page(*status), 0));
        }
        Some(FaultKind::Redirect { status, location }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::FOUND);
            return Some(dated(world, redirect_with(status, location), 0));
        }
        Some(FaultKind::InvalidSession) => {
            return Some(dated(world, ApiError::invalid_session().into_response(), 0));
        }
        Some(FaultKind::DropBefore) => return None,
        Some(FaultKind::Delay { ms }) => tokio::time::sleep(Duration::from_millis(*ms)).await,
        Some(FaultKind::ClockSkew { seconds }) => skew = *seconds,
        _ => {}
    }
    // Handlers take locks and may read a whole table: not on the threads that serve connections.
    let handled = tokio::task::spawn_blocking(move || dispatch(&call)).await;
    let response = handled.unwrap_or_else(|_| {
        let message = "An unexpected error occurred. Please include this ErrorId if you contact \
             support: 1234567890-1 (1)";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", message)
            .into_response()
    });
    let response = match kind {
        Some(FaultKind::DropAfter) => return None,
        Some(FaultKind::Truncate { bytes }) => truncated(response, bytes),
        Some(FaultKind::CutRows { rows }) => with_rows(response, rows).await,
        Some(FaultKind::SetJson { pointer, value }) => with_json(response, &pointer, value).await,
        Some(FaultKind::SlowDrip { bytes, pause_ms }) => dripping(response, bytes, pause_ms).await,
        _ => response,
    };
    Some(dated(world, response, skew))
}

fn dispatch(call: &Call) -> Response<Body> {
    let segments: Vec<&str> = call.path.split('/').filter(|part| !part.is_empty()).collect();
    match segments.as_slice() {
        ["services", "data", rest @ ..] => rest::dispatch(call, rest),
        ["services", "oauth2", ..] => oauth::dispatch(call, &segments[1..]),
        ["id", org, user] => oauth::identity(call, org, user),
        [id] if RecordId::parse(id).is_some() => record_page(call, id),
        ["lightning", "r", .., id, "view"] => record_page(call, id),
        [] => html(
            StatusCode::OK,
            "<!DOCTYPE html><title>Salesforce simulator</title><p>This is \
             the Salesforce simulator.</p>\n"
                .to_owned(),
        ),
        _ => ApiError::not_found().into_response(),
    }
}

/// A record's address in a person's browser leads to the simulator's own page of it.
fn record_page(call: &Call, id: &str) -> Response<Body> {
    let known = RecordId::parse(id);
    let org = known.and_then(|id| {
        call.host.served(call.world.orgs()).into_iter().find(|org| {
            let data = read(&org.data);
            data.table_of(id).is_some_and(|table| table.get(id).is_some())
        })
    });
    match (org, call.world.addresses.get()) {
        (Some(org), Some(addresses)) => {
            redirect(&format!("{}/simulator/{}/record/{id}", addresses.control, org.label))
        }
        _ => ApiError::not_found().into_response(),
    }
}

/// The simulated time in the `Date` header.
fn dated(world: &World, mut response: Response<Body>, skew: i64) -> Response<Body> {
    if let Some(date) = http_date(world.clock.now() + skew * 1000) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

fn planned(
    status: u16,
    body: &str,
    content_type: Option<&str>,
    retry_after: Option<u64>,
) -> Response<Body> {
    let looks_json = body.starts_with(['[', '{']);
    let default =
        if looks_json { "application/json;charset=UTF-8" } else { "text/html;charset=UTF-8" };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(status, content_type.unwrap_or(default), body.to_owned());
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The page that Salesforce's edge answers in place of the API.
fn edge_page(status: u16) -> Response<Body> {
    let text = match status {
        420 => "We are setting things up. Please try again in a moment.",
        503 => "We are down for maintenance.",
        _ => "Salesforce",
    };
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>Salesforce</title></head><body><h1>{text}</h1></body>\
         </html>\n"
    );
    planned(status, &body, Some("text/html; charset=UTF-8"), None)
}

/// The body's first bytes, then a broken connection.
fn truncated(response: Response<Body>, bytes: usize) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let data = body.into_data_stream().scan(bytes, |left, chunk| {
        let part = chunk.ok().filter(|_| *left > 0).map(|chunk| {
            let part = chunk.slice(..chunk.len().min(*left));
            *left -= part.len();
            Ok::<_, std::io::Error>(part)
        });
        futures::future::ready(part)
    });
    let cut = futures::stream::once(async {
        // The bytes written before must leave the server first: hyper drops them with the
        // connection.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("truncated by a planned fault"))
    });
    Response::from_parts(parts, Body::from_stream(data.chain(cut)))
}

/// A CSV body with its header and so many rows, whole in every other way.
async fn with_rows(response: Response<Body>, rows: usize) -> Response<Body> {
    let (mut parts, body) = whole(response).await;
    let mut text = body.to_vec();
    if parts.headers.remove(header::CONTENT_ENCODING).is_some() {
        text.clear();
        // A body that the simulator itself compressed can be read.
        let _: std::io::Result<usize> = GzDecoder::new(body.as_ref()).read_to_end(&mut text);
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_slice());
    let end = reader.records().nth(rows).and_then(Result::ok).map(|_| reader.position().byte());
    text.truncate(end.and_then(|end| usize::try_from(end).ok()).unwrap_or(text.len()));
    Response::from_parts(parts, text.into())
}

/// A JSON body with one value set.
async fn with_json(response: Response<Body>, pointer: &str, value: Json) -> Response<Body> {
    let (parts, body) = whole(response).await;
    let mut json: Json = serde_json::from_slice(&body).unwrap_or_default();
    if let Some(place) = json.pointer_mut(pointer) {
        *place = value;
    }
    Response::from_parts(parts, json.to_string().into())
}

/// A response with its body in memory, to be changed.
async fn whole(response: Response<Body>) -> (Parts, Bytes) {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = body.collect().await.map(http_body_util::Collected::to_bytes);
    (parts, body.unwrap_or_default())
}

/// The body in small pieces with pauses between them.
async fn dripping(response: Response<Body>, bytes: usize, pause_ms: u64) -> Response<Body> {
    let (parts, body) = whole(response).await;
    let size = bytes.max(1);
    let stream = futures::stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok::<_, std::io::Error>(piece), rest))
    });
    Response::from_parts(parts, Body::from_stream(stream))
}
