//! The lists that are saved for a seat, and the rules that save into them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::saving::{self, SavedError};
use shared::capabilities::settings::{self, EffectiveRule};
use shared::kernel::{EntityId, SObject, SeatId};
use shared::salesforce::SalesforceId;
use utoipa::{IntoParams, ToSchema};

use crate::callers::{AtSeat, OwnSeat, SeatOrAdmin};
use crate::extract::{Body, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// A seat's system lists.
    SavedList of saving::SavedList { Accounts Leads }

    /// A rule by which something is saved for a seller.
    SavingRule of settings::SavingRule {
        OpportunityAccounts OpportunityPeople OwnedAccounts TeamAccounts PeopleOfOwnedAccounts
        OwnedPeople
    }
}

/// Something that was saved for a seat.
#[derive(Serialize, ToSchema)]
pub(crate) struct Saved {
    #[schema(value_type = wire::SeatId)]
    seat: SeatId,
    #[schema(value_type = SavedList)]
    list: saving::SavedList,
    /// The directory's entity.
    #[schema(value_type = wire::EntityId)]
    entity: EntityId,
    /// The record that it is matched to.
    #[schema(value_type = wire::SalesforceId)]
    record: SalesforceId,
    #[schema(value_type = wire::SObject)]
    object: SObject,
    /// Why, the first reasons first; at most 20.
    reasons: Vec<SavedReason>,
    saved_at: Timestamp,
    /// The revision of the settings whose rules saved it; 0 for those of before the first change.
    revision: u64,
    /// Since when no rule calls for it, as far as anybody looked; null while one does. It leaves
    /// the list after the days that `unsave_after_days` grants.
    #[schema(required = true)]
    uncalled_since: Option<Timestamp>,
}

/// Why something was saved.
#[derive(Serialize, ToSchema)]
pub(crate) struct SavedReason {
    #[schema(value_type = SavingRule)]
    rule: settings::SavingRule,
    /// The record by which the rule holds: an opportunity, an account, or the person's own.
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    since: Timestamp,
}

impl From<saving::Saved> for Saved {
    fn from(saved: saving::Saved) -> Self {
        Self {
            seat: saved.seat,
            list: saved.list,
            entity: saved.entity,
            record: saved.record,
            object: saved.object,
            reasons: saved.reasons.into_iter().map(SavedReason::from).collect(),
            saved_at: saved.saved_at,
            revision: saved.rules,
            uncalled_since: saved.uncalled.map(|uncalled| uncalled.since),
        }
    }
}

impl From<saving::SavedReason> for SavedReason {
    fn from(saving::SavedReason { rule, record: record_id, since }: saving::SavedReason) -> Self {
        Self { rule, record_id, since }
    }
}

/// A page of what was saved.
#[derive(Serialize, ToSchema)]
pub(crate) struct SavedPage {
    items: Vec<Saved>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
    /// How many entries the list has at most.
    most: u32,
    /// Since when something is left out for which the list has no room; null when nothing is.
    #[schema(required = true)]
    full_since: Option<Timestamp>,
}

/// Which list, and where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SavedListing {
    #[param(value_type = SavedList)]
    kind: saving::SavedList,
    /// `next` of the page before
    #[param(nullable = false)]
    #[serde(default)]
    cursor: Option<String>,
}

/// List the items saved for a seat
#[utoipa::path(get, path = "/seats/{seat}/saved", tag = "matches", operation_id = "listSaved",
    params(AtSeat, SavedListing), extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses((status = 200, description = "A page of it", body = SavedPage), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
    Query(SavedListing { kind, cursor }): Query<SavedListing>,
) -> Result<Json<SavedPage>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let page = api.saved_lists.page(at, seat, kind, cursor.as_deref()).await?;
    let fill = api.saved_lists.fill(at, seat, kind).await?;
    Ok(Json(SavedPage {
        items: page.items.into_iter().map(Saved::from).collect(),
        next: page.next,
        most: fill.most,
        full_since: fill.full_since,
    }))
}

/// What is saved for a seat from now on.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeatSaving {
    rules: Vec<RuleOfSeat>,
}

/// Whether a rule saves for a seat.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleOfSeat {
    #[schema(value_type = SavingRule)]
    rule: settings::SavingRule,
    /// It saves for the seat.
    on: bool,
    /// An admin allows it: then the seller chooses.
    allowed: bool,
}

impl From<Vec<EffectiveRule>> for SeatSaving {
    fn from(rules: Vec<EffectiveRule>) -> Self {
        let of = |EffectiveRule { rule, on, is_allowed: allowed }| RuleOfSeat { rule, on, allowed };
        Self { rules: rules.into_iter().map(of).collect() }
    }
}

/// The rules that save for a seat as things are
#[utoipa::path(get, path = "/seats/{seat}/saving", tag = "matches", operation_id = "showSeatSaving",
    params(AtSeat), extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses((status = 200, description = "Every rule", body = SeatSaving), Problem))]
pub(crate) async fn rules(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
) -> Result<Json<SeatSaving>, Problem> {
    Ok(Json(api.seat_saving.of(place.environment(), place.seat).await?.into()))
}

/// The rules that a seller chooses about; the others stay as they are.
#[derive(Deserialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[expect(dead_code, reason = "only its schema: the choices are read as a map")]
pub(crate) struct SavingChoices {
    #[schema(required = false)]
    opportunity_accounts: bool,
    #[schema(required = false)]
    opportunity_people: bool,
    #[schema(required = false)]
    owned_accounts: bool,
    #[schema(required = false)]
    team_accounts: bool,
    #[schema(required = false)]
    people_of_owned_accounts: bool,
    #[schema(required = false)]
    owned_people: bool,
}

/// Choose what is saved from now on, among the rules that an admin allows
///
/// What is saved stays. A rule that is turned on again saves what it left out meanwhile.
#[utoipa::path(patch, path = "/seats/{seat}/saving", tag = "matches",
    operation_id = "chooseSeatSaving",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = SavingChoices, example = json!({ "owned_people": false })),
    responses((status = 200, description = "Every rule as it is now", body = SeatSaving),
        Problem))]
pub(crate) async fn choose(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Body(chosen): Body<BTreeMap<settings::SavingRule, bool>>,
) -> Result<Json<SeatSaving>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    api.seat_saving.choose(at, seat, &chosen).await?;
    Ok(Json(api.seat_saving.of(at, seat).await?.into()))
}

impl From<SavedError> for Problem {
    fn from(error: SavedError) -> Self {
        match error {
            SavedError::Lookup(error) => error.into(),
            SavedError::Cursor(error) => Self::bad_cursor(error.to_string()),
        }
    }
}
