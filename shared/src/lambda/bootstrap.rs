//! What a function does before its first event: logs, configuration, clients.

use std::future::Future;

use anyhow::Context;
use aws_lambda_events::sqs::SqsBatchResponse;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::config::{self, AppConfig, Config, SalesforceConfig, Variables};
use super::emf;
use crate::aws::{SdkConfig, load_sdk};
use crate::capabilities::custody::SalesforceApp;
use crate::host::OneLine;
use crate::metrics::{MetricLine, Unit};
use crate::ports::Clock;
use crate::product::{Generations, Orgs, Product};
use crate::salesforce::{Http, HttpOptions};
use crate::work;

/// Starts the log (JSON lines, filtered by `RUST_LOG`, `info` without it), reads the configuration
/// and loads the SDK's. The only place where the environment is read.
pub async fn bootstrap<C: Config>() -> anyhow::Result<(C, SdkConfig)> {
    // Should a log have been started already, that one stays.
    let _ = tracing_subscriber::fmt()
        .with_writer(|| OneLine::new(std::io::stdout(), false))
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .try_init();
    let config = config::read(Variables::of_process()).context("the function cannot start")?;
    Ok((config, load_sdk().await))
}

impl SalesforceConfig {
    /// The product that also calls orgs, with the file of certificate authorities read, if there is
    /// one.
    pub fn reach(
        self,
        product: Product<Generations>,
        browser_base: Option<Url>,
    ) -> anyhow::Result<Product<Orgs>> {
        let ca_pem = self.ca_file.as_ref().map(std::fs::read).transpose();
        let ca_pem = ca_pem.context("SALESFORCE_CA_FILE cannot be read")?;
        let http = Http::new(HttpOptions { ca_pem, ..HttpOptions::default() })?;
        let (secret_id, client_id) = match self.app {
            AppConfig::Secret(id) => (id, None),
            AppConfig::ClientId(id) => (String::new(), Some(id)),
        };
        let (ports, version, base) = (product.ports().clone(), self.api_version, self.public_base);
        let app = SalesforceApp::new(ports, http, version, secret_id, base, browser_base);
        Ok(product.reaching(match client_id {
            Some(id) => app.knowing_only(id),
            None => app,
        }))
    }
}

/// As [`run`], for a function that a queue feeds: measures each batch.
pub async fn run_queue<E, F, Fut>(
    function: &'static str,
    clock: &dyn Clock,
    handler: F,
) -> Result<(), Error>
where
    E: DeserializeOwned,
    F: Fn(E) -> Fut,
    Fut: Future<Output = Result<SqsBatchResponse, Error>>,
{
    let measured = |event| {
        let (begun, work) = (clock.now(), handler(event));
        async move {
            let response = work.await?;
            let ended = clock.now();
            let taken = (ended.as_millisecond() - begun.as_millisecond()).try_into().unwrap_or(0);
            let line = MetricLine::of(function)
                .metric("MessagesFailed", Unit::Count, response.batch_item_failures.len() as u64)
                .metric("BatchDuration", Unit::Milliseconds, taken);
            emf::emit(&line, ended);
            Ok(response)
        }
    };
    run(measured).await
}

/// Hands each event to `handler` until the sandbox ends. A handler that returns an error or panics
/// fails its invocation; the process goes on. The work knows when its invocation ends.
pub async fn run<E, R, F, Fut>(handler: F) -> Result<(), Error>
where
    E: DeserializeOwned,
    R: Serialize,
    F: Fn(E) -> Fut,
    Fut: Future<Output = Result<R, Error>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<E>| {
        let deadline = i64::try_from(event.context.deadline).ok();
        let deadline = deadline.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        work::until(deadline.unwrap_or(Timestamp::MAX), handler(event.payload))
    }))
    .await
}
