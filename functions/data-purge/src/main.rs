//! Erases what a disconnected generation brought in, and proves it; keeps the others' grants alive.

mod handler;

use shared::capabilities::connecting::{Care, Upkeep};
use shared::capabilities::custody::Custody;
use shared::capabilities::importing::Previews;
use shared::capabilities::leaving::Disconnect;
use shared::capabilities::telling::Telling;
use shared::lambda::config::DataPurgeConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::store::Outbox;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<DataPurgeConfig>().await?;
    let ports = shared::aws::ports(&sdk, &config.aws);
    let custody = Custody::new(ports.clone(), config.secret_prefix);
    let app = config.salesforce.app(&ports, None)?;
    let grace = config.purge_grace;
    let disconnect = Disconnect::new(ports.clone(), custody.clone(), app.clone(), grace);
    let previews = Previews::new(ports.clone(), custody.clone(), app.clone());
    let upkeep = Upkeep::new(ports.clone(), custody, app, disconnect.clone());
    let (care, telling) = (Care::new(upkeep, previews), Telling::new(ports.clone()));
    let outbox = Outbox::new(ports.clone());

    run_queue("data-purge", &*ports.clock, |event| {
        handler::handle(event, &outbox, &disconnect, &care, &telling)
    })
    .await
}
