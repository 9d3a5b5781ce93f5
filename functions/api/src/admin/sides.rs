//! A record beside whom it could be, for whoever decides.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::capabilities::linking;
use shared::kernel::EntityId;
use utoipa::ToSchema;

use crate::callers::{Admin, AtRecord};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// What a record or an entity says of itself; null where it says nothing.
#[derive(Serialize, ToSchema)]
pub(crate) struct Side {
    /// The name of the person or company.
    #[schema(required = true)]
    name: Option<String>,
    /// A person's job title.
    #[schema(required = true)]
    title: Option<String>,
    /// A person's employer.
    #[schema(required = true)]
    company: Option<String>,
    /// A company's web site.
    #[schema(required = true)]
    website: Option<String>,
    /// City, state and country.
    #[schema(required = true)]
    place: Option<String>,
}

impl From<linking::Side> for Side {
    fn from(linking::Side { name, title, company, website, place }: linking::Side) -> Self {
        Self { name, title, company, website, place }
    }
}

/// A candidate, as the directory has it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CandidateSide {
    #[schema(value_type = wire::EntityId)]
    entity_id: EntityId,
    #[serde(flatten)]
    side: Side,
}

/// A record beside its candidates.
#[derive(Serialize, ToSchema)]
pub(crate) struct SideBySide {
    record: Side,
    /// In the order of the match's candidates; one that the directory has no more is left out.
    #[schema(max_items = 8)]
    candidates: Vec<CandidateSide>,
}

/// A record beside whom it could be: name, title, company, site and place of each
#[utoipa::path(get, path = "/matches/{object}/{record}/sides", tag = "matches",
    operation_id = "showSides",
    params(AtRecord), extensions(("x-roles" = json!(Admin::<AtRecord>::ROLES))),
    responses((status = 200, description = "The sides", body = SideBySide), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<AtRecord>,
) -> Result<Json<SideBySide>, Problem> {
    let at = place.environment();
    let found = api.matches.sides(at, place.object, place.record).await?;
    let candidates = found.candidates.into_iter();
    let candidates =
        candidates.map(|(entity_id, side)| CandidateSide { entity_id, side: side.into() });
    Ok(Json(SideBySide { record: found.record.into(), candidates: candidates.collect() }))
}
