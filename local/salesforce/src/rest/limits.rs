//! `/limits` and `/limits/recordCount`.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::caller::Caller;
use crate::error::{ApiError, Reply};
use crate::reply::json;
use crate::sync::read;

/// `GET /limits`.
pub(super) fn limits(caller: &Caller<'_>) -> Reply {
    let data = read(&caller.org.data);
    if data.settings.limits_need_setup && !caller.access.profile.view_setup {
        let message = "insufficient access rights on object id";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "INSUFFICIENT_ACCESS", message));
    }
    let now = caller.call.world.clock.now();
    let (calls, bulk_jobs) = caller.org.usage.totals(now);
    let most_calls = data.daily_calls(caller.org.is_sandbox);
    let settings = &data.settings;
    let storage_left = if settings.storage_full { 0 } else { 9_000 };
    let mut all = Map::new();
    for (name, max, left) in [
        ("ConcurrentAsyncGetReportInstances", 200, 200),
        ("DailyApiRequests", most_calls, most_calls.saturating_sub(calls)),
        ("DailyAsyncApexExecutions", 250_000, 250_000),
        ("DailyBulkApiBatches", 15_000, 15_000),
        ("DailyBulkV2QueryFileStorageMB", 976_562, 976_562),
        (
            "DailyBulkV2QueryJobs",
            settings.daily_bulk_query_jobs,
            settings.daily_bulk_query_jobs.saturating_sub(bulk_jobs),
        ),
        ("DailyStreamingApiEvents", 1_000_000, 1_000_000),
        ("DataStorageMB", 10_000, storage_left),
        ("FileStorageMB", 10_000, storage_left),
        ("HourlyODataCallout", 20_000, 20_000),
        ("SingleEmail", 5_000, 5_000),
    ] {
        all.insert(name.to_owned(), json!({ "Max": max, "Remaining": left }));
    }
    Ok(json(StatusCode::OK, &Json::Object(all)))
}

/// `GET /limits/recordCount?sObjects=A,B`. Counts are of all users' rows, as Salesforce's are.
pub(super) fn record_count(caller: &Caller<'_>) -> Response<Body> {
    let data = read(&caller.org.data);
    let asked: Option<Vec<&str>> =
        caller.call.param("sObjects").map(|list| list.split(',').map(str::trim).collect());
    let counts: Vec<Json> = data
        .tables
        .iter()
        .filter(|table| {
            caller.access.sees_object(&data, &table.schema)
                && !table.schema.flags.computed
                && asked.as_ref().is_none_or(|names| {
                    names.iter().any(|name| name.eq_ignore_ascii_case(&table.schema.name))
                })
        })
        .map(|table| json!({ "count": table.live(), "name": table.schema.name }))
        .collect();
    json(StatusCode::OK, &json!({ "sObjects": counts }))
}
