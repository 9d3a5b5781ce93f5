//! Two refreshers against a server that rotates strictly.
//!
//! Each refresh token works once, and a second use ends the whole grant. The model is the real code
//! over the ports in memory. The tests enumerate the schedules of its port calls, and the places
//! where a process dies.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::task::JoinHandle;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::capabilities::custody::{Custody, SalesforceApp};
use crate::kernel::{Environment, Generation, TenantEnvironment, TenantId};
use crate::ports::Ports;
use crate::salesforce::{ApiVersion, Http, HttpOptions, SalesforceError};
use crate::store::Store;
use crate::store::keys::GenerationKeys;
use crate::testing::{Fuse, Gate, Memory};
use crate::work::Done;

const ORG: &str = "00Dxx0000001gPLEAY";
const USER: &str = "005xx000001SwiUAAS";
const INSTANCE: &str = "https://acme.my.salesforce.com/";
const CLIENT_SECRET: &str = "secret";

/// The answer that a test puts into the token endpoint's mouth.
type Refusal = (u16, &'static str, &'static str);

/// The grant as Salesforce knows it: the token's number, and whether the grant was ended.
#[derive(Debug, Default)]
struct Grant {
    number: u64,
    refreshed: u64,
    asked: u64,
    ended: bool,
    refusal: Option<Refusal>,
    org: Option<&'static str>,
    instance: Option<&'static str>,
    /// The app's secret, once it was rotated.
    secret: Option<&'static str>,
}

/// A strictly rotating token endpoint.
#[derive(Clone, Default)]
struct Rotating(Arc<Mutex<Grant>>);

impl Rotating {
    fn grant(&self) -> std::sync::MutexGuard<'_, Grant> {
        self.0.lock().unwrap()
    }

    fn reset(&self) {
        *self.grant() = Grant { number: 1, ..Grant::default() };
    }

    fn answer(&self, request: &Request) -> ResponseTemplate {
        let mut grant = self.grant();
        grant.asked += 1;
        if let Some((status, error, description)) = grant.refusal {
            let body = json!({ "error": error, "error_description": description });
            return ResponseTemplate::new(status).set_body_json(body);
        }
        let form: Vec<(String, String)> =
            url::form_urlencoded::parse(&request.body).into_owned().collect();
        let of = |name| &form.iter().find(|(n, _)| n == name).unwrap().1;
        let secret = grant.secret.unwrap_or(CLIENT_SECRET);
        if of("client_secret") != secret {
            let body = json!({
                "error": "invalid_client",
                "error_description": "invalid client credentials",
            });
            return ResponseTemplate::new(400).set_body_json(body);
        }
        let token = of("refresh_token");
        if grant.ended || *token != format!("refresh-{}", grant.number) {
            grant.ended = true;
            let body = json!({
                "error": "invalid_grant",
                "error_description": "expired access/refresh token",
            });
            return ResponseTemplate::new(400).set_body_json(body);
        }
        grant.number += 1;
        grant.refreshed += 1;
        let mut response = token_response(grant.number, grant.org.unwrap_or(ORG), secret);
        if let Some(instance) = grant.instance {
            response["instance_url"] = json!(instance);
        }
        ResponseTemplate::new(200).set_body_json(response)
    }

    /// The answer of the org's API to an access token; the first session is over.
    fn call(&self, access_token: &str) -> Result<(), SalesforceError> {
        let grant = self.grant();
        let good = !grant.ended && grant.number > 1;
        if good && access_token == format!("access-{}", grant.number) {
            return Ok(());
        }
        Err(SalesforceError::Unauthorized { code: "INVALID_SESSION_ID".to_owned() })
    }
}

fn token_response(number: u64, org: &str, secret: &str) -> serde_json::Value {
    let id = format!("https://login.salesforce.com/id/{org}/{USER}");
    let issued_at = "1795288123604";
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{id}{issued_at}").as_bytes()));
    json!({
        "access_token": format!("access-{number}"),
        "refresh_token": format!("refresh-{number}"),
        "signature": signature,
        "scope": "refresh_token api id",
        "instance_url": "https://acme.my.salesforce.com",
        "id": id,
        "token_type": "Bearer",
        "issued_at": issued_at,
    })
}

/// The token endpoint, and what every process of the model shares.
struct Model {
    _server: MockServer,
    rotating: Rotating,
    http: Http,
}

/// One history: the ports, and a connection whose session is over.
struct History<'a> {
    model: &'a Model,
    memory: Memory,
}

/// A process that calls Salesforce once, let through its port calls one by one.
struct Process {
    fuse: Fuse,
    gates: UnboundedReceiver<Gate>,
    waiting: Option<Gate>,
    task: JoinHandle<Result<(), GrantError>>,
    outcome: Option<Result<(), GrantError>>,
}

impl Model {
    async fn new() -> Self {
        let server = MockServer::start().await;
        let rotating = Rotating::default();
        let answering = rotating.clone();
        Mock::given(path("/services/oauth2/token"))
            .respond_with(move |request: &Request| answering.answer(request))
            .mount(&server)
            .await;
        let http = Http::to_loopback(HttpOptions::default(), *server.address()).unwrap();
        Self { _server: server, rotating, http }
    }

    async fn history(&self) -> History<'_> {
        self.rotating.reset();
        let now = Timestamp::from_second(1_795_294_800).unwrap();
        let memory = Memory::new(now, 7);
        let ports = memory.ports();
        let at = TenantEnvironment {
            tenant: TenantId::derived("acme"),
            environment: Environment::Production,
        };
        let scope = at.generation(Generation(1));
        store_app_secret(&ports, CLIENT_SECRET).await;
        let grant = StoredGrant {
            access_token: "access-1".into(),
            refresh_token: "refresh-1".into(),
            instance_url: INSTANCE.parse().unwrap(),
        };
        let custody = Custody::new(ports.clone(), "test/".to_owned());
        let version = custody.make_secret(scope, &grant, "1").await.unwrap();
        let connection = Connection {
            at,
            generation: Generation(1),
            state: ConnectionState::Connected,
            trouble: None,
            paused_since: None,
            degraded_since: None,
            handed_over_at: None,
            org_id: ORG.parse().unwrap(),
            org_name: "Acme".to_owned(),
            edition: "Enterprise Edition".to_owned(),
            instance_url: INSTANCE.parse().unwrap(),
            login_host: "login.salesforce.com".parse().unwrap(),
            buckets: 1,
            integration_user: USER.parse().unwrap(),
            connected_at: now,
            slot_offset: 0,
        };
        let state = GrantState::new(1, Some(version), USER.parse().unwrap(), now);
        let store = Store::new(ports);
        store.put(&connection_slot(at), &connection).await.unwrap();
        store.put(&GenerationKeys::of(&connection).admin_grant(), &state).await.unwrap();
        History { model: self, memory }
    }
}

/// A call by a process of its own, as an invocation makes it.
async fn call(ports: Ports, http: Http, rotating: Rotating) -> Result<(), GrantError> {
    call_as(&app(&ports, http), ports, rotating).await
}

async fn store_app_secret(ports: &Ports, secret: &str) {
    let text = json!({ "client_id": "app", "client_secret": secret }).to_string();
    ports.secrets.put("app", &text.into(), secret).await.unwrap();
}

fn app(ports: &Ports, http: Http) -> SalesforceApp {
    let base = "https://crm-sync.example.com".parse().unwrap();
    SalesforceApp::new(ports.clone(), http, ApiVersion::default(), "app".into(), base, None)
}

/// A call by a process that has the app's credentials already, or not.
async fn call_as(app: &SalesforceApp, ports: Ports, rotating: Rotating) -> Result<(), GrantError> {
    let custody = Custody::new(ports.clone(), "test/".to_owned());
    let grants = Grants::new(ports, custody.clone(), app.clone());
    let scope = TenantEnvironment {
        tenant: TenantId::derived("acme"),
        environment: Environment::Production,
    }
    .generation(Generation(1));
    let opened = custody.open(scope).await?.expect("a connection");
    let ask = |session: crate::salesforce::Session| {
        let answer = rotating.call(session.access_token.expose_secret());
        async move { answer }
    };
    grants.call(&opened, Grantee::Admin, ask).await
}

impl History<'_> {
    fn ports(&self) -> Ports {
        self.memory.ports()
    }

    fn process(&self) -> Process {
        let fuse = Fuse::default();
        let gates = fuse.gates();
        let ports = fuse.guard(&self.ports());
        let (http, rotating) = (self.model.http.clone(), self.model.rotating.clone());
        let task = tokio::spawn(call(ports, http, rotating));
        Process { fuse, gates, waiting: None, task, outcome: None }
    }

    /// Somebody who comes by when every lease has run out.
    async fn later(&self) -> Result<(), GrantError> {
        self.memory.clock.advance(LEASE + SignedDuration::from_secs(1));
        let (http, rotating) = (self.model.http.clone(), self.model.rotating.clone());
        call(self.ports(), http, rotating).await
    }

    /// The number of tokens that were stored beside the first.
    fn stored(&self) -> u64 {
        let versions = self.memory.secret_versions("test/").len() as u64;
        versions - 1
    }

    async fn connection(&self) -> Connection {
        let at = TenantEnvironment {
            tenant: TenantId::derived("acme"),
            environment: Environment::Production,
        };
        Store::new(self.ports()).read(&connection_slot(at)).await.unwrap().unwrap()
    }

    /// Checks what must hold under every interleaving and every death: later callers find the
    /// server's newest token, unless a process died between the server's answer and its storing.
    /// Nobody but Salesforce could close that window. A connection that lost its grant there says
    /// so.
    async fn check(&self, died: bool, of: &str) {
        let later = self.later().await;
        let (refreshed, ended) = {
            let grant = self.model.rotating.grant();
            (grant.refreshed, grant.ended)
        };
        let lost = refreshed > self.stored();
        assert!(died || !lost, "{of}: a token was lost and nobody died");
        if lost {
            assert!(matches!(later, Err(GrantError::Dead)), "{of}: {later:?}");
            let connection = self.connection().await;
            let reason = connection.trouble.map(|trouble| trouble.reason);
            assert_eq!(connection.state, ConnectionState::ReconnectRequired, "{of}");
            assert_eq!(reason, Some(ReconnectReason::GrantDead), "{of}");
        } else {
            assert!(later.is_ok(), "{of}: {later:?}");
            assert!(!ended, "{of}: a token was used twice");
            assert_eq!(refreshed, 1, "{of}");
        }
    }
}

impl Process {
    /// Lets it through to its next call, or to its end; false when it had ended.
    async fn step(&mut self) -> bool {
        if self.outcome.is_some() {
            return false;
        }
        if let Some(gate) = self.waiting.take() {
            let _ = gate.send(());
        }
        tokio::select! {
            Some(gate) = self.gates.next() => self.waiting = Some(gate),
            outcome = &mut self.task => self.outcome = Some(outcome.unwrap()),
        }
        true
    }

    async fn finish(&mut self) {
        while self.step().await {}
    }

    /// A caller that was not killed has its answer, or is told to come again.
    fn is_served(&self) -> bool {
        matches!(self.outcome, Some(Ok(()) | Err(GrantError::Busy)))
    }
}

#[tokio::test]
async fn f31_two_refreshers_refresh_once_under_every_interleaving_with_two_switches() {
    let model = Model::new().await;
    let (mut histories, mut both) = (0, 0);
    for first in 0.. {
        let mut reached = false;
        for second in 0.. {
            let history = model.history().await;
            let (mut a, mut b) = (history.process(), history.process());
            let mut complete = true;
            for _ in 0..first {
                complete &= a.step().await;
            }
            for _ in 0..second {
                complete &= b.step().await;
            }
            a.finish().await;
            b.finish().await;
            let of = format!("{first} steps of one, {second} of the other");
            assert!(a.is_served() && b.is_served(), "{of}: {:?} {:?}", a.outcome, b.outcome);
            both += u64::from(
                a.outcome.as_ref().is_some_and(Result::is_ok)
                    && b.outcome.as_ref().is_some_and(Result::is_ok),
            );
            history.check(false, &of).await;
            assert_eq!(model.rotating.grant().asked, 1, "{of}");
            histories += 1;
            reached |= complete;
            if !complete {
                break;
            }
        }
        if !reached {
            break;
        }
    }
    assert!(histories > 100, "{histories} histories");
    assert!(both > 0, "in some histories both are served at once");
}

#[tokio::test]
async fn f15_the_loser_of_a_race_uses_the_winners_token() {
    let model = Model::new().await;
    let history = model.history().await;
    let (mut winner, mut loser) = (history.process(), history.process());
    // Both read the first token; then one goes all the way before the other goes on.
    for _ in 0..5 {
        loser.step().await;
    }
    winner.finish().await;
    loser.finish().await;
    assert!(matches!((winner.outcome, loser.outcome), (Some(Ok(())), Some(Ok(())))));
    assert_eq!(model.rotating.grant().asked, 1);
}

#[tokio::test]
async fn no_renewal_begins_with_under_thirty_seconds_of_the_invocation_left() {
    let model = Model::new().await;
    let history = model.history().await;
    let invoked = async |seconds: i64| {
        let deadline = history.ports().clock.now() + SignedDuration::from_secs(seconds);
        let (http, rotating) = (model.http.clone(), model.rotating.clone());
        Box::pin(work::until(deadline, call(history.ports(), http, rotating))).await
    };
    let refused = invoked(29).await.unwrap_err();
    assert!(matches!(refused, GrantError::TooLate), "{refused:?}");
    assert_eq!(model.rotating.grant().asked, 0);
    let again = refused.into_done("import an object").unwrap();
    assert!(matches!(again, Done::Later(_)), "the message comes again");
    invoked(30).await.unwrap();
    assert_eq!(model.rotating.grant().asked, 1);
    // A call that needs no renewal is made however little is left.
    invoked(1).await.unwrap();
}

#[tokio::test]
async fn f46_an_org_that_moved_is_followed_to_its_new_address() {
    let model = Model::new().await;
    let history = model.history().await;
    model.rotating.grant().instance = Some("https://umbrella.my.salesforce.com");
    history.later().await.unwrap();
    let connection = history.connection().await;
    assert_eq!(connection.instance_url.to_string(), "https://umbrella.my.salesforce.com");
    assert_eq!(connection.state, ConnectionState::Connected);
}

#[tokio::test]
async fn f33_a_refresher_that_dies_at_any_call_loses_the_grant_in_one_window_only() {
    let model = Model::new().await;
    let mut lost = BTreeSet::new();
    for (dies_at, after_effect) in (1..40).flat_map(|n| [(n, false), (n, true)]) {
        let mut died = false;
        // The other one begins when the first is at its `n`th call, whichever that is.
        for begins in 0..=dies_at {
            let history = model.history().await;
            let (mut a, mut b) = (history.process(), history.process());
            a.fuse.light(dies_at, after_effect);
            for _ in 0..begins {
                a.step().await;
            }
            b.finish().await;
            a.finish().await;
            died = a.fuse.is_dead();
            let of = format!("dies at {dies_at}, after {after_effect}, the other at {begins}");
            history.check(died, &of).await;
            if model.rotating.grant().refreshed > history.stored() {
                lost.insert((dies_at, after_effect));
            }
        }
        if !died {
            break;
        }
    }
    // Two calls lie in the window: the read of the secret for its data key, and the put until its
    // effect.
    assert!(lost.len() <= 3, "lost at {lost:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn three_refreshers_in_any_order_of_steps_and_deaths_keep_the_grant(
        schedule in prop::collection::vec(0_usize..3, 0..60),
        deaths in prop::collection::vec((0_usize..3, 1_u64..16, any::<bool>()), 0..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let model = Model::new().await;
            let history = model.history().await;
            let mut processes = [history.process(), history.process(), history.process()];
            for (process, call, after_effect) in &deaths {
                processes[*process].fuse.light(*call, *after_effect);
            }
            for process in &schedule {
                processes[*process].step().await;
            }
            for process in &mut processes {
                process.finish().await;
            }
            let died = processes.iter().any(|process| process.fuse.is_dead());
            history.check(died, "a random history").await;
        });
    }
}

/// Salesforce's refusals of a refresh, and what becomes of the connection.
#[tokio::test]
async fn f34_every_refusal_of_a_refresh_has_its_outcome() {
    use ReconnectReason as Why;
    let model = Model::new().await;
    for (refusal, expected, alive) in [
        ((400, "invalid_grant", "expired access/refresh token"), Some(Why::GrantDead), false),
        ((400, "invalid_grant", "expired authorization code"), None, true),
        ((400, "invalid_grant", "inactive user"), Some(Why::UserInactive), true),
        ((400, "inactive_user", "user is inactive"), Some(Why::UserInactive), true),
        (
            (400, "invalid_client", "app must be installed into org"),
            Some(Why::AppNotInstalled),
            true,
        ),
        (
            (400, "invalid_grant", "user hasn't approved this consumer"),
            Some(Why::UserNotApproved),
            true,
        ),
        (
            (400, "app_not_found", "External client app is not installed in this org"),
            Some(Why::AppNotInstalled),
            true,
        ),
        ((400, "invalid_grant", "ip restricted"), Some(Why::AccessRestricted), true),
        ((400, "inactive_org", "organization is inactive"), None, true),
        ((400, "invalid_client_id", "client identifier invalid"), None, true),
        ((400, "rate_limit_exceeded", "login rate exceeded"), None, true),
        ((429, "unknown", ""), None, true),
        ((503, "unknown", ""), None, true),
    ] {
        let history = model.history().await;
        model.rotating.grant().refusal = Some(refusal);
        let error = history.later().await.unwrap_err();
        let of = format!("{refusal:?}: {error:?}");
        let connection = history.connection().await;
        assert_eq!(connection.trouble.map(|trouble| trouble.reason), expected, "{of}");
        let connected = connection.state == ConnectionState::Connected;
        assert_eq!(connected, expected.is_none(), "{of}");
        assert_eq!(matches!(error, GrantError::Dead), expected.is_some(), "{of}");
        let slot = GenerationKeys::of(&connection).admin_grant();
        let state = Store::new(history.ports()).read(&slot).await.unwrap().unwrap();
        assert_eq!(state.alive, alive, "{of}");
        // No storm: what was refused for good is not asked again, by however many callers.
        let asked = model.rotating.grant().asked;
        for _ in 0..3 {
            let _ = history.later().await;
        }
        let again = model.rotating.grant().asked - asked;
        assert_eq!(again, if connected { 3 } else { 0 }, "{of}");
    }
}

/// The org is disconnected, or connected anew, between any two calls of a process whose grant is
/// refused.
#[tokio::test]
async fn a_refusal_marks_neither_a_connection_that_ended_nor_the_one_after_it() {
    let model = Model::new().await;
    let ended =
        |connection: Connection| Connection { state: ConnectionState::Disconnected, ..connection };
    let anew = |connection: Connection| Connection { generation: Generation(2), ..connection };
    for happens in [ended as fn(Connection) -> Connection, anew] {
        // Its first two steps read the connection.
        for n in 2.. {
            let history = model.history().await;
            let refusal = (400, "invalid_grant", "expired access/refresh token");
            model.rotating.grant().refusal = Some(refusal);
            let mut process = history.process();
            let mut is_under_way = true;
            for _ in 0..n {
                is_under_way &= process.step().await;
            }
            let after = happens(history.connection().await);
            let slot = connection_slot(after.at);
            Store::new(history.ports()).put(&slot, &after).await.unwrap();
            process.finish().await;
            assert_eq!(history.connection().await, after, "after {n} steps");
            if !is_under_way {
                assert!(n > 10, "it makes {n} steps");
                break;
            }
        }
    }
}

#[tokio::test]
async fn field_13_a_refusal_in_unknown_words_that_lasts_is_the_connection_s_trouble() {
    let model = Model::new().await;
    let history = model.history().await;
    model.rotating.grant().refusal = Some((400, "app_gone_elsewhere", "new words of Salesforce"));
    let refused = || async { history.later().await.unwrap_err() };
    for _ in 0..3 {
        assert!(matches!(refused().await, GrantError::Renewal(_)), "it may pass");
        history.memory.clock.advance(SignedDuration::from_mins(19));
    }
    assert_eq!(history.connection().await.state, ConnectionState::Connected);
    // A renewal that works ends the hour.
    model.rotating.grant().refusal = None;
    history.later().await.unwrap();
    let slot = GenerationKeys::of(&history.connection().await).admin_grant();
    let state = Store::new(history.ports()).read(&slot).await.unwrap().unwrap();
    assert_eq!(state.refused_since, None);
    // One that goes on for an hour is the connection's.
    let history = model.history().await;
    model.rotating.grant().refusal = Some((400, "app_gone_elsewhere", ""));
    let refused = || async { history.later().await.unwrap_err() };
    for _ in 0..3 {
        assert!(matches!(refused().await, GrantError::Renewal(_)));
        history.memory.clock.advance(SignedDuration::from_mins(25));
    }
    assert!(matches!(refused().await, GrantError::Dead));
    let connection = history.connection().await;
    assert_eq!(connection.state, ConnectionState::ReconnectRequired);
    let reason = connection.trouble.map(|trouble| trouble.reason);
    assert_eq!(reason, Some(ReconnectReason::TokenRefused));
}

#[tokio::test]
async fn f47_another_org_behind_the_same_login_is_quarantined() {
    let model = Model::new().await;
    let history = model.history().await;
    model.rotating.grant().org = Some("00Dxx0000009zzzEAA");
    assert!(matches!(history.later().await, Err(GrantError::Dead)));
    let connection = history.connection().await;
    let reason = connection.trouble.map(|trouble| trouble.reason);
    assert_eq!(reason, Some(ReconnectReason::OtherOrg));
    assert_eq!(connection.org_id.as_str(), ORG, "the connection stays that of the first org");
    assert_eq!(history.stored(), 0, "nothing of the other org is kept");
}

#[tokio::test]
async fn f22_a_secret_of_the_app_that_was_rotated_is_read_again_when_it_is_refused() {
    let model = Model::new().await;
    let history = model.history().await;
    let ports = history.ports();
    let app = app(&ports, model.http.clone());
    let call = || call_as(&app, ports.clone(), model.rotating.clone());
    // Rotated at Salesforce, and not yet here: asking again is of no use, and no grant is lost.
    model.rotating.grant().secret = Some("rotated");
    let refused = call().await;
    assert!(matches!(refused, Err(GrantError::Renewal(ref e)) if e.refuses_the_client()));
    assert_eq!(model.rotating.grant().asked, 1, "not asked again under the same secret");
    // Rotated here: the refusal tells the process so before its five minutes are over.
    store_app_secret(&ports, "rotated").await;
    assert!(matches!(call().await, Err(GrantError::Busy)), "to come again");
    call().await.unwrap();
    let grant = model.rotating.grant();
    assert_eq!((grant.asked, grant.refreshed, grant.ended), (3, 1, false));
}

/// A secret store shows late what was written: a new grant that it does not show is waited for, and
/// nothing is renewed meanwhile that could not be stored.
#[tokio::test]
async fn a_grant_that_is_not_readable_yet_is_waited_for_and_one_that_is_gone_is_missing() {
    let model = Model::new().await;
    let history = model.history().await;
    let ports = history.ports();
    let custody = Custody::new(ports.clone(), "test/".to_owned());
    let grants = Grants::new(ports.clone(), custody.clone(), app(&ports, model.http.clone()));
    let at = history.connection().await.at;
    let opened = custody.open(at.generation(Generation(1))).await.unwrap().unwrap();
    let ask = async || {
        let never = |_| async { Ok::<(), SalesforceError>(()) };
        grants.call(&opened, Grantee::Admin, never).await
    };
    history.memory.hide_secrets(true);
    let early = ask().await;
    assert!(matches!(&early, Err(GrantError::Work(error)) if error.is_retryable()), "{early:?}");
    history.memory.clock.advance(SignedDuration::from_mins(16));
    let late = ask().await;
    assert!(matches!(late, Err(GrantError::Missing)), "{late:?}");
    assert_eq!(model.rotating.grant().asked, 0);
    history.memory.hide_secrets(false);
    assert!(ask().await.is_ok());
}
