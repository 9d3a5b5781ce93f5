//! Which rows of an org are imported.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::importing::{self, Selection, SelectionPart};
use shared::kernel::SObject;
use utoipa::ToSchema;

use super::selection::SelectionChange;
use crate::callers::{Acting, Admin, At};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// How a field's value is compared.
    FilterOperator of importing::FilterOperator {
        Equals NotEquals LessThan LessOrEqual GreaterThan GreaterOrEqual StartsWith In NotIn
    }
}

/// Which rows of an object are imported: those of which every condition holds.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordFilter {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    conditions: Vec<FilterCondition>,
}

/// A condition on a row.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterCondition {
    /// Any field that the org shows and Salesforce can filter by.
    field: String,
    #[schema(value_type = FilterOperator)]
    operator: importing::FilterOperator,
    /// A text, number, boolean, date, moment (RFC 3339), record id or null, as the field holds; a
    /// list for `in` and `not_in`.
    #[schema(value_type = Value)]
    value: importing::FilterValue,
}

impl From<importing::RecordFilter> for RecordFilter {
    fn from(filter: importing::RecordFilter) -> Self {
        let conditions = filter.conditions.into_iter();
        let condition = |c: importing::FilterCondition| FilterCondition {
            field: c.field,
            operator: c.operator,
            value: c.value,
        };
        Self { object: filter.object, conditions: conditions.map(condition).collect() }
    }
}

impl From<RecordFilter> for importing::RecordFilter {
    fn from(filter: RecordFilter) -> Self {
        let conditions = filter.conditions.into_iter();
        let condition = |c: FilterCondition| importing::FilterCondition {
            field: c.field,
            operator: c.operator,
            value: c.value,
        };
        Self { object: filter.object, conditions: conditions.map(condition).collect() }
    }
}

/// All filters; every row is imported of an object that is not in the list. What is shown can be
/// put back as it is.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewRecordFilters {
    items: Vec<RecordFilter>,
}

/// All filters, and who changed them.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecordFilters {
    items: Vec<RecordFilter>,
    /// Who changed them and when, the newest last; the last hundred changes of what is imported are
    /// remembered.
    changes: Vec<SelectionChange>,
}

impl From<Selection> for RecordFilters {
    fn from(chosen: Selection) -> Self {
        let changes = SelectionChange::of(&chosen, SelectionPart::Filters);
        Self { items: chosen.filters.into_iter().map(RecordFilter::from).collect(), changes }
    }
}

/// Which rows are imported
#[utoipa::path(get, path = "/record-filters", tag = "runs", operation_id = "listRecordFilters",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses(
        (status = 200, description = "The filters, one an object", body = RecordFilters),
        Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<RecordFilters>, Problem> {
    Ok(Json(api.selections.get(place.environment()).await?.into()))
}

/// Change the filters, the whole list; rows that fall outside go
#[utoipa::path(put, path = "/record-filters", tag = "runs", operation_id = "changeRecordFilters",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = NewRecordFilters, example = json!({
        "items": [{
            "object": "Lead",
            "conditions": [{ "field": "Country", "operator": "in", "value": ["DE", "FR"] }],
        }],
    })),
    responses(
        (status = 200, description = "The filters as they are now", body = RecordFilters),
        Problem))]
pub(crate) async fn change(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(NewRecordFilters { items }): Body<NewRecordFilters>,
) -> Result<Json<RecordFilters>, Problem> {
    let filters = items.into_iter().map(Into::into).collect();
    Ok(Json(api.selections.filter(place.environment(), filters, &by).await?.into()))
}
