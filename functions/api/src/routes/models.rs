//! Models tuned by a tenant's corrections.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::capabilities::linking::{ModelChoice, TunedModel};
use shared::kernel::{Environment, ModelId, TenantId};

use super::{At, connections};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// `POST …/models`: has a model made of the corrections there are, and run in the shadow of the one
/// in use.
pub(crate) async fn tune(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    let scope = connections::find(&api, at).await?.scope();
    let model = api.models.tune(scope).await?;
    Ok((StatusCode::ACCEPTED, Json(view(&model))))
}

/// `GET …/models`
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let scope = connections::find(&api, at).await?.scope();
    let items: Vec<Value> = api.models.list(scope).await?.iter().map(view).collect();
    Ok(Json(json!({ "items": items })))
}

#[derive(Deserialize)]
pub(crate) struct AtModel {
    tenant: TenantId,
    environment: Environment,
    model: ModelId,
}

/// `GET …/models/{model}`: where it stands, and what it would change.
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(AtModel { tenant, environment, model }): Path<AtModel>,
) -> Result<Json<Value>, Problem> {
    caller.admin(tenant)?;
    let scope = connections::find(&api, At { tenant, environment }).await?.scope();
    Ok(Json(view(&api.models.get(scope, model).await?)))
}

/// `GET …/model`: the one in use.
pub(crate) async fn chosen(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
) -> Result<Json<Value>, Problem> {
    caller.admin(at.tenant)?;
    let scope = connections::find(&api, at).await?.scope();
    Ok(Json(choice(api.models.choice(scope).await?)))
}

/// Which model to match with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choosing {
    /// Null for the shipped one; it must be said.
    #[serde(deserialize_with = "Option::deserialize")]
    model: Option<ModelId>,
}

/// `PUT …/model`: takes a model that has run in the shadow, or the shipped one again, and has
/// everything matched by it.
pub(crate) async fn choose(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    Body(Choosing { model }): Body<Choosing>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.admin(at.tenant)?;
    let scope = connections::find(&api, at).await?.scope();
    Ok((StatusCode::ACCEPTED, Json(choice(api.models.choose(scope, model).await?))))
}

fn choice(choice: ModelChoice) -> Value {
    json!({ "model": choice.model, "number": choice.number })
}

fn view(model: &TunedModel) -> Value {
    json!({
        "model": model.id,
        "state": model.state,
        "beside": model.beside.model,
        "corrected_records": model.labels,
        "shadow": model.shadow,
        "created_at": model.created_at,
        "finished_at": model.finished_at,
    })
}
