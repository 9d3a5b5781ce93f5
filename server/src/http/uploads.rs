//! Uploads to the addresses that the process signs.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::put;
use embedded::objects::{AcceptError, FileObjects};
use serde::Deserialize;
use shared::work::chain;

/// What an address says beside the object's key.
#[derive(Debug, Deserialize)]
struct Signed {
    expires: i64,
    signature: String,
}

/// The route of uploads into `objects`. Their size is bounded there, and nothing is held in memory.
pub(super) fn routes(objects: FileObjects) -> Router {
    Router::new()
        .route("/objects/{*key}", put(accept))
        .layer(DefaultBodyLimit::disable())
        .with_state(objects)
}

async fn accept(
    State(objects): State<FileObjects>,
    Path(key): Path<String>,
    Query(Signed { expires, signature }): Query<Signed>,
    body: Body,
) -> (StatusCode, String) {
    let accepted = objects.accept(&key, expires, &signature, body.into_data_stream()).await;
    let Err(error) = accepted else { return (StatusCode::OK, String::new()) };
    let status = match error {
        AcceptError::Signature | AcceptError::Late => StatusCode::FORBIDDEN,
        AcceptError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        AcceptError::Cut(_) => StatusCode::BAD_REQUEST,
        AcceptError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    if let AcceptError::Store(error) = &error {
        tracing::error!(error = chain(error), "an upload could not be kept");
        return (status, "the upload could not be kept: try again\n".to_owned());
    }
    (status, format!("{error}\n"))
}
