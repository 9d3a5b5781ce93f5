//! `/sobjects/{X}/deleted` and `/updated`.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use super::caller::{Caller, time_param};
use crate::error::{ApiError, Reply};
use crate::ids::RecordId;
use crate::org::OrgData;
use crate::reply::json;
use crate::schema::FieldType;
use crate::storage::{Slots, Table, Value, format_date_time};
use crate::sync::read;

const DAY_MS: i64 = 86_400_000;
/// The most ids in one answer.
const MOST_IDS: usize = 600_000;

struct Window {
    start: i64,
    end: i64,
}

fn window(caller: &Caller<'_>, days: i64) -> Result<Window, ApiError> {
    let (start, end) = (time_param(caller, "start")?, time_param(caller, "end")?);
    let now = caller.call.world.clock.now();
    let bad = |message| Err(ApiError::bad("INVALID_REPLICATION_DATE", message));
    if start < now - days * DAY_MS {
        return bad("startDate before org replication enabled date");
    }
    if end - start <= 60_000 {
        return bad("endDate must be at least one minute greater than startDate");
    }
    if start > now {
        return bad("startDate cannot be in the future");
    }
    Ok(Window { start, end })
}

fn replicated<'d>(
    caller: &Caller<'_>,
    data: &'d OrgData,
    object: &str,
) -> Result<&'d Table, ApiError> {
    let table = data
        .table(object)
        .filter(|table| caller.access.sees_object(data, &table.schema))
        .ok_or_else(ApiError::not_found)?;
    if !table.schema.flags.replicate {
        let message = format!("entity type {} is not replicateable", table.schema.name);
        return Err(ApiError::bad("INVALID_TYPE", message));
    }
    Ok(table)
}

/// The last moment that the answer covers: what is still late to queries may be missing.
fn covered(caller: &Caller<'_>, data: &OrgData, end: i64) -> i64 {
    let now = caller.call.world.clock.now();
    end.min(now - data.settings.visibility_lag_ms.max(0)).div_euclid(1000) * 1000
}

/// `GET /sobjects/{X}/deleted?start&end`.
pub(super) fn deleted(caller: &Caller<'_>, object: &str) -> Reply {
    let window = window(caller, 15)?;
    let data = read(&caller.org.data);
    let table = replicated(caller, &data, object)?;
    let records: Vec<Json> = table
        .deletions
        .iter()
        .filter(|(_, at)| (window.start..window.end).contains(at))
        .map(|(id, at)| {
            json!({ "id": id.to_string(),
            "deletedDate": format_date_time(at / 1000 * 1000, "+0000") })
        })
        .collect();
    if records.len() > MOST_IDS {
        return Err(ApiError::bad("EXCEEDED_ID_LIMIT", "too many ids; use a smaller window"));
    }
    let earliest = caller.call.world.clock.now() - 15 * DAY_MS;
    let body = json!({
        "deletedRecords": records,
        "earliestDateAvailable": format_date_time(earliest.div_euclid(60_000) * 60_000, "+0000"),
        "latestDateCovered": format_date_time(covered(caller, &data, window.end), "+0000"),
    });
    Ok(json(StatusCode::OK, &body))
}

/// `GET /sobjects/{X}/updated?start&end`.
pub(super) fn updated(caller: &Caller<'_>, object: &str) -> Reply {
    let window = window(caller, 30)?;
    let data = read(&caller.org.data);
    let table = replicated(caller, &data, object)?;
    let at = table.schema.at("SystemModstamp");
    let now = caller.call.world.clock.now();
    let mut slots = Slots::default();
    let ids: Vec<RecordId> = table
        .iter()
        .filter(|(id, row)| {
            let Some(row) = table.seen(*id, row, now) else { return false };
            slots.read(row);
            let stamped = matches!(slots.value(row, at, FieldType::DateTime),
                Value::Time(t) if (window.start..window.end).contains(&t));
            stamped && !table.is_deleted(row) && caller.access.sees_row(&data, table, *id, row)
        })
        .map(|(id, _)| id)
        .collect();
    if ids.len() > MOST_IDS {
        return Err(ApiError::bad("EXCEEDED_ID_LIMIT", "too many ids; use a smaller window"));
    }
    let ids: Vec<String> = ids.iter().map(RecordId::to_string).collect();
    let body = json!({
        "ids": ids,
        "latestDateCovered": format_date_time(covered(caller, &data, window.end), "+0000"),
    });
    Ok(json(StatusCode::OK, &body))
}
