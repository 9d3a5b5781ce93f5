//! The Match Data Report: how much of an org is linked to the directory.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::linking::DecisionCounts;
use shared::kernel::SObject;
use utoipa::ToSchema;

use crate::callers::{Admin, At};
use crate::problem::Problem;
use crate::state::Api;

/// How much of an org is linked to the directory.
#[derive(Serialize, ToSchema)]
pub(crate) struct MatchReport {
    /// When the records were counted: as this answer was made.
    generated_at: Timestamp,
    /// Accounts, contacts and leads.
    #[schema(value_type = BTreeMap<String, MatchRates>)]
    objects: BTreeMap<SObject, MatchRates>,
}

/// How many of an object's records are linked, and how many are not, by the reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct MatchRates {
    /// All of them that are matched to the directory.
    #[schema(minimum = 0)]
    records: i64,
    #[schema(minimum = 0)]
    matched: i64,
    /// To a tenth; null for an object without records.
    #[schema(required = true, minimum = 0, maximum = 100)]
    matched_percent: Option<f64>,
    #[schema(minimum = 0)]
    unmatched: i64,
    /// To a tenth; null for an object without records. Both percentages together are 100.
    #[schema(required = true, minimum = 0, maximum = 100)]
    unmatched_percent: Option<f64>,
    /// Of those that are not linked: another record of the CRM is linked to their entity.
    #[schema(minimum = 0)]
    duplicate: i64,
    /// Of those that are not linked: they may be an entity, and wait for a person.
    #[schema(minimum = 0)]
    review: i64,
    /// Of those that are not linked: the directory has nobody who is enough like them.
    #[schema(minimum = 0)]
    no_match: i64,
}

impl From<DecisionCounts> for MatchRates {
    fn from(counts: DecisionCounts) -> Self {
        let records = counts.records();
        let tenths = counts.matched_permille();
        let percent = |tenths: i32| f64::from(tenths) / 10.0;
        Self {
            records,
            matched: counts.matched,
            matched_percent: tenths.map(percent),
            unmatched: records - counts.matched,
            unmatched_percent: tenths.map(|tenths| percent(1_000 - tenths)),
            duplicate: counts.duplicate,
            review: counts.review,
            no_match: counts.unmatched,
        }
    }
}

/// How much of the org is linked to the directory
#[utoipa::path(get, path = "/match-report", tag = "matches", operation_id = "showMatchReport",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The report", body = MatchReport), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<MatchReport>, Problem> {
    let counts = api.matches.summary(place.environment()).await?;
    let objects = counts.into_iter().map(|(object, counts)| (object, counts.into())).collect();
    Ok(Json(MatchReport { generated_at: api.ports.clock.now(), objects }))
}
