//! `crm-sync serve` as its operator meets it: a process, a folder, signals, and the API over HTTP.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

#[path = "serve/upkeep.rs"]
mod upkeep;

const PROGRAM: &str = env!("CARGO_BIN_EXE_crm-sync");

/// Longer than anything here takes, and shorter than the grace of a due item.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder for one test, and an address that was free a moment ago.
struct Place {
    folder: tempfile::TempDir,
    address: SocketAddr,
    client: Client,
}

/// A running process, killed when the test ends however it ends.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Served {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Asks the process to end. Gives the time that it took.
    fn terminate(mut self) -> Duration {
        let begun = Instant::now();
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
        begun.elapsed()
    }
}

impl Place {
    fn new() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), address, client }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words).arg("--data").arg(self.data());
        command
    }

    fn serve_command(&self) -> Command {
        let mut command = self.command(&["serve"]);
        command.args(["--listen", &self.address.to_string()]);
        command
    }

    fn start(&self) -> Served {
        let path = self.folder.path().join("log");
        let log = fs::File::options().append(true).create(true).open(path).unwrap();
        Served(self.serve_command().stderr(Stdio::from(log)).spawn().unwrap())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts the process and waits until it takes work.
    fn started(&self) -> Served {
        let served = self.start();
        let ready = || self.get("/health/ready").send().is_ok_and(|a| a.status().is_success());
        self.wait("ready", ready);
        served
    }

    fn wait(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "not {what} in time:\n{}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    fn token(&self, words: &[&str]) -> String {
        let output = self.command(&["token"]).args(words).output().unwrap();
        assert!(output.status.success(), "{}", error_of(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn post(&self, path: &str, token: &str, body: &Value) -> Response {
        let request = self.client.post(self.url(path)).bearer_auth(token);
        let key = Some("1").filter(|_| path.ends_with("/activities"));
        let request = key.into_iter().fold(request, |r, key| r.header("idempotency-key", key));
        request.header("content-type", "application/json").body(body.to_string()).send().unwrap()
    }

    /// Begins a version of the directory. Gives its id and the address of its one part.
    fn begin(&self, token: &str) -> (String, String) {
        let new = json!({ "parts": [{ "kind": "companies" }] });
        let answer = self.post("/v1/directory/versions", token, &new);
        assert_eq!(answer.status(), StatusCode::CREATED);
        let begun: Value = serde_json::from_str(&answer.text().unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&begun["version"]), text(&begun["uploads"][0]["url"]))
    }

    fn state(&self, token: &str, version: &str) -> String {
        let path = format!("/v1/directory/versions/{version}");
        let answer = self.get(&path).bearer_auth(token).send().unwrap().text().unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["state"].as_str().unwrap_or_default().to_owned()
    }
}

fn error_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command that must not start, and gives what it says.
fn refused(command: &mut Command) -> String {
    let begun = Instant::now();
    let output = command.output().unwrap();
    assert!(!output.status.success(), "it started");
    assert!(begun.elapsed() < Duration::from_secs(20));
    error_of(&output)
}

fn companies(lines: usize) -> String {
    let line = |n| {
        json!({ "id": format!("c{n}"), "name": format!("Company {n}"),
            "domain": format!("company{n}.example.com") })
        .to_string()
            + "\n"
    };
    (0..lines).map(line).collect()
}

#[test]
fn it_starts_takes_its_own_tokens_and_ends_in_time() {
    let place = Place::new();
    let served = place.started();
    assert!(place.log().contains("a master key was made"), "{}", place.log());
    assert!(place.log().contains(&place.address.to_string()), "{}", place.log());
    let mode =
        |name: &str| fs::metadata(place.data().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("master.key"), mode("control.sock")), (0o700, 0o600, 0o600));

    let path = "/v1/directory/versions";
    let tenant = "ten_0P26MTF6XHFA3HK0G2CVVH83G9";
    let (service, admin) = (
        place.token(&["--role", "service"]),
        place.token(&["--role", "admin", "--tenant", tenant]),
    );
    let new = json!({ "parts": [{ "kind": "companies" }] });
    assert_eq!(place.post(path, &admin, &new).status(), StatusCode::FORBIDDEN);
    assert_eq!(place.post(path, &service, &new).status(), StatusCode::CREATED);
    let forged = format!("{}x", &service[..service.len() - 1]);
    assert_eq!(place.post(path, &forged, &new).status(), StatusCode::UNAUTHORIZED);

    let keys = place.get("/.well-known/jwks.json").send().unwrap().text().unwrap();
    assert!(keys.contains("\"kid\"") && !keys.contains("\"d\""), "{keys}");
    let answer = place.get("/health/live").header("x-request-id", "mine-1").send().unwrap();
    assert_eq!(answer.headers()["x-request-id"], "mine-1");
    let metrics = place.get("/metrics").send().unwrap().text().unwrap();
    for metric in ["crm_sync_queue_messages{queue=\"import\"", "crm_sync_dead_letters", "# EOF"] {
        assert!(metrics.contains(metric), "{metric} is not in:\n{metrics}");
    }
    let taken = served.terminate();
    assert!(taken < Duration::from_secs(10), "{taken:?}");
    let later = place.token(&["--role", "service", "--valid", "5m"]);
    let _served = place.started();
    assert_eq!(place.post(path, &later, &new).status(), StatusCode::CREATED, "made while it slept");
    assert!(!place.log().contains(&service), "a token is not for the log");
}

#[test]
fn a_second_process_and_a_taken_port_are_refused_in_clear_words() {
    let place = Place::new();
    let _served = place.started();
    let error = refused(&mut place.command(&["serve", "--listen", "127.0.0.1:0"]));
    assert!(error.contains("another crm-sync uses the data folder"), "{error}");
    let other = Place::new();
    let mut command = other.command(&["serve", "--listen", &place.address.to_string()]);
    let error = refused(&mut command);
    assert!(error.contains("is in use by another program"), "{error}");
    assert!(!other.data().exists(), "nothing was begun for it");
}

#[test]
fn a_missing_or_another_master_key_starts_nothing() {
    let place = Place::new();
    place.started().terminate();
    let key = place.data().join("master.key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let error = refused(&mut place.serve_command());
    assert!(error.contains("is missing: put the key back"), "{error}");
    assert!(!key.exists(), "no key is made where data lies");

    let config = place.folder.path().join("config.toml");
    fs::write(&config, "[master_key]\nenv = \"SERVE_TEST_KEY\"\n").unwrap();
    let mut command = place.serve_command();
    command.arg("--config").arg(&config);
    let other = "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8=";
    let error = refused(command.env("SERVE_TEST_KEY", other));
    assert!(error.contains("sealed under the master key"), "{error}");
    assert!(!error.contains(other), "{error}");

    fs::write(&key, kept).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused(&mut place.serve_command());
    assert!(error.contains("chmod"), "{error}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    place.started().terminate();
}

#[test]
fn an_upload_is_taken_at_its_own_address_only() {
    let place = Place::new();
    let _served = place.started();
    let token = place.token(&["--role", "service"]);
    let (version, address) = place.begin(&token);
    let put = |address: &str, body: String| place.client.put(address).body(body).send().unwrap();
    let altered = address.replace("signature=", "signature=0");
    assert_eq!(put(&altered, companies(1)).status(), StatusCode::FORBIDDEN);
    let longer = address.replace("expires=", "expires=9");
    assert_eq!(put(&longer, companies(1)).status(), StatusCode::FORBIDDEN);
    assert_eq!(put(&address, companies(100)).status(), StatusCode::OK);
    let publish = format!("/v1/directory/versions/{version}/publish");
    assert_eq!(place.post(&publish, &token, &json!({})).status(), StatusCode::ACCEPTED);
    place.wait("published", || place.state(&token, &version) == "published");
}

/// What is under way when the process is killed goes on at once: the due items' grace of five
/// minutes is far longer than this test waits.
#[test]
fn work_goes_on_after_kills_without_a_grace() {
    let place = Place::new();
    let served = place.started();
    let token = place.token(&["--role", "service", "--valid", "1h"]);
    let (version, address) = place.begin(&token);
    let put = place.client.put(&address).body(companies(20_000)).send().unwrap();
    assert_eq!(put.status(), StatusCode::OK);
    let publish = format!("/v1/directory/versions/{version}/publish");
    assert_eq!(place.post(&publish, &token, &json!({})).status(), StatusCode::ACCEPTED);
    served.kill();
    for kill in 0..4_u64 {
        let served = place.started();
        let state = place.state(&token, &version);
        assert!(kill > 0 || state != "published", "nothing was under way at the first kill");
        sleep(Duration::from_millis(40 * kill));
        served.kill();
    }
    let begun = Instant::now();
    let _served = place.started();
    place.wait("published", || place.state(&token, &version) == "published");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[test]
fn it_speaks_tls_from_files() {
    let place = Place::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = place.folder.path();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let config = folder.join("config.toml");
    fs::write(&config, "[server]\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n").unwrap();
    let log = fs::File::create(folder.join("log")).unwrap();
    let mut command = place.serve_command();
    command.arg("--config").arg(&config).stderr(Stdio::from(log));
    let _served = Served(command.spawn().unwrap());
    let authority = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .resolve("localhost", place.address)
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/health/ready", place.address.port());
    place.wait("ready", || client.get(&url).send().is_ok_and(|a| a.status().is_success()));

    fs::write(folder.join("key.pem"), "no key").unwrap();
    let other = Place::new();
    let error = refused(other.serve_command().arg("--config").arg(&config));
    assert!(error.contains("the certificate"), "{error}");
}

#[test]
fn a_configuration_is_checked_without_being_used() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let file: &Path = &folder.path().join("crm-sync.toml");
        fs::write(file, text).unwrap();
        Command::new(PROGRAM).args(["config", "check"]).arg(file).output().unwrap()
    };
    let good = check("[server]\nlisten = \"127.0.0.1:8080\"\n");
    assert!(good.status.success(), "{}", error_of(&good));
    let bad = check("[server]\nlisten = 8080\n[salesforce]\nclient_secret = \"s3cret\"\n");
    let error = error_of(&bad);
    assert!(!bad.status.success());
    assert!(error.contains("line 2: server.listen"), "{error}");
    assert!(error.contains("line 4: salesforce.client_secret"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

/// Moves a tenant without a connected org: what belongs to an org is tested with an org.
#[test]
fn a_tenant_moves_from_one_process_to_another() {
    let (old, new) = (Place::new(), Place::new());
    let (_old, _new) = (old.started(), new.started());
    let (service, there) = (old.token(&["--role", "service"]), new.token(&["--role", "service"]));
    let made = old.post("/v1/tenants", &service, &json!({ "name": "Acme" })).text().unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    let tenant = made["tenant_id"].as_str().unwrap();
    let seats = format!("/v1/tenants/{tenant}/seats");
    let ada = json!({ "email": "ada@acme.example", "name": "Ada Lovell" });
    assert_eq!(old.post(&seats, &service, &ada).status(), StatusCode::CREATED);
    let list = |place: &Place, token: &str| {
        let text = place.get(&seats).bearer_auth(token).send().unwrap().text().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let file = old.folder.path().join("acme.jsonl");
    let tenant_command = |place: &Place, token: &str, words: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.arg("tenant").args(words).args(["--api", &place.url("")]);
        command.env("CRM_SYNC_TOKEN", token).output().unwrap()
    };
    let to = file.to_str().unwrap();
    let export = ["export", "--tenant", tenant, "--to", to];
    let exported = tenant_command(&old, &service, &export);
    assert!(exported.status.success(), "{}", error_of(&exported));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = tenant_command(&old, &service, &export);
    assert!(error_of(&again).contains("exists"), "{}", error_of(&again));

    for counts in [["1", "0"], ["0", "1"]] {
        let imported = tenant_command(&new, &there, &["import", "--from", to]);
        assert!(imported.status.success(), "{}", error_of(&imported));
        let told = String::from_utf8(imported.stdout).unwrap();
        for kind in ["seat", "tenant"] {
            let row = told.lines().find(|line| line.starts_with(&format!("{kind} "))).unwrap();
            assert_eq!(row.split_whitespace().skip(1).collect::<Vec<_>>(), counts, "{told}");
        }
    }
    assert_eq!(list(&new, &there), list(&old, &service));
    assert_eq!(list(&new, &there)["items"][0]["email"], "ada@acme.example");

    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() - 20]).unwrap();
    let cut = tenant_command(&new, &there, &["import", "--from", to]);
    assert!(!cut.status.success() && !error_of(&cut).contains("ada@"), "{}", error_of(&cut));
    let nobody = ["take-back", "--tenant", "ten_0P26MTF6XHFA3HK0G2CVVH83G9"];
    let nobody = tenant_command(&old, &service, &nobody);
    assert!(error_of(&nobody).contains("there is no such tenant"), "{}", error_of(&nobody));
    let back = tenant_command(&old, &service, &["take-back", "--tenant", tenant]);
    assert!(back.status.success(), "{}", error_of(&back));
}
