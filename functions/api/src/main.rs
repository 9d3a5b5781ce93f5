//! The HTTP API behind API Gateway.

use std::time::Duration;

use api::{Api, Issuer, api_router};
use lambda_http::Error;
use shared::lambda::bootstrap;
use shared::lambda::config::ApiConfig;
use shared::product::Product;

/// The issuer answers at once or is down.
const ISSUER_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<ApiConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let product = config.salesforce.reach(product, config.browser_base)?;
    let http = reqwest::Client::builder().timeout(ISSUER_TIMEOUT);
    let clock = product.ports().clock.clone();
    let callers = config.callers;
    let issuer = Issuer::new(callers.issuer, callers.audience, callers.jwks_url, http, clock)?;
    let api = Api::new(&product, issuer, config.network_access)?
        .with_security_contact(config.security_contact);
    lambda_http::run(api_router(api)).await
}
