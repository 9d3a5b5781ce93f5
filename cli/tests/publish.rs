//! `crm-sync directory publish` against a deployment that a test can break.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use wiremock::matchers::{method, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const TOKEN: &str = "token-of-the-service";

#[derive(Default)]
struct Version {
    base: Option<String>,
    kinds: Vec<String>,
    uploads: BTreeMap<usize, Vec<u8>>,
    state: &'static str,
    entities: BTreeMap<String, BTreeSet<String>>,
}

/// A deployment: what the API promises of directory versions, and no more.
#[derive(Default)]
struct Deployment {
    versions: Vec<Version>,
    current: Option<usize>,
    /// Uploads that fail before the first that does not.
    broken_uploads: usize,
    /// Versions fail, with this reason.
    fails: Option<&'static str>,
    /// Lines of the last version, in the order of its parts.
    lines: Vec<Value>,
}

fn number(id: &str) -> usize {
    id.trim_start_matches('v').parse().unwrap()
}

impl Deployment {
    fn answer(&mut self, request: &Request, base: &str) -> ResponseTemplate {
        let path = request.url.path();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        if let ["upload", version, part] = parts[..] {
            assert!(!request.headers.contains_key("authorization"), "the token leaves the API");
            assert!(request.headers.contains_key("content-length"));
            if self.broken_uploads > 0 {
                self.broken_uploads -= 1;
                return ResponseTemplate::new(503);
            }
            let version = &mut self.versions[number(version)];
            version.uploads.insert(part.parse().unwrap(), request.body.clone());
            return ResponseTemplate::new(200);
        }
        if request.headers.get("authorization").and_then(|h| h.to_str().ok())
            != Some(&format!("Bearer {TOKEN}"))
        {
            return problem(401, "unauthorized");
        }
        match (request.method.as_str(), &parts[..]) {
            ("POST", ["v1", "directory", "versions"]) => {
                let body: Value = request.body_json().unwrap();
                let kinds = body["parts"].as_array().unwrap();
                let kinds = kinds.iter().map(|p| p["kind"].as_str().unwrap().to_owned());
                let base_version = body["base"].as_str().map(str::to_owned);
                let kinds: Vec<String> = kinds.collect();
                let id = format!("v{}", self.versions.len());
                let uploads: Vec<Value> = (0..kinds.len())
                    .map(|n| json!({"kind": kinds[n], "url": format!("{base}/upload/{id}/{n}")}))
                    .collect();
                self.versions.push(Version {
                    base: base_version,
                    kinds,
                    state: "draft",
                    ..Version::default()
                });
                let begun = json!({"version": id, "uploads": uploads});
                ResponseTemplate::new(201).set_body_json(begun)
            }
            ("POST", ["v1", "directory", "versions", id, "publish"]) => {
                self.publish(number(id));
                self.show(number(id), 202)
            }
            ("GET", ["v1", "directory", "versions", "current"]) => match self.current {
                Some(current) => self.show(current, 200),
                None => problem(404, "not_found"),
            },
            ("GET", ["v1", "directory", "versions", id]) => self.show(number(id), 200),
            _ => ResponseTemplate::new(404).set_body_string("no such page"),
        }
    }

    fn publish(&mut self, at: usize) {
        let base = self.versions[at].base.as_deref().map(number);
        let mut entities =
            base.map_or_else(BTreeMap::new, |base| self.versions[base].entities.clone());
        self.lines.clear();
        let version = &mut self.versions[at];
        for (number, bytes) in &version.uploads {
            let of_kind = entities.entry(version.kinds[*number].clone()).or_default();
            let text = std::io::read_to_string(BufReader::new(MultiGzDecoder::new(&bytes[..])));
            for line in text.unwrap().lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let id = line["id"].as_str().unwrap().to_owned();
                if line["op"] == "delete" {
                    of_kind.remove(&id)
                } else {
                    of_kind.insert(id)
                };
                self.lines.push(line);
            }
        }
        assert_eq!(version.uploads.len(), version.kinds.len(), "a part is missing");
        version.entities = entities;
        version.state = if self.fails.is_some() { "failed" } else { "published" };
        if self.fails.is_none() {
            self.current = Some(at);
        }
    }

    fn show(&self, at: usize, status: u16) -> ResponseTemplate {
        let version = &self.versions[at];
        let count = |kind| version.entities.get(kind).map_or(0, BTreeSet::len);
        ResponseTemplate::new(status).set_body_json(json!({
            "version": format!("v{at}"),
            "state": version.state,
            "reason": self.fails,
            "people": count("people"),
            "companies": count("companies"),
            "skipped": {},
        }))
    }
}

fn problem(status: u16, kind: &str) -> ResponseTemplate {
    let body = json!({"type": kind, "title": "Words", "status": status});
    ResponseTemplate::new(status).set_body_json(body)
}

struct World {
    deployment: Arc<Mutex<Deployment>>,
    server: MockServer,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let deployment = Arc::new(Mutex::new(Deployment::default()));
        let server = MockServer::start().await;
        let (answering, base) = (deployment.clone(), server.uri());
        let answer = move |request: &Request| answering.lock().unwrap().answer(request, &base);
        for verb in ["GET", "POST", "PUT"] {
            let mock = Mock::given(method(verb)).and(path_regex("^/(v1|upload)/"));
            mock.respond_with(answer.clone()).mount(&server).await;
        }
        Self { deployment, server, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn people(&self, ids: std::ops::Range<usize>, title: &str) -> PathBuf {
        let line = |id| json!({"id": format!("p{id}"), "first_name": "A", "title": title});
        let text: String = ids.map(|id| line(id).to_string() + "\n").collect();
        self.file("people.jsonl", &text)
    }

    fn companies(&self) -> PathBuf {
        self.file("companies.csv", "id,name,domain\nc0,Acme,acme.test\nc1,Beta,beta.test\n")
    }

    async fn publish(&self, arguments: &[&str]) -> Output {
        self.publish_to(&self.server.uri(), TOKEN, arguments).await
    }

    async fn publish_to(&self, api: &str, token: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crm-sync"));
        command.args(["directory", "publish", "--api", api]).args(arguments);
        command.arg("--state").arg(self.folder.path().join("digest"));
        command.env("CRM_SYNC_TOKEN", token);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn with<T>(&self, look: impl FnOnce(&mut Deployment) -> T) -> T {
        look(&mut self.deployment.lock().unwrap())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn succeeded(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &errors
}

fn failed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_export_goes_whole_and_the_next_as_what_changed() {
    let world = World::new().await;
    let (people, companies) = (world.people(0..50, "Buyer"), world.companies());
    let said = succeeded(&world.publish(&[text(&people), text(&companies)]).await);
    assert!(said.contains("nothing was published before"), "{said}");
    assert!(said.contains("version v0 is published: 50 people, 2 companies"), "{said}");
    assert_eq!(world.with(|d| d.lines.len()), 52);

    // Three are new, two are gone.
    let people = world.people(2..53, "Buyer");
    let said = succeeded(&world.publish(&[text(&people), text(&companies)]).await);
    assert!(said.contains("a delta to version v0"), "{said}");
    assert!(said.contains("version v1 is published: 51 people, 2 companies"), "{said}");
    world.with(|d| {
        assert_eq!(d.versions[1].kinds, ["people"], "nothing is sent of an unchanged kind");
        let deleted: Vec<&Value> = d.lines.iter().filter(|l| l["op"] == "delete").collect();
        assert_eq!(
            deleted,
            [&json!({"id": "p0", "op": "delete"}), &json!({"id": "p1", "op": "delete"})]
        );
        assert_eq!(d.lines.len(), 5);
    });

    let said = succeeded(&world.publish(&[text(&people), text(&companies)]).await);
    assert!(said.contains("nothing has changed"), "{said}");
    let said = succeeded(&world.publish(&["--full", text(&people), text(&companies)]).await);
    assert!(said.contains("--full was given"), "{said}");
    assert_eq!(world.with(|d| d.versions[2].base.clone()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_dates_and_company_ids_are_sent_from_json_lines_and_from_csv() {
    let world = World::new().await;
    let person = json!({
        "id": "p0",
        "last_name": "Lovell",
        "profile_url": "https://people.example/in/p0",
        "photo_url": "https://people.example/photo/p0.jpg",
        "company": { "name": "Acme", "company_id": "c0", "start_date": "2021-03" },
        "past_positions": [{ "title": "Buyer", "company": "Beta", "company_id": "c1",
            "start_date": "2018", "end_date": "2021-02-28" }],
    });
    let lines = world.file("people.jsonl", &format!("{person}\n"));
    let csv = world.file(
        "more.csv",
        "id,last_name,company,start_date,profile_url,photo_url\n\
         p1,Moss,Acme,2020-05,https://people.example/in/p1,javascript:alert(1)\n\
         p2,Frost,Acme,soon,,\n",
    );
    let companies = world.file(
        "companies.csv",
        "id,name,domain,website,profile_url\n\
         c0,Acme,acme.test,https://acme.test,https://people.example/company/c0\n",
    );
    succeeded(&world.publish(&[text(&lines), text(&csv), text(&companies)]).await);
    let sent = |id: &str| {
        let found = |d: &mut Deployment| d.lines.iter().find(|l| l["id"] == id).cloned();
        world.with(found).unwrap()
    };
    assert_eq!(sent("p0"), person, "a line of JSON stays as it is");
    let p1 = sent("p1");
    assert_eq!(p1["company"]["start_date"], "2020-05");
    assert_eq!(p1["profile_url"], "https://people.example/in/p1");
    assert_eq!(p1.get("photo_url"), None, "a script is no link");
    let p2 = sent("p2");
    assert_eq!(p2["company"], json!({ "name": "Acme" }), "no date, and no fault");
    assert_eq!(p2.get("profile_url"), None, "written as before there were links");
    let company = sent("c0");
    assert_eq!(company["website"], "https://acme.test");
    assert_eq!(company["profile_url"], "https://people.example/company/c0");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_kind_alone_is_sent_as_a_delta_and_never_as_the_whole() {
    let world = World::new().await;
    let (people, companies) = (world.people(0..5, "Buyer"), world.companies());
    succeeded(&world.publish(&[text(&people), text(&companies)]).await);
    let people = world.people(0..6, "Buyer");
    succeeded(&world.publish(&["--people", text(&people)]).await);
    assert_eq!(world.with(|d| d.versions[1].entities["companies"].len()), 2);
    let said = failed(&world.publish(&["--full", "--people", text(&people)]).await);
    assert!(said.contains("2 companies that the deployment has would be gone"), "{said}");
    // The digest kept the companies too.
    let companies = world.file("companies.csv", "id,name,domain\nc0,Acme,acme.test\n");
    succeeded(&world.publish(&[text(&companies)]).await);
    assert_eq!(world.with(|d| d.lines.clone()), [json!({"id": "c1", "op": "delete"})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_change_and_sends_nothing() {
    let world = World::new().await;
    let (people, companies) = (world.people(0..5, "Buyer"), world.companies());
    succeeded(&world.publish(&[text(&people), text(&companies)]).await);
    let people = world.people(1..6, "Seller");
    let dry = world.publish(&["--dry-run", "--json", text(&people), text(&companies)]).await;
    succeeded(&dry);
    let said: Value = serde_json::from_slice(&dry.stdout).unwrap();
    let expected = json!({"export": 5, "new": 1, "changed": 4, "gone": 1, "unchanged": 0});
    assert_eq!(said["people"], expected);
    assert_eq!((&said["way"], &said["version"]), (&json!("delta"), &Value::Null));
    assert_eq!(world.with(|d| d.versions.len()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_of_another_version_or_a_damaged_one_is_not_used() {
    let world = World::new().await;
    let (people, companies) = (world.people(0..5, "Buyer"), world.companies());
    let both = [text(&people), text(&companies)];
    succeeded(&world.publish(&both).await);
    // Somebody else publishes.
    world.with(|d| {
        let entities = d.versions[0].entities.clone();
        d.versions.push(Version { state: "published", entities, ..Version::default() });
        d.current = Some(1);
    });
    let said = succeeded(&world.publish(&both).await);
    assert!(said.contains("the digest file is of version v0, and the deployment has v1"), "{said}");
    let digest = world.folder.path().join("digest");
    let mut bytes = std::fs::read(&digest).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&digest, bytes).unwrap();
    let said = succeeded(&world.publish(&both).await);
    assert!(said.contains("cannot be used: its checksum is wrong"), "{said}");
    assert_eq!(world.with(|d| d.versions[3].base.clone()), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_cut_off_after_publishing_finds_the_digest_of_what_was_published() {
    let world = World::new().await;
    let (people, companies) = (world.people(0..5, "Buyer"), world.companies());
    let both = [text(&people), text(&companies)];
    succeeded(&world.publish(&both).await);
    let digest = world.folder.path().join("digest");
    std::fs::rename(&digest, world.folder.path().join("digest.pending")).unwrap();
    let said = succeeded(&world.publish(&both).await);
    assert!(said.contains("nothing has changed"), "{said}");
    assert!(digest.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_is_sent_again() {
    let world = World::new().await;
    world.with(|d| d.broken_uploads = 2);
    let (people, companies) = (world.people(0..5, "Buyer"), world.companies());
    succeeded(&world.publish(&[text(&people), text(&companies)]).await);
    assert_eq!(world.with(|d| d.versions[0].entities["people"].len()), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_is_told_with_its_reason_and_leaves_no_digest() {
    let world = World::new().await;
    let (people, companies) = (world.people(0..5, "Buyer"), world.companies());
    let both = [text(&people), text(&companies)];
    world.with(|d| d.fails = Some("line 3: unexpected end of file"));
    let said = failed(&world.publish(&both).await);
    assert!(said.contains("version v0 failed: line 3: unexpected end of file"), "{said}");
    world.with(|d| d.fails = None);
    let said = succeeded(&world.publish(&both).await);
    assert!(said.contains("nothing was published before"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_or_token_is_named() {
    let world = World::new().await;
    let people = world.people(0..5, "Buyer");
    let said = failed(&world.publish_to(&world.server.uri(), "other", &[text(&people)]).await);
    assert!(said.contains("the token was refused"), "{said}");
    assert!(!said.contains("other\n") && !said.contains(TOKEN), "{said}");
    let elsewhere = format!("{}/elsewhere", world.server.uri());
    let said = failed(&world.publish_to(&elsewhere, TOKEN, &[text(&people)]).await);
    assert!(said.contains("is not the API of crm-sync"), "{said}");
    let said = failed(&world.publish_to("example.test", TOKEN, &[text(&people)]).await);
    assert!(said.contains("is no address of an API"), "{said}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let said = failed(&world.publish_to(&closed, TOKEN, &[text(&people)]).await);
    assert!(said.contains("cannot reach"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_lacks_much_or_is_cut_short_is_not_published() {
    let world = World::new().await;
    let (people, companies) = (world.people(0..1000, "Buyer"), world.companies());
    succeeded(&world.publish(&[text(&people), text(&companies)]).await);
    let people = world.people(0..700, "Buyer");
    let both = [text(&people), text(&companies)];
    let said = failed(&world.publish(&both).await);
    assert!(said.contains("300 of 1 000 people are not in the export"), "{said}");

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&std::fs::read(&people).unwrap()).unwrap();
    let whole = gzip.finish().unwrap();
    let cut = world.folder.path().join("people.jsonl.gz");
    std::fs::write(&cut, &whole[..whole.len() - 20]).unwrap();
    let said = failed(&world.publish(&["--people", text(&cut), text(&companies)]).await);
    assert!(said.contains("truncated-gzip"), "{said}");
    assert_eq!(world.with(|d| d.versions.len()), 1);

    let mut accepted = vec!["--accept-gone"];
    accepted.extend(both);
    succeeded(&world.publish(&accepted).await);
    assert_eq!(world.with(|d| d.versions[1].entities["people"].len()), 700);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_strict_a_row_at_fault_stops_it_before_anything_is_sent() {
    let world = World::new().await;
    let people = world.file("people.jsonl", "{\"id\":\"p0\",\"title\":\"a\"}\nnot json\n");
    let strict = world.publish(&["--strict", text(&people)]).await;
    assert_eq!(strict.status.code(), Some(3));
    assert!(world.with(|d| d.versions.is_empty()));
    succeeded(&world.publish(&[text(&people)]).await);
    assert_eq!(world.with(|d| d.lines.len()), 1);
}
