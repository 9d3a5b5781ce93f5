//! What of an org is imported: mapped fields, filtered rows, companies or persons.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::capabilities::importing::{
    AccountModel, FieldMapping, MappingPreview, PreviewValues, RecordFilter, Selection,
    SelectionPart, ShownFields,
};
use shared::kernel::{Environment, SObject, TenantId};

use super::At;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// A whole list, as it is also shown: what is not in it is no more.
#[derive(Deserialize)]
pub(crate) struct Items<T> {
    items: Vec<T>,
}

/// `GET …/field-mappings`
pub(crate) async fn mappings(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    Ok(shown_mappings(&api.selections.get(at.environment()).await?))
}

/// `PUT …/field-mappings`
pub(crate) async fn map(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(Items { items }): Body<Items<FieldMapping>>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let chosen = api.selections.map(at.environment(), items, caller.name()).await?;
    Ok(shown_mappings(&chosen))
}

/// `POST …/field-mappings/copy`: the mappings of the other environment.
pub(crate) async fn copy(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let chosen = api.selections.copy_mappings(at.environment(), caller.name()).await?;
    Ok(shown_mappings(&chosen))
}

/// A look at a record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Look {
    mapping: FieldMapping,
    record_id: String,
}

/// `POST …/field-mappings/preview`
pub(crate) async fn preview(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(Look { mapping, record_id }): Body<Look>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    let preview = api.selections.preview(at.environment(), mapping, record_id).await?;
    Ok((StatusCode::ACCEPTED, shown_preview(&preview, None)))
}

/// `GET …/field-mappings/preview`
pub(crate) async fn previewed(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let (preview, values) = api.selections.previewed(at.environment()).await?;
    Ok(shown_preview(&preview, values.as_ref()))
}

/// `GET …/record-filters`
pub(crate) async fn filters(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    Ok(shown_filters(&api.selections.get(at.environment()).await?))
}

/// `PUT …/record-filters`
pub(crate) async fn filter(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(Items { items }): Body<Items<RecordFilter>>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let chosen = api.selections.filter(at.environment(), items, caller.name()).await?;
    Ok(shown_filters(&chosen))
}

/// Companies or persons.
#[derive(Deserialize)]
pub(crate) struct Accounts {
    accounts: AccountModel,
}

/// `GET …/account-model`
pub(crate) async fn account_model(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    Ok(shown_accounts(&api.selections.get(at.environment()).await?))
}

/// `PUT …/account-model`
pub(crate) async fn set_account_model(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(Accounts { accounts }): Body<Accounts>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let chosen = api.selections.set_accounts(at.environment(), accounts, caller.name()).await?;
    Ok(shown_accounts(&chosen))
}

#[derive(Deserialize)]
pub(crate) struct AtObject {
    tenant: TenantId,
    environment: Environment,
    object: SObject,
}

/// `GET …/org-fields/{object}`: what can be mapped and filtered by.
pub(crate) async fn org_fields(
    State(api): State<Api>,
    caller: Caller,
    Path(AtObject { tenant, environment, object }): Path<AtObject>,
) -> Result<Json<Value>, Problem> {
    caller.admin(tenant)?;
    let at = At { tenant, environment }.environment();
    let ShownFields { as_of, fields } = api.selections.fields(at, object).await?;
    Ok(Json(json!({ "as_of": as_of, "items": fields })))
}

fn shown_mappings(chosen: &Selection) -> Json<Value> {
    shown("items", &chosen.mappings, chosen, SelectionPart::Mappings)
}

fn shown_filters(chosen: &Selection) -> Json<Value> {
    shown("items", &chosen.filters, chosen, SelectionPart::Filters)
}

fn shown_accounts(chosen: &Selection) -> Json<Value> {
    shown("accounts", &chosen.accounts, chosen, SelectionPart::Accounts)
}

/// What is chosen, and who chose what before, the newest last.
fn shown(
    name: &str,
    value: &impl Serialize,
    chosen: &Selection,
    part: SelectionPart,
) -> Json<Value> {
    let changes = chosen.changes.iter().filter(|change| change.set == part);
    let changes: Vec<Value> =
        changes.map(|change| json!({ "at": change.at, "by": change.by })).collect();
    Json(json!({ name: value, "changes": changes }))
}

fn shown_preview(preview: &MappingPreview, values: Option<&PreviewValues>) -> Json<Value> {
    let mut view = serde_json::to_value(preview).unwrap_or_default();
    view["values"] = json!(values);
    Json(view)
}
