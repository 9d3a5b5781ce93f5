//! The calls inside a composite call, answered by the same routes as calls of their own.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::{Response, StatusCode};
use bytes::Bytes;
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value as Json, json};

use super::caller::{Caller, method_not_allowed};
use crate::call::Call;
use crate::dml::Transaction;
use crate::error::ApiError;
use crate::sync::{read, write};

/// The array that a body must have.
pub(super) fn array<'b>(body: &'b Json, key: &str) -> Result<&'b Vec<Json>, ApiError> {
    body.get(key)
        .and_then(Json::as_array)
        .ok_or_else(|| ApiError::bad("JSON_PARSER_ERROR", format!("{key} is required")))
}

/// A text of a part, empty where there is none.
pub(super) fn text<'b>(part: &'b Json, key: &str) -> &'b str {
    part.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// Answers one part; gives status, body and headers.
pub(super) fn answer(
    caller: &Caller<'_>,
    method: &str,
    url: &str,
    body: Option<&Json>,
) -> (StatusCode, Json, Map<String, Json>) {
    let response = inner(caller, method, url, body).unwrap_or_else(ApiError::into_response);
    let (head, body) = response.into_parts();
    // Replies to single calls are whole in memory, so collecting one never waits.
    let bytes =
        body.collect().now_or_never().and_then(Result::ok).map(http_body_util::Collected::to_bytes);
    let body = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Json::Null);
    let location = head.headers.get("location").and_then(|value| value.to_str().ok());
    let headers = location.map(|value| ("Location".to_owned(), value.into())).into_iter().collect();
    (head.status, body, headers)
}

fn inner(
    caller: &Caller<'_>,
    method: &str,
    url: &str,
    body: Option<&Json>,
) -> Result<Response<axum::body::Body>, ApiError> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = path.trim_start_matches("/services/data/").trim_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    let Some((version, rest)) = segments.split_first() else { return Err(ApiError::not_found()) };
    let mut headers = caller.call.headers.clone();
    headers.remove("content-type");
    let call = Call {
        world: Arc::clone(&caller.call.world),
        host: caller.call.host.clone(),
        method: method.to_ascii_uppercase().parse().map_err(|_| method_not_allowed(caller))?,
        path: format!("/services/data/{path}"),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers,
        body: body.map_or_else(Bytes::new, |body| body.to_string().into()),
        ip: caller.call.ip,
    };
    let part = Caller {
        call: &call,
        org: Arc::clone(&caller.org),
        user: caller.user,
        client_id: caller.client_id.clone(),
        access: caller.access.clone(),
        version: version.trim_start_matches('v').to_owned(),
        route: caller.route,
    };
    (caller.route)(&part, rest)
}

/// Answers calls one after the other, each knowing what those before it answered. Gives the answers
/// and whether all succeeded; with `all_or_none`, one that fails undoes the others.
pub(super) fn chain(
    caller: &Caller<'_>,
    requests: &[Json],
    all_or_none: bool,
) -> (Vec<Json>, bool) {
    let transaction = Transaction::begin(&read(&caller.org.data));
    let mut known: HashMap<String, Json> = HashMap::new();
    let mut answers: Vec<Json> = Vec::new();
    let mut failed = None;
    for (n, request) in requests.iter().enumerate() {
        let reference = text(request, "referenceId").to_owned();
        let url = filled(&Json::from(text(request, "url")), &known);
        let inner_body = request.get("body").map(|body| filled(body, &known));
        let url = url.as_str().unwrap_or_default().to_owned();
        let (status, body, headers) =
            answer(caller, text(request, "method"), &url, inner_body.as_ref());
        if !status.is_success() && failed.is_none() {
            failed = Some(n);
        }
        known.insert(reference.clone(), body.clone());
        answers.push(json!({
            "body": body,
            "httpHeaders": headers,
            "httpStatusCode": status.as_u16(),
            "referenceId": reference,
        }));
        if all_or_none && failed.is_some() {
            break;
        }
    }
    let Some(at) = failed.filter(|_| all_or_none) else {
        transaction.commit();
        return (answers, failed.is_none());
    };
    transaction.roll_back(&mut write(&caller.org.data));
    let answers = requests
        .iter()
        .enumerate()
        .map(|(n, request)| match answers.get(n).filter(|_| n == at) {
            Some(own) => own.clone(),
            None => halted(text(request, "referenceId")),
        })
        .collect();
    (answers, false)
}

/// The answer of a part that another part's failure undid or stopped.
pub(super) fn halted(reference: &str) -> Json {
    json!({
        "body": [{
            "errorCode": "PROCESSING_HALTED",
            "message": "The transaction was rolled back since another operation in the same \
                 transaction failed.",
        }],
        "httpHeaders": {},
        "httpStatusCode": 400,
        "referenceId": reference,
    })
}

/// Puts earlier answers in place of `@{reference.path}`.
fn filled(json: &Json, known: &HashMap<String, Json>) -> Json {
    match json {
        Json::String(text) => {
            let mut out = text.clone();
            while let Some(start) = out.find("@{") {
                let Some(length) = out[start..].find('}') else { break };
                let mut path = out[start + 2..start + length]
                    .split(['.', '[', ']'])
                    .filter(|part| !part.is_empty());
                let first = path.next().and_then(|name| known.get(name));
                let value = path.fold(first, |value, part| match part.parse::<usize>() {
                    Ok(at) => value.and_then(|value| value.get(at)),
                    Err(_) => value.and_then(|value| value.get(part)),
                });
                let plain = match value {
                    Some(Json::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => String::new(),
                };
                out.replace_range(start..=start + length, &plain);
            }
            out.into()
        }
        Json::Array(all) => all.iter().map(|one| filled(one, known)).collect(),
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), filled(value, known)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}
