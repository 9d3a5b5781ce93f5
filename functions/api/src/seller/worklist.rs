//! A seller's worklist: whose records the directory is ahead of, and what an update would write.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::capabilities::changing::{self, Values, WorklistError};
use shared::kernel::{EntityId, SObject};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::badges::Fact;
use crate::callers::{AtSeat, OwnSeat};
use crate::extract::{Place, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A page of a worklist.
#[derive(Serialize, ToSchema)]
pub(crate) struct Worklist {
    /// There may be none while more pages follow.
    items: Vec<WorklistItem>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// A person whose record can be brought up to date. It holds no value of the record: ask the CRM
/// for those as the seller.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorklistItem {
    #[schema(value_type = wire::EntityId)]
    person_id: EntityId,
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    /// Where a browser opens it.
    #[schema(format = "uri")]
    record_url: String,
    proposals: Vec<Proposal>,
}

/// What an update would write of one fact.
#[derive(Serialize, ToSchema)]
pub(crate) struct Proposal {
    #[schema(value_type = Fact)]
    fact: matching::Fact,
    /// The record leaves the fact out; otherwise it tells another one.
    is_missing: bool,
    /// The values to write, by the API names of fields. None for the company of a contact while no
    /// account of the org is that company: the seller chooses the account.
    #[schema(value_type = BTreeMap<String, wire::FieldValue>)]
    to: Values,
}

impl From<changing::WorklistItem> for WorklistItem {
    fn from(item: changing::WorklistItem) -> Self {
        let proposals = item.proposals.into_iter();
        let proposals = proposals.map(|changing::Proposal { fact, is_missing, to }| Proposal {
            fact,
            is_missing,
            to,
        });
        Self {
            person_id: item.person,
            object: item.record.object,
            record_id: item.record.id,
            record_url: item.record_url,
            proposals: proposals.collect(),
        }
    }
}

/// List the people of the seller's list whose records the directory is ahead of
///
/// What the admin does not let sellers update is left out.
#[utoipa::path(get, path = "/seats/{seat}/worklist", tag = "activities",
    operation_id = "listWorklist",
    params(AtSeat, Place), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    responses((status = 200, description = "A page of it", body = Worklist), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Query(Place { cursor }): Query<Place>,
) -> Result<Json<Worklist>, Problem> {
    let page = api.worklists.page(place.environment(), place.seat, cursor.as_deref()).await?;
    let items = page.items.into_iter().map(WorklistItem::from);
    Ok(Json(Worklist { items: items.collect(), next: page.next }))
}

impl From<WorklistError> for Problem {
    fn from(error: WorklistError) -> Self {
        match error {
            WorklistError::TurnedOff => Self::conflict("turned_off", error.to_string()),
            WorklistError::Saved(error) => error.into(),
            WorklistError::Badges(error) => error.into(),
            WorklistError::Lookup(error) => error.into(),
        }
    }
}
