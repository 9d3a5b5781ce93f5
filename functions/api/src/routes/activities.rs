//! What sellers do.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use matching::EntityKind;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::capabilities::activities::{
    Activity, ActivityKind, ActivityState, ActivityText, NewActivity,
};
use shared::kernel::{ActivityId, Environment, TenantId};

use super::At;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// An activity as the product posts it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Posted {
    kind: ActivityKind,
    entity_kind: EntityKind,
    entity_id: String,
    #[serde(default)]
    subject: Option<String>,
    body: String,
    occurred_at: Timestamp,
}

/// `POST …/activities`
pub(crate) async fn post(
    State(api): State<Api>,
    caller: Caller,
    Path(at): Path<At>,
    headers: HeaderMap,
    Body(posted): Body<Posted>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let seat = caller.seat(at.tenant)?;
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let key = key.map(str::trim).filter(|key| (1..=200).contains(&key.len()));
    let key = key.ok_or_else(|| {
        Problem::invalid("the header Idempotency-Key is required, 1 to 200 characters")
    })?;
    let new = NewActivity {
        seat,
        idempotency_key: key.to_owned(),
        kind: posted.kind,
        entity_kind: posted.entity_kind,
        entity: posted.entity_id,
        occurred_at: posted.occurred_at,
        text: ActivityText { subject: posted.subject, body: posted.body },
    };
    let activity = api.activities.post(at.environment(), new).await?;
    Ok((StatusCode::ACCEPTED, Json(view(&activity))))
}

#[derive(Deserialize)]
pub(crate) struct AtActivity {
    tenant: TenantId,
    environment: Environment,
    activity: ActivityId,
}

/// `GET …/activities/{activity}`
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(AtActivity { tenant, environment, activity }): Path<AtActivity>,
) -> Result<Json<Value>, Problem> {
    let at = At { tenant, environment };
    let found = api.activities.get(at.environment(), activity).await?;
    let found = found.ok_or_else(|| Problem::not_found("activity"));
    // Whose it is must be known before it can be shown; a stranger learns nothing either way.
    match found {
        Ok(found) => {
            caller.seat_or_admin(tenant, found.seat)?;
            Ok(Json(view(&found)))
        }
        Err(missing) => {
            caller.seat(tenant).map(|_| ()).or_else(|_| caller.admin(tenant))?;
            Err(missing)
        }
    }
}

fn view(activity: &Activity) -> Value {
    let mut view = json!({
        "activity_id": activity.id,
        "kind": activity.kind,
        "occurred_at": activity.occurred_at,
    });
    let state = match &activity.state {
        // To a caller a claimed activity still waits for its outcome.
        ActivityState::Claimed { .. } => json!({ "state": "queued" }),
        other => serde_json::to_value(other).unwrap_or_default(),
    };
    if let (Some(view), Value::Object(state)) = (view.as_object_mut(), state) {
        view.extend(state);
    }
    view
}
