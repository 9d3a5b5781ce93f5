//! Each sink beside a receiver of the test's own.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::dns::Resolve;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use shared::host::SystemClock;
use shared::kernel::{Environment, Generation, ImportRunId, Occurrence, Scope, TenantId};
use shared::ports::{Clock, Disposition};
use shared::work::chain;
use tokio::net::TcpListener;
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::hook::{self, PublicName};
use super::*;
use crate::config::{Secret, Webhook};
use crate::testing::Read;

/// The key of the signatures, of 32 bytes.
const KEY: &[u8] = b"a key for the tests of signatures";

/// What a receiver that never answers is given.
const IMPATIENT: Duration = Duration::from_millis(300);

/// The `n`th event of a connection.
fn event(n: u64) -> Event {
    let tenant = TenantId::new(1_795_294_800_000, 7);
    let scope = Scope { tenant, environment: Environment::Production, generation: Generation(1) };
    let run = ImportRunId::new(1_795_294_800_000, u128::from(n));
    let time = Timestamp::from_second(1_795_294_800).unwrap();
    Event { scope, time, occurrence: Occurrence::ImportFailed { run } }
}

fn ids(lines: &str) -> Vec<String> {
    let id = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["id"].as_str().unwrap().to_owned()
    };
    lines.lines().map(id).collect()
}

fn id(n: u64) -> String {
    event(n).id().to_string()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn webhook(url: &str) -> Webhook {
    Webhook { url: url.parse().unwrap(), secret: Secret::Env("NOT_READ".into()), private: false }
}

fn secret() -> SecretString {
    format!("whsec_{}", STANDARD.encode(KEY)).into()
}

fn hook_to(url: &str) -> Hook {
    Hook::new(&webhook(url), &secret()).unwrap()
}

fn only(sink: impl Sink + 'static) -> Sinks {
    Sinks::of(vec![Box::new(sink)])
}

/// A receiver that answers so.
async fn answering(status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(status)).mount(&server).await;
    server
}

/// A receiver that takes connections and never answers, and how many it took.
async fn dead() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    (url, taken)
}

#[tokio::test]
async fn an_event_is_a_line_on_the_stream_and_at_the_end_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    std::fs::write(&path, "{\"id\":\"earlier\"}\n").unwrap();
    let stream = Read::default();
    let file = EventFile::open(path.clone()).unwrap();
    let sinks = Sinks::of(vec![Box::new(EventStream::new(stream.clone())), Box::new(file)]);
    for n in 1..=2 {
        sinks.publish(&event(n)).await.unwrap();
    }
    assert_eq!(ids(&stream.text()), [id(1), id(2)]);
    assert_eq!(ids(&read(&path)), ["earlier".to_owned(), id(1), id(2)]);
    assert_eq!(stream.text().lines().next().unwrap(), event(1).to_cloud_event().to_string());
}

#[tokio::test]
async fn many_events_at_once_are_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let sinks = Arc::new(only(EventFile::open(path.clone()).unwrap()));
    let told = (0..50).map(|n| {
        let sinks = sinks.clone();
        tokio::spawn(async move { sinks.publish(&event(n)).await.unwrap() })
    });
    join_all(told).await;
    let found: BTreeSet<String> = ids(&read(&path)).into_iter().collect();
    assert_eq!(found, (0..50).map(id).collect());
}

#[tokio::test]
async fn a_file_that_was_rotated_away_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, rotated) = (folder.path().join("events.jsonl"), folder.path().join("events.1"));
    let sinks = only(EventFile::open(path.clone()).unwrap());
    sinks.publish(&event(1)).await.unwrap();
    std::fs::rename(&path, &rotated).unwrap();
    sinks.publish(&event(2)).await.unwrap();
    assert_eq!(ids(&read(&rotated)), [id(1)]);
    assert_eq!(ids(&read(&path)), [id(2)]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // The other way to rotate: copied elsewhere, and emptied where it lies.
    std::fs::write(&path, "").unwrap();
    sinks.publish(&event(3)).await.unwrap();
    assert_eq!(ids(&read(&path)), [id(3)]);
}

#[tokio::test]
async fn half_a_line_that_a_kill_left_spoils_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    std::fs::write(&path, "{\"id\":\"ear").unwrap();
    let sinks = only(EventFile::open(path.clone()).unwrap());
    sinks.publish(&event(1)).await.unwrap();
    let text = read(&path);
    let (half, whole) = text.split_once('\n').unwrap();
    assert_eq!((half, ids(whole)), ("{\"id\":\"ear", vec![id(1)]));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named_and_the_event_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere/events.jsonl");
    let config = config::Events { file: Some(nowhere.clone()), ..config::Events::default() };
    let error = Sinks::open(&config, None).await.err().unwrap().to_string();
    assert_eq!(error, format!("events.file {} cannot be written", nowhere.display()));

    std::fs::create_dir(folder.path().join("nowhere")).unwrap();
    let sinks = Sinks::open(&config, None).await.unwrap();
    std::fs::remove_dir_all(folder.path().join("nowhere")).unwrap();
    let error = sinks.publish(&event(1)).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Retry);
    assert!(chain(&error).contains(nowhere.to_str().unwrap()), "{}", chain(&error));
    std::fs::create_dir(folder.path().join("nowhere")).unwrap();
    sinks.publish(&event(1)).await.unwrap();
    assert_eq!(ids(&read(&nowhere)), [id(1)]);
}

/// HMAC as RFC 2104 defines it, over another implementation of SHA-256.
fn hmac_sha256(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().to_vec()
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers[name].to_str().unwrap()
}

#[tokio::test]
async fn a_receiver_that_computes_the_signature_finds_it() {
    let server = answering(204).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, STANDARD.encode(KEY)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let webhook = Webhook { secret: Secret::File(path), ..webhook(&server.uri()) };
    let config = config::Events { webhook: Some(webhook), ..config::Events::default() };
    let sinks = Sinks::open(&config, None).await.unwrap();
    sinks.publish(&event(1)).await.unwrap();

    let calls = server.received_requests().await.unwrap();
    let [call] = calls.as_slice() else { panic!("{} calls", calls.len()) };
    assert_eq!(header(call, "content-type"), "application/cloudevents+json");
    assert_eq!(header(call, "webhook-id"), id(1));
    let told: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(told, event(1).to_cloud_event());
    let time = header(call, "webhook-timestamp");
    let age = SystemClock.now().as_second() - time.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    let signed = [format!("{}.{time}.", id(1)).as_bytes(), &call.body].concat();
    let expected = format!("v1,{}", STANDARD.encode(hmac_sha256(KEY, &signed)));
    assert_eq!(header(call, "webhook-signature"), expected);
}

#[test]
fn the_published_example_of_standard_webhooks_has_its_signature() {
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let (id, time, body) =
        ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
    let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let made = hook::signature(&hmac::Key::new(hmac::HMAC_SHA256, &key), id, time, body);
    assert_eq!(made, expected);
    let signed = format!("{id}.{time}.{body}");
    let independent = STANDARD.encode(hmac_sha256(&key, signed.as_bytes()));
    assert_eq!(format!("v1,{independent}"), expected);
}

#[tokio::test]
async fn a_receiver_that_failed_hears_the_event_again_by_the_same_id() {
    let server = MockServer::start().await;
    for status in [500, 503, 429, 408] {
        let failing = Mock::given(method("POST")).respond_with(ResponseTemplate::new(status));
        failing.up_to_n_times(1).mount(&server).await;
    }
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let sinks = only(hook_to(&server.uri()));
    for _ in 0..4 {
        let error = sinks.publish(&event(1)).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Retry, "{}", chain(&error));
    }
    sinks.publish(&event(1)).await.unwrap();
    let calls = server.received_requests().await.unwrap();
    assert_eq!(calls.len(), 5);
    for call in &calls {
        assert_eq!(header(call, "webhook-id"), id(1));
        assert_eq!(call.body, calls[0].body);
    }
}

#[tokio::test]
async fn a_receiver_that_refuses_is_told_of_in_the_error() {
    for status in [400, 401, 404, 410] {
        let server = answering(status).await;
        let error = only(hook_to(&server.uri())).publish(&event(1)).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Reject);
        assert!(chain(&error).contains(&format!("the webhook answered {status}")));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = MockServer::start().await;
    let inward = format!("{}/inward", server.uri());
    let away = ResponseTemplate::new(307).insert_header("location", inward.as_str());
    Mock::given(path("/")).respond_with(away).mount(&server).await;
    let error = only(hook_to(&server.uri())).publish(&event(1)).await.unwrap_err();
    assert!(chain(&error).contains("the webhook answered 307"), "{}", chain(&error));
    let calls = server.received_requests().await.unwrap();
    assert!(calls.iter().all(|call| call.url.path() == "/"), "{calls:?}");
}

#[tokio::test]
async fn a_dead_receiver_delays_nothing_else_and_nobody_hears_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let (url, taken) = dead().await;
    let hook = Hook::within(IMPATIENT, &webhook(&url), &secret()).unwrap();
    let file = EventFile::open(path.clone()).unwrap();
    // The receiver first: it would be in the way.
    let sinks = Sinks::of(vec![Box::new(hook), Box::new(file)]);
    for again in 0..2 {
        for n in 0..20 {
            let error = sinks.publish(&event(n)).await.unwrap_err();
            assert_eq!(error.disposition, Disposition::Retry, "{again}: {}", chain(&error));
        }
    }
    let expected: Vec<String> = (0..20).map(id).collect();
    assert_eq!(ids(&read(&path)), expected, "each event once");
    assert_eq!(taken.load(Ordering::SeqCst), 1, "one call of forty waited for it");
}

/// A sink that fails as long as it is told to.
#[derive(Clone, Default)]
struct Moody {
    fails: Arc<AtomicUsize>,
    heard: Arc<AtomicUsize>,
}

#[async_trait]
impl Sink for Moody {
    async fn tell(&self, _: &Event, _: &Value) -> Result<(), PortError> {
        self.heard.fetch_add(1, Ordering::SeqCst);
        let failing = |left: usize| left.checked_sub(1);
        match self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, failing) {
            Ok(_) => Err(PortError::retry(ACTION, "moody")),
            Err(_) => Ok(()),
        }
    }
}

#[tokio::test]
async fn who_heard_an_event_does_not_hear_it_again_because_of_another() {
    let (moody, calm) = (Moody::default(), Moody::default());
    moody.fails.store(2, Ordering::SeqCst);
    let sinks = Sinks::of(vec![Box::new(moody.clone()), Box::new(calm.clone())]);
    for is_told in [false, false, true] {
        assert_eq!(sinks.publish(&event(1)).await.is_ok(), is_told);
    }
    let heard = |sink: &Moody| sink.heard.load(Ordering::SeqCst);
    assert_eq!((heard(&moody), heard(&calm)), (3, 1));
    assert!(sinks.heard().is_empty(), "what all heard is forgotten");
    // The same event of a queue that delivers twice: it was done, and is done again.
    sinks.publish(&event(1)).await.unwrap();
    assert_eq!((heard(&moody), heard(&calm)), (4, 2));
}

#[tokio::test]
async fn a_name_that_leads_inward_is_not_called_unless_that_is_allowed() {
    let resolved = async |guarded: &str, name: &str| {
        let resolver = PublicName(guarded.to_owned());
        resolver.resolve(name.parse().unwrap()).await.map(Iterator::count)
    };
    let error = resolved("localhost", "localhost").await.unwrap_err().to_string();
    assert!(error.contains("events.webhook.private = true"), "{error}");
    assert!(resolved("events.example.com", "localhost").await.unwrap() > 0, "a proxy's name");
    // The whole way: on loopback by another name than the one that stands for it.
    let server = answering(204).await;
    let url = Url::parse(&server.uri()).unwrap();
    let aliased = format!("http://localhost.:{}/", url.port().unwrap());
    let hook = hook_to(&aliased);
    let error = only(hook).publish(&event(1)).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Retry);
    assert!(server.received_requests().await.unwrap().is_empty());
    let allowed = Webhook { private: true, ..webhook(&server.uri()) };
    only(Hook::new(&allowed, &secret()).unwrap()).publish(&event(1)).await.unwrap();
}

#[tokio::test]
async fn neither_the_key_nor_the_address_reaches_the_log_or_an_error() {
    let log = Read::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = answering(500).await;
    let (dead, _) = dead().await;
    let word = "token-in-an-address";
    let mut errors = String::new();
    for base in [format!("{}/", server.uri()), dead] {
        let webhook = webhook(&format!("{base}?key={word}"));
        let hook = Hook::within(IMPATIENT, &webhook, &secret()).unwrap();
        let error = only(hook).publish(&event(1)).await.unwrap_err();
        tracing::warn!(error = chain(&error), "the message failed");
        writeln!(errors, "{}", chain(&error)).unwrap();
    }
    let own: String = log.text().lines().filter(|l| !l.contains("hyper")).collect();
    assert!(own.contains("it happened") && own.contains(&id(1)), "{own}");
    for secret in [STANDARD.encode(KEY), String::from_utf8(KEY.to_vec()).unwrap()] {
        assert!(!log.text().contains(&secret) && !errors.contains(&secret));
    }
    assert!(!own.contains(word) && !errors.contains(word), "{own}\n{errors}");
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let short = STANDARD.encode([7; hook::LEAST_KEY - 1]);
    for text in ["whsec_", "whsec_not/base64!", "plain words of a person", &short] {
        let error = Hook::new(&webhook("http://127.0.0.1:1/"), &text.to_owned().into()).err();
        let error = error.unwrap().to_string();
        assert!(error.starts_with("events.webhook.secret is not base64"), "{error}");
        assert!(!error.contains(text.trim_start_matches("whsec_")) || text == "whsec_", "{error}");
    }
}
