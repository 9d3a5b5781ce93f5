//! What is logged of a seat, type by type, and the switches of its conversations.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::capabilities::settings::{self, LoggingOfSeat};
use utoipa::{IntoParams, ToSchema};

use crate::callers::{AtSeat, OwnSeat, SeatOrAdmin};
use crate::extract::{Body, Query};
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// What is turned on and off together.
    LogType of settings::LogType { Messages SmartLinks Notes Calls ConnectionRequests }

    /// Whose word decides.
    DecidedBy of settings::DecidedBy { Nobody Seller AdminForSeat Admin }
}

/// What is logged of a seat.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeatLogging {
    types: Vec<LogOfType>,
    /// The admin's switch for the seat.
    write_back: bool,
}

/// Whether a type is logged, and whose word that is.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogOfType {
    #[serde(rename = "type")]
    #[schema(value_type = LogType)]
    kind: settings::LogType,
    /// It is logged unless the seller says otherwise of the item or its conversation.
    on: bool,
    #[schema(value_type = DecidedBy)]
    decided_by: settings::DecidedBy,
}

impl From<LoggingOfSeat> for SeatLogging {
    fn from(LoggingOfSeat { types, switch }: LoggingOfSeat) -> Self {
        let types = types.into_iter().map(|log| LogOfType {
            kind: log.kind,
            on: log.on,
            decided_by: log.decided_by,
        });
        let write_back = switch.is_none_or(|switch| switch.write_back);
        Self { types: types.collect(), write_back }
    }
}

/// What is logged of a seat as things are
#[utoipa::path(get, path = "/seats/{seat}/logging", tag = "activities",
    operation_id = "showSeatLogging",
    params(AtSeat), extensions(("x-roles" = json!(SeatOrAdmin::<AtSeat>::ROLES))),
    responses((status = 200, description = "Every type", body = SeatLogging), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    SeatOrAdmin(place): SeatOrAdmin<AtSeat>,
) -> Result<Json<SeatLogging>, Problem> {
    Ok(Json(api.seat_logging.of(place.environment(), place.seat).await?.into()))
}

/// The types that a seller chooses about; the others stay as they are.
#[derive(Deserialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[expect(dead_code, reason = "only its schema: the choices are read as a map")]
pub(crate) struct LogChoices {
    #[schema(required = false)]
    messages: bool,
    #[schema(required = false)]
    smart_links: bool,
    #[schema(required = false)]
    notes: bool,
    #[schema(required = false)]
    calls: bool,
    #[schema(required = false)]
    connection_requests: bool,
}

/// Choose what is logged from the next item on
///
/// It is the same choice that `log` makes with an activity. An admin's switches go before it.
#[utoipa::path(patch, path = "/seats/{seat}/logging", tag = "activities",
    operation_id = "chooseSeatLogging",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = LogChoices, example = json!({ "notes": false })),
    responses((status = 200, description = "Every type as it is now", body = SeatLogging),
        Problem))]
pub(crate) async fn choose(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Body(chosen): Body<BTreeMap<settings::LogType, bool>>,
) -> Result<Json<SeatLogging>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    api.seat_logging.choose(at, seat, &chosen).await?;
    Ok(Json(api.seat_logging.of(at, seat).await?.into()))
}

/// A conversation, and whether it is logged.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConversationSwitch {
    /// The product's own name of it.
    #[schema(min_length = 1, max_length = 200)]
    conversation_id: String,
    /// What belongs to it is logged.
    log: bool,
}

/// A conversation as things are.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConversationLogging {
    /// Null when the seller never said anything of it: then what holds for messages holds for it.
    #[schema(required = true)]
    log: Option<bool>,
}

/// Which conversation.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichConversation {
    /// The product's own name of it
    conversation_id: String,
}

/// Whether a conversation is logged
#[utoipa::path(get, path = "/seats/{seat}/conversation", tag = "activities",
    operation_id = "showConversation",
    params(AtSeat, WhichConversation), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    responses((status = 200, description = "The switch", body = ConversationLogging), Problem))]
pub(crate) async fn conversation(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Query(WhichConversation { conversation_id }): Query<WhichConversation>,
) -> Result<Json<ConversationLogging>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let name = checked(&conversation_id)?;
    let log = api.activities.conversation_switch(at, seat, name).await?;
    Ok(Json(ConversationLogging { log }))
}

/// Log a conversation from now on, or leave it out
#[utoipa::path(put, path = "/seats/{seat}/conversation", tag = "activities",
    operation_id = "switchConversation",
    params(AtSeat), extensions(("x-roles" = json!(OwnSeat::<AtSeat>::ROLES))),
    request_body(content = ConversationSwitch,
        example = json!({ "conversation_id": "thread-1", "log": false })),
    responses((status = 200, description = "The switch", body = ConversationLogging), Problem))]
pub(crate) async fn switch_conversation(
    State(api): State<Api>,
    OwnSeat(place): OwnSeat<AtSeat>,
    Body(ConversationSwitch { conversation_id, log }): Body<ConversationSwitch>,
) -> Result<Json<ConversationLogging>, Problem> {
    let (at, seat) = (place.environment(), place.seat);
    let name = checked(&conversation_id)?;
    api.activities.switch_conversation(at, seat, name, log).await?;
    Ok(Json(ConversationLogging { log: Some(log) }))
}

fn checked(name: &str) -> Result<&str, Problem> {
    if (1..=200).contains(&name.len()) {
        Ok(name)
    } else {
        Err(Problem::invalid("conversation_id has 1 to 200 characters"))
    }
}
