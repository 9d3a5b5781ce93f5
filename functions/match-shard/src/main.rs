//! Plans match runs, scores batches against directory shards, settles them, and makes models.

mod handler;

use std::sync::Arc;

use shared::capabilities::custody::Custody;
use shared::capabilities::linking::{MatchSteps, Models};
use shared::lambda::config::MatchShardConfig;
use shared::lambda::{Error, MappedFiles, bootstrap, run_queue};
use shared::matching::MatchModel;
use shared::store::Outbox;

/// How much of the sandbox's disk (4 GiB in `template.yaml`) shard files may take.
const ROOM: u64 = 3 << 30;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<MatchShardConfig>().await?;
    let ports = shared::aws::ports(&sdk, &config.aws);
    let custody = Custody::new(ports.clone(), config.secret_prefix);
    let shipped = Arc::new(MatchModel::shipped()?.clone());
    let models = Models::new(ports.clone(), custody.clone(), shipped);
    let files = MappedFiles::new(&ports, std::env::temp_dir(), ROOM);
    let steps = MatchSteps::new(&ports, &custody, Arc::new(files), models);
    let outbox = Outbox::new(ports.clone());

    run_queue("match-shard", &*ports.clock, |event| handler::handle(event, &outbox, &steps)).await
}
