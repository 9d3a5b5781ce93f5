//! Tells others what happened, on the event bus.

mod handler;

use shared::lambda::config::TellingConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<TellingConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws));
    let (outbox, telling) = (product.outbox(), product.telling());

    let clock = &*product.ports().clock;
    run_queue("telling", clock, |event| handler::handle(event, &outbox, &telling)).await
}
