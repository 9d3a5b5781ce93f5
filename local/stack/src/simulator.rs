//! The Salesforce simulator: a child process, or one that somebody else runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::options::StackOptions;
use crate::process::Process;
use crate::watch::{PATIENCE, Watch};

const STEP: Duration = Duration::from_millis(50);

/// Where a running simulator is: the file that its process writes once it listens.
#[derive(Debug, Clone, Deserialize)]
pub struct SimulatorAt {
    /// Where browsers reach it.
    pub http_url: String,
    /// The CONNECT proxy that leads every Salesforce host to it.
    pub proxy_url: String,
    /// Where its orgs are loaded, changed and read.
    pub control_url: String,
    /// The certificate authority of its hosts, in PEM.
    pub ca_file: PathBuf,
}

/// The running simulator.
#[derive(Debug)]
pub struct Simulator {
    /// None when it is not ours to end.
    process: Option<Process>,
    ready: SimulatorAt,
}

impl Simulator {
    /// One that somebody else started, and ends.
    pub(crate) fn of_others(ready: SimulatorAt) -> Self {
        Self { process: None, ready }
    }

    pub(crate) async fn start(options: &StackOptions, org: &Path) -> anyhow::Result<Self> {
        let program = options.binaries.join("salesforce-simulator");
        ensure!(program.exists(), "{} is missing; `make build-local` builds it", program.display());
        ensure!(org.is_dir(), "there is no folder {}", org.display());
        let (ready_file, ca_file) =
            (options.file("simulator.json"), options.file("simulator-ca.pem"));
        let arguments: [&OsStr; 6] = [
            "--org".as_ref(),
            org.as_os_str(),
            "--ca-out".as_ref(),
            ca_file.as_os_str(),
            "--ready-file".as_ref(),
            ready_file.as_os_str(),
        ];
        let log = options.file("simulator.log");
        let mut process =
            Process::start("the Salesforce simulator", &program, &arguments, &[], log)?;
        let mut watch = Watch::new(Instant::now());
        while !watch.stands_still("starting", Instant::now()) {
            process.check()?;
            // It may be there and not yet whole: an unreadable file is looked at again.
            if let Ok(text) = std::fs::read_to_string(&ready_file)
                && let Ok(ready) = serde_json::from_str(&text)
            {
                return Ok(Self { process: Some(process), ready });
            }
            tokio::time::sleep(STEP).await;
        }
        bail!("the Salesforce simulator was not ready in {} minutes", PATIENCE.as_secs() / 60)
    }

    /// Where browsers reach it.
    #[must_use]
    pub fn http_url(&self) -> &str {
        &self.ready.http_url
    }

    /// The CONNECT proxy that leads every Salesforce host to it.
    #[must_use]
    pub fn proxy_url(&self) -> &str {
        &self.ready.proxy_url
    }

    /// Where tests load, change and read its org.
    #[must_use]
    pub fn control_url(&self) -> &str {
        &self.ready.control_url
    }

    /// The certificate authority of its hosts.
    pub(crate) fn ca_file(&self) -> anyhow::Result<String> {
        let path = self.ready.ca_file.canonicalize().context("find the simulator's authority")?;
        Ok(path.display().to_string())
    }

    /// None when somebody else runs it.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }
}
