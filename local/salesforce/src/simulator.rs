//! A running simulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::control::{Control, ControlError, router};
use crate::grants::{App, OAuth};
use crate::server::{Identity, TlsError, always, serve};
use crate::service::answer;
use crate::world::{Addresses, World};

/// How a simulator starts.
#[derive(Clone, Debug)]
pub struct SimulatorOptions {
    /// Folders of CSV files, each an org.
    pub orgs: Vec<PathBuf>,
    /// The My Domain of the first folder's org, above what its `org.json` says.
    pub my_domain: Option<String>,
    /// The first folder's org is a sandbox.
    pub sandbox: bool,
    /// The apps that orgs know.
    pub apps: Vec<App>,
    /// The port of HTTP, TLS and the proxy; 0 for a free one.
    pub http_port: u16,
    /// The port of the control API; 0 for a free one.
    pub control_port: u16,
    /// Where simulated time begins, in milliseconds since 1970; real time when `None`.
    pub start: Option<i64>,
    /// Makes tokens differ from those of other simulators.
    pub seed: u64,
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            orgs: Vec::new(),
            my_domain: None,
            sandbox: false,
            apps: vec![App::default()],
            http_port: 0,
            control_port: 0,
            start: None,
            seed: 1,
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is in use.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[from] std::io::Error),
    /// The test certificate could not be made.
    #[error("cannot set up TLS")]
    Tls(#[from] TlsError),
    /// An org could not be loaded.
    #[error("cannot load an org")]
    Org(#[from] ControlError),
}

/// A Salesforce of one's own, listening on loopback until it is dropped.
pub struct Simulator {
    world: Arc<World>,
    addresses: Addresses,
    ca_pem: String,
    tasks: Vec<JoinHandle<()>>,
}

impl Simulator {
    /// Starts a simulator in the current tokio runtime.
    pub async fn start(options: SimulatorOptions) -> Result<Self, StartError> {
        let mut oauth = OAuth::default();
        for app in options.apps {
            oauth.put_app(app);
        }
        let world = Arc::new(World::new(options.start, options.seed, oauth));
        let control = Control::new(Arc::clone(&world));
        let mut my_domain = options.my_domain;
        for (n, folder) in options.orgs.iter().enumerate() {
            control.load_folder(folder, my_domain.take().as_deref(), options.sandbox && n == 0)?;
        }
        let identity = Identity::new()?;
        let (main, main_url) = listen(options.http_port).await?;
        let (side, control_url) = listen(options.control_port).await?;
        let addresses = Addresses { http: main_url, control: control_url };
        // Nobody else has set it: the world is new.
        let _ = world.addresses.set(addresses.clone());
        let served = Arc::clone(&world);
        let handler = move |request, peer| answer(Arc::clone(&served), request, peer);
        let tasks = vec![
            tokio::spawn(serve(main, Some(identity.acceptor), handler)),
            tokio::spawn(serve(side, None, always(router(Arc::clone(&world))))),
        ];
        Ok(Self { world, addresses, ca_pem: identity.ca_pem, tasks })
    }

    /// Plain HTTP on loopback: for a person's browser, and for clients that accept it. It stands
    /// for every host.
    #[must_use]
    pub fn http_url(&self) -> &str {
        &self.addresses.http
    }

    /// The HTTP proxy that answers for every Salesforce host over TLS; see [`Simulator::ca_pem`].
    #[must_use]
    pub fn proxy_url(&self) -> &str {
        &self.addresses.http
    }

    /// The control API.
    #[must_use]
    pub fn control_url(&self) -> &str {
        &self.addresses.control
    }

    /// The certificate of the CA that signed every host's certificate, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The control API's powers, in process.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.world))
    }

    /// Ends the simulator and its connections; dropping it does the same.
    pub fn stop(self) {}
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn listen(port: u16) -> std::io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}
