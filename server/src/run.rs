//! The process: from its configuration to a server that works, and to its end.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use console::{Console, OpenId, OpenIdClient};
use embedded::objects::MappedObjects;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use shared::capabilities::custody::SalesforceApp;
use shared::capabilities::leaving::PurgeSteps;
use shared::capabilities::sessions::Sessions;
use shared::host::{OsEntropy, SystemClock};
use shared::kernel::Queue;
use shared::matching::InvalidModel;
use shared::ports::{Clock, PortError, Ports, Secrets};
use shared::product::{Functions, Orgs, Product};
use shared::salesforce::{HttpError, HttpOptions};
use shared::work::chain;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::{App, Callers, Config, SecretError};
use crate::control::{self, Commands};
use crate::events::{Sinks, SinksError};
use crate::http::{self, Frame, Http, ListenError, Readiness};
use crate::issuer::{AUDIENCE, BuiltInIssuer, ISSUER, IssuerError};
use crate::metrics::Metrics;
use crate::stores::{self, Stores, StoresError};
use crate::ticks;
use crate::workers::Workers;

/// The secret with the app's consumer key and secret.
const APP_SECRET: &str = "salesforce-app";

/// How the names of the connections' secrets begin.
const SECRET_PREFIX: &str = "crm-sync/";

/// An issuer answers at once or is down.
const ISSUER_TIMEOUT: Duration = Duration::from_secs(5);

/// A thread that waits for the disk and has nothing to do ends after this long.
const IDLE_THREAD: Duration = Duration::from_millis(250);

/// A settlement takes a fraction of a second, and nobody else works on this folder: one that was
/// killed holds up the next start no longer than this.
const SETTLE_LEASE: SignedDuration = SignedDuration::from_secs(20);

/// Whoever is being answered has this long at the end, and so has the work.
const GRACEFUL: Duration = Duration::from_secs(8);

/// What was asked of the disk and cannot be cut off has this long behind them.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Why the process does not start. Nothing runs then.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be served.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The stores cannot be opened.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// A store does not work.
    #[error("a store does not work")]
    Port(#[from] PortError),
    /// A secret that the configuration names cannot be had.
    #[error("{key} cannot be had")]
    Secret {
        /// The key of the configuration.
        key: &'static str,
        /// Why.
        source: SecretError,
    },
    /// Nobody can be told what happens.
    #[error(transparent)]
    Events(#[from] SinksError),
    /// A file cannot be read.
    #[error("{} cannot be read", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// No client for Salesforce can be made.
    #[error("salesforce.ca_file cannot be used")]
    Salesforce(#[source] HttpError),
    /// No client for the issuer can be made.
    #[error("the issuer's keys cannot be fetched")]
    Client(#[source] reqwest::Error),
    /// Nobody can log in to the console.
    #[error("[console] cannot be used")]
    Console(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The built-in issuer does not work.
    #[error("the built-in issuer does not work")]
    Issuer(#[from] IssuerError),
    /// The socket for commands cannot be made.
    #[error("the socket {} cannot be made", .0.display())]
    Control(PathBuf, #[source] std::io::Error),
    /// The model that is shipped is broken.
    #[error("the model that is shipped is broken")]
    Model(#[source] &'static InvalidModel),
    /// The system gives no threads.
    #[error("no threads can be started")]
    Threads(#[source] std::io::Error),
}

/// A process that works.
pub struct Running {
    address: SocketAddr,
    summary: Vec<String>,
    readiness: Readiness,
    stopping: CancellationToken,
    tasks: TaskTracker,
    http: Http,
    /// The workers' threads: scoring keeps them busy while requests are answered by others.
    runtime: Option<Runtime>,
    /// Last, so that the folder is another's only when nothing works on it any more.
    stores: Stores,
}

impl Running {
    /// Starts everything.
    ///
    /// # Errors
    /// When anything is missing: then nothing runs.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let listener = http::bind(config.listen)?;
        let address = listener.local_addr().unwrap_or(config.listen);
        let public_base = public_base(config, address);
        let stores = Stores::open(config, base_of(&public_base)).await?;
        let ports =
            stores.ports(Arc::new(Sinks::open(&config.events, config.mail.as_ref()).await?));
        let issuer = match config.callers {
            Callers::BuiltIn => Some(Arc::new(BuiltInIssuer::make(&*ports.secrets).await?)),
            Callers::Issuer { .. } => None,
        };
        let product = product(config, &ports, public_base.clone()).await?;
        let metrics = Metrics::new(stores.queues.clone());
        let files = Arc::new(MappedObjects::new(stores.objects.clone()));
        let workers = Arc::new(Workers {
            queues: stores.queues.clone(),
            outbox: product.outbox(),
            functions: functions(config, &product, files.clone())?,
            metrics: metrics.clone(),
            clock: Arc::new(SystemClock),
        });
        let frame = Frame {
            readiness: Readiness::default(),
            metrics,
            entropy: Arc::new(OsEntropy),
            keys: issuer.as_ref().map(|issuer| Arc::new(issuer.keys().clone())),
        };
        let http = serve(config, listener, &product, &stores, issuer.as_ref(), &frame).await?;
        let socket = control::socket(&config.data);
        let commands = control::listen(&config.data);
        let commands = commands.map_err(|error| StartError::Control(socket, error))?;
        let running = Self {
            address,
            summary: summary(config, &public_base, address, &stores),
            readiness: frame.readiness.clone(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            http,
            runtime: Some(threads().map_err(StartError::Threads)?),
            stores,
        };
        let about = (issuer, product.sessions(), base_of(&public_base));
        running.work(config, &workers, files, commands, about);
        Ok(running)
    }

    /// Sends what a process before this one left, then starts what works on it.
    fn work(
        &self,
        config: &Config,
        workers: &Arc<Workers>,
        files: Arc<MappedObjects>,
        commands: tokio::net::UnixListener,
        (issuer, sessions, public_base): (Option<Arc<BuiltInIssuer>>, Sessions, String),
    ) {
        let Some(runtime) = &self.runtime else { return };
        let threads = runtime.handle();
        let stopping = &self.stopping;
        let acted_on = Commands {
            issuer,
            sessions,
            public_base,
            stores: self.stores.live(&config.data),
            config: config.clone(),
            backups: Arc::new(Semaphore::new(1)),
            rotations: Mutex::default(),
        };
        let commands = control::serve(commands, acted_on);
        let commands = stopping.clone().run_until_cancelled_owned(commands);
        self.tasks.spawn_on(commands, threads);
        let counts = Queue::ALL.map(|queue| (queue, config.workers_of(queue)));
        let (tasks, readiness) = (self.tasks.clone(), self.readiness.clone());
        let (workers, stopping) = (workers.clone(), stopping.clone());
        let (table, file) = (self.stores.table.clone(), stores::table_file(&config.data));
        let objects = self.stores.objects.clone();
        let begin = async move {
            let is_dead = |due: &str| workers.queues.is_dead(due);
            match workers.outbox.recover_but(&is_dead).await {
                Ok(sent) => tracing::info!(messages.count = sent, "what was left is taken up"),
                // The tick brings what is missing, after its grace.
                Err(error) => tracing::error!(error = chain(&error), "not all was taken up"),
            }
            for (queue, count) in counts {
                workers.start(queue, count, &tasks, &stopping);
            }
            let (outbox, metrics) = (workers.outbox.clone(), workers.metrics.clone());
            tasks.spawn(ticks::tick(outbox, metrics.clone(), stopping.clone()));
            let (clock, told) = (workers.clock.clone(), metrics.clone());
            tasks.spawn(ticks::sweep_objects(objects, clock.clone(), stopping.clone()));
            tasks.spawn(ticks::sweep(table.clone(), file, clock, told, stopping.clone()));
            tasks.spawn(ticks::rest(table, files, metrics, stopping));
            readiness.ready();
        };
        self.tasks.spawn_on(begin, threads);
    }

    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What whoever started the process wants to know, in a few lines.
    #[must_use]
    pub fn summary(&self) -> &[String] {
        &self.summary
    }

    /// Ends within ten seconds: no further message and no further connection is taken, and what is
    /// under way has eight seconds. What is not done by then comes again at the next start.
    pub async fn stop(mut self) {
        tracing::info!("stopping");
        self.readiness.stopping();
        self.stopping.cancel();
        self.tasks.close();
        let work = tokio::time::timeout(GRACEFUL, self.tasks.wait());
        let (done, ()) = tokio::join!(work, self.http.stop(GRACEFUL));
        if done.is_err() {
            tracing::warn!(tasks.count = self.tasks.len(), "work is cut off, and comes again");
        }
        if let Some(runtime) = self.runtime.take() {
            // What a task asked of the disk before it ended may still have the folder's files open.
            let ended = tokio::task::spawn_blocking(|| runtime.shutdown_timeout(CUT_OFF));
            if let Err(error) = ended.await {
                tracing::error!(error = chain(&error), "the threads were not ended");
            }
        }
    }
}

/// Threads for the work beside those that answer requests. One that waits for the disk ends soon
/// after it was needed: the memory that it would keep for itself is the process's again.
fn threads() -> std::io::Result<Runtime> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.thread_name("work").thread_keep_alive(IDLE_THREAD).enable_all().build()
}

fn public_base(config: &Config, address: SocketAddr) -> Url {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let own = || Url::parse(&format!("{scheme}://{address}"));
    config
        .public_base
        .clone()
        .map_or_else(own, Ok)
        .unwrap_or_else(|_| unreachable!("a socket's address is the authority of a URL"))
}

/// The address without a slash at its end.
fn base_of(public_base: &Url) -> String {
    public_base.as_str().trim_end_matches('/').to_owned()
}

async fn product(
    config: &Config,
    ports: &Ports,
    public_base: Url,
) -> Result<Product<Orgs>, StartError> {
    let salesforce = &config.salesforce;
    if let Some(app) = &salesforce.app {
        keep_app(&*ports.secrets, app).await?;
    } else {
        tracing::warn!("no org can be connected: [salesforce] has no client_id");
    }
    let read =
        |path: &PathBuf| std::fs::read(path).map_err(|error| StartError::File(path.clone(), error));
    let ca_pem = salesforce.ca_file.as_ref().map(read).transpose()?;
    let options = HttpOptions { ca_pem, ..HttpOptions::default() };
    let http = shared::salesforce::Http::new(options).map_err(StartError::Salesforce)?;
    let app = SalesforceApp::new(
        ports.clone(),
        http,
        salesforce.api_version,
        APP_SECRET.to_owned(),
        public_base,
        salesforce.browser_base.clone(),
    );
    Ok(Product::new(ports.clone()).opening(SECRET_PREFIX.to_owned()).reaching(app))
}

/// Keeps the app's consumer key and secret where the product reads them, if they are new.
async fn keep_app(secrets: &dyn Secrets, app: &App) -> Result<(), StartError> {
    let read = app.client_secret.read().await;
    let key = "salesforce.client_secret";
    let secret = read.map_err(|source| StartError::Secret { key, source })?;
    let value = json!({ "client_id": app.client_id, "client_secret": secret.expose_secret() });
    let value = SecretString::from(value.to_string());
    let newest = secrets.newest(APP_SECRET).await?;
    if newest.is_none_or(|(_, held)| held.expose_secret() != value.expose_secret()) {
        let token = SystemClock.now().to_string();
        secrets.put(APP_SECRET, &value, &token).await?;
    }
    Ok(())
}

fn functions(
    config: &Config,
    product: &Product<Orgs>,
    files: Arc<MappedObjects>,
) -> Result<Functions, StartError> {
    let functions = product.functions(files, config.product_name.clone());
    let functions = functions.map_err(StartError::Model)?;
    let grace = config.purge_grace.unwrap_or(PurgeSteps::GRACE);
    Ok(functions.with_purge_grace(grace).with_settle_lease(SETTLE_LEASE))
}

async fn serve(
    config: &Config,
    listener: TcpListener,
    product: &Product<Orgs>,
    stores: &Stores,
    built_in: Option<&Arc<BuiltInIssuer>>,
    frame: &Frame,
) -> Result<Http, StartError> {
    let issuer = match (&config.callers, built_in) {
        (Callers::Issuer { issuer, audience, jwks_url }, _) => {
            let (name, audience, jwks_url) = (issuer.clone(), audience.clone(), jwks_url.clone());
            let http = reqwest::Client::builder().timeout(ISSUER_TIMEOUT);
            let clock = product.ports().clock.clone();
            let issuer = api::Issuer::new(name, audience, jwks_url, http, clock);
            issuer.map_err(StartError::Client)?
        }
        (Callers::BuiltIn, built_in) => {
            let keys = built_in.ok_or(IssuerError::NoKey)?.keys().clone();
            api::Issuer::with_keys(ISSUER.to_owned(), AUDIENCE.to_owned(), keys)
        }
    };
    let access = config.salesforce.network_access.clone().unwrap_or_default();
    let api = api::Api::new(product, issuer, access)
        .map_err(StartError::Model)?
        .with_security_contact(config.security_contact.clone());
    let (api, objects) = (api::router(api), stores.objects.clone());
    let console = console::router(console_over(config, product, api.clone()).await?);
    let router = http::router(frame.clone(), objects, product.connect(), (api, console));
    Ok(Http::serve(listener, config.tls.as_ref(), router).await?)
}

/// The console over the API's routes, and the issuer at which people log in to it.
async fn console_over(
    config: &Config,
    product: &Product<Orgs>,
    api: Router,
) -> Result<Console, StartError> {
    let base = product.public_base();
    let console = Console::new(api, product.sessions(), base.starts_with("https:"));
    let Some(login) = &config.console else { return Ok(console) };
    let client_secret = match &login.client_secret {
        Some(secret) => {
            let key = "console.client_secret";
            let read = secret.read().await;
            Some(read.map_err(|source| StartError::Secret { key, source })?)
        }
        None => None,
    };
    let (issuer, client_id) = (login.issuer.clone(), login.client_id.clone());
    let client = OpenIdClient { issuer, client_id, client_secret };
    let (http, ports) = (reqwest::Client::builder(), product.ports());
    let openid = OpenId::new(client, &base, http, ports.clock.clone(), ports.entropy.clone());
    Ok(console.with_openid(openid.map_err(StartError::Console)?))
}

/// The addresses, the folder, and who issues tokens.
fn summary(config: &Config, base: &Url, address: SocketAddr, stores: &Stores) -> Vec<String> {
    let mut lines = vec![
        format!("crm-sync listens on {address}; it is reached at {base}"),
        format!("everything is kept in {}", config.data.display()),
    ];
    if let Some(path) = &stores.new_key {
        let path = path.display();
        lines.push(format!(
            "a master key was made: {path} (keep a copy elsewhere: without it the data is lost)"
        ));
    }
    lines.push(match &config.console {
        Some(login) => format!("people log in to {base}console at {}", login.issuer),
        None => "`crm-sync console --tenant TENANT` prints a link to the console".to_owned(),
    });
    lines.push(match &config.callers {
        Callers::BuiltIn => "callers bring a token of `crm-sync token`".to_owned(),
        Callers::Issuer { issuer, .. } => format!("callers bring a token of {issuer}"),
    });
    lines
}
