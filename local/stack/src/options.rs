//! The options of a stack.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::simulator::SimulatorAt;

/// How to start a [`Stack`](crate::Stack).
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The repository: `template.yaml`, `local/tools` and the Python environment lie in it.
    pub root: PathBuf,
    /// Where this stack keeps its files; emptied when it starts.
    pub state: PathBuf,
    /// The folder of the built binaries: the functions and the simulator.
    pub binaries: PathBuf,
    /// The Salesforce org to load, a folder of CSV exports. No simulator is started without it.
    pub org: Option<PathBuf>,
    /// A simulator that runs already; then none is started.
    pub simulator: Option<SimulatorAt>,
    /// One in so many calls of AWS by functions is answered by a throttle.
    pub throttles_one_in: Option<NonZeroU64>,
    /// The port of the API; 0 takes a free one.
    pub port: u16,
    /// How long a message that was not finished stays hidden, in seconds. Short, so that a
    /// redelivery is not waited for.
    pub queue_visibility_seconds: u32,
    /// How long a purge waits for whoever was at work when it began, in seconds.
    pub purge_grace_seconds: u32,
    /// How many batches of one queue are worked on at a time.
    pub worker_concurrency: u16,
    /// Which lines the functions log.
    pub log_filter: String,
}

impl StackOptions {
    /// The name of the deployed stack.
    pub const NAME: &str = "crm-sync";

    /// A stack from the repository at `root`, with its files under `.local/stack` and the debug
    /// binaries.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            state: root.join(".local/stack"),
            binaries: root.join("target/debug"),
            root,
            org: None,
            simulator: None,
            throttles_one_in: None,
            port: 0,
            queue_visibility_seconds: 30,
            purge_grace_seconds: 5,
            worker_concurrency: 3,
            log_filter: "info".to_owned(),
        }
    }

    /// The Python that has the emulator.
    pub(crate) fn python(&self) -> PathBuf {
        self.root.join(".venv-aws/bin/python")
    }

    pub(crate) fn template(&self) -> PathBuf {
        self.root.join("template.yaml")
    }

    /// A file of this stack.
    pub(crate) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.state.join(name)
    }
}

/// Empties the folder of a stack that is to start.
pub(crate) fn empty(state: &Path) -> anyhow::Result<()> {
    if state.exists() {
        std::fs::remove_dir_all(state).with_context(|| format!("empty {}", state.display()))?;
    }
    std::fs::create_dir_all(state).with_context(|| format!("create {}", state.display()))
}
