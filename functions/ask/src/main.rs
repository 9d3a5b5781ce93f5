//! What must be asked of Salesforce as a seller who waits: a function of its own, since it alone of
//! those behind API Gateway opens seats' grants.

use std::time::Duration;

use api::{Api, Issuer, ask_router};
use lambda_http::Error;
use shared::capabilities::connecting::NetworkAccess;
use shared::lambda::bootstrap;
use shared::lambda::config::AskConfig;
use shared::product::Product;

/// The issuer answers at once or is down.
const ISSUER_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<AskConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let product = config.salesforce.reach(product, None)?;
    let http = reqwest::Client::builder().timeout(ISSUER_TIMEOUT);
    let clock = product.ports().clock.clone();
    let callers = config.callers;
    let issuer = Issuer::new(callers.issuer, callers.audience, callers.jwks_url, http, clock)?;
    // None of these routes tells where calls come from.
    let api = Api::new(&product, issuer, NetworkAccess::default())?;
    lambda_http::run(ask_router(api)).await
}
