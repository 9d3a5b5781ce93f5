//! Failures before a request is on its way: over TLS, as in production.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::*;

/// Resolves every name to these addresses; to none, as when DNS is down.
struct Names(Vec<SocketAddr>);

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses = self.0.clone();
        Box::pin(async move {
            if addresses.is_empty() {
                return Err("the name could not be resolved".into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The outcome of a call whose host is at this address.
async fn call(address: Option<SocketAddr>) -> SalesforceError {
    let names = Names(address.into_iter().collect());
    // As in production, an answer is waited for longer than a connection.
    let options = HttpOptions { read_timeout: Duration::from_secs(2), ..quick() };
    let client = Client::new(Http::resolving(options, names).unwrap(), ApiVersion::default());
    client.limits(&a_session()).await.unwrap_err()
}

/// It certainly had no effect, and may be made again.
#[track_caller]
fn assert_never_sent(error: &SalesforceError) {
    assert!(matches!(error, SalesforceError::Transport(e) if !e.was_sent()), "{error:?}");
    assert!(matches!(error.advice(), Advice::Retry { .. }), "{error:?}");
    assert!(!error.is_outcome_unknown(), "{error:?}");
    assert_tells_no_secret(error);
}

#[tokio::test]
async fn f49_a_name_that_does_not_resolve_is_tried_again() {
    assert_never_sent(&call(None).await);
}

#[tokio::test]
async fn f49_a_tls_handshake_that_is_reset_is_tried_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            // Closed with most of the greeting unread, which the kernel answers with a reset.
            let _ = socket.read(&mut [0; 5]).await;
        }
    });
    assert_never_sent(&call(Some(address)).await);
}

#[tokio::test]
async fn f49_a_connection_that_is_half_open_is_given_up() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let began = std::time::Instant::now();
    assert_never_sent(&call(Some(address)).await);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    drop(listener);
}

#[tokio::test]
async fn f49_a_server_without_salesforces_certificate_gets_no_token() {
    let (server, _) = a_server().await;
    assert_never_sent(&call(Some(*server.address())).await);
    assert!(server.received_requests().await.unwrap().is_empty());
}
