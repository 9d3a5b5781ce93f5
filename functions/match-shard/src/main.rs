//! Plans match runs, scores batches against directory shards, settles them, makes models, and
//! writes exports.

mod handler;

use std::sync::Arc;

use shared::lambda::config::MatchShardConfig;
use shared::lambda::{Error, MappedFiles, bootstrap, run_queue};
use shared::product::Product;

/// How much of the sandbox's disk (4 GiB in `template.yaml`) shard files may take.
const ROOM: u64 = 3 << 30;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (config, sdk) = bootstrap::<MatchShardConfig>().await?;
    let product = Product::new(shared::aws::ports(&sdk, &config.aws)).opening(config.secret_prefix);
    let files = MappedFiles::new(product.ports(), std::env::temp_dir(), ROOM);
    let (outbox, steps) = (product.outbox(), product.match_steps(Arc::new(files))?);
    let exports = product.export_steps();

    let clock = &*product.ports().clock;
    run_queue("match-shard", clock, |event| handler::handle(event, &outbox, (&steps, &exports)))
        .await
}
