//! Saves what belongs to open opportunities for their owners.

mod handler;

use shared::lambda::config::AutoSaveConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<AutoSaveConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let (outbox, auto_save) = (product.outbox(), product.auto_save());

    let clock = &*product.ports().clock;
    run_queue("auto-save", clock, |event| handler::handle(event, &outbox, &auto_save)).await
}
