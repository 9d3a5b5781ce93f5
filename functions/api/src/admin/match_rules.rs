//! The rules of matching: how sure a match must be, and what must agree, per object.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::linking::{
    self, DecisionRules, KeptMatchRules, MATCHED_OBJECTS, RulesError, comparisons_of,
};
use shared::kernel::{EntityId, SObject};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::author::Author;
use crate::callers::{Acting, Admin, At};
use crate::extract::{Body, IfMatch, Tagged};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// The rules of matching, per object.
#[derive(Serialize, ToSchema)]
pub(crate) struct MatchRules {
    /// Counts the changes of the rules; 0 before the first.
    revision: u64,
    #[schema(required = true)]
    changed_at: Option<Timestamp>,
    #[schema(required = true)]
    changed_by: Option<Author>,
    objects: Vec<RulesOfObject>,
}

/// What a record of an object needs to be matched.
#[derive(Serialize, ToSchema)]
pub(crate) struct RulesOfObject {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    /// The lowest probability of a match, as it holds.
    effective_match_at: f64,
    /// An admin's own; null for the model's.
    #[schema(required = true)]
    match_at: Option<f64>,
    /// The lowest probability of a review.
    review_at: f64,
    /// Comparisons, of which one must agree exactly; where there are none, none need.
    must_agree: BTreeSet<String>,
    /// The comparisons that can agree exactly.
    comparisons: Vec<&'static str>,
}

impl MatchRules {
    fn of(kept: KeptMatchRules, by: &DecisionRules) -> Self {
        let KeptMatchRules { rules: linking::MatchRules(mut rules), changes, signed } = kept;
        let of = |object| {
            let linking::ObjectRules { match_at, must_agree } =
                rules.remove(&object).unwrap_or_default();
            RulesOfObject {
                object,
                effective_match_at: by.match_at(object),
                match_at,
                review_at: by.review_at(),
                must_agree,
                comparisons: comparisons_of(object),
            }
        };
        let objects = MATCHED_OBJECTS.map(of).into();
        let (changed_at, changed_by) = signed.map(|of| (of.at, of.by.into())).unzip();
        Self { revision: changes, changed_at, changed_by, objects }
    }
}

/// Rules of matching, by object. An object that is left out has none of its own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMatchRules {
    #[schema(value_type = BTreeMap<String, NewObjectRules>)]
    rules: linking::MatchRules,
}

/// What a record of an object is to need.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "only its schema: the rules are read by the capability")]
pub(crate) struct NewObjectRules {
    /// The lowest probability of a match; null for the model's own.
    #[schema(minimum = 0, maximum = 0.9999)]
    match_at: Option<f64>,
    /// Comparisons, of which one must agree exactly.
    #[schema(required = false)]
    must_agree: BTreeSet<String>,
}

/// The rules of matching, per object
#[utoipa::path(get, path = "/match-rules", tag = "matches", operation_id = "showMatchRules",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 200, description = "The rules", body = MatchRules,
            headers(("ETag" = String, description = "Their revision"))),
        Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Tagged<MatchRules>, Problem> {
    let (kept, by) = api.match_rules.get(place.environment()).await?;
    Ok(Tagged { revision: kept.changes, body: MatchRules::of(kept, &by) })
}

/// Change the rules of matching, all of them; everything is matched again
///
/// A person's word about a record goes before any rule. What is likely and not allowed is up for
/// review.
#[utoipa::path(put, path = "/match-rules", tag = "matches", operation_id = "changeMatchRules",
    params(At, ("If-Match" = Option<String>, Header, description =
        "Change them only at this revision, as the `ETag` gave it; else 412")),
    extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = NewMatchRules, example = json!({
        "rules": { "Lead": { "match_at": 0.97, "must_agree": ["email", "phone"] } },
    })),
    responses(
        (status = 200, description = "The rules as they are now", body = MatchRules,
            headers(("ETag" = String, description = "Their revision"))),
        Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    IfMatch(revisions): IfMatch,
    Body(NewMatchRules { rules }): Body<NewMatchRules>,
) -> Result<Tagged<MatchRules>, Problem> {
    let at = place.environment();
    api.match_rules.change(at, rules, revisions.as_ref(), &by).await?;
    let (kept, by) = api.match_rules.get(at).await?;
    Ok(Tagged { revision: kept.changes, body: MatchRules::of(kept, &by) })
}

/// What would be matched by rules that are tried. While it is under way, what was found so far.
#[derive(Serialize, ToSchema)]
pub(crate) struct RulesTrial {
    /// Counts the trials.
    trial: u64,
    asked_at: Timestamp,
    /// Null while it is under way.
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
    objects: Vec<TrialOfObject>,
}

/// What would become of an object's records.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrialOfObject {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    /// How many were looked at.
    records: u64,
    /// How many are matched, or are duplicates of one that is.
    matched: u64,
    /// How many would be.
    would_match: u64,
    /// Those that would be no more.
    lost: u64,
    /// Those that would be besides.
    gained: u64,
    /// Some that would be matched no more, at most five.
    lost_examples: Vec<TrialExample>,
    /// Some that would be matched besides, at most five.
    gained_examples: Vec<TrialExample>,
}

/// A record whose match depends on the rules.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrialExample {
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    /// Its likeliest candidate.
    #[schema(value_type = wire::EntityId)]
    entity_id: EntityId,
}

impl From<linking::RulesTrial> for RulesTrial {
    fn from(trial: linking::RulesTrial) -> Self {
        let examples = |examples: Vec<linking::TrialExample>| {
            let of = |of: linking::TrialExample| TrialExample {
                record_id: of.record,
                entity_id: of.entity,
            };
            examples.into_iter().map(of).collect()
        };
        let of = |(object, counts): (SObject, linking::TrialCounts)| TrialOfObject {
            object,
            records: counts.records,
            matched: counts.matched,
            would_match: counts.would_match,
            lost: counts.lost,
            gained: counts.gained,
            lost_examples: examples(counts.lost_examples),
            gained_examples: examples(counts.gained_examples),
        };
        Self {
            trial: trial.trial,
            asked_at: trial.asked.at,
            finished_at: trial.finished_at,
            objects: trial.found.into_iter().map(of).collect(),
        }
    }
}

/// Ask what would be matched by other rules; nothing is changed
#[utoipa::path(post, path = "/match-rules/preview", tag = "matches",
    operation_id = "previewMatchRules",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = NewMatchRules, example = json!({
        "rules": { "Lead": { "match_at": 0.97 } },
    })),
    responses((status = 202, description = "It was asked for", body = RulesTrial), Problem))]
pub(crate) async fn preview(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(NewMatchRules { rules }): Body<NewMatchRules>,
) -> Result<(StatusCode, Json<RulesTrial>), Problem> {
    let asked = api.match_rules.try_out(place.environment(), rules, by).await?;
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// Show what would be matched by the rules that were tried last
#[utoipa::path(get, path = "/match-rules/preview", tag = "matches",
    operation_id = "showMatchRulesPreview",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "What was found so far", body = RulesTrial), Problem))]
pub(crate) async fn previewed(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<RulesTrial>, Problem> {
    Ok(Json(api.match_rules.latest(place.environment()).await?.into()))
}

impl From<RulesError> for Problem {
    fn from(error: RulesError) -> Self {
        match error {
            RulesError::Lookup(error) => error.into(),
            RulesError::Wrong(_) => Self::invalid(error.to_string()).at("/rules".to_owned()),
            RulesError::Stale(_) => Self::stale(error.to_string()),
        }
    }
}
