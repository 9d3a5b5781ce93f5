//! Logging what a seller did in the past, many activities at once, with a dry run.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::activities::{self, AlikeRow, MOST_RETROACTIVE};
use shared::kernel::TenantEnvironment;
use utoipa::ToSchema;

use super::activities::{Activity, Logging, NewActivity};
use crate::callers::{At, SeatOf, usable_key};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;

/// What a seller did in the past.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PastActivities {
    /// True to be told what would be done with each, and to have nothing done.
    #[serde(default)]
    #[schema(required = false)]
    dry_run: bool,
    /// In any order: the earliest activity is logged first.
    #[schema(min_items = 1, max_items = 100)]
    activities: Vec<PastActivity>,
}

/// One activity.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PastActivity {
    /// What `Idempotency-Key` is to a single activity.
    #[schema(min_length = 1, max_length = 200)]
    idempotency_key: String,
    activity: NewActivity,
}

/// What became, or would become, of each activity, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(crate) struct PastActivityOutcomes {
    items: Vec<PastActivityOutcome>,
}

/// What became, or would become, of one activity.
#[derive(Serialize, ToSchema)]
pub(crate) struct PastActivityOutcome {
    idempotency_key: String,
    outcome: Outcome,
    /// The activity that was taken in, now or by an earlier call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    activity: Option<Activity>,
    /// Where it would stand, in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    would_be: Option<Logging>,
    /// In a dry run, up to ten rows of the CRM that look like it: about the same record, of the
    /// same day, of the same kind, by the same seller. Whether one says the same is seen when it is
    /// logged; then nothing is written, and its state is `logged_before`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    alike: Vec<Alike>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<Problem>,
}

/// What becomes of an activity.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was taken in, now or by an earlier call.
    TakenIn,
    /// It would be taken in.
    DryRun,
    /// It cannot be taken in. The others can.
    Refused,
}

/// A row of the CRM that looks like an activity.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alike {
    object: String,
    record_id: String,
    record_url: String,
}

impl From<AlikeRow> for Alike {
    fn from(AlikeRow { row, url }: AlikeRow) -> Self {
        Self { object: row.object.to_string(), record_id: row.id.to_string(), record_url: url }
    }
}

impl PastActivityOutcome {
    fn of(
        api: &Api,
        at: TenantEnvironment,
        idempotency_key: String,
        told: activities::Retroactive,
    ) -> Self {
        let (activity, would_be, alike, problem) = (None, None, Vec::new(), None);
        let outcome = Outcome::TakenIn;
        let bare = Self { idempotency_key, outcome, activity, would_be, alike, problem };
        match told {
            activities::Retroactive::TakenIn(activity) => {
                Self { activity: Some(Activity::of(api, at, activity)), ..bare }
            }
            activities::Retroactive::WouldBe { activity, alike } => Self {
                outcome: Outcome::DryRun,
                would_be: Some(activity.state.into()),
                alike: alike.into_iter().map(Alike::from).collect(),
                ..bare
            },
            activities::Retroactive::Refused(why) => {
                Self { outcome: Outcome::Refused, problem: Some(why.into()), ..bare }
            }
        }
    }
}

/// Log what a seller did in the past, up to a hundred activities since 2021-06-23
///
/// Each is logged as if it had been posted by itself with its key, so the call may be repeated.
/// What the CRM has already is not written again: whoever logs an activity that is more than a day
/// old looks for it among the tasks, events and notes that were imported.
#[utoipa::path(post, path = "/activities/retroactive", tag = "activities",
    operation_id = "logRetroactively",
    params(At), extensions(("x-roles" = json!(SeatOf::<At>::ROLES))),
    request_body(content = PastActivities, example = json!({
        "dry_run": true,
        "activities": [{
            "idempotency_key": "message-17",
            "activity": {
                "kind": "message",
                "entity_kind": "person",
                "entity_id": "pr_1",
                "body": "Shall we talk?",
                "occurred_at": "2025-02-03T10:00:00Z",
            },
        }],
    })),
    responses(
        (status = 200, body = PastActivityOutcomes,
            description = "What became of each, or would become of it"),
        Problem))]
pub(crate) async fn log(
    State(api): State<Api>,
    SeatOf(place, seat): SeatOf<At>,
    Body(PastActivities { dry_run, activities }): Body<PastActivities>,
) -> Result<Json<PastActivityOutcomes>, Problem> {
    if !(1..=MOST_RETROACTIVE).contains(&activities.len()) {
        let detail = format!("from 1 to {MOST_RETROACTIVE} activities are logged at once");
        return Err(Problem::invalid(detail));
    }
    let (mut keys, mut past) = (Vec::new(), Vec::new());
    for (n, PastActivity { idempotency_key, activity }) in activities.into_iter().enumerate() {
        let key = usable_key(&idempotency_key).ok_or_else(|| {
            Problem::invalid("an idempotency_key has 1 to 200 characters")
                .at(format!("/activities/{n}/idempotency_key"))
        })?;
        keys.push(key.to_owned());
        past.push(activity.of(seat, key.to_owned()));
    }
    if keys.iter().collect::<BTreeSet<_>>().len() < keys.len() {
        return Err(Problem::invalid("an idempotency_key stands twice in the call"));
    }
    let at = place.environment();
    let told = if dry_run {
        api.activities.dry_run(at, &past).await?
    } else {
        api.activities.post_retroactively(at, past).await?
    };
    let items = keys.into_iter().zip(told);
    let items = items.map(|(key, told)| PastActivityOutcome::of(&api, at, key, told));
    Ok(Json(PastActivityOutcomes { items: items.collect() }))
}
