//! Loopback listeners and the client that talks to them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A client for loopback: no proxy of the environment, no redirects followed.
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_mins(2))
        .build()
        .context("make an HTTP client")
}

/// Listens on loopback; port 0 takes a free one.
pub(crate) async fn listen(port: u16) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("listen on 127.0.0.1:{port}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A port that was free a moment ago, for a process that takes a number only.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener =
        std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?.port())
}

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Server(JoinHandle<()>);

impl Server {
    /// Serves a router on a free port of loopback; gives its address too.
    pub async fn start(router: Router) -> anyhow::Result<(Self, SocketAddr)> {
        let (listener, address) = listen(0).await?;
        Ok((Self::spawn(listener, router), address))
    }

    /// Serves `router` from `listener`.
    #[must_use]
    pub fn spawn(listener: TcpListener, router: Router) -> Self {
        Self(tokio::spawn(async move {
            // Serving ends only with the task: accept errors are retried inside.
            let _ = axum::serve(listener, router).await;
        }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}
