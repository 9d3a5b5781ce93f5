//! Keeps connections' grants alive, sees to those that do not work, and asks orgs what an admin
//! wants to know.

mod handler;

use shared::lambda::config::ConnectionCareConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<ConnectionCareConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let product = config.salesforce.reach(product, None)?;
    let (outbox, care) = (product.outbox(), product.care());

    let clock = &*product.ports().clock;
    run_queue("connection-care", clock, |event| handler::handle(event, &outbox, &care)).await
}
