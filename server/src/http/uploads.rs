//! Uploads and downloads at the addresses that the process signs.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use embedded::objects::{AcceptError, FileObjects, GiveError};
use serde::Deserialize;
use shared::work::chain;
use tokio_util::io::ReaderStream;

/// What an address says beside the object's key.
#[derive(Debug, Deserialize)]
struct Signed {
    expires: i64,
    signature: String,
}

/// The route of uploads into `objects` and of downloads from it. The size of uploads is bounded
/// there, and nothing is held in memory.
pub(super) fn routes(objects: FileObjects) -> Router {
    Router::new()
        .route("/objects/{*key}", put(accept).get(give))
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

async fn give(
    State(objects): State<FileObjects>,
    Path(key): Path<String>,
    Query(Signed { expires, signature }): Query<Signed>,
) -> Response {
    let error = match objects.give(&key, expires, &signature).await {
        Ok((file, length)) => {
            // Whatever the file holds, a browser shows nothing of it and keeps no second copy.
            let headers = [
                (header::CONTENT_TYPE, "application/octet-stream"),
                (header::CONTENT_DISPOSITION, "attachment"),
                (header::CACHE_CONTROL, "no-store"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            let body = Body::from_stream(ReaderStream::new(file));
            return (headers, [(header::CONTENT_LENGTH, length)], body).into_response();
        }
        Err(error) => error,
    };
    let status = match error {
        GiveError::Signature | GiveError::Late => StatusCode::FORBIDDEN,
        GiveError::Gone => StatusCode::NOT_FOUND,
        GiveError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    if let GiveError::Store(error) = &error {
        tracing::error!(error = chain(error), "a file could not be read");
        return (status, "the file could not be read: try again\n").into_response();
    }
    (status, format!("{error}\n")).into_response()
}
