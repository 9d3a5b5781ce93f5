//! The minute tick, more often than each minute.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::aws::Aws;
use crate::options::StackOptions;

/// The functions on a schedule, and the schedule's event for each.
const SCHEDULED: [(&str, &str); 1] = [("bulk-import", "events/bulk-import.tick.json")];

/// One tick of every schedule.
#[derive(Debug)]
pub(crate) struct Tick {
    aws: Aws,
    events: Vec<(String, Value)>,
}

impl Tick {
    pub(crate) fn new(aws: &Aws, root: &Path) -> anyhow::Result<Self> {
        let event = |(function, file): (&str, &str)| {
            let path = root.join(file);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("read {}", path.display()))?;
            Ok((format!("{}-{function}", StackOptions::NAME), serde_json::from_str(&text)?))
        };
        let events = SCHEDULED.into_iter().map(event).collect::<anyhow::Result<_>>()?;
        Ok(Self { aws: aws.clone(), events })
    }

    pub(crate) async fn tick(&self) -> anyhow::Result<()> {
        for (function, event) in &self.events {
            self.aws.invoke(function, event).await?;
        }
        Ok(())
    }

    pub(crate) fn every(self, pause: Duration) -> Ticker {
        Ticker(tokio::spawn(async move {
            loop {
                // The next tick does the work of one that failed; the emulator's log says why it
                // failed.
                let _ = self.tick().await;
                tokio::time::sleep(pause).await;
            }
        }))
    }
}

/// Ticks until it is dropped.
#[derive(Debug)]
pub struct Ticker(JoinHandle<()>);

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.abort();
    }
}
