//! The records that may be an entity: what a seller chooses from who looks at a person or a
//! company.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::capabilities::linking::EntityReport;
use shared::kernel::{EntityId, RecordRef, SObject};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::matches::Candidate;
use crate::admin::Match;
use crate::callers::{AtEntity, Corrector};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// The records that may be an entity.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entity {
    #[schema(value_type = wire::EntityId)]
    entity_id: EntityId,
    /// The record that is linked to it: a person's lead or contact, a company's account. The other
    /// records are its alternatives.
    #[schema(required = true)]
    link: Option<Link>,
    records: Vec<MatchWithCandidate>,
}

/// The record that an entity is linked to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Link {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
}

impl From<RecordRef> for Link {
    fn from(RecordRef { object, id }: RecordRef) -> Self {
        Self { object, record_id: id }
    }
}

/// A record's match, with the entity as its candidate.
#[derive(Serialize, ToSchema)]
pub(crate) struct MatchWithCandidate {
    #[serde(flatten)]
    found: Match,
    #[schema(required = true)]
    candidate: Option<Candidate>,
}

impl From<EntityReport> for Entity {
    fn from(EntityReport { matches, records }: EntityReport) -> Self {
        let records = records.into_iter().map(|(list, candidate)| MatchWithCandidate {
            found: Match::from(&list),
            candidate: candidate.map(Candidate::from),
        });
        let link = matches.matched.map(Link::from);
        Self { entity_id: matches.entity, link, records: records.collect() }
    }
}

/// The records that may be an entity, leads and contacts alike, and the one that is linked
#[utoipa::path(get, path = "/entities/{kind}/{entity}", tag = "matches",
    operation_id = "showEntity",
    params(AtEntity), extensions(("x-roles" = json!(Corrector::<AtEntity>::ROLES))),
    responses(
        (status = 200, description = "The records, each with its match", body = Entity),
        Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Corrector(place): Corrector<AtEntity>,
) -> Result<Json<Entity>, Problem> {
    let at = place.environment();
    Ok(Json(api.matches.of_entity(at, place.kind, place.entity).await?.into()))
}
