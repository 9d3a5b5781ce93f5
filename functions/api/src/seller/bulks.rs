//! Changes that a seller approves together, and undoes together.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::changing::{self, BulkOutcome, ChangeError, MOST_IN_BULK};
use shared::kernel::{BulkId, SeatId, TenantEnvironment};
use utoipa::ToSchema;

use super::activities::idempotency_key;
use super::changes::{Change, ChangeRequest, new_change};
use crate::callers::{AtBulk, AtSeat, OwnSeat, SeatOrAdmin};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// What a seller approves together.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkRequest {
    #[schema(min_items = 1, max_items = 100)]
    changes: Vec<ChangeRequest>,
}

/// What became of each change, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct BulkOutcomes {
    #[schema(value_type = wire::BulkId)]
    bulk_id: BulkId,
    items: Vec<ChangeOutcome>,
}

/// What became of one change.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangeOutcome {
    /// The change that was taken in, or the undoing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    change: Option<Change>,
    /// Why there is none. The others go their way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<Problem>,
}

/// Changes that a seller approved together.
#[derive(Serialize, ToSchema)]
pub(crate) struct Bulk {
    #[schema(value_type = wire::BulkId)]
    bulk_id: BulkId,
    #[schema(value_type = wire::SeatId)]
    seat: SeatId,
    asked_at: Timestamp,
    /// Those that were taken in, in the order of the request.
    changes: Vec<Change>,
}

/// Create or update up to 100 leads, contacts and accounts at once, as the seller
///
/// Each is a change of its own, and is made as if it had been posted by itself: what one is refused
/// for stops no other. The call may be repeated with the same key and body.
#[utoipa::path(post, path = "/seats/{seat}/bulks", tag = "activities", operation_id = "postBulk",
    params(AtSeat,
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 200, description =
            "The same key and body again is the same bulk; the same key with another body is \
             refused.")),
    extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = BulkRequest, example = json!({
        "changes": [{
            "kind": "update",
            "object": "Lead",
            "record_id": "00Q000000000001EAA",
            "fields": { "Title": { "from": "Buyer", "to": "Chief Buyer" } },
        }],
    })),
    responses(
        (status = 202, description = "What became of each", body = BulkOutcomes),
        Problem))]
pub(crate) async fn post(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    headers: HeaderMap,
    Body(BulkRequest { changes }): Body<BulkRequest>,
) -> Result<(StatusCode, Json<BulkOutcomes>), Problem> {
    if !(1..=MOST_IN_BULK).contains(&changes.len()) {
        let detail = format!("from 1 to {MOST_IN_BULK} changes are approved at once");
        return Err(Problem::invalid(detail).at("/changes".to_owned()));
    }
    let (at, seat, key) = (place.environment(), place.seat, idempotency_key(&headers)?);
    let wanted = changes.into_iter().map(|request| new_change(seat, key, request));
    let wanted = wanted.collect::<Result<_, _>>()?;
    let (bulk, outcomes) = api.changes.post_bulk(at, seat, key, wanted).await?;
    let items = shown(&api, at, seat, outcomes).await?;
    Ok((StatusCode::ACCEPTED, Json(BulkOutcomes { bulk_id: bulk.id, items })))
}

/// Show the changes of a bulk and where they stand
#[utoipa::path(get, path = "/seats/{seat}/bulks/{bulk}", tag = "activities",
    operation_id = "showBulk",
    params(AtBulk), extensions(("x-roles" = json!(SeatOrAdmin::<AtBulk>::ROLES))),
    responses((status = 200, description = "The bulk", body = Bulk), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtBulk>,
) -> Result<Json<Bulk>, Problem> {
    let found = api.changes.bulk(place.environment(), place.seat, place.bulk).await?;
    let (opened, bulk, changes) = found;
    let changes = changes.into_iter();
    let changes = changes.map(|(change, values)| Change::of(&api, &opened, change, values));
    Ok(Json(Bulk {
        bulk_id: bulk.id,
        seat: bulk.seat,
        asked_at: bulk.asked_at,
        changes: changes.collect(),
    }))
}

/// Undo what of a bulk is made
///
/// Each undoing is a change of its own, as if it had been asked for by itself.
#[utoipa::path(post, path = "/seats/{seat}/bulks/{bulk}/undo", tag = "activities",
    operation_id = "undoBulk",
    params(AtBulk), extensions(("x-roles" = json!(OwnSeat::<AtBulk>::ROLES))),
    responses(
        (status = 202, description = "The undoing of each, or why there is none",
            body = BulkOutcomes),
        Problem))]
pub(crate) async fn undo(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtBulk>,
) -> Result<(StatusCode, Json<BulkOutcomes>), Problem> {
    let (at, seat, bulk_id) = (place.environment(), place.seat, place.bulk);
    let outcomes = api.changes.undo_bulk(at, seat, bulk_id).await?;
    let items = shown(&api, at, seat, outcomes).await?;
    Ok((StatusCode::ACCEPTED, Json(BulkOutcomes { bulk_id, items })))
}

/// The outcomes with the changes as they stand.
async fn shown(
    api: &Api,
    at: TenantEnvironment,
    seat: SeatId,
    outcomes: Vec<BulkOutcome>,
) -> Result<Vec<ChangeOutcome>, Problem> {
    let ids = outcomes.iter().filter_map(|outcome| Some(outcome.as_ref().ok()?.id));
    let (opened, mut found) = api.changes.some(at, seat, &ids.collect::<Vec<_>>()).await?;
    let mut item = |outcome: Result<changing::Change, ChangeError>| match outcome {
        Ok(change) => {
            let (change, values) = found.remove(&change.id).unwrap_or((change, <_>::default()));
            let change = Some(Change::of(api, &opened, change, values));
            ChangeOutcome { change, problem: None }
        }
        Err(why) => ChangeOutcome { change: None, problem: Some(why.into()) },
    };
    Ok(outcomes.into_iter().map(&mut item).collect())
}
