//! Models tuned by a tenant's corrections, and the one in use.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::linking::{self, ModelError};
use shared::kernel::{ModelId, SObject};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use crate::callers::{Acting, Admin, At, AtModel};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// Where a tuned model stands.
    ModelState of linking::ModelState { Training Shadow Ready TooFewLabels }
}

/// A model made of a tenant's corrections.
#[derive(Serialize, ToSchema)]
pub(crate) struct TunedModel {
    #[schema(value_type = wire::ModelId)]
    model: ModelId,
    #[schema(value_type = ModelState)]
    state: linking::ModelState,
    /// The model in whose shadow it runs; null for the shipped one.
    #[schema(value_type = Option<wire::ModelId>, required = true)]
    beside: Option<ModelId>,
    /// Corrected records that it learnt from, by object.
    #[schema(value_type = BTreeMap<String, u64>)]
    corrected_records: BTreeMap<SObject, u64>,
    /// How many records each model would decide otherwise, by object, each record by itself.
    #[schema(value_type = BTreeMap<String, ShadowCounts>)]
    shadow: BTreeMap<SObject, ShadowCounts>,
    created_at: Timestamp,
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
}

/// How many records of an object a new model would decide otherwise.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShadowCounts {
    same: u64,
    newly_matched: u64,
    no_longer_matched: u64,
    other_entity: u64,
    /// Some of the records that differ.
    #[schema(value_type = Vec<wire::SalesforceId>, max_items = 50)]
    examples: Vec<SalesforceId>,
}

impl From<linking::ShadowCounts> for ShadowCounts {
    fn from(counts: linking::ShadowCounts) -> Self {
        Self {
            same: counts.same,
            newly_matched: counts.newly_matched,
            no_longer_matched: counts.no_longer_matched,
            other_entity: counts.other_entity,
            examples: counts.examples,
        }
    }
}

impl From<linking::TunedModel> for TunedModel {
    fn from(model: linking::TunedModel) -> Self {
        let shadow = model.shadow.into_iter();
        Self {
            model: model.id,
            state: model.state,
            beside: model.beside.model,
            corrected_records: model.labels,
            shadow: shadow.map(|(object, counts)| (object, counts.into())).collect(),
            created_at: model.created_at,
            finished_at: model.finished_at,
        }
    }
}

/// A connection's tuned models.
#[derive(Serialize, ToSchema)]
pub(crate) struct TunedModels {
    items: Vec<TunedModel>,
}

/// The model in use.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelChoice {
    /// Null for the shipped one.
    #[schema(value_type = Option<wire::ModelId>, required = true)]
    model: Option<ModelId>,
    /// Counts the choices.
    number: u32,
}

impl From<linking::ModelChoice> for ModelChoice {
    fn from(linking::ModelChoice { number, model }: linking::ModelChoice) -> Self {
        Self { model, number }
    }
}

/// Which model to match with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChooseModel {
    /// Null for the shipped one; it must be said.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<wire::ModelId>, required = true)]
    model: Option<ModelId>,
}

/// Models tuned by corrections
#[utoipa::path(get, path = "/models", tag = "matches", operation_id = "listModels",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The models", body = TunedModels), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<TunedModels>, Problem> {
    let scope = api.custody.live(place.environment()).await?.scope();
    let models = api.models.list(scope).await?;
    Ok(Json(TunedModels { items: models.into_iter().map(TunedModel::from).collect() }))
}

/// Have a model made of the corrections there are, and run in the shadow
#[utoipa::path(post, path = "/models", tag = "matches", operation_id = "tuneModel",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 202, description = "It is being made", body = TunedModel), Problem))]
pub(crate) async fn tune(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<(StatusCode, Json<TunedModel>), Problem> {
    let scope = api.custody.live(place.environment()).await?.scope();
    Ok((StatusCode::ACCEPTED, Json(api.models.tune(scope).await?.into())))
}

/// Where a model stands, and what it would change
#[utoipa::path(get, path = "/models/{model}", tag = "matches", operation_id = "showModel",
    params(AtModel), extensions(("x-roles" = json!(Admin::<AtModel>::ROLES))),
    responses((status = 200, description = "The model", body = TunedModel), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Admin(place): Admin<AtModel>,
) -> Result<Json<TunedModel>, Problem> {
    let scope = api.custody.live(place.environment()).await?.scope();
    Ok(Json(api.models.get(scope, place.model).await?.into()))
}

/// The model in use; null is the shipped one
#[utoipa::path(get, path = "/model", tag = "matches", operation_id = "showModelInUse",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    responses((status = 200, description = "The model", body = ModelChoice), Problem))]
pub(crate) async fn in_use(
    State(api): State<Api>,
    Admin(place): Admin<At>,
) -> Result<Json<ModelChoice>, Problem> {
    let scope = api.custody.live(place.environment()).await?.scope();
    Ok(Json(api.models.choice(scope).await?.into()))
}

/// Use a model that has run in the shadow, or the shipped one again
#[utoipa::path(put, path = "/model", tag = "matches", operation_id = "chooseModel",
    params(At), extensions(("x-roles" = json!(Admin::<At>::ROLES))),
    request_body(content = ChooseModel, example = json!({ "model": null })),
    responses(
        (status = 202, description = "Everything is being matched by it", body = ModelChoice),
        Problem))]
pub(crate) async fn choose(
    State(api): State<Api>,
    Admin(place): Admin<At>,
    Acting(by): Acting,
    Body(ChooseModel { model }): Body<ChooseModel>,
) -> Result<(StatusCode, Json<ModelChoice>), Problem> {
    let scope = api.custody.live(place.environment()).await?.scope();
    let choice = api.models.choose(scope, model, &(&by).into()).await?;
    Ok((StatusCode::ACCEPTED, Json(choice.into())))
}

impl From<ModelError> for Problem {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Work(error) => error.into(),
            ModelError::NotConnected => Self::not_found("connection"),
            ModelError::NotFound => Self::not_found("model"),
            ModelError::NoDirectory => Self::invalid(error.to_string()),
            ModelError::NotReady => Self::conflict("not_ready", error.to_string()),
        }
    }
}
