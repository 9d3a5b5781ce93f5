//! Child processes that end with us.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(8);
const STEP: Duration = Duration::from_millis(20);

/// A running child. Dropping it asks it to end, waits, and kills it if it does not.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`, its output in the file `log`. Its environment holds `environment`, the
    /// search path and the home folder, and nothing else. Its standard input is a pipe that closes
    /// when we end, however we end.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[&OsStr],
        environment: &[(&str, String)],
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let inherited = std::env::vars_os().filter(|(k, _)| k == "PATH" || k == "HOME");
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(inherited)
            .envs(environment.iter().map(|(k, v)| (*k, v.as_str())))
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("start {name} ({})", program.display()))?;
        Ok(Self { name, child, log })
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails, with the end of its log, when the process is no longer running.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended ({status}); {}:\n{}", self.name, self.log.display(), tail(&self.log));
        }
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        let mut waited = Duration::ZERO;
        while waited < GRACE {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(STEP);
            waited += STEP;
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing more can be done about a process that cannot be ended.
        let _ = self.end();
    }
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
