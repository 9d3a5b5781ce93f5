//! People's corrections of matches.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::capabilities::linking::{self, CorrectionError};
use shared::kernel::{EntityId, SObject, SeatId};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use crate::admin::MatchSource;
use crate::callers::{Acting, AtRecord, Corrector};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A person's correction of a record's match.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub(crate) enum Correcting {
    /// The record is this entity.
    Match {
        #[schema(value_type = wire::EntityId)]
        entity_id: EntityId,
    },
    /// The record is not this entity; without one: not what it is matched to.
    Unmatch {
        #[serde(default)]
        #[schema(value_type = Option<wire::EntityId>)]
        entity_id: Option<EntityId>,
    },
    /// The record is not what it is matched to, but this entity.
    WrongMatch {
        #[schema(value_type = wire::EntityId)]
        entity_id: EntityId,
    },
    /// Nothing that was said holds any more.
    Reset,
}

impl From<Correcting> for linking::Correcting {
    fn from(what: Correcting) -> Self {
        match what {
            Correcting::Match { entity_id } => Self::Match { entity_id },
            Correcting::Unmatch { entity_id } => Self::Unmatch { entity_id },
            Correcting::WrongMatch { entity_id } => Self::WrongMatch { entity_id },
            Correcting::Reset => Self::Reset,
        }
    }
}

/// The ruling about a record that people's corrections come to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ruling {
    /// The entity that the record is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::EntityId>, nullable = false)]
    always: Option<EntityId>,
    /// The entities that it is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<wire::EntityId>)]
    never: Vec<EntityId>,
    #[schema(value_type = MatchSource)]
    source: linking::MatchSource,
    /// When the record was linked: of two that people linked to one entity the later holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    since: Option<Timestamp>,
}

impl From<linking::Ruling> for Ruling {
    fn from(linking::Ruling { always, never, source, since }: linking::Ruling) -> Self {
        Self { always, never, source, since }
    }
}

/// The corrections of a record's match.
#[derive(Serialize, ToSchema)]
pub(crate) struct Corrections {
    #[schema(value_type = wire::SObject)]
    object: SObject,
    #[schema(value_type = wire::SalesforceId)]
    record_id: SalesforceId,
    ruling: Ruling,
    /// The corrections, the latest last.
    #[schema(max_items = 20)]
    history: Vec<Said>,
}

/// One thing that was said.
#[derive(Serialize, ToSchema)]
pub(crate) struct Said {
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::EntityId>, nullable = false)]
    entity_id: Option<EntityId>,
    /// The seat that said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<wire::SeatId>, nullable = false)]
    by: Option<SeatId>,
    at: Timestamp,
    /// The record of which it was said, when that one was merged or converted into this one:
    /// `Lead/00Q…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    of: Option<String>,
}

/// The kind of correction.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Match,
    Unmatch,
    WrongMatch,
    Reset,
}

impl From<linking::Said> for Said {
    fn from(linking::Said { what, by, at, of }: linking::Said) -> Self {
        let (action, entity_id) = match what {
            linking::Correcting::Match { entity_id } => (Action::Match, Some(entity_id)),
            linking::Correcting::Unmatch { entity_id } => (Action::Unmatch, entity_id),
            linking::Correcting::WrongMatch { entity_id } => (Action::WrongMatch, Some(entity_id)),
            linking::Correcting::Reset => (Action::Reset, None),
        };
        Self { action, entity_id, by, at, of }
    }
}

impl From<linking::Correction> for Corrections {
    fn from(said: linking::Correction) -> Self {
        Self {
            object: said.object,
            record_id: said.id,
            ruling: said.ruling.into(),
            history: said.history.into_iter().map(Said::from).collect(),
        }
    }
}

/// Show the corrections of a record's match
#[utoipa::path(get, path = "/matches/{object}/{record}/corrections", tag = "matches",
    operation_id = "showCorrections",
    params(AtRecord), extensions(("x-roles" = json!(Corrector::<AtRecord>::ROLES))),
    responses(
        (status = 200, description = "What holds, and its history", body = Corrections),
        Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Corrector(place): Corrector<AtRecord>,
) -> Result<Json<Corrections>, Problem> {
    let scope = api.custody.live(place.environment()).await?.scope();
    Ok(Json(api.corrections.get(scope, place.object, place.record).await?.into()))
}

/// Say what a record is or is not; any seat's word holds for the contract
#[utoipa::path(post, path = "/matches/{object}/{record}/corrections", tag = "matches",
    operation_id = "correctMatch",
    params(AtRecord), extensions(("x-roles" = json!(Corrector::<AtRecord>::ROLES))),
    request_body(content = Correcting, example = json!({ "action": "match", "entity_id": "pr_1" })),
    responses(
        (status = 202, body = Corrections,
            description = "It is taken in; the match follows within seconds"),
        Problem))]
pub(crate) async fn say(
    State(api): State<Api>,
    Corrector(place): Corrector<AtRecord>,
    Acting(by): Acting,
    Body(what): Body<Correcting>,
) -> Result<(StatusCode, Json<Corrections>), Problem> {
    let scope = api.custody.live(place.environment()).await?.scope();
    let said = api.corrections.say(scope, place.object, place.record, what.into(), &by).await?;
    Ok((StatusCode::ACCEPTED, Json(said.into())))
}

impl From<CorrectionError> for Problem {
    fn from(error: CorrectionError) -> Self {
        match error {
            CorrectionError::Work(error) => error.into(),
            CorrectionError::NotConnected => Self::not_found("connection"),
            CorrectionError::NoRecord => Self::not_found("record"),
            _ => Self::invalid(error.to_string()),
        }
    }
}
