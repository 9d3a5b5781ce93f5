//! Dry runs of auto-save: what would be saved, before anything is turned on.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use shared::capabilities::saving::{self, DryRunError};
use shared::capabilities::settings::{self, SettingsError};
use shared::kernel::{EntityId, SObject, SeatId};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::settings::SettingsPatch;
use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::seller::{SavedList, SavingRule};
use crate::state::Api;
use crate::wire;

/// What the rules would save. While it is under way, what was found so far.
#[derive(Serialize, ToSchema)]
pub(crate) struct DryRun {
    /// Counts the dry runs.
    run: u64,
    asked_at: Timestamp,
    /// Null while it is under way.
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
    /// How many seats were looked at.
    seats: u64,
    /// Those of them that are no CRM user: nothing would be saved for them.
    seats_without_user: u64,
    /// New entries in lists of accounts.
    accounts: u64,
    /// New entries in lists of people.
    leads: u64,
    /// What rules call for and is saved already.
    had: u64,
    /// Records that rules name and that are matched to nobody: they cannot be saved.
    unmatched: u64,
    /// New entries that a full list has no room for.
    left_out: u64,
    /// New entries by rule; one that two rules call for counts at both.
    by_rule: Vec<RuleForecast>,
    /// The seats that would get the most, the most first; at most 100.
    by_seat: Vec<SeatForecast>,
    /// Some of the new entries, at most five of a rule.
    examples: Vec<DryRunExample>,
}

/// How many new entries a rule calls for.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleForecast {
    #[schema(value_type = SavingRule)]
    rule: settings::SavingRule,
    entries: u64,
}

/// How many new entries a seat would get.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeatForecast {
    #[schema(value_type = wire::SeatId)]
    seat_id: SeatId,
    accounts: u64,
    leads: u64,
    /// Those of both that its lists have no room for.
    left_out: u64,
}

/// Something that would be saved.
#[derive(Serialize, ToSchema)]
pub(crate) struct DryRunExample {
    #[schema(value_type = wire::SeatId)]
    seat_id: SeatId,
    #[schema(value_type = SavedList)]
    list: saving::SavedList,
    #[schema(value_type = SavingRule)]
    rule: settings::SavingRule,
    /// Who or what in the directory.
    #[schema(value_type = wire::EntityId)]
    entity_id: EntityId,
    /// The record that it is matched to.
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
}

impl From<saving::DryRun> for DryRun {
    fn from(dry_run: saving::DryRun) -> Self {
        let saving::DryRun { run, asked, finished_at, found, .. } = dry_run;
        let by_rule: BTreeMap<_, _> = found.by_rule;
        let by_seat = found.by_seat.into_iter().map(|of| SeatForecast {
            seat_id: of.seat,
            accounts: of.accounts,
            leads: of.leads,
            left_out: of.left_out,
        });
        Self {
            run,
            asked_at: asked.at,
            finished_at,
            seats: found.seats,
            seats_without_user: found.without_user,
            accounts: found.accounts,
            leads: found.leads,
            had: found.had,
            unmatched: found.unmatched,
            left_out: found.left_out,
            by_rule: by_rule
                .into_iter()
                .map(|(rule, entries)| RuleForecast { rule, entries })
                .collect(),
            by_seat: by_seat.collect(),
            examples: found.examples.into_iter().map(DryRunExample::from).collect(),
        }
    }
}

impl From<saving::Example> for DryRunExample {
    fn from(example: saving::Example) -> Self {
        let saving::Example { seat: seat_id, list, rule, entity, object, record } = example;
        Self { seat_id, list, rule, entity_id: entity, object, record_id: record }
    }
}

/// Ask what auto-save would save under the settings with a change, turned on; nothing is saved
///
/// The body is a merge patch of the settings, as for `PATCH /settings`; the settings stay as they
/// are. A dry run that is under way ends.
#[utoipa::path(post, path = "/saving/dry-run", tag = "connections", operation_id = "askDryRun",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = SettingsPatch, example = json!({ "save_owned_accounts": true })),
    responses((status = 202, description = "It was asked for", body = DryRun), Problem))]
pub(crate) async fn ask(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(patch): Body<settings::SettingsPatch>,
) -> Result<(StatusCode, Json<DryRun>), Problem> {
    let asked = api.dry_runs.ask(place.environment(), &patch, by).await?;
    Ok((StatusCode::ACCEPTED, Json(asked.into())))
}

/// Show the latest dry run of auto-save
#[utoipa::path(get, path = "/saving/dry-run", tag = "connections", operation_id = "showDryRun",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "What was found so far", body = DryRun), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<DryRun>, Problem> {
    Ok(Json(api.dry_runs.latest(place.environment()).await?.into()))
}

impl From<DryRunError> for Problem {
    fn from(error: DryRunError) -> Self {
        match error {
            DryRunError::Lookup(error) => error.into(),
            DryRunError::Settings(problems) => SettingsError::Refused(problems).into(),
        }
    }
}
