//! The REST API and Bulk API 2.0.

mod bulk_query;
mod bulk_results;
mod caller;
mod collections;
mod composite;
mod describe;
mod dialect;
mod graph;
mod ingest;
mod job_list;
mod limits;
mod parts;
mod query;
mod replication;
mod sobjects;
mod suggestions;
mod tree;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode, header};
use serde_json::{Map, Value as Json, json};

use self::caller::{Caller, method_not_allowed};
use crate::call::Call;
use crate::error::{ApiError, Reply};
use crate::org::Access;
use crate::reply::json;
use crate::sync::{lock, read};

/// The oldest version that still answers; older ones are retired.
const OLDEST: u32 = 31;
/// The newest version.
const NEWEST: u32 = 67;

/// Answers `/services/data/…`.
pub(crate) fn dispatch(call: &Call, rest: &[&str]) -> Response<Body> {
    let Some((version, rest)) = rest.split_first() else { return versions() };
    let number = version
        .strip_prefix('v')
        .and_then(|v| v.split_once('.'))
        .filter(|(_, minor)| *minor == "0")
        .and_then(|(major, _)| major.parse::<u32>().ok());
    let Some(number) = number.filter(|n| *n <= NEWEST) else {
        return ApiError::not_found().into_response();
    };
    if number < OLDEST {
        let message = format!("API version {number}.0 is retired; use a later version");
        return ApiError::new(StatusCode::GONE, "UNSUPPORTED_API_VERSION", message).into_response();
    }
    let caller = match authenticate(call, format!("{number}.0")) {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let now = call.world.clock.now();
    let (limit, suffix) = {
        let data = read(&caller.org.data);
        (data.daily_calls(caller.org.is_sandbox), data.settings.limit_info_suffix.clone())
    };
    let (used, allowed) = caller.org.usage.call(now, limit);
    let mut response = if allowed {
        route(&caller, rest).unwrap_or_else(ApiError::into_response)
    } else {
        let message = "TotalRequests Limit exceeded.";
        ApiError::new(StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED", message).into_response()
    };
    if let Ok(value) = format!("api-usage={used}/{limit}{suffix}").parse() {
        response.headers_mut().insert("Sforce-Limit-Info", value);
    }
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(
        header::HeaderValue::from_static("no-cache,must-revalidate,max-age=0,no-store,private"),
    );
    response
}

fn versions() -> Response<Body> {
    let seasons = ["Winter", "Spring", "Summer"];
    let all: Vec<Json> = (OLDEST..=NEWEST)
        .map(|n| {
            // Version 31 is Summer '14; three releases a year follow.
            let from_start = n - 31 + 2;
            let season = seasons[from_start as usize % 3];
            let year = 14 + from_start / 3;
            json!({ "label": format!("{season} '{year}"), "url": format!("/services/data/\
                 v{n}.0"), "version": format!("{n}.0") })
        })
        .collect();
    json(StatusCode::OK, &all.into())
}

fn authenticate(call: &Call, version: String) -> Result<Caller<'_>, ApiError> {
    let forbidden = |code, message| ApiError::new(StatusCode::FORBIDDEN, code, message);
    let token = call.bearer().ok_or_else(|| {
        ApiError::new(StatusCode::UNAUTHORIZED, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
    })?;
    let now = call.world.clock.now();
    let session = lock(&call.world.oauth).use_session(token, now);
    let (org, user, client_id, scope) = session.ok_or_else(ApiError::invalid_session)?;
    let org = call.world.org_by_id(org).ok_or_else(ApiError::invalid_session)?;
    // A session of one org is nothing on another's host; the login hosts have no API of their own.
    if call.host.is_generic() || !call.host.serves(&org) {
        return Err(ApiError::invalid_session());
    }
    if !scope.split(' ').any(|s| matches!(s, "api" | "full" | "web")) {
        let message = "This session is not valid for use with the REST API";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", message));
    }
    let data = read(&org.data);
    if !data.has_api() || data.settings.suspended {
        return Err(forbidden(
            "API_DISABLED_FOR_ORG",
            "API is not enabled for this Organization or Partner",
        ));
    }
    let access = Access::of(&data, user);
    let usable =
        data.value(user, "IsActive").is_true() && !data.value(user, "IsFrozen__sim").is_true();
    if !access.profile.api_enabled || !usable {
        return Err(forbidden("API_CURRENTLY_DISABLED", "API is currently disabled for this User"));
    }
    drop(data);
    Ok(Caller { call, org, user, client_id, access, version, route })
}

fn route(caller: &Caller<'_>, rest: &[&str]) -> Reply {
    let get = caller.call.method == Method::GET;
    match rest {
        [] if get => Ok(resources(caller)),
        ["query" | "queryAll" | "queryall"] if get => {
            query::query(caller, !rest[0].eq_ignore_ascii_case("query"))
        }
        ["query" | "queryAll" | "queryall", locator] if get => query::more(caller, locator),
        ["search", "suggestions"] if get => suggestions::suggestions(caller),
        ["limits"] if get => limits::limits(caller),
        ["limits", "recordCount"] if get => Ok(limits::record_count(caller)),
        ["sobjects", rest @ ..] => sobjects::route(caller, rest),
        ["composite", rest @ ..] => composite::route(caller, rest),
        ["jobs", kind, rest @ ..] if kind.eq_ignore_ascii_case("query") => {
            bulk_query::route(caller, rest)
        }
        ["jobs", kind, rest @ ..] if kind.eq_ignore_ascii_case("ingest") => {
            ingest::route(caller, rest)
        }
        ["query" | "queryAll" | "limits", ..] | ["search", "suggestions"] => {
            Err(method_not_allowed(caller))
        }
        _ => Err(ApiError::not_found()),
    }
}

fn resources(caller: &Caller<'_>) -> Response<Body> {
    let root = caller.root();
    let mut all = Map::new();
    for name in ["composite", "jobs", "limits", "query", "queryAll", "search", "sobjects"] {
        all.insert(name.to_owned(), format!("{root}/{name}").into());
    }
    let identity =
        format!("{}/id/{}/{}", caller.call.host.login_url(&caller.org), caller.org.id, caller.user);
    all.insert("identity".to_owned(), identity.into());
    json(StatusCode::OK, &Json::Object(all))
}
