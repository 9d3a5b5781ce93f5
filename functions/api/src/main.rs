//! The HTTP API: what the product's back end, its front end and the customer's admin ask for.

mod caller;
mod problem;
mod router;
mod routes;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use lambda_http::Error;
use shared::capabilities::activities::Activities;
use shared::capabilities::connecting::Connect;
use shared::capabilities::custody::Custody;
use shared::capabilities::directory::Directory;
use shared::capabilities::importing::{Import, Selections};
use shared::capabilities::leaving::Disconnect;
use shared::capabilities::linking::{Corrections, Models};
use shared::lambda::bootstrap;
use shared::lambda::config::ApiConfig;
use shared::matching::MatchModel;

use crate::caller::Issuer;
use crate::state::Api;

/// The issuer answers at once or is down.
const ISSUER_TIMEOUT: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<ApiConfig>().await?;
    let ports = shared::aws::ports(&sdk, &config.aws);
    let custody = Custody::new(ports.clone(), config.secret_prefix);
    let app = config.salesforce.app(&ports, config.browser_base)?;
    let http = reqwest::Client::builder().timeout(ISSUER_TIMEOUT).build()?;
    let callers = config.callers;
    let shipped = Arc::new(MatchModel::shipped()?.clone());
    let import = Import::new(ports.clone(), custody.clone(), app.clone());
    let api = Api {
        issuer: Issuer::new(callers.issuer, callers.audience, callers.jwks_url, http),
        connect: Connect::new(ports.clone(), custody.clone(), app.clone()),
        directory: Directory::new(ports.clone()),
        activities: Activities::new(ports.clone(), custody.clone()),
        selections: Selections::new(ports.clone(), custody.clone(), import.clone()),
        import,
        corrections: Corrections::new(ports.clone(), custody.clone()),
        models: Models::new(ports.clone(), custody.clone(), shipped),
        disconnect: Disconnect::new(ports.clone(), custody.clone(), app, config.purge_grace),
        custody,
        network_access: Arc::new(config.network_access),
        ports,
    };
    lambda_http::run(router::router(api)).await
}
