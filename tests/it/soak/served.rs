//! `crm-sync serve` as a child process that is killed, and its API.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use salesforce_simulator::Simulator;
use serde_json::Value;
use tempfile::TempDir;

/// A start takes less than this, also on a busy machine.
const START: Duration = Duration::from_mins(1);

/// An answer takes less than this.
const ANSWER: Duration = Duration::from_secs(20);

/// After this long a stop is given up: it hangs.
const STOP: Duration = Duration::from_mins(1);

/// A start that takes longer is shown with its log: most take a fraction of a second.
const SLOW: Duration = Duration::from_secs(5);

/// Between two looks at whether it has started or ended.
const LOOK: Duration = Duration::from_millis(20);

/// How much of the log is shown when something fails, in bytes.
const LOG_SHOWN: usize = 8_000;

/// A process and the folder that outlives it.
pub(crate) struct Served {
    program: PathBuf,
    folder: TempDir,
    address: SocketAddr,
    proxy: String,
    client: Client,
    child: Mutex<Option<Child>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Served {
    /// A folder for a process that reaches the simulator in place of Salesforce.
    pub(crate) fn new(program: &Path, simulator: &Simulator) -> Self {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", simulator.ca_pem());
        write("app-secret", "crm-sync-local-secret");
        let own = fs::Permissions::from_mode(0o600);
        fs::set_permissions(folder.path().join("app-secret"), own).unwrap();
        write(
            "crm-sync.toml",
            "[data]\ndir = \"data\"\n[salesforce]\nclient_id = \"crm-sync-local\"\n\
             client_secret = { file = \"app-secret\" }\nca_file = \"ca.pem\"\n",
        );
        Self {
            program: program.to_owned(),
            folder,
            // Free a moment ago, and ours from start to start.
            address: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
            proxy: simulator.proxy_url().to_owned(),
            client: Client::builder().no_proxy().timeout(ANSWER).build().unwrap(),
            child: Mutex::default(),
        }
    }

    /// The folder that everything is kept in.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The end of what the process of now and those before it logged.
    pub(crate) fn shown_log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log[log.floor_char_boundary(log.len().saturating_sub(LOG_SHOWN))..].to_owned()
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(name).arg("--config").arg(self.folder.path().join("crm-sync.toml"));
        command.env("HTTPS_PROXY", &self.proxy).env("NO_PROXY", "127.0.0.1");
        command
    }

    /// Starts the process, and waits until it takes work.
    pub(crate) async fn start(&self) {
        let log = self.folder.path().join("log");
        let log = File::options().append(true).create(true).open(log).unwrap();
        let mut command = self.command("serve");
        command.args(["--listen", &self.address.to_string()]);
        *self.child() = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let begun = Instant::now();
        let (mut told, mut asked) = (String::new(), 0);
        loop {
            let ready = self.client.get(self.url("/health/ready")).send().await;
            if ready.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                if begun.elapsed() > SLOW {
                    let log = self.shown_log();
                    println!("ready {:?} after {asked} times {told}:\n{log}", begun.elapsed());
                }
                return;
            }
            (told, asked) = (format!("{ready:?}"), asked + 1);
            let ended = self.child().as_mut().and_then(|child| child.try_wait().unwrap());
            let starts = ended.is_none() && begun.elapsed() < START;
            assert!(starts, "it does not start ({ended:?}):\n{}", self.shown_log());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Kills the process by SIGKILL: it does nothing more.
    pub(crate) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the process to end by SIGTERM, and waits until it has. Gives the time that it took.
    pub(crate) async fn terminate(&self) -> Duration {
        let begun = Instant::now();
        let id = self.child().as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        loop {
            let ended = self.child().as_mut().and_then(|child| child.try_wait().unwrap());
            if let Some(status) = ended {
                *self.child() = None;
                assert!(status.success(), "{status}:\n{}", self.shown_log());
                return begun.elapsed();
            }
            assert!(begun.elapsed() < STOP, "it does not end:\n{}", self.shown_log());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// A token for the API that outlives every kill.
    pub(crate) fn token(&self, words: &[&str]) -> String {
        let output = self.command("token").args(words).args(["--valid", "168h"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Where a path of it is.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A client for addresses that the API hands out.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }
}

/// Uploads a part of a directory. Whoever uploads to S3 tries again when it says "slow down".
pub(crate) async fn upload(client: &Client, address: &str, body: Vec<u8>) {
    for _ in 0..5 {
        let answer = client.put(address).body(body.clone()).send().await.unwrap();
        let status = answer.status();
        if status != StatusCode::SERVICE_UNAVAILABLE {
            assert!(status.is_success(), "{status}");
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
    panic!("it does not take the part");
}

/// Opens an address as a browser with this cookie does.
pub(crate) async fn open(client: &Client, address: &str, cookie: &str) -> Result<(), String> {
    read(client.get(address).header("cookie", cookie)).await.map(drop)
}

/// Sends a request and reads its JSON answer; an error where there is none, or it tells of one.
pub(crate) async fn answer(request: RequestBuilder) -> Result<Value, String> {
    serde_json::from_str(&read(request).await?).map_err(|error| error.to_string())
}

/// The items of all pages of a list.
pub(crate) async fn all_items(
    path: &str,
    get: impl AsyncFn(String) -> Result<Value, String>,
) -> Vec<Value> {
    let (mut items, mut next) = (Vec::new(), String::new());
    loop {
        let mut page = get(format!("{path}{next}")).await.unwrap();
        items.append(page["items"].as_array_mut().unwrap());
        let Some(cursor) = page["next"].as_str() else { return items };
        let and = if path.contains('?') { '&' } else { '?' };
        next = format!("{and}cursor={cursor}");
    }
}

async fn read(request: RequestBuilder) -> Result<String, String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if status.is_success() { Ok(text) } else { Err(format!("{status}: {text}")) }
}
