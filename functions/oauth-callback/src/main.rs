//! Ends an authorization: Salesforce sends the person's browser here.

mod handler;
mod page;

use lambda_http::service_fn;
use shared::capabilities::connecting::Connect;
use shared::capabilities::custody::Custody;
use shared::lambda::config::OauthCallbackConfig;
use shared::lambda::{Error, bootstrap};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<OauthCallbackConfig>().await?;
    let ports = shared::aws::ports(&sdk, &config.aws);
    let custody = Custody::new(ports.clone(), config.secret_prefix);
    let app = config.salesforce.app(&ports, None)?;
    let connect = Connect::new(ports, custody, app);

    lambda_http::run(service_fn(|request| handler::handle(request, &connect))).await
}
