//! What comes again and again: the tick over due items, the sweep of what has expired, and the look
//! whether all rest.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use embedded::objects::{FileObjects, MappedObjects};
use embedded::table::SqliteTable;
use jiff::SignedDuration;
use shared::kernel::{EXPORT_DAYS, EXPORTS, RUN_OBJECT_DAYS, RUNS};
use shared::ports::Clock;
use shared::store::Outbox;
use shared::work::chain;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// The tick comes this often.
const TICK: Duration = Duration::from_secs(1);

/// A tick that takes long is followed by a pause of this many times its length: a backlog that
/// rests costs a tenth of a core and no more.
const PAUSE_AFTER: u32 = 9;

/// The sweep comes this often.
const SWEEP: Duration = Duration::from_mins(1);

/// The look whether all rest comes this often.
const LOOK: Duration = Duration::from_secs(10);
/// The sweep of objects comes this often.
const SWEEP_OF_OBJECTS: Duration = Duration::from_hours(1);

/// Items that are deleted in one go, so that no writer waits long for the sweep.
const SWEPT_TOGETHER: usize = 500;

/// Ticks over `outbox` each second until `stopping` is cancelled. A tick that fails comes again.
pub(crate) async fn tick(outbox: Outbox, metrics: Metrics, stopping: CancellationToken) {
    let mut planned = Instant::now() + TICK;
    while !pause(planned.duration_since(Instant::now()), &stopping).await {
        let begun = Instant::now();
        let ticked = outbox.tick().await;
        if let Err(error) = &ticked {
            tracing::error!(error = chain(error), "a tick could not send all that is due");
        }
        let taken = begun.elapsed();
        metrics.ticked(begun.duration_since(planned) + taken, ticked.is_err());
        planned = Instant::now() + TICK.max(taken * PAUSE_AFTER);
    }
}

/// Deletes what has expired from the table in `file`, each minute, until `stopping` is cancelled.
pub(crate) async fn sweep(
    table: SqliteTable,
    file: PathBuf,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    stopping: CancellationToken,
) {
    let mut wait = Duration::ZERO;
    while !pause(wait, &stopping).await {
        wait = SWEEP;
        match table.sweep(clock.now(), SWEPT_TOGETHER).await {
            Ok(swept) => {
                if swept == SWEPT_TOGETHER {
                    wait = TICK;
                }
                let size = tokio::fs::metadata(&file).await.map_or(0, |about| about.len());
                metrics.swept(swept as u64, size);
            }
            Err(error) => tracing::error!(error = chain(&error), "the sweep failed"),
        }
    }
}

/// Gives the memory back that a job took, once no message was worked on between two looks, until
/// `stopping` is cancelled. Caches of the table and mapped files of directories are made again when
/// they are needed.
pub(crate) async fn rest(
    table: SqliteTable,
    files: Arc<MappedObjects>,
    metrics: Metrics,
    stopping: CancellationToken,
) {
    let (mut seen, mut rested) = (0, 0);
    while !pause(LOOK, &stopping).await {
        let worked_on = metrics.worked_on();
        if worked_on == seen && worked_on != rested {
            files.rest();
            if let Err(error) = table.rest().await {
                tracing::warn!(error = chain(&error), "the table keeps its memory");
            }
            rested = worked_on;
        }
        seen = worked_on;
    }
}

/// Deletes the objects of runs and exports that nobody deleted in their time, each hour, until
/// `stopping` is cancelled.
pub(crate) async fn sweep_objects(
    objects: FileObjects,
    clock: Arc<dyn Clock>,
    stopping: CancellationToken,
) {
    let mut wait = Duration::ZERO;
    while !pause(wait, &stopping).await {
        wait = SWEEP_OF_OBJECTS;
        for (prefix, days) in [(RUNS, RUN_OBJECT_DAYS), (EXPORTS, EXPORT_DAYS)] {
            let then = clock.now() - SignedDuration::from_hours(24 * days);
            match objects.delete_before(prefix, then).await {
                Ok(0) => {}
                Ok(swept) => {
                    tracing::warn!(objects.count = swept, "forgotten objects were deleted");
                }
                Err(error) => tracing::error!(error = chain(&error), "the sweep of objects failed"),
            }
        }
    }
}

/// Waits; true if it is time to stop.
async fn pause(wait: Duration, stopping: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stopping.cancelled() => true,
        () = sleep(wait) => false,
    }
}
