//! Known pairs that become manual matches.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::capabilities::linking::{self, TakenPairs};
use shared::kernel::SObject;
use utoipa::ToSchema;

use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A request may import this many known pairs.
const MOST_PAIRS: usize = 100;

/// Pairs that are known from elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownPairs {
    #[schema(max_items = 100)]
    pairs: Vec<KnownPair>,
}

/// A record, and the entity that it is known to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownPair {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    record_id: String,
    entity_id: String,
}

impl From<KnownPair> for linking::KnownPair {
    fn from(KnownPair { object, record_id, entity_id }: KnownPair) -> Self {
        Self { object, record: record_id, entity: entity_id }
    }
}

/// The outcome of taking in known pairs.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportedPairs {
    taken: u64,
    refused: Vec<RefusedPair>,
}

/// A pair that was not taken in.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedPair {
    record_id: String,
    reason: String,
}

impl From<TakenPairs> for ImportedPairs {
    fn from(TakenPairs { taken, refused }: TakenPairs) -> Self {
        let refused = refused.into_iter();
        let refusal = |pair: linking::RefusedPair| RefusedPair {
            record_id: pair.record,
            reason: pair.reason,
        };
        Self { taken, refused: refused.map(refusal).collect() }
    }
}

/// Make known pairs manual matches
///
/// Each is taken in by itself; the answer says which were not, and why.
#[utoipa::path(post, path = "/corrections", tag = "matches", operation_id = "importKnownPairs",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = KnownPairs, example = json!({
        "pairs": [{ "object": "Lead", "record_id": "00Q000000000001EAA", "entity_id": "pr_1" }],
    })),
    responses((status = 202, description = "Which were taken in", body = ImportedPairs), Problem))]
pub(crate) async fn import(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(KnownPairs { pairs }): Body<KnownPairs>,
) -> Result<(StatusCode, Json<ImportedPairs>), Problem> {
    if pairs.len() > MOST_PAIRS {
        return Err(Problem::invalid("a request may import 100 pairs; send the rest in others"));
    }
    let scope = api.custody.live(place.environment()).await?.scope();
    let pairs = pairs.into_iter().map(Into::into).collect();
    Ok((StatusCode::ACCEPTED, Json(api.corrections.import(scope, pairs, &by).await?.into())))
}
