//! The client against servers on loopback: each test says what Salesforce answers and what the
//! caller then knows.

mod bulk;
mod connecting;
mod oauth;
mod rest;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::MockServer;

use super::*;

const ACCESS_TOKEN: &str = "00Dxx!canary-access";
const INSTANCE: &str = "https://acme.my.salesforce.com";
const ID_URL: &str = "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS";

fn an_instance() -> InstanceUrl {
    InstanceUrl::parse(INSTANCE, HostPolicy::Commercial).unwrap()
}

fn a_session() -> Session {
    Session { instance: an_instance(), access_token: SecretString::from(ACCESS_TOKEN) }
}

/// Short waits, so that a test of a timeout is quick.
fn quick() -> HttpOptions {
    HttpOptions {
        connect_timeout: Duration::from_millis(500),
        read_timeout: Duration::from_millis(300),
        total_timeout: Duration::from_secs(2),
        download_timeout: Duration::from_secs(2),
        token_timeout: Duration::from_millis(300),
        ..HttpOptions::default()
    }
}

fn http_to(address: SocketAddr) -> Http {
    Http::to_loopback(quick(), address).unwrap()
}

fn client_to(address: SocketAddr) -> Client {
    Client::new(http_to(address), ApiVersion::default())
}

async fn a_server() -> (MockServer, Client) {
    let server = MockServer::start().await;
    let client = client_to(*server.address());
    (server, client)
}

/// A server that answers every connection with these bytes and then hangs up.
async fn a_raw_server(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 64 << 10];
            // A small request comes in one piece on loopback.
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(&answer).await;
            let _ = socket.shutdown().await;
        }
    });
    address
}

/// A port that nothing listens on.
async fn a_dead_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap()
}

/// All that an error says, to a person or to a debugger.
fn everything_said(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(|error| format!("{error} {error:?} ")).collect::<Vec<_>>().concat()
}

#[track_caller]
fn assert_tells_no_secret(error: &(dyn Error + 'static)) {
    let said = everything_said(error);
    assert!(!said.contains("canary"), "{said}");
}

/// Use cases run on a multi-threaded runtime.
#[test]
fn every_call_can_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let client = client_to(SocketAddr::from(([127, 0, 0, 1], 1)));
    let oauth = OAuthClient::new(
        client.http.clone(),
        AppCredentials {
            client_id: "3MVG9key".to_owned(),
            client_secret: SecretString::from("canary"),
        },
    );
    let (session, soql) = (a_session(), Select::count("Account").build().unwrap());
    let (host, token) = (LoginHost::production(), SecretString::from("canary"));
    is_send(oauth.refresh(&host, &token, &Scopes::default()));
    is_send(oauth.revoke(&host, &token));
    is_send(client.query_pages(&session, QueryScope::All, &soql));
    is_send(client.create_query_job(&session, BulkOperation::Query, &soql));
    let job = JobId("750000000000001".parse().unwrap());
    is_send(async {
        let page = client.query_results(&session, job, None, 1).await?;
        let mut rows = page.into_rows();
        while rows.next().await?.is_some() {}
        Ok::<_, SalesforceError>(())
    });
}

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}
