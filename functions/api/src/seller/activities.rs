//! Sellers' activities, and the state of their logging.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use matching::EntityKind;
use serde::{Deserialize, Serialize};
use shared::capabilities::activities::{
    self, ActivityError, ActivityState, ActivityText, Fix, LogWish, explain,
};
use shared::kernel::{ActivityId, EntityId, SeatId, TenantEnvironment};
use shared::salesforce::SalesforceId;
use utoipa::ToSchema;

use super::authorizations::login_url;
use crate::callers::{At, AtActivity, Reader, SeatOf, usable_key};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

wire::named! {
    /// The kind of activity.
    ActivityKind of activities::ActivityKind {
        Message Inmail Note Call SmartLinkView ConnectionRequest
    }

    /// Where a call was begun.
    CallSource of activities::CallSource { Mobile Desktop }

    /// Who said that an activity is not to be logged.
    NotLogged of activities::NotLogged { PrivateNote SellerChoice ConversationOff }

    /// Who can do something about it.
    WhoActs of activities::WhoActs { Seller CrmAdmin Nobody }

    /// A person or a company.
    KindOfEntity of matching::EntityKind { Person Company }

    /// Why an activity waits.
    HoldReason of activities::HoldReason { NoCrmRecord CrmLoginRequired ReconnectRequired }
}

/// An activity that is to be logged in the CRM.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewActivity {
    #[schema(value_type = ActivityKind)]
    kind: activities::ActivityKind,
    #[schema(value_type = KindOfEntity)]
    entity_kind: EntityKind,
    #[schema(value_type = wire::EntityId)]
    entity_id: EntityId,
    /// The subject of an InMail, or the title of a Smart Link.
    #[serde(default)]
    #[schema(max_length = 2000)]
    subject: Option<String>,
    /// Required for a message, an InMail and a note.
    #[serde(default)]
    #[schema(required = false, max_length = 100_000)]
    body: String,
    occurred_at: Timestamp,
    /// The opportunity that it belongs to: one of the account of the person's contact.
    #[serde(default)]
    #[schema(value_type = Option<wire::SalesforceId>)]
    opportunity_id: Option<SalesforceId>,
    /// Where a Smart Link leads.
    #[serde(default)]
    #[schema(format = "uri", max_length = 2000)]
    link: Option<String>,
    /// From where a Smart Link was viewed.
    #[serde(default)]
    #[schema(max_length = 2000)]
    location: Option<String>,
    /// Where a call was begun. Only calls begun on a phone are logged, unless an admin allows more.
    #[serde(default)]
    #[schema(value_type = Option<CallSource>)]
    source: Option<activities::CallSource>,
    /// "Log to CRM", ticked or not. It is remembered: for the conversation, where one is named, and
    /// else for everything of the same type. Left out, what was said last holds, and at first it is
    /// logged.
    #[serde(default)]
    log: Option<bool>,
    /// The product's own name of the conversation that it belongs to.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    conversation_id: Option<String>,
    /// A note for its author alone: it is logged only with `log` true.
    #[serde(default)]
    #[schema(required = false)]
    private: bool,
}

impl NewActivity {
    /// The activity of a seat, under a key of the caller's.
    pub(super) fn of(self, seat: SeatId, idempotency_key: String) -> activities::NewActivity {
        activities::NewActivity {
            seat,
            idempotency_key,
            kind: self.kind,
            entity_kind: self.entity_kind,
            entity: self.entity_id,
            occurred_at: self.occurred_at,
            text: ActivityText {
                subject: self.subject,
                body: self.body,
                link: self.link,
                location: self.location,
            },
            opportunity: self.opportunity_id,
            source: self.source,
            wish: LogWish {
                log: self.log,
                conversation: self.conversation_id,
                private: self.private,
            },
        }
    }
}

/// An activity, and where its logging stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Activity {
    #[schema(value_type = wire::ActivityId)]
    activity_id: ActivityId,
    #[schema(value_type = ActivityKind)]
    kind: activities::ActivityKind,
    occurred_at: Timestamp,
    #[serde(flatten)]
    logging: Logging,
    /// Where it stands in words; none once it is logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    explanation: Option<Explanation>,
    /// Where the seller logs in, when that is what it waits for: a POST there begins the login. The
    /// activity is kept, and logged after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", nullable = false)]
    login_url: Option<String>,
}

/// What stands in the way in the words of a seller, and what mends it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explanation {
    why: &'static str,
    #[schema(value_type = WhoActs)]
    who: activities::WhoActs,
    /// What they do, step by step.
    steps: &'static [&'static str],
}

impl From<Fix> for Explanation {
    fn from(Fix { why, who, steps }: Fix) -> Self {
        Self { why, who, steps }
    }
}

/// Where an activity's logging stands, and what belongs to that.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct Logging {
    state: LoggingState,
    /// Why it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<HoldReason>, nullable = false)]
    reason: Option<activities::HoldReason>,
    /// Who said that it is not to be logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NotLogged>, nullable = false)]
    not_logged: Option<activities::NotLogged>,
    /// The id of the row in the CRM.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    salesforce_id: Option<String>,
    /// Salesforce's error code, or ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<String>,
    /// Salesforce's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
}

/// Where an activity's logging stands.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LoggingState {
    #[default]
    Queued,
    Held,
    Logged,
    /// The CRM had it already: nothing was written.
    LoggedBefore,
    Failed,
    NotLogged,
    Withdrawn,
}

impl From<ActivityState> for Logging {
    fn from(state: ActivityState) -> Self {
        let at = |state| Self { state, ..Self::default() };
        match state {
            // To a caller a claimed activity still waits for its outcome.
            ActivityState::Queued | ActivityState::Claimed { .. } => Self::default(),
            ActivityState::Held { reason } => {
                Self { reason: Some(reason), ..at(LoggingState::Held) }
            }
            ActivityState::Logged { salesforce_id } => {
                Self { salesforce_id: Some(salesforce_id.to_string()), ..at(LoggingState::Logged) }
            }
            ActivityState::LoggedBefore { salesforce_id } => Self {
                salesforce_id: Some(salesforce_id.to_string()),
                ..at(LoggingState::LoggedBefore)
            },
            ActivityState::Failed { code, message } => {
                Self { code: Some(code), message: Some(message), ..at(LoggingState::Failed) }
            }
            ActivityState::NotLogged { reason } => {
                Self { not_logged: Some(reason), ..at(LoggingState::NotLogged) }
            }
            ActivityState::Withdrawn => at(LoggingState::Withdrawn),
        }
    }
}

impl Activity {
    /// The answer about an activity of this connection.
    pub(super) fn of(api: &Api, at: TenantEnvironment, activity: activities::Activity) -> Self {
        let held = ActivityState::Held { reason: activities::HoldReason::CrmLoginRequired };
        let login_url = (activity.state == held).then(|| login_url(api, at, activity.seat));
        Self {
            activity_id: activity.id,
            kind: activity.kind,
            occurred_at: activity.occurred_at,
            explanation: explain(&activity.state).map(Explanation::from),
            logging: activity.state.into(),
            login_url,
        }
    }
}

/// Take in something that a seller did, to be logged in the CRM
///
/// What is not to be logged is told so: a type that an admin turned off is refused, and what the
/// seller turned off is kept as not logged, without its text.
#[utoipa::path(post, path = "/activities", tag = "activities", operation_id = "postActivity",
    params(At,
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 200, description =
            "The same key and body again is the same activity; the same key with another body is \
             refused.")),
    extensions(("x-roles" = json!(SeatOf::<At>::ROLES))),
    request_body(content = NewActivity, example = json!({
        "kind": "note",
        "entity_kind": "person",
        "entity_id": "pr_1",
        "body": "Met at the fair",
        "occurred_at": "2026-11-20T10:00:00Z",
    })),
    responses(
        (status = 202, body = Activity,
            description = "It is taken in; if it is held already, the answer says for what"),
        Problem))]
pub(crate) async fn post(
    State(api): State<Api>,
    SeatOf(place, seat): SeatOf<At>,
    headers: HeaderMap,
    Body(posted): Body<NewActivity>,
) -> Result<(StatusCode, Json<Activity>), Problem> {
    let new = posted.of(seat, idempotency_key(&headers)?.to_owned());
    let at = place.environment();
    let activity = api.activities.post(at, new).await?;
    Ok((StatusCode::ACCEPTED, Json(Activity::of(&api, at, activity))))
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    key.and_then(usable_key).ok_or_else(|| {
        Problem::invalid("the header Idempotency-Key is required, 1 to 200 characters")
    })
}

/// Show an activity and the state of its logging
#[utoipa::path(get, path = "/activities/{activity}", tag = "activities",
    operation_id = "showActivity",
    params(AtActivity), extensions(("x-roles" = json!(Reader::<AtActivity>::ROLES))),
    responses((status = 200, description = "The activity", body = Activity), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Reader(place, viewer): Reader<AtActivity>,
) -> Result<Json<Activity>, Problem> {
    let found = api.activities.get(place.environment(), place.activity).await?;
    let found = found.ok_or_else(|| Problem::not_found("activity"))?;
    viewer.sees(found.seat)?;
    Ok(Json(Activity::of(&api, place.environment(), found)))
}

impl From<ActivityError> for Problem {
    fn from(error: ActivityError) -> Self {
        match error {
            ActivityError::Work(error) => error.into(),
            ActivityError::NoSeat => Self::seat_required(),
            ActivityError::NotConnected => Self::conflict("not_connected", error.to_string()),
            ActivityError::TurnedOff | ActivityError::SeatTurnedOff => {
                Self::conflict("turned_off", error.to_string())
            }
            ActivityError::KeyReused => Self::conflict("key_reused", error.to_string()),
            ActivityError::Invalid(why) => Self::invalid(why),
        }
    }
}
