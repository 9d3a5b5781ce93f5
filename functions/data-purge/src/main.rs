//! Erases what a disconnected generation brought in, and proves it; gives replaced grants back.

mod handler;

use shared::lambda::config::DataPurgeConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<DataPurgeConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let product = config.salesforce.reach(product, None)?;
    let steps = product.purge_steps().with_grace(config.purge_grace);
    let outbox = product.outbox();

    let clock = &*product.ports().clock;
    run_queue("data-purge", clock, |event| handler::handle(event, &outbox, &steps)).await
}
