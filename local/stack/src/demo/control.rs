//! The simulator's control API: what only somebody inside Salesforce could do or see.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::net;
use crate::simulator::Simulator;

/// Seconds by which Salesforce's clock is put forward before the second import: past the time that
/// a row may take to become visible.
const VISIBILITY_SECONDS: u64 = 15 * 60;

/// A client of the control API.
#[derive(Debug)]
pub(super) struct Control {
    base: String,
    client: reqwest::Client,
}

impl Control {
    pub(super) fn new(simulator: &Simulator) -> anyhow::Result<Self> {
        Ok(Self { base: simulator.control_url().to_owned(), client: net::client()? })
    }

    /// Changes a row as somebody in the CRM would: `{op, object, id, fields}`.
    pub(super) async fn change(&self, change: &Value) -> anyhow::Result<()> {
        self.post("/changes", &json!({"changes": [change]})).await.map(|_| ())
    }

    /// Puts the simulator's clock forward.
    pub(super) async fn advance_past_visibility(&self) -> anyhow::Result<()> {
        self.post("/clock/advance", &json!({"seconds": VISIBILITY_SECONDS})).await.map(|_| ())
    }

    /// A row as it is stored.
    pub(super) async fn row(&self, object: &str, id: &str) -> anyhow::Result<Value> {
        self.get(&format!("/rows/{object}/{id}")).await
    }

    /// How many grants of our app the org still honours.
    pub(super) async fn live_grants(&self) -> anyhow::Result<u64> {
        let grants = self.get("/grants").await?;
        grants["live"].as_u64().context("the simulator does not count grants")
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.client.get(format!("{}{path}", self.base));
        Self::read(request, path).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        Self::read(request, path).await
    }

    async fn read(request: reqwest::RequestBuilder, path: &str) -> anyhow::Result<Value> {
        let answer = request.send().await.with_context(|| format!("the simulator's {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the simulator answered {path} with {status}: {text}");
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }
}
