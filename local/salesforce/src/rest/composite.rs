//! `/composite` and its kin: several calls in one, which counts as one.

use axum::http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::caller::{Caller, json_body, method_not_allowed};
use super::parts::{answer, array, chain, text};
use super::{collections, graph, tree};
use crate::error::{ApiError, Reply};
use crate::reply::json;

/// The most calls in one.
const MOST: usize = 25;

/// Answers `/composite…`.
pub(super) fn route(caller: &Caller<'_>, rest: &[&str]) -> Reply {
    let post = caller.call.method == Method::POST;
    match rest {
        ["sobjects", rest @ ..] => collections::route(caller, rest),
        [] if post => composite(caller),
        ["batch"] if post => batch(caller),
        ["graph"] if post => graph::answer(caller),
        ["tree", object] if post => tree::plant(caller, object),
        [] | ["batch" | "graph"] | ["tree", _] => Err(method_not_allowed(caller)),
        _ => Err(ApiError::not_found()),
    }
}

fn parts<'b>(body: &'b Json, key: &str) -> Result<&'b Vec<Json>, ApiError> {
    let all = array(body, key)?;
    if all.len() > MOST {
        let message = format!("Maximum number of subrequests exceeded: {MOST}");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    Ok(all)
}

fn composite(caller: &Caller<'_>) -> Reply {
    let body = json_body(caller)?;
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or(false);
    let (answers, _) = chain(caller, parts(&body, "compositeRequest")?, all_or_none);
    Ok(json(StatusCode::OK, &json!({ "compositeResponse": answers })))
}

fn batch(caller: &Caller<'_>) -> Reply {
    let body = json_body(caller)?;
    let halt = body.get("haltOnError").and_then(Json::as_bool).unwrap_or(false);
    let mut has_errors = false;
    let mut results: Vec<Json> = Vec::new();
    for request in parts(&body, "batchRequests")? {
        if has_errors && halt {
            let halted = json!([{ "errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch \
                 processing halted per request" }]);
            results.push(json!({ "statusCode": 412, "result": halted }));
            continue;
        }
        let (status, body, _) =
            answer(caller, text(request, "method"), text(request, "url"), request.get("richInput"));
        has_errors |= !status.is_success();
        results.push(json!({ "statusCode": status.as_u16(), "result": body }));
    }
    Ok(json(StatusCode::OK, &json!({ "hasErrors": has_errors, "results": results })))
}
