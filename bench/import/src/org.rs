//! The first import of a simulator's org, its records counted and let go, and the run after it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::capabilities::connecting::Connect;
use shared::capabilities::custody::{Custody, SalesforceApp};
use shared::capabilities::importing::{Import, RunState};
use shared::capabilities::seats;
use shared::capabilities::seats::Tenant;
use shared::kernel::{
    Author, Envelope, Environment, Grantee, ImportMessage, ImportRunId, ImportTrigger, Message,
    TenantEnvironment, TenantId,
};
use shared::ports::Ports;
use shared::product::Product;
use shared::salesforce::{ApiVersion, Http, HttpOptions};
use shared::store::keys::GenerationKeys;
use shared::store::{Commit, Outbox, Store};
use shared::testing::Memory;
use shared::work::Done;
use url::Url;

use crate::{peak_megabytes, per_second, processor_time, sink};

/// Who logs in.
const ADMIN: &str = "admin@bench.example";

struct Bench {
    memory: Memory,
    ports: Ports,
    records: sink::Records,
    custody: Custody,
    connect: Connect,
    import: Import,
    at: TenantEnvironment,
}

pub(crate) async fn run(ready: &Path) -> anyhow::Result<Value> {
    let ready: Value = serde_json::from_slice(&std::fs::read(ready)?)?;
    let address = |name: &str| ready[name].as_str().with_context(|| name.to_owned());
    let bench = Bench::new(address("http_url")?)?;
    bench.authorize(address("control_url")?).await?;
    let scope = bench.scope().await?;
    let first = ImportRunId::derived(&format!("{scope}|connected"));
    let (begun, processor) = (Instant::now(), processor_time()?);
    bench.rest(first).await?;
    let (spent, processor) = (begun.elapsed(), processor_time()?.saturating_sub(processor));
    let records = bench.records.count();
    let calls = bench.calls(first).await?;
    let second = ImportRunId::derived("second");
    let trigger = ImportTrigger::Requested;
    let mut commit = Commit::new();
    commit.now(ImportMessage::Start { scope, run: second, trigger });
    anyhow::ensure!(Store::new(bench.ports.clone()).commit(commit).await?.is_done());
    bench.rest(second).await?;
    Ok(json!({
        "client": "crm-sync",
        "records": records,
        "seconds": spent.as_secs_f64(),
        "rows_per_second": per_second(records, spent),
        "processor_seconds": processor.as_secs_f64(),
        "api_calls_first": calls,
        "api_calls_unchanged": bench.calls(second).await?,
        "peak_megabytes": peak_megabytes(),
    }))
}

impl Bench {
    fn new(simulator: &str) -> anyhow::Result<Self> {
        let now: Timestamp = "2026-11-21T09:00:00Z".parse()?;
        let memory = Memory::new(now, 1);
        let records = sink::Records::default();
        let ports = records.sink(memory.ports());
        let address = simulator.trim_start_matches("http://").trim_end_matches('/').parse()?;
        let http = Http::to_loopback(HttpOptions::default(), address)?;
        let base: Url = "http://127.0.0.1:8080".parse()?;
        let version = ApiVersion::default();
        let app = SalesforceApp::new(ports.clone(), http, version, "app".into(), base, None);
        let product = Product::new(ports.clone()).opening("bench/".to_owned()).reaching(app);
        let (custody, connect) = (product.custody(), product.connect());
        let import = product.import();
        let tenant = TenantId::derived("bench");
        let at = TenantEnvironment { tenant, environment: Environment::Production };
        Ok(Self { memory, ports, records, custody, connect, import, at })
    }

    /// Connects the org, logging in by the simulator's control API.
    async fn authorize(&self, control: &str) -> anyhow::Result<()> {
        let app =
            json!({ "client_id": "crm-sync-local", "client_secret": "crm-sync-local-secret" });
        self.ports.secrets.put("app", &SecretString::from(app.to_string()), "1").await?;
        let (id, created_at) = (self.at.tenant, self.ports.clock.now());
        let tenant = Tenant::new(id, "Bench".into(), created_at);
        let mut commit = Commit::new();
        commit.create(&seats::keys::tenant(id), &tenant)?;
        anyhow::ensure!(Store::new(self.ports.clone()).commit(commit).await?.is_done());
        let begun = self.connect.begin(self.at, Grantee::Admin, None, &Author::Service).await?;
        let body = json!({ "authorize_url": begun.url.as_str(), "username": ADMIN }).to_string();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let control = format!("{}/authorize", control.trim_end_matches('/'));
        let request = http.post(control).header("content-type", "application/json").body(body);
        let reply: Value = serde_json::from_str(&request.send().await?.text().await?)?;
        let back: Url = reply["redirect_to"].as_str().context("a login")?.parse()?;
        let parameter = |name: &str| {
            let pair = back.query_pairs().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.into_owned()).context("a parameter")
        };
        let code = SecretString::from(parameter("code")?);
        let environment = self.at.environment;
        let browser = Some(begun.cookie.1.expose_secret());
        self.connect.finish(environment, &parameter("state")?, browser, Ok(code)).await?;
        Ok(())
    }

    async fn scope(&self) -> anyhow::Result<shared::kernel::Scope> {
        let connection = self.custody.connection(self.at).await?;
        Ok(connection.context("a connection")?.scope())
    }

    async fn keys(&self) -> anyhow::Result<GenerationKeys> {
        Ok(GenerationKeys::new(self.scope().await?, 16))
    }

    /// Delivers messages until a run is over.
    async fn rest(&self, run: ImportRunId) -> anyhow::Result<()> {
        let key = self.keys().await?.run(run);
        let outbox = Outbox::new(self.ports.clone());
        let store = Store::new(self.ports.clone());
        loop {
            let found = store.read(&key).await?;
            match found.map(|run| run.state) {
                Some(RunState::Complete) => return Ok(()),
                Some(state) if state.is_terminal() => anyhow::bail!("the run ended as {state:?}"),
                _ => {}
            }
            let messages = self.memory.receive();
            if messages.is_empty() {
                // Salesforce works in real time.
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.memory.clock.advance(SignedDuration::from_secs(1));
            }
            for message in messages {
                let envelope = Envelope::<Message>::parse(&message.body)?;
                let Message::Import(work) = envelope.message.clone() else { continue };
                match self.import.handle(work).await? {
                    Done::Finished => outbox.finish(&envelope).await?,
                    Done::Later(delay) => outbox.put_off(envelope, delay).await?,
                }
            }
        }
    }

    async fn calls(&self, run: ImportRunId) -> anyhow::Result<u64> {
        let place = self.keys().await?.object_imports(run);
        let objects = Store::new(self.ports.clone()).all(&place).await?;
        // And one for the org's stages.
        Ok(objects.iter().map(|o| o.api_calls).sum::<u64>() + 1)
    }
}
