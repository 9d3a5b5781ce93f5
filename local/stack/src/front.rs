//! A reverse proxy whose port is known before what lies behind it: the address of the API, since
//! the functions must know where browsers come back to, and the functions' way to the emulator,
//! which notes what they ask for and may throttle.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::calls::Calls;
use crate::net::{self, Server};

/// The most that API Gateway takes.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// The most that a function puts into S3 at once, and more.
const MAX_OBJECT: usize = 64 * 1024 * 1024;

/// Headers that belong to one connection, not to the request.
const HOP_BY_HOP: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::UPGRADE,
    header::TE,
];

/// How every AWS service may throttle, whatever its protocol; its clients go by the status.
const THROTTLED: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "Slow down\n");

#[derive(Debug)]
struct Upstream {
    /// Where requests go; unknown until it is there.
    base: OnceLock<String>,
    client: reqwest::Client,
    /// One request in so many is not handed on.
    throttles_one_in: Option<NonZeroU64>,
    requests: AtomicU64,
    /// Where requests are noted that ask something of AWS.
    calls: Option<Arc<Calls>>,
}

impl Upstream {
    fn throttles_this(&self) -> bool {
        let n = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        self.throttles_one_in.is_some_and(|every| n.is_multiple_of(every.get()))
    }
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
        Self::spawn(listener, None, None)
    }

    /// The functions' way to AWS, which notes what they ask for. It may answer one request in so
    /// many as an AWS service does that is asked too often.
    pub(crate) fn of_functions(
        listener: TcpListener,
        throttles_one_in: Option<NonZeroU64>,
        calls: Arc<Calls>,
    ) -> anyhow::Result<Self> {
        Self::spawn(listener, throttles_one_in, Some(calls))
    }

    fn spawn(
        listener: TcpListener,
        throttles_one_in: Option<NonZeroU64>,
        calls: Option<Arc<Calls>>,
    ) -> anyhow::Result<Self> {
        let address = format!("http://{}", listener.local_addr()?);
        let upstream = Arc::new(Upstream {
            base: OnceLock::new(),
            client: net::client()?,
            throttles_one_in,
            requests: AtomicU64::new(0),
            calls,
        });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&upstream));
        Ok(Self { address, upstream, _server: Server::spawn(listener, router) })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends what comes from now on to `base`.
    pub(crate) fn point_to(&self, base: String) {
        // Set once per start; a second deployment would be a second stack.
        let _ = self.upstream.base.set(base);
    }
}

async fn forward(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let Some(base) = upstream.base.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "the stack is starting\n").into_response();
    };
    if upstream.throttles_this() {
        return THROTTLED.into_response();
    }
    let (parts, body) = request.into_parts();
    let most = if upstream.calls.is_some() { MAX_OBJECT } else { MAX_BODY };
    let Ok(body) = to_bytes(body, most).await else {
        let told = format!("a request may hold {most} bytes\n");
        return (StatusCode::PAYLOAD_TOO_LARGE, told).into_response();
    };
    if let Some(calls) = &upstream.calls {
        calls.take(&parts.method, &parts.uri, &parts.headers, &body);
    }
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

#[cfg(test)]
mod tests {
    use axum::Json;
    use axum::http::Uri;
    use axum::routing::any;
    use serde_json::{Value, json};

    use super::*;

    async fn echo(uri: Uri, headers: HeaderMap, body: String) -> Response {
        let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
        let reply = json!({"uri": uri.to_string(), "body": body, "host": host,
            "token": headers.contains_key("authorization")});
        let cookies = [("set-cookie", "a=1"), ("set-cookie", "b=2")]
            .map(|(k, v)| (HeaderName::from_static(k), axum::http::HeaderValue::from_static(v)));
        let mut answer = (StatusCode::CREATED, Json(reply)).into_response();
        for (name, value) in cookies {
            answer.headers_mut().append(name, value);
        }
        answer
    }

    async fn started() -> Front {
        let (listener, _) = net::listen(0).await.unwrap();
        Front::start(listener).unwrap()
    }

    #[tokio::test]
    async fn a_request_arrives_whole_under_the_address_that_the_caller_used() {
        let (listener, upstream) = net::listen(0).await.unwrap();
        let _upstream = Server::spawn(listener, Router::new().fallback(any(echo)));
        let front = started().await;
        front.point_to(format!("http://{upstream}/api/$default"));
        let address = format!("{}/v1/x%20y?code=a%2Bb", front.address());
        let request = net::client().unwrap().post(address).bearer_auth("t").body("hello");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().cloned().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        let seen: Value = answer.json().await.unwrap();
        assert_eq!(seen["uri"], "/api/$default/v1/x%20y?code=a%2Bb");
        assert_eq!((&seen["body"], &seen["token"]), (&json!("hello"), &json!(true)));
        assert_eq!(seen["host"], front.address().strip_prefix("http://").unwrap());
    }

    #[tokio::test]
    async fn before_the_deployment_it_says_that_the_stack_is_starting() {
        let front = started().await;
        let answer = net::client().unwrap().get(front.address()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
