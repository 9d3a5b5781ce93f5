//! Who is in the CRM and who is not, for searches that are limited to the ones or the others.

use axum::Json;
use axum::extract::State;
use matching::EntityKind;
use serde::{Deserialize, Serialize};
use shared::capabilities::badges::FilterError;
use shared::kernel::EntityId;
use utoipa::{IntoParams, ToSchema};

use super::KindOfEntity;
use crate::callers::{At, Reader};
use crate::extract::Query;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// Some of the entities that are in the CRM, or of those that are not.
#[derive(Serialize, ToSchema)]
pub(crate) struct FilteredEntities {
    /// Their ids. There may be none while more pages follow.
    #[schema(value_type = Vec<wire::EntityId>)]
    entity_ids: Vec<EntityId>,
    /// The cursor of the next page; null after the last.
    #[schema(required = true)]
    next: Option<String>,
}

/// Whom to list, and where to go on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    #[param(value_type = KindOfEntity)]
    entity_kind: EntityKind,
    /// `true` for those who are in the CRM, `false` for those who are not
    in_crm: bool,
    /// `next` of the page before
    #[param(nullable = false)]
    #[serde(default)]
    cursor: Option<String>,
}

/// The people or companies who are in the CRM, or those who are not
#[utoipa::path(get, path = "/crm-filter", tag = "matches", operation_id = "filterByCrm",
    params(At, Filter), extensions(("x-roles" = json!(Reader::<At>::ROLES))),
    responses((status = 200, description = "A page of them", body = FilteredEntities), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Reader(place, _): Reader<At>,
    Query(Filter { entity_kind, in_crm, cursor }): Query<Filter>,
) -> Result<Json<FilteredEntities>, Problem> {
    let (at, cursor) = (place.environment(), cursor.as_deref());
    let page = if in_crm {
        api.crm_filter.in_crm(at, entity_kind, cursor).await?
    } else {
        api.crm_filter.not_in_crm(at, entity_kind, cursor).await?
    };
    Ok(Json(FilteredEntities { entity_ids: page.entities, next: page.next }))
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        match error {
            FilterError::Lookup(error) => error.into(),
            FilterError::Cursor(error) => Self::bad_cursor(error.to_string()),
            FilterError::Directory(error) => {
                Self::conflict("directory_outdated", error.to_string())
            }
        }
    }
}
