//! The address of the API: a reverse proxy whose port is known before the deployment, since the
//! functions must know where browsers come back to.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::net::{self, Server};

/// The most that API Gateway takes.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// Headers that belong to one connection, not to the request.
const HOP_BY_HOP: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::UPGRADE,
    header::TE,
];

#[derive(Debug)]
struct Upstream {
    /// Where the emulator serves the API; unknown until it is deployed.
    base: OnceLock<String>,
    client: reqwest::Client,
}

/// The running proxy.
#[derive(Debug)]
pub(crate) struct Front {
    address: String,
    upstream: Arc<Upstream>,
    _server: Server,
}

impl Front {
    pub(crate) fn start(listener: TcpListener) -> anyhow::Result<Self> {
        let address = format!("http://{}", listener.local_addr()?);
        let upstream = Arc::new(Upstream { base: OnceLock::new(), client: net::client()? });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&upstream));
        Ok(Self { address, upstream, _server: Server::spawn(listener, router) })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends what comes from now on to the API at `base`.
    pub(crate) fn point_to(&self, base: String) {
        // Set once per start; a second deployment would be a second stack.
        let _ = self.upstream.base.set(base);
    }
}

async fn forward(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let Some(base) = upstream.base.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the stack is starting\n").into_response();
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "a request may hold 10 MB\n").into_response();
    };
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let answer = upstream
        .client
        .request(parts.method, format!("{base}{target}"))
        .headers(end_to_end(&parts.headers))
        .body(body)
        .send()
        .await;
    match answer {
        Ok(answer) => {
            let (status, headers) = (answer.status(), end_to_end(answer.headers()));
            (status, headers, Body::from_stream(answer.bytes_stream())).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, format!("no answer from the emulator: {error}\n"))
            .into_response(),
    }
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    kept
}
