//! The end of an authorization, behind API Gateway.

use shared::lambda::config::OauthCallbackConfig;
use shared::lambda::{Error, bootstrap};
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<OauthCallbackConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let connect = config.salesforce.reach(product, None)?.connect();

    lambda_http::run(oauth_callback::router(connect)).await
}
