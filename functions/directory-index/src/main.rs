//! Builds the shards of a directory version from its parts.

mod handler;

use shared::lambda::config::DirectoryIndexConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<DirectoryIndexConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws));
    let (outbox, directory) = (product.outbox(), product.directory());

    let clock = &*product.ports().clock;
    run_queue("directory-index", clock, |event| handler::handle(event, &outbox, &directory)).await
}
