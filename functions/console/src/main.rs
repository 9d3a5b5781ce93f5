//! The console behind API Gateway: its pages ask the API's routes within this function, as whoever
//! looks at them.
//!
//! None of these routes asks Salesforce. What must be asked of it is left as a message to the
//! function that may, and the page shows what comes of it.

use api::{Api, Issuer, api_router};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use console::{Console, OpenId, OpenIdClient};
use lambda_http::{Error, RequestExt};
use shared::lambda::bootstrap;
use shared::lambda::config::{ConsoleConfig, ConsoleLogin};
use shared::ports::Ports;
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<ConsoleConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let product = config.salesforce.reach(product, config.browser_base)?;
    // Nobody brings these routes a token: who asks is who is logged in.
    let api = Api::new(&product, Issuer::nobody(), config.network_access)?;
    let base = product.public_base();
    let console = Console::new(api_router(api), product.sessions(), base.starts_with("https:"));
    let console = match config.login {
        Some(login) => console.with_openid(openid(login, &base, product.ports()).await?),
        None => console,
    };
    lambda_http::run(console::router(console).layer(from_fn(named))).await
}

/// The issuer at which people log in.
async fn openid(login: ConsoleLogin, base: &str, ports: &Ports) -> Result<OpenId, Error> {
    let newest = ports.secrets.newest(&login.client_secret_id).await?;
    let client_secret = newest.map(|(_, secret)| secret);
    let client = OpenIdClient { issuer: login.issuer, client_id: login.client_id, client_secret };
    let (http, clock) = (reqwest::Client::builder(), ports.clock.clone());
    OpenId::new(client, base, http, clock, ports.entropy.clone())
}

/// Gives a request the id by which the log names it: a page that failed tells it.
async fn named(mut request: Request, next: Next) -> Response {
    let id = request.lambda_context_ref().map(|context| context.request_id.clone());
    if let Some(id) = id.and_then(|id| HeaderValue::try_from(id).ok()) {
        request.headers_mut().insert("x-request-id", id);
    }
    next.run(request).await
}
