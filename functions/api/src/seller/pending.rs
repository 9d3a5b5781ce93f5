//! Where a seat's activities stand: what is pending, what failed and why, and what can be done.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::capabilities::activities::{self, ListError, SeatList, SteerError, fix_of};
use utoipa::{IntoParams, ToSchema};

use super::activities::{Activity, Explanation};
use crate::callers::{AtActivity, AtSeat, Reader, SeatOrAdmin};
use crate::extract::{Body, Query};
use crate::problem::Problem;
use crate::state::Api;

/// A page of a seat's activities.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActivityPage {
    items: Vec<Activity>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Which of a seat's activities.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// What came to no end yet.
    #[default]
    Pending,
    /// What cannot be logged.
    Failed,
}

/// Which activities, and where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActivityListing {
    /// Those that are pending, or those that failed
    #[param(inline)]
    #[serde(default)]
    state: Standing,
    /// Of those that failed, the ones with this code
    #[param(nullable = false)]
    #[serde(default)]
    code: Option<String>,
    /// `next` of the page before
    #[param(nullable = false)]
    #[serde(default)]
    cursor: Option<String>,
}

/// List a seat's activities that are pending or failed, and why
#[utoipa::path(get, path = "/seats/{seat}/activities", tag = "activities",
    operation_id = "listActivities",
    params(AtSeat, ActivityListing),
    extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses((status = 200, description = "A page of them, the earliest activities first",
        body = ActivityPage), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
    Query(ActivityListing { state, code, cursor }): Query<ActivityListing>,
) -> Result<Json<ActivityPage>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let list = match (state, code) {
        (Standing::Pending, None) => SeatList::Pending,
        (Standing::Pending, Some(_)) => {
            return Err(Problem::invalid("code belongs to state=failed alone"));
        }
        (Standing::Failed, None) => SeatList::Failed,
        (Standing::Failed, Some(code)) => SeatList::FailedWith(checked(code)?),
    };
    let page = api.activities.listed(at, seat, &list, cursor.as_deref()).await?;
    let items = page.items.into_iter().map(|activity| Activity::of(&api, at, activity));
    Ok(Json(ActivityPage { items: items.collect(), next: page.next }))
}

/// What failed of a seat, by code.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActivityErrors {
    /// The most frequent first.
    items: Vec<ActivityErrorGroup>,
    /// There are more than were counted.
    more: bool,
}

/// What failed with one code, and what mends it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActivityErrorGroup {
    /// Salesforce's error code, or ours.
    code: String,
    count: u64,
    fix: Explanation,
}

/// What failed of a seat, grouped by code, each with what mends it
#[utoipa::path(get, path = "/seats/{seat}/activity-errors", tag = "activities",
    operation_id = "listActivityErrors",
    params(AtSeat), extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses((status = 200, description = "The codes", body = ActivityErrors), Problem))]
pub(crate) async fn errors(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
) -> Result<Json<ActivityErrors>, Problem> {
    let failures = api.activities.failures(place.environment(), place.seat).await?;
    let items = failures.groups.into_iter().map(|group| ActivityErrorGroup {
        fix: fix_of(&group.code).into(),
        code: group.code,
        count: group.count,
    });
    Ok(Json(ActivityErrors { items: items.collect(), more: failures.more }))
}

/// Which failures to try again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryOf {
    code: String,
}

/// What is tried again.
#[derive(Serialize, ToSchema)]
pub(crate) struct Retried {
    /// How many.
    retried: usize,
    /// There are more: call again.
    more: bool,
}

impl From<activities::Retried> for Retried {
    fn from(activities::Retried { count, more }: activities::Retried) -> Self {
        Self { retried: count, more }
    }
}

/// Try again what failed of a seat with one code, up to a hundred
#[utoipa::path(post, path = "/seats/{seat}/activity-errors/retry", tag = "activities",
    operation_id = "retryActivities",
    params(AtSeat), extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    request_body(content = RetryOf, example = json!({ "code": "UNABLE_TO_LOCK_ROW" })),
    responses((status = 202, description = "They are tried again", body = Retried), Problem))]
pub(crate) async fn retry_all(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
    Body(RetryOf { code }): Body<RetryOf>,
) -> Result<(StatusCode, Json<Retried>), Problem> {
    let code = checked(code)?;
    let retried = api.activities.retry_all(place.environment(), place.seat, &code).await?;
    Ok((StatusCode::ACCEPTED, Json(retried.into())))
}

/// A code as Salesforce or we write one: it names a list.
fn checked(code: String) -> Result<String, Problem> {
    let is_of_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if (1..=100).contains(&code.len()) && code.chars().all(is_of_code) {
        Ok(code)
    } else {
        Err(Problem::invalid("code is one that an activity failed with, such as NOT_FOUND"))
    }
}

/// Try an activity again that failed
#[utoipa::path(post, path = "/activities/{activity}/retry", tag = "activities",
    operation_id = "retryActivity",
    params(AtActivity), extensions(("x-roles" = json!(Reader::<AtActivity>::ROLES))),
    responses((status = 202, description = "It is tried again", body = Activity), Problem))]
pub(crate) async fn retry(
    State(api): State<Api>,
    Reader(place, viewer): Reader<AtActivity>,
) -> Result<(StatusCode, Json<Activity>), Problem> {
    let at = place.environment();
    let found = api.activities.get(at, place.activity).await?;
    viewer.sees(found.ok_or_else(|| Problem::not_found("activity"))?.seat)?;
    let retried = api.activities.retry(at, place.activity).await?;
    Ok((StatusCode::ACCEPTED, Json(Activity::of(&api, at, retried))))
}

/// Take an activity back that is not on its way into the CRM yet
#[utoipa::path(post, path = "/activities/{activity}/withdraw", tag = "activities",
    operation_id = "withdrawActivity",
    params(AtActivity), extensions(("x-roles" = json!(Reader::<AtActivity>::ROLES))),
    responses((status = 200, description = "It is taken back, and its text is gone",
        body = Activity), Problem))]
pub(crate) async fn withdraw(
    State(api): State<Api>,
    Reader(place, viewer): Reader<AtActivity>,
) -> Result<Json<Activity>, Problem> {
    let at = place.environment();
    let found = api.activities.get(at, place.activity).await?;
    viewer.sees(found.ok_or_else(|| Problem::not_found("activity"))?.seat)?;
    let withdrawn = api.activities.withdraw(at, place.activity).await?;
    Ok(Json(Activity::of(&api, at, withdrawn)))
}

impl From<ListError> for Problem {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Lookup(error) => error.into(),
            ListError::Cursor(error) => Self::bad_cursor(error.to_string()),
        }
    }
}

impl From<SteerError> for Problem {
    fn from(error: SteerError) -> Self {
        match error {
            SteerError::Lookup(error) => error.into(),
            SteerError::TooLate(why) => Self::conflict("too_late", why.to_owned()),
            SteerError::NothingToRetry(why) => Self::conflict("nothing_to_retry", why.to_owned()),
        }
    }
}
