//! Logs sellers' activities in the CRM.

mod handler;

use shared::capabilities::activities::WriteBack;
use shared::capabilities::custody::Custody;
use shared::lambda::config::WritebackConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::store::Outbox;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<WritebackConfig>().await?;
    let ports = shared::aws::ports(&sdk, &config.aws);
    let custody = Custody::new(ports.clone(), config.secret_prefix);
    let app = config.salesforce.app(&ports, None)?;
    let write_back = WriteBack::new(ports.clone(), custody, app, config.product);
    let outbox = Outbox::new(ports.clone());

    run_queue("writeback", &*ports.clock, |event| handler::handle(event, &outbox, &write_back))
        .await
}
