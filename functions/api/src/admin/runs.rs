//! Import runs: which there are, one of them object by object, starting and steering one.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::importing::{
    self, ControlError, ObjectPhase, RunReport, RunWithObjects, fix_of,
};
use shared::kernel::{self, ImportRunId, MatchRunId, SObject};
use utoipa::ToSchema;

use crate::callers::{Admin, At, AtRun, AtSteer, Steer};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// Where a run stands.
    RunState of importing::RunState {
        Importing HandingOver Activities SteppedAside Complete Failed Cancelled
    }

    /// The cause of a run.
    RunTrigger of kernel::ImportTrigger { Connected Scheduled Requested Full }
}

/// An import run.
#[derive(Serialize, ToSchema)]
pub(crate) struct Run {
    #[schema(value_type = wire::RunId)]
    run_id: ImportRunId,
    #[schema(value_type = RunState)]
    state: importing::RunState,
    #[schema(value_type = RunTrigger)]
    trigger: kernel::ImportTrigger,
    /// Reads every row.
    full: bool,
    paused: bool,
    /// Until when it leaves the org's API to others.
    #[schema(required = true)]
    stands_back_until: Option<Timestamp>,
    /// The run under way, for which this one was not begun.
    #[schema(value_type = Option<wire::RunId>, required = true)]
    stepped_aside_for: Option<ImportRunId>,
    started_at: Timestamp,
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
    objects_left: u32,
    /// The match run that it feeds.
    #[schema(value_type = Option<wire::MatchRunId>, required = true)]
    match_run: Option<MatchRunId>,
}

impl From<RunReport> for Run {
    fn from(RunReport { run, active }: RunReport) -> Self {
        Self {
            run_id: run.id,
            state: run.state,
            trigger: run.trigger,
            full: run.full,
            paused: active.is_some_and(|active| active.paused),
            stands_back_until: active.and_then(|active| active.stands_back_until),
            stepped_aside_for: run.aside_of,
            started_at: run.started_at,
            finished_at: run.finished_at,
            objects_left: run.objects_left + run.activities_left,
            match_run: run.match_run,
        }
    }
}

/// A connection's import runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Runs {
    items: Vec<Run>,
    /// When the last complete run ended.
    #[schema(required = true)]
    last_sync_at: Option<Timestamp>,
    /// When the schedule begins the next one; null while it is paused.
    #[schema(required = true)]
    next_sync_at: Option<Timestamp>,
}

/// An import run, object by object.
#[derive(Serialize, ToSchema)]
pub(crate) struct RunOfObjects {
    #[serde(flatten)]
    run: Run,
    api_calls: u64,
    /// All calls of the org's API within 24 hours, as the org said last; null before it said so.
    #[schema(required = true)]
    org_calls: Option<OrgCalls>,
    #[schema(required = true)]
    seconds_left: Option<u64>,
    #[schema(value_type = BTreeMap<String, ObjectImport>)]
    objects: BTreeMap<SObject, ObjectImport>,
}

impl From<RunWithObjects> for RunOfObjects {
    fn from(found: RunWithObjects) -> Self {
        let (api_calls, seconds_left) = (found.api_calls(), found.seconds_left());
        let org_calls = found.org_calls().map(OrgCalls::from);
        let RunWithObjects { report, objects, seen_at } = found;
        let objects = objects.into_iter();
        Self {
            run: report.into(),
            api_calls,
            org_calls,
            seconds_left,
            objects: objects.map(|o| (o.object, ObjectImport::of(o, seen_at))).collect(),
        }
    }
}

/// Calls of an org's API within 24 hours, whoever made them.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrgCalls {
    used: u64,
    most: u64,
    seen_at: Timestamp,
}

impl From<importing::OrgCalls> for OrgCalls {
    fn from(importing::OrgCalls { usage, seen_at }: importing::OrgCalls) -> Self {
        Self { used: usage.used, most: usage.max, seen_at }
    }
}

/// One object's import.
#[derive(Serialize, ToSchema)]
pub(crate) struct ObjectImport {
    #[serde(flatten)]
    phase: Phase,
    new: u64,
    updated: u64,
    unchanged: u64,
    deleted: u64,
    skipped: u64,
    failed: u64,
    rows_fetched: u64,
    rows_expected: u64,
    #[schema(required = true)]
    rows_per_second: Option<f64>,
    #[schema(required = true)]
    seconds_left: Option<u64>,
    pages: u32,
    restarts: u32,
    api_calls: u64,
    /// The errors on the way, by code, in Salesforce's own words.
    errors: Vec<ImportErrors>,
    /// Fields that the integration user cannot see.
    hidden_fields: Vec<String>,
    /// The custom field that is read, by the standard field whose place it takes.
    mapped_fields: BTreeMap<String, String>,
    /// Mappings that the org does not allow any more; the standard field is read.
    dropped_mappings: Vec<DroppedMapping>,
    /// How many conditions limit its rows.
    conditions: usize,
    /// Live rows by Salesforce's own count.
    #[schema(required = true)]
    salesforce_count: Option<u64>,
    /// Live rows that are held.
    #[schema(required = true)]
    live: Option<u64>,
    /// All ids were compared with the org's.
    ids_compared: bool,
    #[schema(required = true)]
    started_at: Option<Timestamp>,
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
}

impl ObjectImport {
    fn of(import: importing::ObjectImport, now: Timestamp) -> Self {
        let (rows_per_second, seconds_left) =
            (import.rows_per_second(now), import.seconds_left(now));
        let (counts, selection) = (import.counts, import.selection);
        Self {
            phase: import.phase.into(),
            new: counts.new,
            updated: counts.updated,
            unchanged: counts.unchanged,
            deleted: counts.deleted,
            skipped: counts.skipped,
            failed: counts.failed,
            rows_fetched: import.rows_fetched,
            rows_expected: import.rows_expected,
            rows_per_second,
            seconds_left,
            pages: import.pages,
            restarts: import.restarts,
            api_calls: import.api_calls,
            errors: import.errors.into_iter().map(ImportErrors::from).collect(),
            hidden_fields: selection.hidden,
            mapped_fields: selection.columns,
            dropped_mappings: selection.dropped.into_iter().map(DroppedMapping::from).collect(),
            conditions: selection.conditions.len(),
            salesforce_count: import.salesforce_count,
            live: import.live,
            ids_compared: import.swept,
            started_at: import.started_at,
            finished_at: import.finished_at,
        }
    }
}

/// Where one object's import stands and, where it ended badly, why.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Phase {
    phase: PhaseName,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Salesforce's error code, or ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<String>,
    /// Salesforce's own text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    /// What mends it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    fix: Option<&'static str>,
}

/// The phases of an object's import.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PhaseName {
    #[default]
    Waiting,
    Submitted,
    Fetching,
    Landing,
    Reading,
    LandingRead,
    Deletions,
    LandingDeletions,
    Counting,
    Sweeping,
    Done,
    Skipped,
    Failed,
}

impl From<ObjectPhase> for Phase {
    fn from(phase: ObjectPhase) -> Self {
        let at = |phase| Self { phase, ..Self::default() };
        match phase {
            ObjectPhase::Waiting => at(PhaseName::Waiting),
            ObjectPhase::Submitted { .. } => at(PhaseName::Submitted),
            ObjectPhase::Fetching { .. } => at(PhaseName::Fetching),
            ObjectPhase::Landing { .. } => at(PhaseName::Landing),
            ObjectPhase::Reading { .. } => at(PhaseName::Reading),
            ObjectPhase::LandingRead { .. } => at(PhaseName::LandingRead),
            ObjectPhase::Deletions => at(PhaseName::Deletions),
            ObjectPhase::LandingDeletions { .. } => at(PhaseName::LandingDeletions),
            ObjectPhase::Counting { .. } => at(PhaseName::Counting),
            ObjectPhase::Sweeping { .. } => at(PhaseName::Sweeping),
            ObjectPhase::Done => at(PhaseName::Done),
            ObjectPhase::Skipped { reason } => {
                Self { reason: Some(reason), ..at(PhaseName::Skipped) }
            }
            ObjectPhase::Failed { code, message } => {
                let fix = fix_of(&code);
                Self { code: Some(code), message: Some(message), fix, ..at(PhaseName::Failed) }
            }
        }
    }
}

/// Errors of one code.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportErrors {
    code: String,
    /// Salesforce's latest words.
    message: String,
    count: u64,
    /// What mends it; null where only Salesforce's words say.
    #[schema(required = true)]
    fix: Option<&'static str>,
}

impl From<importing::ErrorGroup> for ImportErrors {
    fn from(group: importing::ErrorGroup) -> Self {
        let importing::ErrorGroup { code, message, count } = group;
        Self { fix: fix_of(&code), code, message, count }
    }
}

/// A mapping that the org does not allow any more.
#[derive(Serialize, ToSchema)]
pub(crate) struct DroppedMapping {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    field: String,
    reason: String,
}

impl From<importing::SelectionProblem> for DroppedMapping {
    fn from(problem: importing::SelectionProblem) -> Self {
        let importing::SelectionProblem { object, field, reason } = problem;
        Self { object, field, reason }
    }
}

/// The rows that a run reads when it is asked for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewRun {
    /// Every row, not only what changed.
    #[schema(default = false)]
    full: bool,
}

/// A run that will begin.
#[derive(Serialize, ToSchema)]
pub(crate) struct AskedRun {
    #[schema(value_type = wire::RunId)]
    run_id: ImportRunId,
}

/// Import runs, newest first
#[utoipa::path(get, path = "/runs", tag = "runs", operation_id = "listRuns",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The runs", body = Runs), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<Runs>, Problem> {
    let found = api.runs.list(place.environment()).await?;
    Ok(Json(Runs {
        items: found.runs.into_iter().map(Run::from).collect(),
        last_sync_at: found.last_sync_at,
        next_sync_at: found.next_sync_at,
    }))
}

/// Start an import
#[utoipa::path(post, path = "/runs", tag = "runs", operation_id = "startRun",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = Option<NewRun>, example = json!({ "full": false })),
    responses((status = 202, description = "It will begin", body = AskedRun), Problem))]
pub(crate) async fn start(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    new: Option<Body<Option<NewRun>>>,
) -> Result<(StatusCode, Json<AskedRun>), Problem> {
    let NewRun { full } = new.and_then(|Body(new)| new).unwrap_or_default();
    let run_id = api.import.request_run(place.environment(), full).await?;
    Ok((StatusCode::ACCEPTED, Json(AskedRun { run_id })))
}

/// An import run, object by object
#[utoipa::path(get, path = "/runs/{run}", tag = "runs", operation_id = "showRun",
    params(AtRun), extensions(("x-roles" = json!(Admin::<AtRun>::ROLES))),
    responses((status = 200, description = "The run", body = RunOfObjects), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<AtRun>,
) -> Result<Json<RunOfObjects>, Problem> {
    Ok(Json(api.runs.get(place.environment(), place.run).await?.into()))
}

/// Pause, resume or cancel a run
#[utoipa::path(post, path = "/runs/{run}/{steer}", tag = "runs", operation_id = "steerRun",
    params(AtSteer), extensions(("x-roles" = json!(Admin::<AtSteer>::ROLES))),
    responses((status = 204, description = "It was done"), Problem))]
pub(crate) async fn steer(
    State(api): State<Api>,
    Admin(place): Admin<AtSteer>,
) -> Result<StatusCode, Problem> {
    let (at, run) = (place.environment(), place.run);
    match place.steer {
        Steer::Pause => api.import.pause(at, run).await?,
        Steer::Resume => api.import.resume(at, run).await?,
        Steer::Cancel => api.import.cancel(at, run).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NotFound(what) => Self::not_found(what),
            ControlError::Conflict(why) => Self::conflict("run_state", why.to_owned()),
            ControlError::Invalid(why) => Self::invalid(why),
            ControlError::Work(error) => error.into(),
        }
    }
}
