//! `/composite/graph`: chains of calls, each of which holds together or not at all.

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::caller::{Caller, json_body};
use super::parts::{array, chain, halted, text};
use crate::error::{ApiError, Reply};
use crate::reply::json;

/// The most nodes in one call, over all graphs.
const MOST_NODES: usize = 500;
/// The most graphs in one call.
const MOST_GRAPHS: usize = 75;
/// Once more graphs than this have failed, the others are not begun.
const MOST_FAILURES: usize = 14;

/// `POST /composite/graph`.
pub(super) fn answer(caller: &Caller<'_>) -> Reply {
    let body = json_body(caller)?;
    let graphs: Vec<(&str, &Vec<Json>)> = array(&body, "graphs")?
        .iter()
        .map(|graph| Ok((text(graph, "graphId"), array(graph, "compositeRequest")?)))
        .collect::<Result<_, ApiError>>()?;
    check(&graphs)?;
    let mut failures = 0;
    let answers: Vec<Json> = graphs
        .into_iter()
        .map(|(id, requests)| {
            let (answers, whole) = if failures > MOST_FAILURES {
                (requests.iter().map(|one| halted(text(one, "referenceId"))).collect(), false)
            } else {
                chain(caller, requests, true)
            };
            failures += usize::from(!whole);
            json!({
                "graphId": id,
                "graphResponse": { "compositeResponse": answers },
                "isSuccessful": whole,
            })
        })
        .collect();
    Ok(json(StatusCode::OK, &json!({ "graphs": answers })))
}

fn check(graphs: &[(&str, &Vec<Json>)]) -> Result<(), ApiError> {
    let nodes: usize = graphs.iter().map(|(_, requests)| requests.len()).sum();
    if graphs.len() > MOST_GRAPHS || nodes > MOST_NODES {
        let message = format!("At most {MOST_GRAPHS} graphs with {MOST_NODES} nodes together");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    let ids: HashSet<&str> = graphs.iter().map(|(id, _)| *id).collect();
    if ids.len() < graphs.len() || ids.contains("") {
        return Err(ApiError::bad("INVALID_INPUT", "Each graph needs a graphId of its own"));
    }
    Ok(())
}
