//! Builds the shards of a directory version from its parts.

mod handler;

use shared::capabilities::directory::Directory;
use shared::lambda::config::DirectoryIndexConfig;
use shared::lambda::{Error, bootstrap, run_queue};
use shared::store::Outbox;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<DirectoryIndexConfig>().await?;
    let ports = shared::aws::ports(&sdk, &config.aws);
    let directory = Directory::new(ports.clone());
    let outbox = Outbox::new(ports.clone());

    run_queue("directory-index", &*ports.clock, |event| handler::handle(event, &outbox, &directory))
        .await
}
