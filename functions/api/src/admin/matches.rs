//! Matches: which there are, and how many.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use matching::EmployerEvidence;
use serde::{Deserialize, Serialize};
use shared::capabilities::linking::{self, CandidateList, DecisionCounts, ReportError};
use shared::kernel::{EntityId, SObject};
use shared::salesforce::SalesforceId;
use utoipa::{IntoParams, ToSchema};

use crate::callers::{Admin, At};
use crate::extract::Query;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// The decision about a record.
    Decision of linking::RecordDecision { Match Duplicate Review NonMatch }

    /// How a match came about.
    MatchSource of linking::MatchSource { Auto Manual Created }

    /// How a record's employer stands to a person's positions.
    Employer of matching::EmployerEvidence { Current Past Conflict Unknown }
}

/// A record's match.
#[derive(Serialize, ToSchema)]
pub(crate) struct Match {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    #[schema(value_type = Decision)]
    decision: linking::RecordDecision,
    /// The entity that the record is linked to.
    #[schema(value_type = Option<wire::EntityId>, required = true)]
    entity_id: Option<EntityId>,
    #[schema(value_type = Option<MatchSource>, required = true)]
    source: Option<linking::MatchSource>,
    /// Of the match or, without one, of the best candidate.
    #[schema(required = true, minimum = 0, maximum = 1)]
    probability: Option<f64>,
    #[schema(value_type = Option<Employer>, required = true)]
    employer: Option<EmployerEvidence>,
}

impl From<&CandidateList> for Match {
    fn from(list: &CandidateList) -> Self {
        let best = list.matched_candidate().or(list.candidates.first());
        Self {
            object: list.object,
            record_id: list.id,
            decision: list.decision,
            entity_id: list.matched.clone(),
            source: list.source,
            probability: best.map(|candidate| candidate.probability),
            employer: best.map(|candidate| candidate.employer),
        }
    }
}

/// A page of matches.
#[derive(Serialize, ToSchema)]
pub(crate) struct Matches {
    items: Vec<Match>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// How many records were decided how.
#[derive(Serialize, ToSchema)]
pub(crate) struct MatchCounts {
    #[schema(minimum = 0)]
    matched: i64,
    #[schema(minimum = 0)]
    duplicate: i64,
    #[schema(minimum = 0)]
    review: i64,
    #[schema(minimum = 0)]
    unmatched: i64,
    /// The records that have a candidate, by its probability in twentieths: the first number counts
    /// those below .05, the last one those from .95 on.
    #[schema(min_items = 20, max_items = 20)]
    by_probability: Vec<i64>,
}

impl From<DecisionCounts> for MatchCounts {
    fn from(counts: DecisionCounts) -> Self {
        let DecisionCounts { matched, duplicate, review, unmatched, scores } = counts;
        // What was matched by a version that did not count bars yet leaves one that it is not in.
        let by_probability = scores.bars().map(|count| count.max(0)).to_vec();
        Self { matched, duplicate, review, unmatched, by_probability }
    }
}

/// Which matches, and where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    #[param(value_type = wire::SObject)]
    object: SObject,
    /// `next` of the page before
    #[param(nullable = false)]
    #[serde(default)]
    cursor: Option<String>,
}

/// Records that were matched, found duplicates, or wait for a review
#[utoipa::path(get, path = "/matches", tag = "matches", operation_id = "listMatches",
    params(At, Listing), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "A page of them", body = Matches), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Query(Listing { object, cursor }): Query<Listing>,
) -> Result<Json<Matches>, Problem> {
    let page = api.matches.page(place.environment(), object, cursor.as_deref()).await?;
    Ok(Json(Matches { items: page.lists.iter().map(Match::from).collect(), next: page.next }))
}

/// How many records of each object were decided how
#[utoipa::path(get, path = "/matches/summary", tag = "matches", operation_id = "summarizeMatches",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 200, description = "Counts, by object", body = BTreeMap<String, MatchCounts>),
        Problem))]
pub(crate) async fn summarize(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<BTreeMap<SObject, MatchCounts>>, Problem> {
    let counts = api.matches.summary(place.environment()).await?;
    Ok(Json(counts.into_iter().map(|(object, counts)| (object, counts.into())).collect()))
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Lookup(error) => error.into(),
            ReportError::Cursor(error) => Self::bad_cursor(error.to_string()),
            ReportError::Model(error) => error.into(),
        }
    }
}
