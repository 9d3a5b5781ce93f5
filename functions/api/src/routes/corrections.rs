//! Corrections: what people say about matches.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::capabilities::linking::{CandidateList, Correcting, Correction, EntityMatches};
use shared::kernel::{Environment, SObject, TenantId};
use shared::store;

use super::matches::{AtRecord, view};
use super::{At, connections};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// A request may import this many known pairs.
const MOST_PAIRS: usize = 100;

/// `POST …/matches/{object}/{record}/corrections`: any seat's word holds for the whole contract.
/// The match follows within seconds.
pub(crate) async fn say(
    State(api): State<Api>,
    caller: Caller,
    Path(AtRecord { tenant, environment, object, record }): Path<AtRecord>,
    Body(what): Body<Correcting>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let by = caller.corrector(tenant)?;
    let scope = connections::find(&api, At { tenant, environment }).await?.scope();
    let said = api.corrections.say(scope, object, &record, what, by).await?;
    Ok((StatusCode::ACCEPTED, Json(told(&said))))
}

/// `GET …/matches/{object}/{record}/corrections`
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(AtRecord { tenant, environment, object, record }): Path<AtRecord>,
) -> Result<Json<Value>, Problem> {
    caller.corrector(tenant)?;
    let scope = connections::find(&api, At { tenant, environment }).await?.scope();
    Ok(Json(told(&api.corrections.get(scope, object, &record).await?)))
}

fn told(said: &Correction) -> Value {
    json!({
        "object": said.object,
        "record_id": said.id,
        "ruling": said.ruling,
        "history": said.history,
    })
}

/// Pairs that are known from elsewhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownPairs {
    pairs: Vec<KnownPair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownPair {
    object: SObject,
    record_id: String,
    entity_id: String,
}

/// `POST …/corrections`: known pairs become manual matches. Each is taken in by itself; the answer
/// says which were not, and why.
pub(crate) async fn import(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(KnownPairs { pairs }): Body<KnownPairs>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    if pairs.len() > MOST_PAIRS {
        return Err(Problem::invalid("a request may import 100 pairs; send the rest in others"));
    }
    let scope = connections::find(&api, at).await?.scope();
    let (mut taken, mut refused) = (0_u64, Vec::new());
    for KnownPair { object, record_id, entity_id } in pairs {
        let what = Correcting::Match { entity_id };
        match api.corrections.say(scope, object, &record_id, what, None).await {
            Ok(_) => taken += 1,
            Err(error @ shared::capabilities::linking::CorrectionError::Work(_)) => {
                return Err(error.into());
            }
            Err(error) => {
                refused.push(json!({ "record_id": record_id, "reason": error.to_string() }));
            }
        }
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "taken": taken, "refused": refused }))))
}

#[derive(Deserialize)]
pub(crate) struct AtEntity {
    tenant: TenantId,
    environment: Environment,
    object: SObject,
    entity: String,
}

/// `GET …/entities/{object}/{entity}`: the records of an object that may be an entity, each with
/// its match: what a seller chooses from who looks at a person or a company.
pub(crate) async fn bidders(
    State(api): State<Api>,
    caller: Caller,
    Path(AtEntity { tenant, environment, object, entity }): Path<AtEntity>,
) -> Result<Json<Value>, Problem> {
    caller.corrector(tenant)?;
    let keys = connections::keys(&api, At { tenant, environment }).await?;
    let table = &*api.ports.table;
    let found: Option<EntityMatches> = store::get(table, &keys.entity(object, &entity)).await?;
    let found = found.unwrap_or_else(|| EntityMatches::empty(object, entity));
    let of: Vec<_> = found.bids.iter().map(|bid| keys.candidates(object, &bid.record)).collect();
    let lists: Vec<CandidateList> = store::get_many(table, &of).await?;
    let mut records = Vec::with_capacity(lists.len());
    for list in &lists {
        let mut shown = view(list);
        let candidates = api.models.explain(keys.scope(), list).await?;
        let this = candidates.into_iter().find(|c| c.entity_id == found.entity);
        shown["candidate"] = json!(this);
        records.push(shown);
    }
    Ok(Json(json!({
        "entity_id": found.entity,
        "record_id": found.matched,
        "records": records,
    })))
}
