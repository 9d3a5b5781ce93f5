//! Imports CRM data, a step per message; its minute tick sends every step that is due.

mod handler;

use shared::capabilities::custody::Custody;
use shared::capabilities::importing::Import;
use shared::lambda::config::BulkImportConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::store::Outbox;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<BulkImportConfig>().await?;
    let ports = shared::aws::ports(&sdk, &config.aws);
    let custody = Custody::new(ports.clone(), config.secret_prefix);
    let app = config.salesforce.app(&ports, None)?;
    let import = Import::new(ports.clone(), custody, app);
    let outbox = Outbox::new(ports.clone());

    run_queue("bulk-import", &*ports.clock, |trigger| handler::handle(trigger, &outbox, &import))
        .await
}
