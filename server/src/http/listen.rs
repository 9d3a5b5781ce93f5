//! Listening, with TLS or without, until everybody was answered.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use crate::config::Tls;

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error(
        "{0} is in use by another program: end it, or give another address with --listen or \
         server.listen"
    )]
    InUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("{0} cannot be listened on")]
    Address(SocketAddr, #[source] io::Error),
    /// The certificate and the key cannot be used.
    #[error("the certificate {} and its key cannot be used", .0.display())]
    Tls(PathBuf, #[source] io::Error),
}

/// Takes the address, before anything else is started for it.
///
/// # Errors
/// When another program has it, or it is not this machine's.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        _ => ListenError::Address(address, error),
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Http {
    handle: Handle<SocketAddr>,
    serving: JoinHandle<io::Result<()>>,
}

impl Http {
    /// Serves `router` from `listener`.
    ///
    /// # Errors
    /// When the certificate and its key cannot be used.
    pub(crate) async fn serve(
        listener: TcpListener,
        tls: Option<&Tls>,
        router: Router,
    ) -> Result<Self, ListenError> {
        let handle = Handle::new();
        let service = router.into_make_service();
        let serving = if let Some(Tls { cert, key }) = tls {
            // Another may have been installed for the whole process, and does as well.
            let _ = aws_lc_rs::default_provider().install_default();
            let failed = |error| ListenError::Tls(cert.clone(), error);
            let config = RustlsConfig::from_pem_file(cert, key).await.map_err(failed)?;
            let server = axum_server::from_tcp_rustls(listener, config).map_err(failed)?;
            tokio::spawn(server.handle(handle.clone()).serve(service))
        } else {
            let address = listener.local_addr();
            let failed = |error| match address {
                Ok(address) => ListenError::Address(address, error),
                Err(_) => ListenError::Address(SocketAddr::from(([0, 0, 0, 0], 0)), error),
            };
            let server = axum_server::from_tcp(listener).map_err(failed)?;
            tokio::spawn(server.handle(handle.clone()).serve(service))
        };
        Ok(Self { handle, serving })
    }

    /// Takes no more connections, and ends when everybody was answered, or after `time`.
    pub(crate) async fn stop(self, time: Duration) {
        self.handle.graceful_shutdown(Some(time));
        let _ = self.serving.await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// The first line of the answer to a request with these headers.
    async fn told(to: SocketAddr, headers: &str) -> String {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        // The server may have answered and gone before it took everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn i62_headers_that_are_too_many_or_too_long_are_refused() {
        let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "answered"));
        let http = Http::serve(listener, None, router).await.unwrap();
        let close = "connection: close\r\n";
        assert_eq!(told(address, close).await, "HTTP/1.1 200 OK");
        let many = "x-short: 1\r\n".repeat(500);
        let long = format!("x-long: {}\r\n", "a".repeat(2 << 20));
        for headers in [many, long] {
            let told = told(address, &format!("{headers}{close}")).await;
            assert!(told.starts_with("HTTP/1.1 431"), "{told}");
        }
        assert_eq!(told(address, close).await, "HTTP/1.1 200 OK", "others are answered");
        http.stop(Duration::from_secs(1)).await;
    }
}
