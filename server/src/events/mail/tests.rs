//! Mails to an SMTP server of the test's own.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared::kernel::{Generation, ImportRunId, ImportTrigger, Occurrence, ReconnectReason, Scope};
use shared::ports::Disposition;
use shared::testing::ManualClock;
use shared::work::chain;
use strum::VariantNames;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::config::{self, MailLogin, Secret};
use crate::events::Sinks;

const PASSWORD: &str = "a password that is in no log";

/// What a server that never answers is given.
const IMPATIENT: Duration = Duration::from_millis(300);

/// What the server heard.
#[derive(Debug, Default)]
struct Heard {
    connections: usize,
    /// User and password, and whether they came encrypted.
    logins: Vec<(String, bool)>,
    /// Senders and receivers, as in `MAIL FROM:<…>`.
    envelopes: Vec<String>,
    mails: Vec<String>,
}

/// How the server behaves.
#[derive(Clone, Default)]
struct Manners {
    tls: Option<TlsAcceptor>,
    /// The answer to a receiver in place of yes.
    refuses: Option<&'static str>,
    is_dead: bool,
}

/// An SMTP server on loopback.
struct Server {
    port: u16,
    heard: Arc<Mutex<Heard>>,
    manners: Arc<Mutex<Manners>>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Server {
    async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, manners) = (Arc::new(Mutex::default()), Arc::new(Mutex::new(manners)));
        let server = Self { port, heard, manners };
        let (heard, manners) = (server.heard.clone(), server.manners.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, manners) = (heard.clone(), manners.lock().unwrap().clone());
                heard.lock().unwrap().connections += 1;
                tokio::spawn(session(stream, manners, heard));
            }
        });
        server
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    fn behave(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    fn config(&self) -> Mail {
        Mail {
            host: "localhost".to_owned(),
            port: self.port,
            tls: MailTls::Off,
            ca_file: None,
            login: None,
            from: "crm-sync@example.com".parse().unwrap(),
            to: vec!["ops@example.com".parse().unwrap(), "boss@example.com".parse().unwrap()],
            events: crate::config::USUAL_EVENTS.into(),
        }
    }
}

/// Speaks SMTP until the client leaves.
async fn session(stream: impl Stream + 'static, manners: Manners, heard: Arc<Mutex<Heard>>) {
    if manners.is_dead {
        std::future::pending::<()>().await;
    }
    let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(Box::new(stream));
    let mut is_encrypted = false;
    say(&mut stream, "220 test").await;
    loop {
        let line = line(&mut stream).await;
        let word = line.split(' ').next().unwrap_or_default().to_owned();
        let answer = match word.as_str() {
            "EHLO" if manners.tls.is_some() && !is_encrypted => "250-test\r\n250 STARTTLS",
            "EHLO" => "250-test\r\n250 AUTH PLAIN",
            "STARTTLS" => {
                say(&mut stream, "220 go on").await;
                let accepted = manners.tls.as_ref().unwrap().accept(stream.into_inner()).await;
                let Ok(encrypted) = accepted else { return };
                stream = BufReader::new(Box::new(encrypted));
                is_encrypted = true;
                continue;
            }
            "AUTH" => {
                let login = STANDARD.decode(line.split(' ').nth(2).unwrap()).unwrap();
                let login = String::from_utf8(login).unwrap();
                heard.lock().unwrap().logins.push((login, is_encrypted));
                "235 welcome"
            }
            "MAIL" | "RCPT" => {
                heard.lock().unwrap().envelopes.push(line.clone());
                manners.refuses.filter(|_| word == "RCPT").unwrap_or("250 yes")
            }
            "DATA" => {
                say(&mut stream, "354 go on").await;
                let mail = data(&mut stream).await;
                heard.lock().unwrap().mails.push(mail);
                "250 taken"
            }
            "QUIT" | "" => return,
            _ => "500 what",
        };
        say(&mut stream, answer).await;
    }
}

async fn say(stream: &mut BufReader<Box<dyn Stream>>, words: &str) {
    let _ = stream.write_all(format!("{words}\r\n").as_bytes()).await;
    let _ = stream.flush().await;
}

async fn line(stream: &mut BufReader<Box<dyn Stream>>) -> String {
    let mut line = String::new();
    let _ = stream.read_line(&mut line).await;
    line.trim_end().to_owned()
}

async fn data(stream: &mut BufReader<Box<dyn Stream>>) -> String {
    let mut mail = String::new();
    loop {
        match line(stream).await.as_str() {
            "." => return mail,
            line => {
                mail.push_str(line);
                mail.push('\n');
            }
        }
    }
}

/// A certificate for `localhost`, and who accepts by it.
fn tls_in(folder: &TempDir) -> (PathBuf, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let chain = vec![made.cert.der().clone()];
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    (path, TlsAcceptor::from(Arc::new(config.unwrap())))
}

fn login_in(folder: &TempDir) -> MailLogin {
    let path = folder.path().join("password");
    fs::write(&path, PASSWORD).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    MailLogin { user: "crm-sync".to_owned(), password: Secret::File(path) }
}

fn run() -> ImportRunId {
    ImportRunId::new(1_795_294_800_000, 9)
}

fn clock() -> ManualClock {
    ManualClock::at(at("2026-11-28T12:00:00Z"))
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// Something that happened to the `n`th tenant.
fn happened(n: u128, occurrence: Occurrence) -> Event {
    let tenant = TenantId::new(1_795_294_800_000, n);
    let scope = Scope { tenant, environment: Environment::Production, generation: Generation(1) };
    Event { scope, time: at("2026-11-28T11:59:00Z"), occurrence }
}

fn failed() -> Occurrence {
    Occurrence::ImportFailed { run: run() }
}

fn stalled(since: &str) -> Occurrence {
    Occurrence::ImportStalled { run: run(), since: at(since) }
}

/// One occurrence of every type.
fn every_occurrence() -> Vec<Occurrence> {
    let (run, since) = (run(), at("2026-11-25T11:00:00Z"));
    let reason = ReconnectReason::GrantDead;
    vec![
        Occurrence::Connected,
        Occurrence::ReconnectRequired { reason, since, lapses_at: at("2026-12-01T11:59:00Z") },
        Occurrence::Restored { since },
        Occurrence::Lapsed { since },
        Occurrence::Paused { since },
        Occurrence::Resumed { since },
        Occurrence::Disconnected,
        Occurrence::Purged,
        Occurrence::ImportStarted { run, trigger: ImportTrigger::Requested },
        Occurrence::ImportCompleted { run },
        Occurrence::ImportFailed { run },
        Occurrence::ImportCancelled { run },
        Occurrence::ImportStalled { run, since },
        Occurrence::ImportStoodBack { run, until: at("2026-11-28T14:00:00Z") },
    ]
}

async fn tell(mailer: &Mailer, event: &Event) -> Result<(), PortError> {
    mailer.tell(event, &event.to_cloud_event()).await
}

#[tokio::test]
async fn a_mail_says_what_happened_to_whom_and_what_to_do() {
    let server = Server::start(Manners::default()).await;
    let mailer = Mailer::open(&server.config(), Arc::new(clock())).await.unwrap();
    let event = happened(7, failed());
    tell(&mailer, &event).await.unwrap();
    let heard = server.heard();
    assert_eq!(heard.envelopes.len(), 3, "{:?}", heard.envelopes);
    let (tenant, run, id) = (event.scope.tenant, run(), event.id());
    let [mail] = heard.mails.as_slice() else { panic!("{:?}", heard.mails) };
    let (lines, text) = mail.split_once("\n\n").unwrap();
    let unfolded = lines.replace("\n ", " ");
    for line in [
        "From: crm-sync@example.com",
        "To: ops@example.com, boss@example.com",
        &format!("Subject: crm-sync: an import failed ({tenant}, production)"),
        &format!("Message-ID: <{id}@example.com>"),
        "Date: Sat, 28 Nov 2026 12:00:00 +0000",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=us-ascii",
    ] {
        assert!(unfolded.lines().any(|told| told == line), "{line} is not in:\n{lines}");
    }
    let path = format!("/v1/tenants/{tenant}/connections/production/runs/{run}");
    assert_eq!(
        text,
        format!(
            "This happened: an import failed.\n\n\
             Tenant: {tenant}\n\
             Environment: production\n\
             Event: crm-sync.import.failed, 2026-11-28T11:59:00Z\n\
             In the API: {path}\n\n\
             What to do: the API tells why at the address above. Mend that, and start another \
             one.\n\n\
             Should it happen again to this connection within the hour, no other mail tells of \
             it.\n"
        )
    );
}

#[tokio::test]
async fn only_the_types_that_are_listed_are_mailed() {
    let server = Server::start(Manners::default()).await;
    let purged = "crm-sync.connection.purged";
    let other = Mail { events: BTreeSet::from([purged]), ..server.config() };
    let every: BTreeSet<&str> = every_occurrence().iter().map(Occurrence::name).collect();
    assert_eq!(every, Occurrence::VARIANTS.iter().copied().collect(), "one of each type");
    for (config, expected) in
        [(server.config(), server.config().events), (other.clone(), other.events)]
    {
        let mailer = Mailer::open(&config, Arc::new(clock())).await.unwrap();
        for occurrence in every_occurrence() {
            tell(&mailer, &happened(7, occurrence)).await.unwrap();
        }
        let mails = std::mem::take(&mut server.heard().mails);
        let kind = |mail: &String| {
            let line = mail.lines().find_map(|line| line.strip_prefix("Event: ")).unwrap();
            line.split(',').next().unwrap().to_owned()
        };
        let kinds: Vec<String> = mails.iter().map(kind).collect();
        assert_eq!(kinds.len(), expected.len());
        assert_eq!(kinds.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    }
}

#[test]
fn the_words_for_every_type_are_plain_short_text() {
    for occurrence in every_occurrence() {
        let (subject, text) = words::mail(&happened(7, occurrence));
        assert!(subject.is_ascii() && text.is_ascii(), "{subject}\n{text}");
        assert!(subject.len() < 150 && !subject.contains('\n'), "{subject}");
        assert!(text.len() < 1_000 && text.contains("\nWhat to do: "), "{text}");
    }
}

#[tokio::test]
async fn one_mail_an_hour_tells_of_a_type_of_events_at_a_connection() {
    let server = Server::start(Manners::default()).await;
    let clock = clock();
    let mailer = Mailer::open(&server.config(), Arc::new(clock.clone())).await.unwrap();
    let count = || server.heard().mails.len();
    for minute in 0..59 {
        let since = format!("2026-11-28T10:{minute:02}:00Z");
        tell(&mailer, &happened(7, stalled(&since))).await.unwrap();
        clock.advance(SignedDuration::from_mins(1));
    }
    assert_eq!(count(), 1);
    tell(&mailer, &happened(7, failed())).await.unwrap();
    assert_eq!(count(), 2, "another type");
    tell(&mailer, &happened(8, stalled("2026-11-28T10:00:00Z"))).await.unwrap();
    assert_eq!(count(), 3, "another connection");
    clock.advance(SignedDuration::from_mins(1));
    tell(&mailer, &happened(7, stalled("2026-11-28T11:00:00Z"))).await.unwrap();
    assert_eq!(count(), 4, "an hour later");
    assert_eq!(mailer.mailed().len(), 3);
    clock.advance(SignedDuration::from_hours(1));
    tell(&mailer, &happened(9, failed())).await.unwrap();
    assert_eq!(mailer.mailed().len(), 1, "what is older than an hour is forgotten");
}

#[tokio::test]
async fn of_many_at_once_one_is_mailed() {
    let server = Server::start(Manners::default()).await;
    let mailer = Mailer::open(&server.config(), Arc::new(clock())).await.unwrap();
    let events: Vec<Event> = (0..20)
        .map(|minute| happened(7, stalled(&format!("2026-11-28T10:{minute:02}:00Z"))))
        .collect();
    let told = events.iter().map(|event| tell(&mailer, event));
    assert!(futures::future::join_all(told).await.iter().all(Result::is_ok));
    assert_eq!(server.heard().mails.len(), 1);
}

#[tokio::test]
async fn what_the_server_refuses_is_not_taken_for_mailed_and_names_nobody() {
    let clock = clock();
    let passing = Manners { refuses: Some("451 ops@example.com later"), ..Manners::default() };
    let server = Server::start(passing).await;
    let mailer = Mailer::open(&server.config(), Arc::new(clock)).await.unwrap();
    let error = tell(&mailer, &happened(7, failed())).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Retry);
    assert!(chain(&error).ends_with("the mail server answered 451"), "{}", chain(&error));

    server.behave(Manners { refuses: Some("550 no ops@example.com"), ..Manners::default() });
    let error = tell(&mailer, &happened(7, failed())).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Reject);
    assert!(!chain(&error).contains("ops@"), "{}", chain(&error));

    server.behave(Manners::default());
    tell(&mailer, &happened(7, failed())).await.unwrap();
    assert_eq!(server.heard().mails.len(), 1);
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_alone_for_a_while() {
    let server = Server::start(Manners { is_dead: true, ..Manners::default() }).await;
    let mailer = Mailer::within(IMPATIENT, &server.config(), Arc::new(clock())).await.unwrap();
    for n in 0..20 {
        let error = tell(&mailer, &happened(n, failed())).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Retry, "{}", chain(&error));
    }
    assert_eq!(server.heard().connections, 1);
    assert!(mailer.mailed().is_empty(), "none of them is taken for mailed");
}

#[tokio::test]
async fn a_password_goes_to_the_right_server_and_encrypted_only() {
    let folder = tempfile::tempdir().unwrap();
    let (ca_file, acceptor) = tls_in(&folder);
    let encrypting = Manners { tls: Some(acceptor), ..Manners::default() };
    let server = Server::start(encrypting.clone()).await;
    let login = Some(login_in(&folder));
    let right = Mail { tls: MailTls::Starttls, ca_file: Some(ca_file), login, ..server.config() };
    let mailer = Mailer::open(&right, Arc::new(clock())).await.unwrap();
    tell(&mailer, &happened(7, failed())).await.unwrap();
    let login = format!("\0crm-sync\0{PASSWORD}");
    assert_eq!(server.heard().logins, [(login, true)]);
    assert_eq!(server.heard().mails.len(), 1);

    // Nobody vouches for its certificate; then its name is another; then it does not encrypt.
    let unknown = Mail { ca_file: None, ..right.clone() };
    let other = Mail { host: "127.0.0.1".to_owned(), ..right.clone() };
    for (config, manners) in
        [(unknown, encrypting.clone()), (other, encrypting), (right, Manners::default())]
    {
        server.behave(manners);
        *server.heard() = Heard::default();
        let mailer = Mailer::open(&config, Arc::new(clock())).await.unwrap();
        let error = tell(&mailer, &happened(7, failed())).await.unwrap_err();
        assert!(chain(&error).contains("the mail server cannot be used"), "{}", chain(&error));
        let heard = server.heard();
        assert_eq!((heard.logins.len(), heard.mails.len()), (0, 0), "{heard:?}");
        assert!(!chain(&error).contains(PASSWORD));
    }
}

#[tokio::test]
async fn a_dead_mail_server_keeps_no_event_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    let server = Server::start(Manners { is_dead: true, ..Manners::default() }).await;
    let mailer = Mailer::within(IMPATIENT, &server.config(), Arc::new(clock())).await.unwrap();
    let lines = crate::events::lines::EventFile::open(file.clone()).unwrap();
    let sinks = Sinks::of(vec![Box::new(mailer), Box::new(lines)]);
    for n in 0..3 {
        use shared::ports::Events;
        assert!(sinks.publish(&happened(n, failed())).await.is_err());
    }
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 3);
}

#[tokio::test]
async fn a_mailer_without_its_password_or_authority_says_so_at_the_start() {
    let server = Server::start(Manners::default()).await;
    let nowhere = PathBuf::from("/nowhere/to/be/found");
    let login = MailLogin { user: "crm-sync".into(), password: Secret::File(nowhere.clone()) };
    let without = Mail { login: Some(login), ..server.config() };
    let unvouched =
        Mail { tls: MailTls::Starttls, ca_file: Some(nowhere.clone()), ..server.config() };
    for (config, told) in [(without, "mail.password cannot be had"), (unvouched, "mail.ca_file")] {
        let opened = Sinks::open(&config::Events::default(), Some(&config)).await;
        let error = opened.err().unwrap();
        assert!(chain(&error).contains(told), "{}", chain(&error));
        assert!(chain(&error).contains("/nowhere/to/be/found"), "{}", chain(&error));
    }
    assert_eq!(server.heard().connections, 0);
}
