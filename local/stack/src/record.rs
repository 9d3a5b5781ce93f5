//! The file in which a running stack says where it is, for other commands.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;

/// The addresses and processes of a running stack, in `stack.json` of its folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StackRecord {
    /// The process that holds the stack; ending it ends everything.
    pub process_id: u32,
    /// The emulator's process.
    pub emulator_process_id: u32,
    /// The simulator's process.
    pub simulator_process_id: Option<u32>,
    /// The address of the API.
    pub api_base: String,
    /// The address of the emulated AWS.
    pub aws_endpoint: String,
    /// Where browsers log in to the simulated Salesforce.
    pub salesforce_url: Option<String>,
    /// The simulator's control API.
    pub control_url: Option<String>,
    /// The token issuer.
    pub issuer: String,
    /// Its private key.
    pub issuer_key_file: PathBuf,
}

impl StackRecord {
    const FILE: &str = "stack.json";

    /// The record of the stack whose files are in `state`.
    pub fn read(state: &Path) -> anyhow::Result<Self> {
        let path = state.join(Self::FILE);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("no stack is running (no {}); `make local` starts one", path.display())
        })?;
        serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))
    }

    /// The record of the stack that runs in `state`, if one does: a process that died without
    /// removing its record does not count.
    pub fn running(state: &Path) -> Option<Self> {
        Self::read(state).ok().filter(Self::is_running)
    }

    /// True if the process runs and is a stack: its id may belong to another process by now.
    fn is_running(&self) -> bool {
        let program =
            std::fs::read_link(format!("/proc/{}/exe", self.process_id)).unwrap_or_default();
        let ours = std::env::current_exe().unwrap_or_default();
        program.file_name().is_some() && program.file_name() == ours.file_name()
    }

    /// A client of the stack's emulated AWS.
    pub fn aws(&self) -> anyhow::Result<Aws> {
        Aws::at_address(&self.aws_endpoint)
    }

    pub(crate) fn write(&self, state: &Path) -> anyhow::Result<()> {
        std::fs::write(state.join(Self::FILE), serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }

    pub(crate) fn remove(state: &Path) {
        // Gone already is as good.
        let _ = std::fs::remove_file(state.join(Self::FILE));
    }
}
