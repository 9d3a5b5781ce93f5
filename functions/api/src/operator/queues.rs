//! How the queues stand.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::capabilities::backlog;
use shared::work::WorkError;
use utoipa::ToSchema;

use crate::callers::Service;
use crate::problem::Problem;
use crate::state::Api;

/// How a queue stands. The numbers are about right: a queue of a cloud does not know them to the
/// last message.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueueState {
    queue: &'static str,
    /// Messages that can be worked on.
    waiting: u64,
    /// Messages that are worked on.
    in_flight: u64,
    /// Messages whose time has not come.
    delayed: u64,
    /// Messages that failed five times and wait for a person.
    dead_letters: u64,
    /// How late the latest step is that is due and not done; 0 when none is late.
    late_seconds: u64,
}

impl From<backlog::QueueState> for QueueState {
    fn from(backlog::QueueState { queue, depth, late }: backlog::QueueState) -> Self {
        Self {
            queue: queue.as_str(),
            waiting: depth.waiting,
            in_flight: depth.in_flight,
            delayed: depth.delayed,
            dead_letters: depth.dead,
            late_seconds: u64::try_from(late.as_secs()).unwrap_or(0),
        }
    }
}

/// The queues.
#[derive(Serialize, ToSchema)]
pub(crate) struct QueueStates {
    items: Vec<QueueState>,
}

/// How the queues stand: what waits, what failed too often, how late the work is
#[utoipa::path(get, path = "/v1/queues", tag = "operating", operation_id = "listQueues",
    extensions(("x-roles" = json!(Service::<()>::ROLES))),
    responses((status = 200, description = "The queues", body = QueueStates), Problem))]
pub(crate) async fn list(State(api): State<Api>, _: Service) -> Result<Json<QueueStates>, Problem> {
    let queues = api.backlog.look().await.map_err(WorkError::from)?;
    Ok(Json(QueueStates { items: queues.into_iter().map(QueueState::from).collect() }))
}
