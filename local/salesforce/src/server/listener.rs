//! Accepts connections: plain HTTP, TLS, and HTTP `CONNECT` that turns into either.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Host;

/// How a request reached the simulator.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) tls: bool,
    pub(crate) ip: std::net::IpAddr,
}

/// A handler's answer; `None` closes the connection without one.
pub(crate) type Answer = Option<Response<Body>>;

/// The service refuses to answer, so that hyper closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped by a planned fault")]
struct Dropped;

/// Accepts connections until the task is aborted; its connections end with it.
pub(crate) async fn serve<H, F>(listener: TcpListener, acceptor: Option<TlsAcceptor>, handler: H)
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        // An accept error is of one connection, or of too many open files: both pass.
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let (acceptor, handler) = (acceptor.clone(), handler.clone());
        connections.spawn(async move {
            // A broken connection is the client's to notice.
            let _: std::io::Result<()> = connection(stream, peer, acceptor, handler).await;
        });
    }
}

async fn connection<H, F>(
    mut stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    handler: H,
) -> std::io::Result<()>
where
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    stream.set_nodelay(true)?;
    let proxied = first_bytes(&stream).await?.starts_with(b"CONNECT");
    if proxied && !tunnel(&mut stream).await? {
        return Ok(());
    }
    let tls = first_bytes(&stream).await?.first() == Some(&0x16);
    let peer = Peer { tls, ip: peer.ip() };
    match acceptor {
        Some(acceptor) if tls => http(acceptor.accept(stream).await?, peer, handler).await,
        _ => http(stream, peer, handler).await,
    }
    Ok(())
}

/// Looks at the first bytes without taking them.
async fn first_bytes(stream: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut buffer = [0; 7];
    // A client may send its first line in pieces; its first byte identifies a TLS hello.
    for _ in 0..50 {
        let n = stream.peek(&mut buffer).await?;
        if n == 0 || n == buffer.len() || buffer[0] != b'C' {
            return Ok(buffer[..n].to_vec());
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Ok(Vec::new())
}

/// Answers `CONNECT`. Hosts that are not Salesforce's are refused: the simulator never connects
/// onwards.
async fn tunnel(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16_384 {
            return Ok(false);
        }
        // Byte by byte, so that nothing behind the head is consumed.
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let authority = head.split(' ').nth(1).unwrap_or_default();
    if Host::parse(authority, true) == Host::Unknown {
        let body =
            format!("The Salesforce simulator serves Salesforce's hosts only, not {authority}.\n");
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: \
             {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        return Ok(false);
    }
    stream.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n").await?;
    Ok(true)
}

async fn http<S, H, F>(stream: S, peer: Peer, handler: H)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = handler(request, peer.clone());
        async move { answer.await.ok_or(Dropped) }
    });
    // 16,384 bytes for the URI and headers are Salesforce's own limit; hyper answers 431 above it.
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // An idle connection lives as long as its client likes, so that none dies just as a test
        // uses it.
        .header_read_timeout(None)
        .max_buf_size(64 * 1024)
        // As Salesforce writes them; airbyte's connector looks for `content-type` and must not find
        // it.
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    // An error here is a dropped connection, planned or the client's.
    let _: Result<(), hyper::Error> = connection.await;
}

/// A handler that cannot drop connections, such as the control API's router.
pub(crate) fn always(
    router: axum::Router,
) -> impl Fn(Request<Incoming>, Peer) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>
+ Clone
+ Send
+ Sync
+ 'static {
    move |request, _| {
        let router = router.clone();
        Box::pin(async move {
            let answer: Result<Response<Body>, Infallible> =
                tower::ServiceExt::oneshot(router, request.map(Body::new)).await;
            answer.ok()
        })
    }
}
