//! Writes into the CRM what sellers do and want changed.

mod handler;

use shared::lambda::config::WritebackConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<WritebackConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let product = config.salesforce.reach(product, None)?;
    let (outbox, writes) = (product.outbox(), product.writes(config.product));

    let clock = &*product.ports().clock;
    run_queue("writeback", clock, |event| handler::handle(event, &outbox, &writes)).await
}
