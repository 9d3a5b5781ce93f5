//! The page of the product's site that connects an org: it begins the authorization with the
//! product's own token, hands the browser the cookie that binds it, and sends it to Salesforce.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::{Api, text};
use crate::net::{self, Server};

struct Site {
    service: Api,
    /// The API's path that begins the authorization.
    path: String,
}

/// The page, served until it is dropped.
#[derive(Debug)]
pub struct ConnectPage {
    address: String,
    _server: Server,
}

impl ConnectPage {
    pub(super) async fn serve(service: Api, path: String) -> anyhow::Result<Self> {
        let (listener, address) = net::listen(0).await?;
        let site = Arc::new(Site { service, path });
        let router = Router::new().route("/connect", get(connect)).with_state(site);
        let address = format!("http://{address}/connect");
        Ok(Self { address, _server: Server::spawn(listener, router) })
    }

    /// Where a person's browser begins.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

async fn connect(State(site): State<Arc<Site>>) -> Response {
    match begin(&site).await {
        // A browser sends a cookie to every port of its host, so also to the API's callback.
        Ok(headers) => (StatusCode::SEE_OTHER, headers).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}\n")).into_response(),
    }
}

async fn begin(site: &Site) -> anyhow::Result<HeaderMap> {
    let (reply, answer) = site.service.post_for_cookies(&site.path, &json!({})).await?;
    let mut headers = HeaderMap::new();
    for cookie in answer.get_all(header::SET_COOKIE) {
        headers.append(header::SET_COOKIE, cookie.clone());
    }
    headers.insert(header::LOCATION, text(&reply, "authorize_url")?.parse()?);
    Ok(headers)
}
