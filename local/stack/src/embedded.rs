//! `crm-sync serve`, as a child process, with a data folder and a configuration of its own.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::home::{Left, Traces};
use crate::issuer::Caller;
use crate::options::{StackOptions, empty};
use crate::process::Process;
use crate::simulator::Simulator;
use crate::stack::{CLIENT_ID, CLIENT_SECRET};
use crate::watch::{PATIENCE, Watch};
use crate::{metrics, net, stores};

const STEP: Duration = Duration::from_millis(20);
/// How long a token is valid: longer than any demo.
const TOKEN_VALID: &str = "12h";
/// Starts that are tried: another process may take the port first.
const ATTEMPTS: usize = 3;

/// How long one process purges after its last work, in seconds: on a small org its work is short.
const LONGEST_GRACE: u32 = 2;

/// The running process, and the simulator that it talks to.
#[derive(Debug)]
pub struct Embedded {
    // Dropped in this order: first what calls, then what is called.
    server: Process,
    simulator: Simulator,
    base: String,
    program: PathBuf,
    config: PathBuf,
    data: PathBuf,
    client: reqwest::Client,
    _lock: File,
}

impl Embedded {
    pub(crate) async fn start(options: &StackOptions) -> anyhow::Result<Self> {
        let lock = lock(&options.state)?;
        empty(&options.state)?;
        let program = options.binaries.join("crm-sync");
        ensure!(program.exists(), "{} is missing; `make demo` builds it", program.display());
        let org = options.org.as_deref().context("no org was given to simulate")?;
        let simulator = Simulator::start(options, org).await?;
        let client = net::client()?;
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            let port = if options.port == 0 { net::free_port()? } else { options.port };
            match serve(options, &program, &simulator, port, &client).await {
                Ok(server) => {
                    return Ok(Self {
                        server,
                        simulator,
                        base: format!("http://127.0.0.1:{port}"),
                        program,
                        config: config_file(options),
                        data: data_folder(options),
                        client,
                        _lock: lock,
                    });
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| anyhow::anyhow!("crm-sync serve was not started")))
    }

    /// The address of the API, without a slash at the end.
    #[must_use]
    pub fn api_base(&self) -> &str {
        &self.base
    }

    /// The simulated Salesforce.
    #[must_use]
    pub fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// The process, for who measures it.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.server.id()
    }

    /// The folder of its stores.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The command that prints a token of the product's own service.
    #[must_use]
    pub fn token_command(&self) -> String {
        format!(
            "{} token --config {} --role service",
            self.program.display(),
            self.config.display()
        )
    }

    /// The command that prints a link to the console of a tenant's admin.
    #[must_use]
    pub fn console_command(&self, tenant: &str) -> String {
        let (program, config) = (self.program.display(), self.config.display());
        format!("{program} console --config {config} --tenant {tenant}")
    }

    /// A link that logs in to the console as the admin of a tenant, from `crm-sync console`.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn console_link(&self, tenant: &str) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("console").arg("--config").arg(&self.config).args(["--tenant", tenant]);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(
            output.status.success(),
            "crm-sync console failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// A token for `caller`, as an operator gets one: from `crm-sync token`.
    pub(crate) async fn token(&self, caller: Caller<'_>) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("token").arg("--config").arg(&self.config).args(["--valid", TOKEN_VALID]);
        for role in caller.roles {
            command.args(["--role", role]);
        }
        for (name, value) in [("--tenant", caller.tenant), ("--seat", caller.seat)] {
            command.args(value.map(|value| [name, value]).into_iter().flatten());
        }
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(
            output.status.success(),
            "crm-sync token failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// How many messages wait or are worked on, in each queue.
    pub(crate) async fn messages_under_way(&self) -> anyhow::Result<Vec<(String, u64)>> {
        Ok(metrics::under_way(&self.metrics().await?))
    }

    /// The queues with messages that failed for good, and how many.
    pub(crate) async fn parked_messages(&self) -> anyhow::Result<Vec<(String, u64)>> {
        Ok(metrics::parked(&self.metrics().await?))
    }

    /// Counts what the stores hold of the generations of a connection.
    pub(crate) fn left(&self, of: &Traces) -> anyhow::Result<Left> {
        stores::left(&self.data, of)
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        let answer = self.client.get(format!("{}/metrics", self.base)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}

/// Holds the folder until the file is closed, however we end: it is emptied when a demo starts.
fn lock(state: &Path) -> anyhow::Result<File> {
    let path = state.with_extension("lock");
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("a demo is running already; ctrl-c ends it there"),
        Err(TryLockError::Error(error)) => Err(error).context("hold the demo's folder"),
    }
}

fn config_file(options: &StackOptions) -> PathBuf {
    options.file("crm-sync.toml")
}

fn data_folder(options: &StackOptions) -> PathBuf {
    options.file("data")
}

/// The process's configuration: our app at the simulator, and how long a purge waits.
fn configuration(
    options: &StackOptions,
    simulator: &Simulator,
    port: u16,
) -> anyhow::Result<String> {
    let secret = options.file("client-secret");
    write_secret(&secret, CLIENT_SECRET)?;
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let path = |value: &Path| text(&value.display().to_string());
    Ok(format!(
        "[server]\n\
         listen = \"127.0.0.1:{port}\"\n\
         public_base = \"http://127.0.0.1:{port}\"\n\
         \n\
         [data]\n\
         dir = {data}\n\
         \n\
         [salesforce]\n\
         client_id = {CLIENT_ID:?}\n\
         client_secret = {{ file = {secret} }}\n\
         ca_file = {authority}\n\
         browser_base = {browser}\n\
         \n\
         [callers]\n\
         builtin = true\n\
         \n\
         [purge]\n\
         grace = \"{grace}s\"\n\
         \n\
         [log]\n\
         filter = {filter}\n",
        data = path(&data_folder(options)),
        secret = path(&secret),
        authority = text(&simulator.ca_file()?),
        browser = text(simulator.http_url()),
        grace = options.purge_grace_seconds.min(LONGEST_GRACE),
        filter = text(&options.log_filter),
    ))
}

/// Writes a file that only its owner can read.
fn write_secret(path: &Path, secret: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(secret.as_bytes())?;
    Ok(())
}

/// Starts the process and waits until it is ready.
async fn serve(
    options: &StackOptions,
    program: &Path,
    simulator: &Simulator,
    port: u16,
    client: &reqwest::Client,
) -> anyhow::Result<Process> {
    let config = config_file(options);
    std::fs::write(&config, configuration(options, simulator, port)?)
        .with_context(|| format!("write {}", config.display()))?;
    let arguments: [&OsStr; 3] = ["serve".as_ref(), "--config".as_ref(), config.as_os_str()];
    // The way to the simulator under Salesforce's own host names, as to any proxy.
    let environment = [
        ("HTTPS_PROXY", simulator.proxy_url().to_owned()),
        ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
    ];
    let log = options.file("serve.log");
    let mut server = Process::start("crm-sync serve", program, &arguments, &environment, log)?;
    let ready = format!("http://127.0.0.1:{port}/health/ready");
    let mut watch = Watch::new(Instant::now());
    while !watch.stands_still("starting", Instant::now()) {
        server.check()?;
        if client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(server);
        }
        tokio::time::sleep(STEP).await;
    }
    bail!("crm-sync serve was not ready in {} minutes", PATIENCE.as_secs() / 60)
}
