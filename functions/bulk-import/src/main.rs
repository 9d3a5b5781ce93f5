//! Imports CRM data, a step per message; its minute tick sends every step that is due.

mod handler;

use shared::lambda::config::BulkImportConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::product::Product;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<BulkImportConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let product = config.salesforce.reach(product, None)?;
    let (outbox, import) = (product.outbox(), product.import());

    let clock = &*product.ports().clock;
    run_queue("bulk-import", clock, |event| handler::handle(event, &outbox, &import, clock)).await
}
