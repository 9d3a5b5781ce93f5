//! The running stack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::calls::Call;
use crate::deploy::deploy;
use crate::emulator::Emulator;
use crate::front::Front;
use crate::issuer::{AUDIENCE, Caller, Issuer};
use crate::net::{self, Server};
use crate::options::{StackOptions, empty};
use crate::record::StackRecord;
use crate::simulator::Simulator;
use crate::ticker::{Tick, Ticker};

/// The app that the simulator knows, as a real org would know ours.
pub(crate) const CLIENT_ID: &str = "crm-sync-local";
pub(crate) const CLIENT_SECRET: &str = "crm-sync-local-secret";
/// How long a token of [`Stack::token`] is valid: longer than any demo or test.
const TOKEN_VALID: Duration = Duration::from_hours(12);

/// The queues of the template.
const QUEUES: [&str; 8] =
    ["import", "match", "auto-save", "writeback", "care", "telling", "purge", "directory"];

/// Everything, running. Dropping it stops everything and removes its temporary files; the logs
/// stay until the next start.
#[derive(Debug)]
pub struct Stack {
    // Dropped in this order: first what calls, then what is called.
    front: Front,
    emulator: Emulator,
    simulator: Option<Simulator>,
    issuer: Issuer,
    _issuer_server: Server,
    outputs: BTreeMap<String, String>,
    root: PathBuf,
    _files: Files,
}

/// The stack's folder.
#[derive(Debug)]
struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        StackRecord::remove(&self.0);
        // The next start or `make clean-local` removes the remains.
        let _ = std::fs::remove_dir_all(self.0.join("tmp"));
    }
}

impl Stack {
    /// Brings everything up.
    ///
    /// # Errors
    /// Says what is missing and the command that makes it, or what did not start and why.
    pub async fn start(options: StackOptions) -> anyhow::Result<Self> {
        if let Some(record) = StackRecord::running(&options.state) {
            let id = record.process_id;
            bail!("a stack is running already (process {id}); `stack down` ends it");
        }
        empty(&options.state)?;
        let files = Files(options.state.clone());
        let simulator = match (&options.simulator, &options.org) {
            (Some(running), _) => Some(Simulator::of_others(running.clone())),
            (None, Some(org)) => Some(Simulator::start(&options, org).await?),
            (None, None) => None,
        };
        let (listener, _) = net::listen(0).await?;
        let (issuer, issuer_server) = Issuer::start(listener)?;
        let (listener, _) = net::listen(options.port).await?;
        let front = Front::start(listener)?;
        let emulator = Emulator::start(&options, simulator.as_ref()).await?;
        let parameters = parameters(&options, &front, &issuer, simulator.as_ref())?;
        let outputs = deploy(emulator.aws(), &options, &parameters).await?;
        store_app_secret(emulator.aws(), &outputs).await?;
        let api = outputs.get("HttpApiId").ok_or_else(|| anyhow!("no HttpApiId in the outputs"))?;
        front.point_to(format!("{}/_aws/execute-api/{api}/$default", emulator.aws().endpoint()));
        let stack = Self {
            front,
            emulator,
            simulator,
            issuer,
            _issuer_server: issuer_server,
            outputs,
            root: options.root.clone(),
            _files: files,
        };
        stack.leave_record(&options)?;
        Ok(stack)
    }

    /// The address of the API, without a slash at the end.
    #[must_use]
    pub fn api_base(&self) -> &str {
        self.front.address()
    }

    /// The emulated AWS.
    #[must_use]
    pub fn aws(&self) -> &Aws {
        self.emulator.aws()
    }

    /// What the functions have asked of AWS so far, each kind of call once.
    #[must_use]
    pub fn calls(&self) -> BTreeSet<Call> {
        self.emulator.calls()
    }

    /// The simulated Salesforce, when an org was given.
    #[must_use]
    pub fn simulator(&self) -> Option<&Simulator> {
        self.simulator.as_ref()
    }

    /// The token issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// A token for `caller`, valid for twelve hours.
    pub fn token(&self, caller: Caller<'_>) -> anyhow::Result<String> {
        self.issuer.token(caller, TOKEN_VALID)
    }

    /// An output of the deployed template, such as `TableName`.
    pub fn output(&self, name: &str) -> anyhow::Result<&str> {
        self.outputs
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| anyhow!("the template has no output {name}"))
    }

    /// Invokes a function by its name in `functions/`.
    ///
    /// # Errors
    /// When the function reports an error.
    pub async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Value> {
        self.aws().invoke(&format!("{}-{function}", StackOptions::NAME), event).await
    }

    /// Does now what the schedule does each minute, with the schedule's own event.
    pub async fn tick(&self) -> anyhow::Result<()> {
        self.ticker_of()?.tick().await
    }

    /// Ticks again and again, so that nobody waits for the minute, until the ticker is dropped.
    pub fn ticker(&self, pause: Duration) -> anyhow::Result<Ticker> {
        Ok(self.ticker_of()?.every(pause))
    }

    fn ticker_of(&self) -> anyhow::Result<Tick> {
        Tick::new(self.aws(), &self.root)
    }

    /// How many messages wait or are worked on, in each queue.
    pub async fn messages_under_way(&self) -> anyhow::Result<Vec<(&'static str, u64)>> {
        let mut under_way = Vec::new();
        for queue in QUEUES {
            let depth = self.aws().queue_depth(&format!("{}-{queue}", StackOptions::NAME)).await?;
            under_way.push((queue, depth));
        }
        Ok(under_way)
    }

    /// The queues whose dead-letter queue holds messages, with how many.
    pub async fn parked_messages(&self) -> anyhow::Result<Vec<(&'static str, u64)>> {
        let mut parked = Vec::new();
        for queue in QUEUES {
            let depth =
                self.aws().queue_depth(&format!("{}-{queue}-dead", StackOptions::NAME)).await?;
            if depth > 0 {
                parked.push((queue, depth));
            }
        }
        Ok(parked)
    }

    fn leave_record(&self, options: &StackOptions) -> anyhow::Result<()> {
        let issuer_key_file = options.file("issuer.pem");
        self.issuer.save(&issuer_key_file)?;
        let simulator = self.simulator.as_ref();
        let record = StackRecord {
            process_id: std::process::id(),
            emulator_process_id: self.emulator.process_id(),
            simulator_process_id: simulator.and_then(Simulator::process_id),
            api_base: self.api_base().to_owned(),
            aws_endpoint: self.aws().endpoint().to_owned(),
            salesforce_url: simulator.map(|s| s.http_url().to_owned()),
            control_url: simulator.map(|s| s.control_url().to_owned()),
            issuer: self.issuer.address().to_owned(),
            issuer_key_file,
        };
        record.write(&options.state)
    }
}

/// Does what an operator does after the first deployment: the template never has the app's secret.
async fn store_app_secret(aws: &Aws, outputs: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let secret = outputs.get("AppSecretArn").context("no AppSecretArn in the outputs")?;
    let value = json!({ "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET });
    let input = json!({
        "SecretId": secret,
        "ClientRequestToken": "00000000-0000-8000-8000-000000000001",
        "SecretString": value.to_string(),
    });
    aws.json("secretsmanager", "secretsmanager.PutSecretValue", &input).await?;
    Ok(())
}

fn parameters(
    options: &StackOptions,
    front: &Front,
    issuer: &Issuer,
    simulator: Option<&Simulator>,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut parameters = vec![
        ("PublicBaseUrl", front.address().to_owned()),
        ("JwtIssuer", issuer.address().to_owned()),
        ("JwtAudience", AUDIENCE.to_owned()),
        ("JwksUrl", issuer.key_set_url()),
        ("SalesforceClientId", CLIENT_ID.to_owned()),
        ("WorkerConcurrency", options.worker_concurrency.to_string()),
        ("Stage", "local".to_owned()),
        ("LogFilter", options.log_filter.clone()),
        ("PurgeGraceSeconds", options.purge_grace_seconds.to_string()),
        ("QueueVisibilitySeconds", options.queue_visibility_seconds.to_string()),
    ];
    if let Some(simulator) = simulator {
        parameters.push(("BrowserAuthorizeBase", simulator.http_url().to_owned()));
        parameters.push(("SalesforceCaFile", simulator.ca_file()?));
    }
    Ok(parameters)
}
