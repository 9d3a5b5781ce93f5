//! The HTTP server: the API, the callback, uploads, and what operators look at.

mod listen;
mod observe;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use embedded::objects::FileObjects;
use jsonwebtoken::jwk::JwkSet;
use shared::capabilities::connecting::Connect;
use shared::ports::Entropy;

use crate::metrics::{self, Metrics};

pub use listen::ListenError;
pub(crate) use listen::{Http, bind};

/// Whether the process takes work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<AtomicU8>);

/// States of [`Readiness`].
const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

impl Readiness {
    /// Everything has started.
    pub(crate) fn ready(&self) {
        self.0.store(READY, Ordering::Release);
    }

    /// The process ends: whoever shares the load should send nothing more.
    pub(crate) fn stopping(&self) {
        self.0.store(STOPPING, Ordering::Release);
    }

    fn word(&self) -> (StatusCode, &'static str) {
        match self.0.load(Ordering::Acquire) {
            STARTING => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
            READY => (StatusCode::OK, "ready\n"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        }
    }
}

/// What every request meets.
#[derive(Clone)]
pub(crate) struct Frame {
    /// Whether the process takes work.
    pub readiness: Readiness,
    /// Counts the requests.
    pub metrics: Metrics,
    /// Makes the ids of requests.
    pub entropy: Arc<dyn Entropy>,
    /// The built-in issuer's keys, if there is one.
    pub keys: Option<Arc<JwkSet>>,
}

/// Everything that is served: uploads into `objects`, the callback and the API beside the frame's
/// own, and the console.
pub(crate) fn router(
    frame: Frame,
    objects: FileObjects,
    connect: Connect,
    (api, console): (Router, Router),
) -> Router {
    let mut router = Router::new()
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics));
    if frame.keys.is_some() {
        router = router.route("/.well-known/jwks.json", get(keys));
    }
    router
        .with_state(frame.clone())
        .merge(uploads::routes(objects))
        .merge(oauth_callback::router(connect))
        .merge(console)
        .fallback_service(api)
        .layer(middleware::from_fn_with_state(frame, observe::request))
}

async fn ready(State(frame): State<Frame>) -> (StatusCode, &'static str) {
    frame.readiness.word()
}

async fn metrics(State(frame): State<Frame>) -> Response {
    match frame.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn keys(State(frame): State<Frame>) -> Response {
    match frame.keys.as_deref() {
        Some(keys) => Json(keys).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
