//! Matches, and what was saved because of them.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::capabilities::linking::{CandidateList, MATCHED_OBJECTS, RecordDecision};
use shared::capabilities::saving::{Saved, SavedList};
use shared::kernel::{Environment, SObject, SeatId, TenantId};
use shared::store;

use super::{At, connections};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Path, Query};

/// A page of matches.
const PAGE: usize = 500;

/// Which matches, and where to go on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listing {
    object: SObject,
    #[serde(default)]
    cursor: Option<String>,
}

/// `GET …/matches?object=Lead&cursor=…`
///
/// Every record of the object that was matched, was found a duplicate, or waits for a review, in
/// the order of the store; the cursor is the bucket and the last record of the page before.
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Query(listing): Query<Listing>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let keys = connections::keys(&api, at).await?;
    let object = listing.object;
    let (bucket, after) = place(listing.cursor.as_deref(), object, keys.buckets())?;
    let (lists, next) = store::query::<CandidateList>(
        &*api.ports.table,
        &keys.all_candidates(object, bucket),
        after.as_deref(),
        PAGE,
    )
    .await?;
    let told = |list: &&CandidateList| !list.gone && list.decision != RecordDecision::NonMatch;
    let items: Vec<Value> = lists.iter().filter(told).map(view).collect();
    let next = match (next, lists.last()) {
        (Some(_), Some(last)) => Some(format!("{bucket}.{}", last.id)),
        _ if bucket + 1 < keys.buckets() => Some(format!("{}.", bucket + 1)),
        _ => None,
    };
    Ok(Json(json!({ "items": items, "next": next })))
}

/// Where a cursor points: a bucket, and the sort key to go on after.
fn place(
    cursor: Option<&str>,
    object: SObject,
    buckets: u32,
) -> Result<(u32, Option<String>), Problem> {
    let Some(cursor) = cursor else { return Ok((0, None)) };
    let invalid = || Problem::invalid("cursor is not one that this list gave");
    let (bucket, record) = cursor.split_once('.').ok_or_else(invalid)?;
    let bucket: u32 = bucket.parse().map_err(|_| invalid())?;
    let plain = record.len() <= 18 && record.chars().all(|c| c.is_ascii_alphanumeric());
    if bucket >= buckets || !plain {
        return Err(invalid());
    }
    Ok((bucket, (!record.is_empty()).then(|| format!("{object}#{record}"))))
}

pub(super) fn view(list: &CandidateList) -> Value {
    let best = list.matched_candidate().or(list.candidates.first());
    json!({
        "object": list.object,
        "record_id": list.id,
        "decision": list.decision,
        "entity_id": list.matched,
        "source": list.source,
        "probability": best.map(|c| c.probability),
        "employer": best.map(|c| c.employer),
    })
}

#[derive(Deserialize)]
pub(crate) struct AtRecord {
    pub(super) tenant: TenantId,
    pub(super) environment: Environment,
    pub(super) object: SObject,
    pub(super) record: String,
}

/// `GET …/matches/{object}/{record}`: one record's match, with its candidates and, of each, what
/// speaks for and against it.
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(AtRecord { tenant, environment, object, record }): Path<AtRecord>,
) -> Result<Json<Value>, Problem> {
    caller.corrector(tenant)?;
    let keys = connections::keys(&api, At { tenant, environment }).await?;
    let key = keys.candidates(object, &record);
    let list: Option<CandidateList> = store::get(&*api.ports.table, &key).await?;
    let list = list.filter(|list| !list.gone).ok_or_else(|| Problem::not_found("record"))?;
    let mut shown = view(&list);
    shown["candidates"] = json!(api.models.explain(keys.scope(), &list).await?);
    shown["ruling"] = json!(list.ruling);
    shown["directory_version"] = json!(list.directory);
    Ok(Json(shown))
}

/// `GET …/matches/summary`: how many records of each object were decided how.
pub(crate) async fn summary(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let keys = connections::keys(&api, at).await?;
    let mut objects = serde_json::Map::new();
    for object in MATCHED_OBJECTS {
        let (mut matched, mut duplicate, mut review, mut unmatched) = (0_u64, 0_u64, 0_u64, 0_u64);
        for bucket in 0..keys.buckets() {
            let place = keys.all_candidates(object, bucket);
            let mut after = None;
            loop {
                let (lists, next) = store::query::<CandidateList>(
                    &*api.ports.table,
                    &place,
                    after.as_deref(),
                    PAGE,
                )
                .await?;
                for list in lists.into_iter().filter(|list| !list.gone) {
                    match list.decision {
                        RecordDecision::Match => matched += 1,
                        RecordDecision::Duplicate => duplicate += 1,
                        RecordDecision::Review => review += 1,
                        RecordDecision::NonMatch => unmatched += 1,
                    }
                }
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
        }
        let counts = json!({
            "matched": matched,
            "duplicate": duplicate,
            "review": review,
            "unmatched": unmatched,
        });
        objects.insert(object.name().to_owned(), counts);
    }
    Ok(Json(Value::Object(objects)))
}

#[derive(Deserialize)]
pub(crate) struct AtSeat {
    tenant: TenantId,
    environment: Environment,
    seat: SeatId,
}

/// Which list, and where to go on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedListing {
    kind: SavedList,
    #[serde(default)]
    cursor: Option<String>,
}

/// `GET …/seats/{seat}/saved?kind=accounts`
pub(crate) async fn saved(
    State(api): State<Api>,
    caller: Caller,
    Path(AtSeat { tenant, environment, seat }): Path<AtSeat>,
    Query(listing): Query<SavedListing>,
) -> Result<Json<Value>, Problem> {
    caller.seat_or_admin(tenant, seat)?;
    let keys = connections::keys(&api, At { tenant, environment }).await?;
    let place = keys.saved_list(seat, listing.kind.as_str());
    // The place keeps a cursor within the seat's own list.
    let after = listing.cursor.map(|entity| place.place(&entity));
    let (items, next) =
        store::query::<Saved>(&*api.ports.table, &place, after.as_deref(), PAGE).await?;
    let next = next.and_then(|_| items.last().map(|saved| saved.entity.clone()));
    Ok(Json(json!({ "items": items, "next": next })))
}
