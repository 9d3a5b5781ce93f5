//! Our client's answers to the faults of the wire, each played by the simulator.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use salesforce_simulator::{Control, Fault, FaultKind, Simulator, SimulatorOptions};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use shared::salesforce::{
    Advice, ApiVersion, AppCredentials, BulkOperation, Client, CsvError, HostPolicy, Http,
    HttpOptions, InstanceUrl, JobId, LimitKind, LoginHost, OAuthClient, OAuthError, ResultPage,
    SalesforceError, SalesforceId, Scopes, Select, Session, UntrustedToken, WriteOptions,
};

const ADMIN: &str = "admin@acme.example";
const APP: &str = "crm-sync-local";

/// An org of ten accounts, our client, and a session that is alive.
struct Wire {
    simulator: Simulator,
    client: Client,
    oauth: OAuthClient,
    session: Session,
}

impl Wire {
    async fn new() -> Self {
        Self::with(HttpOptions::default()).await
    }

    /// Short waits, so that a test of a timeout is quick.
    async fn impatient() -> Self {
        let short = Duration::from_millis(300);
        let total = Duration::from_millis(900);
        Self::with(HttpOptions {
            connect_timeout: short,
            read_timeout: short,
            total_timeout: total,
            download_timeout: total,
            token_timeout: short,
            ..HttpOptions::default()
        })
        .await
    }

    async fn with(options: HttpOptions) -> Self {
        let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
        let control = simulator.control();
        let accounts: Vec<Value> = (0..10).map(|n| json!({ "Name": format!("A{n}") })).collect();
        let org = json!({
            "my_domain": "acme",
            "settings": { "bulk_latency_ms": 0 },
            "records": { "Account": accounts },
        });
        control.load_org(org).unwrap();
        let address = simulator.http_url().trim_start_matches("http://").trim_end_matches('/');
        let http = Http::to_loopback(options, address.parse::<SocketAddr>().unwrap()).unwrap();
        let credentials = AppCredentials {
            client_id: APP.to_owned(),
            client_secret: SecretString::from("crm-sync-local-secret"),
        };
        let session = session(&control);
        let client = Client::new(http.clone(), ApiVersion::default());
        Self { simulator, client, oauth: OAuthClient::new(http, credentials), session }
    }

    fn plan(&self, path: &str, kind: FaultKind) {
        self.simulator.control().add_fault(Fault::at(path, kind));
    }

    /// Calls that the simulator got for a path.
    fn calls(&self, path: &str) -> usize {
        let all = self.simulator.control().requests();
        all.iter().filter(|call| call.path.contains(path)).count()
    }

    /// A finished job over the accounts.
    async fn job(&self) -> JobId {
        let soql = Select::from("Account").fields(["Id", "Name"]).build().unwrap();
        let made = self.client.create_query_job(&self.session, BulkOperation::Query, &soql);
        let job = made.await.unwrap().value.id;
        while !self.client.query_job(&self.session, job).await.unwrap().value.is_complete().unwrap()
        {
            tokio::task::yield_now().await;
        }
        job
    }

    async fn page(&self, session: &Session, job: JobId) -> Result<u64, SalesforceError> {
        count(self.client.query_results(session, job, None, 100).await?).await
    }

    async fn limits(&self) -> SalesforceError {
        self.client.limits(&self.session).await.unwrap_err()
    }

    async fn create_task(&self) -> Result<SalesforceId, SalesforceError> {
        let fields = fields(json!({ "Subject": "Call" }));
        let made = self.client.create(&self.session, "Task", &fields, WriteOptions::default());
        made.await.map(|reply| reply.value)
    }

    fn tasks(&self) -> usize {
        self.simulator.control().counts("acme").unwrap()["Task"]
    }

    /// A refresh token, as an authorization brings it.
    async fn refresh_token(&self) -> SecretString {
        let authorize = "https://login.salesforce.com/services/oauth2/authorize?response_type=code\
             &client_id=crm-sync-local&redirect_uri=http://127.0.0.1:9/&\
             scope=api%20refresh_token%20id";
        let no_challenge = json!({ "require_pkce": false });
        self.simulator.control().set_policy(APP, None, &no_challenge).unwrap();
        let back = self.simulator.control().approve(authorize, ADMIN).unwrap();
        let back = url::Url::parse(&back).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", APP),
            ("client_secret", "crm-sync-local-secret"),
            ("redirect_uri", "http://127.0.0.1:9/"),
            ("code", &code),
        ];
        let url = format!("{}/services/oauth2/token", self.simulator.http_url());
        let answer = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .post(url)
            .form(&form)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        SecretString::from(answer["refresh_token"].as_str().unwrap())
    }

    async fn refresh(&self, token: &SecretString) -> Result<SecretString, OAuthError> {
        let scopes = Scopes::parse("api refresh_token id");
        let answer = self.oauth.refresh(&LoginHost::production(), token, &scopes).await?;
        Ok(answer.refresh_token.unwrap())
    }
}

fn session(control: &Control) -> Session {
    Session {
        instance: InstanceUrl::parse("https://acme.my.salesforce.com", HostPolicy::Commercial)
            .unwrap(),
        access_token: SecretString::from(control.access_token("acme", ADMIN).unwrap()),
    }
}

async fn count(page: ResultPage) -> Result<u64, SalesforceError> {
    let mut rows = page.into_rows();
    let mut read = 0;
    while rows.next().await?.is_some() {
        read += 1;
    }
    Ok(read)
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

fn respond(status: u16, body: &str, retry_after: Option<u64>) -> FaultKind {
    FaultKind::Respond { status, body: body.to_owned(), content_type: None, retry_after }
}

fn error(status: u16, code: &str, message: &str) -> FaultKind {
    let body = json!([{ "errorCode": code, "message": message }]).to_string();
    respond(status, &body, None)
}

const RETRY: Advice = Advice::Retry { after: None };

#[tokio::test]
async fn f29_f30_a_session_that_ends_between_pages_is_told_and_a_new_one_reads_the_same_page() {
    let wire = Wire::new().await;
    let job = wire.job().await;
    let bulk = r#"{"exceptionCode":"InvalidSessionId","exceptionMessage":"Invalid session id"}"#;
    for kind in [FaultKind::InvalidSession, respond(400, bulk, None)] {
        wire.plan("*/results", kind);
        let error = wire.page(&wire.session, job).await.unwrap_err();
        assert_eq!(error.advice(), Advice::Reauthorize, "{error}");
        let renewed = session(&wire.simulator.control());
        assert_eq!(wire.page(&renewed, job).await.unwrap(), 10);
    }
    // And a session that is really over.
    wire.simulator.control().end_sessions("acme").unwrap();
    let error = wire.page(&wire.session, job).await.unwrap_err();
    assert_eq!(error.advice(), Advice::Reauthorize, "{error}");
}

#[tokio::test]
async fn f32_a_rotation_whose_answer_is_lost_is_an_open_outcome_and_then_a_dead_grant() {
    let wire = Wire::new().await;
    let token = wire.refresh_token().await;
    wire.plan("/services/oauth2/token", FaultKind::DropAfter);
    let lost = wire.refresh(&token).await.unwrap_err();
    assert!(lost.is_outcome_unknown() && !lost.is_terminal(), "{lost:?}");
    let dead = wire.refresh(&token).await.unwrap_err();
    assert!(matches!(dead, OAuthError::GrantDead { .. }) && dead.is_terminal(), "{dead:?}");
    // A request that never left leaves the grant as it was.
    let wire = Wire::new().await;
    let token = wire.refresh_token().await;
    wire.plan("/services/oauth2/token", respond(503, "<html>maintenance</html>", None));
    assert!(!wire.refresh(&token).await.unwrap_err().is_terminal());
    assert_ne!(wire.refresh(&token).await.unwrap().expose_secret(), token.expose_secret());
}

#[tokio::test]
async fn f34_a_grant_that_is_gone_is_terminal_whatever_took_it() {
    type Taker = fn(&Control);
    let revoke: Taker = |control| control.revoke_grants("acme").unwrap();
    let idle: Taker = |control| control.advance(31 * 86_400);
    let freeze: Taker = |control| control.freeze_user("acme", ADMIN, true).unwrap();
    let takers: [(&str, Taker); 3] =
        [("revoked", revoke), ("idle for 31 days", idle), ("frozen", freeze)];
    for (what, take) in takers {
        let wire = Wire::new().await;
        let token = wire.refresh_token().await;
        take(&wire.simulator.control());
        wire.simulator.control().clear_requests();
        let error = wire.refresh(&token).await.unwrap_err();
        assert!(error.is_terminal() && !error.is_outcome_unknown(), "{what}: {error:?}");
        assert_eq!(wire.calls("/services/oauth2/token"), 1, "{what}: asked once, no storm");
    }
}

#[tokio::test]
async fn f35_storms_say_how_long_to_wait_where_they_do() {
    let wire = Wire::new().await;
    for (status, after) in [(429, Some(7)), (429, None), (503, Some(30)), (503, None)] {
        wire.plan("/limits", respond(status, "", after));
        let expected = Advice::Retry { after: after.map(Duration::from_secs) };
        let error = wire.limits().await;
        assert_eq!(error.advice(), expected, "{status} {after:?}: {error}");
    }
    // One call each: the client itself never asks again.
    assert_eq!(wire.calls("/limits"), 4);
}

#[tokio::test]
async fn f35_a_page_for_people_is_never_data() {
    let wire = Wire::new().await;
    let job = wire.job().await;
    for status in [200, 420, 503] {
        wire.plan("/limits", FaultKind::Html { status });
        assert_eq!(wire.limits().await.advice(), RETRY, "{status}");
        wire.plan("*/results", FaultKind::Html { status });
        let error = wire.page(&wire.session, job).await.unwrap_err();
        assert_eq!(error.advice(), RETRY, "{status}: {error}");
    }
    assert_eq!(wire.page(&wire.session, job).await.unwrap(), 10);
}

#[tokio::test]
async fn f36_f37_the_limits_are_told_apart() {
    let wire = Wire::new().await;
    wire.plan(
        "/limits",
        error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
    );
    let concurrent = wire.limits().await;
    assert_eq!(concurrent.advice(), RETRY, "over in seconds");
    wire.simulator.control().set("acme", &json!({ "daily_api_limit": 1 })).unwrap();
    wire.simulator.control().spend_calls("acme", 1).unwrap();
    let daily = wire.limits().await;
    assert!(
        matches!(daily, SalesforceError::Limited { kind: LimitKind::DailyRequests, .. }),
        "{daily}"
    );
    assert_eq!(daily.advice(), Advice::StandBack { after: None });
}

#[tokio::test]
async fn f38_a_locked_row_is_written_later() {
    let wire = Wire::new().await;
    let account = wire.simulator.control().records("acme", "Account", 0, 1).unwrap();
    let id: SalesforceId = account[0]["Id"].as_str().unwrap().parse().unwrap();
    let rename = || async {
        let fields = fields(json!({ "Name": "Renamed" }));
        let options = WriteOptions::default();
        wire.client.update(&wire.session, "Account", id, &fields, options).await
    };
    let lock = |records: Value| {
        let locked = json!({ "locked_records": records });
        wire.simulator.control().set("acme", &locked).unwrap();
    };
    lock(json!([id.as_str()]));
    let error = rename().await.unwrap_err();
    assert_eq!((error.code(), error.advice()), (Some("UNABLE_TO_LOCK_ROW"), RETRY));
    assert!(!error.is_outcome_unknown(), "it was not written");
    lock(json!([]));
    rename().await.unwrap();
}

#[tokio::test]
async fn f39_a_job_that_fails_says_whether_a_smaller_one_would_do() {
    for (message, smaller) in [("QUERY_TIMEOUT", true), ("INTERNAL", false)] {
        let wire = Wire::new().await;
        let failures = json!({ "bulk_failures": [message] });
        wire.simulator.control().set("acme", &failures).unwrap();
        let soql = Select::from("Account").fields(["Id"]).build().unwrap();
        let made = wire.client.create_query_job(&wire.session, BulkOperation::Query, &soql).await;
        let job = made.unwrap().value.id;
        let error = loop {
            match wire.client.query_job(&wire.session, job).await.unwrap().value.is_complete() {
                Ok(complete) => assert!(!complete),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, SalesforceError::JobFailed { .. }), "{error}");
        assert_eq!(error.wants_smaller_query(), smaller, "{message}");
    }
}

#[tokio::test]
async fn f41_a_page_with_fewer_rows_than_its_header_says_is_an_error() {
    let wire = Wire::new().await;
    let job = wire.job().await;
    wire.plan("*/results", FaultKind::CutRows { rows: 9 });
    let error = wire.page(&wire.session, job).await.unwrap_err();
    let counted = CsvError::RowCount { expected: 10, found: 9 };
    assert!(matches!(&error, SalesforceError::Page(own) if *own == counted), "{error:?}");
    assert_eq!(error.advice(), RETRY);
    assert_eq!(wire.page(&wire.session, job).await.unwrap(), 10, "the page is still there");
}

#[tokio::test]
async fn f46_a_redirect_is_not_followed_and_a_foreign_address_not_believed() {
    let wire = Wire::new().await;
    for location in ["https://acme2.my.salesforce.com/", "http://169.254.169.254/latest/"] {
        let location = location.to_owned();
        wire.plan("/limits", FaultKind::Redirect { status: 301, location });
        let moved = wire.limits().await;
        assert_eq!(moved.code(), Some("INSTANCE_MOVED"));
        assert_eq!(moved.advice(), Advice::Reauthorize, "the refresh names the address");
    }
    assert_eq!(
        wire.calls("/"),
        2,
        "nobody else was asked: {:?}",
        wire.simulator.control().requests()
    );
    for address in [
        "https://acme.my.salesforce.com.evil.example",
        "https://169.254.169.254",
        "http://acme.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://user@acme.my.salesforce.com",
    ] {
        let wire = Wire::new().await;
        let token = wire.refresh_token().await;
        let (pointer, value) = ("/instance_url".to_owned(), json!(address));
        wire.plan("/services/oauth2/token", FaultKind::SetJson { pointer, value });
        let error = wire.refresh(&token).await.unwrap_err();
        let distrusted = matches!(error, OAuthError::Untrusted(UntrustedToken::InstanceUrl));
        assert!(distrusted, "{address}: {error:?}");
    }
}

#[tokio::test]
async fn f49_a_connection_that_breaks_leaves_the_outcome_of_a_write_open_and_nothing_else() {
    let wire = Wire::new().await;
    for (kind, written) in [(FaultKind::DropBefore, 0), (FaultKind::DropAfter, 1)] {
        wire.plan("/sobjects/Task", kind);
        let error = wire.create_task().await.unwrap_err();
        assert!(error.is_outcome_unknown(), "{error:?}");
        assert_eq!(wire.tasks(), written, "and it was not sent a second time");
    }
    let job = wire.job().await;
    for bytes in [0, 1, 60, 150] {
        wire.plan("*/results", FaultKind::Truncate { bytes });
        let error = wire.page(&wire.session, job).await.unwrap_err();
        assert_eq!(error.advice(), RETRY, "{bytes} bytes: {error}");
    }
    assert_eq!(wire.page(&wire.session, job).await.unwrap(), 10);
}

#[tokio::test]
async fn f49_silence_and_drops_are_waited_for_no_longer_than_was_set() {
    let wire = Wire::impatient().await;
    let job = wire.job().await;
    let began = Instant::now();
    wire.plan("/limits", FaultKind::Delay { ms: 5_000 });
    assert!(matches!(wire.limits().await, SalesforceError::Transport(e) if e.is_timeout()));
    // Never silent for long, and never done either: a byte at a time.
    wire.plan("*/results", FaultKind::SlowDrip { bytes: 1, pause_ms: 50 });
    let error = wire.page(&wire.session, job).await.unwrap_err();
    assert!(matches!(&error, SalesforceError::Transport(e) if e.is_timeout()), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let nobody = Http::to_loopback(HttpOptions::default(), ([127, 0, 0, 1], 9).into()).unwrap();
    let unreachable = Client::new(nobody, ApiVersion::default()).limits(&wire.session).await;
    let error = unreachable.unwrap_err();
    assert!(matches!(&error, SalesforceError::Transport(e) if !e.was_sent()), "{error:?}");
}
