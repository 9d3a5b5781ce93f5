//! The simulator's control API: what only somebody inside Salesforce could do or see.

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::text;
use crate::net;
use crate::simulator::Simulator;

/// The control API of the one org that is loaded.
#[derive(Debug)]
pub(super) struct Control {
    org: String,
    client: reqwest::Client,
}

impl Control {
    pub(super) async fn new(simulator: &Simulator) -> anyhow::Result<Self> {
        let (base, client) = (simulator.control_url(), net::client()?);
        let orgs: Value = client.get(format!("{base}/orgs")).send().await?.json().await?;
        let label = text(&orgs[0], "my_domain").context("the simulator has no org")?;
        Ok(Self { org: format!("{base}/orgs/{label}"), client })
    }

    /// Live rows of each object, as the org itself counts them.
    pub(super) async fn counts(&self) -> anyhow::Result<Value> {
        self.call(Method::GET, "counts", &Value::Null).await
    }

    /// Changes a row as somebody in the CRM would: `{op, object, id, fields}`.
    pub(super) async fn change(&self, change: &Value) -> anyhow::Result<()> {
        let rows = format!("records/{}", text(change, "object")?);
        let row = change["id"].as_str().map(|id| format!("{rows}/{id}"));
        let (method, path) = match (change["op"].as_str(), row) {
            (Some("create"), _) => (Method::POST, rows),
            (Some("update"), Some(row)) => (Method::PATCH, row),
            (Some("delete"), Some(row)) => (Method::DELETE, row),
            _ => bail!("changes.json has an unknown change: {change}"),
        };
        self.call(method, &path, &change["fields"]).await.map(|_| ())
    }

    /// A row as it is stored.
    pub(super) async fn row(&self, object: &str, id: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, &format!("records/{object}/{id}"), &Value::Null).await
    }

    /// Rows that were created through the API, of one object.
    pub(super) async fn created(&self, object: &str) -> anyhow::Result<u64> {
        let writes = self.call(Method::GET, "writes", &Value::Null).await?;
        let ours = |w: &&Value| w["object"] == object && w["operation"] == "create";
        Ok(writes.as_array().into_iter().flatten().filter(ours).count() as u64)
    }

    /// How many grants the org still honours.
    pub(super) async fn live_grants(&self) -> anyhow::Result<u64> {
        let grants = self.call(Method::GET, "grants", &json!(null)).await?;
        Ok(grants.as_array().into_iter().flatten().filter(|g| g["state"] == "active").count()
            as u64)
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut request = self.client.request(method, format!("{}/{path}", self.org));
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("the simulator's {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the simulator answered {path} with {status}: {text}");
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }
}
