//! One record's match, with its candidates and what speaks for and against each.

use axum::Json;
use axum::extract::State;
use matching::EmployerEvidence;
use serde::Serialize;
use shared::capabilities::linking::{ExplainedCandidate, ExplainedMatch, WeighedComparison};
use shared::kernel::{DirectoryVersionId, EntityId};
use utoipa::ToSchema;

use super::corrections::Ruling;
use crate::admin::{Employer, Match};
use crate::callers::{AtRecord, Corrector};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A record's match, with its candidates.
#[derive(Serialize, ToSchema)]
pub(crate) struct MatchWithCandidates {
    #[serde(flatten)]
    found: Match,
    /// The most likely first.
    #[schema(max_items = 8)]
    candidates: Vec<Candidate>,
    /// People's ruling.
    #[schema(required = true)]
    ruling: Option<Ruling>,
    #[schema(value_type = Option<wire::DirectoryVersionId>, required = true)]
    directory_version: Option<DirectoryVersionId>,
}

/// An entity that a record may be.
#[derive(Serialize, ToSchema)]
pub(crate) struct Candidate {
    #[schema(value_type = wire::EntityId)]
    entity_id: EntityId,
    /// The match weight, in bits.
    weight: f64,
    #[schema(minimum = 0, maximum = 1)]
    probability: f64,
    #[schema(value_type = Employer)]
    employer: EmployerEvidence,
    /// The evidence for and against it, the strongest first.
    words: String,
    comparisons: Vec<Comparison>,
}

/// The result of one comparison.
#[derive(Serialize, ToSchema)]
pub(crate) struct Comparison {
    name: String,
    level: String,
    /// True if the values agree exactly: a product shows these in bold.
    exact: bool,
    /// The evidence that it adds, in bits.
    weight: f64,
}

impl From<WeighedComparison> for Comparison {
    fn from(weighed: WeighedComparison) -> Self {
        let WeighedComparison { name, level, exact, weight } = weighed;
        Self { name, level, exact, weight }
    }
}

impl From<ExplainedCandidate> for Candidate {
    fn from(candidate: ExplainedCandidate) -> Self {
        Self {
            entity_id: candidate.entity_id,
            weight: candidate.weight,
            probability: candidate.probability,
            employer: candidate.employer,
            words: candidate.words,
            comparisons: candidate.comparisons.into_iter().map(Comparison::from).collect(),
        }
    }
}

impl From<ExplainedMatch> for MatchWithCandidates {
    fn from(ExplainedMatch { list, candidates }: ExplainedMatch) -> Self {
        Self {
            found: Match::from(&list),
            candidates: candidates.into_iter().map(Candidate::from).collect(),
            ruling: list.ruling.map(Ruling::from),
            directory_version: list.directory,
        }
    }
}

/// One record's match, with its candidates and what speaks for and against each
#[utoipa::path(get, path = "/matches/{object}/{record}", tag = "matches",
    operation_id = "showMatch",
    params(AtRecord), extensions(("x-roles" = json!(Corrector::<AtRecord>::ROLES))),
    responses((status = 200, description = "The match", body = MatchWithCandidates), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Corrector(place): Corrector<AtRecord>,
) -> Result<Json<MatchWithCandidates>, Problem> {
    Ok(Json(api.matches.get(place.environment(), place.object, place.record).await?.into()))
}
