//! Who left a seller's open opportunities.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::capabilities::opportunities::{self, LeftError};
use shared::kernel::{EntityId, SObject};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use crate::callers::{AtSeat, OwnSeat};
use crate::extract::{Place, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A page of those who left.
#[derive(Serialize, ToSchema)]
pub(crate) struct WhoLeft {
    /// There may be none while more pages follow.
    items: Vec<LeftPerson>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Somebody with a role in a seller's open opportunities who works elsewhere by now.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeftPerson {
    #[schema(value_type = wire::EntityId)]
    person_id: EntityId,
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    /// Where a browser opens it.
    #[schema(format = "uri")]
    record_url: String,
    /// The seller's open opportunities in which they have a role.
    #[schema(value_type = Vec<wire::SalesforceId>)]
    opportunity_ids: Vec<SalesforceId>,
    /// Their title today, as the directory has it.
    title: String,
    /// Where they work today; empty where the directory does not say.
    company: String,
    /// That company in the directory.
    #[schema(value_type = Option<wire::EntityId>, required = true)]
    company_id: Option<EntityId>,
}

impl From<opportunities::Left> for LeftPerson {
    fn from(left: opportunities::Left) -> Self {
        Self {
            person_id: left.person,
            object: left.record.object,
            record_id: left.record.id,
            record_url: left.record_url,
            opportunity_ids: left.opportunities,
            title: left.title,
            company: left.company,
            company_id: left.company_id,
        }
    }
}

/// List who left the seller's open opportunities: people with a role in one who work elsewhere now
#[utoipa::path(get, path = "/seats/{seat}/left-opportunities", tag = "matches",
    operation_id = "listWhoLeft",
    params(AtSeat, Place), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    responses((status = 200, description = "A page of them", body = WhoLeft), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Query(Place { cursor }): Query<Place>,
) -> Result<Json<WhoLeft>, Problem> {
    let page = api.who_left.page(place.environment(), place.seat, cursor.as_deref()).await?;
    let items = page.items.into_iter().map(LeftPerson::from).collect();
    Ok(Json(WhoLeft { items, next: page.next }))
}

impl From<LeftError> for Problem {
    fn from(error: LeftError) -> Self {
        match error {
            LeftError::Saved(error) => error.into(),
            LeftError::Badges(error) => error.into(),
            LeftError::Lookup(error) => error.into(),
        }
    }
}
