//! Saves what belongs to open opportunities for their owners.

mod handler;

use shared::capabilities::custody::Custody;
use shared::capabilities::saving::AutoSave;
use shared::lambda::config::AutoSaveConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::store::Outbox;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<AutoSaveConfig>().await?;
    let ports = shared::aws::ports(&sdk, &config.aws);
    let custody = Custody::new(ports.clone(), config.secret_prefix);
    let auto_save = AutoSave::new(ports.clone(), custody);
    let outbox = Outbox::new(ports.clone());

    run_queue("auto-save", &*ports.clock, |event| handler::handle(event, &outbox, &auto_save)).await
}
