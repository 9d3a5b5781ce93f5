//! Where tenants live: one process, or the stack with its emulated AWS.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use salesforce_simulator::Simulator;
use shared::aws::{self, AwsConfig};
use shared::ports::Ports;
use stack::{Aws, Caller, SimulatorAt, Stack, StackOptions, Ticker};
use tests::Cloud;

use super::super::local_stack;
use super::super::soak::served::Served;
use super::super::soak::stores;

/// What lies there in the end.
pub(crate) struct Rest {
    pub(crate) ports: Ports,
    /// How the names of the connections' secrets begin.
    pub(crate) secrets: String,
    pub(crate) dead_letters: usize,
}

/// What a tenant and its observer need of the place where it lives.
pub(crate) trait Place: Sync {
    /// A token of the product's own services.
    fn service(&self) -> String;

    /// A token of a seat.
    fn seat(&self, tenant: &str, seat: &str) -> String;

    /// A request to the API.
    fn request(&self, method: Method, path: &str) -> RequestBuilder;

    /// A client for addresses that the API hands out.
    fn client(&self) -> &Client;

    /// The end of the log, or where it lies.
    fn shown_log(&self) -> String;

    /// Ends what can be ended, and gives what lies there.
    async fn rest(&self) -> Rest;
}

impl Place for Served {
    fn service(&self) -> String {
        self.token(&["--role", "service"])
    }

    fn seat(&self, tenant: &str, seat: &str) -> String {
        self.token(&["--role", "seat", "--tenant", tenant, "--seat", seat])
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        Self::request(self, method, path)
    }

    fn client(&self) -> &Client {
        Self::client(self)
    }

    fn shown_log(&self) -> String {
        Self::shown_log(self)
    }

    async fn rest(&self) -> Rest {
        self.terminate().await;
        let dead = std::fs::read_to_string(self.data().join("dead-letters.jsonl"));
        Rest {
            ports: stores(self).0,
            secrets: "crm-sync/".to_owned(),
            dead_letters: dead.map_or(0, |text| text.lines().count()),
        }
    }
}

/// The stack, with what it calls from minute to minute.
pub(super) struct Deployed {
    // Dropped before the stack that it ticks.
    _ticker: Ticker,
    stack: Stack,
    state: PathBuf,
    client: Client,
}

/// One in so many calls of AWS is throttled.
const THROTTLES: u64 = 20;

impl Deployed {
    /// The template on the emulator, with the simulator in the place of Salesforce.
    pub(super) async fn start(simulator: &Simulator) -> Self {
        let options = local_stack::options("neighbours");
        let state = options.state.clone();
        let folder = state.with_file_name("test-neighbours-simulator");
        std::fs::create_dir_all(&folder).unwrap();
        let ca_file = folder.join("ca.pem");
        std::fs::write(&ca_file, simulator.ca_pem()).unwrap();
        let at = SimulatorAt {
            http_url: simulator.http_url().to_owned(),
            proxy_url: simulator.proxy_url().to_owned(),
            control_url: simulator.control_url().to_owned(),
            ca_file,
        };
        let throttles_one_in = THROTTLES.try_into().ok();
        let options = StackOptions { simulator: Some(at), throttles_one_in, ..options };
        let stack = Stack::start(options).await.unwrap();
        let ticker = stack.ticker(Duration::from_secs(1)).unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { _ticker: ticker, stack, state, client }
    }

    /// What it runs on.
    pub(super) fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Where its API is.
    pub(super) fn api_base(&self) -> &str {
        self.stack.api_base()
    }

    fn token(&self, role: &str, tenant: Option<&str>, seat: Option<&str>) -> String {
        self.stack.token(Caller { roles: &[role], tenant, seat }).unwrap()
    }
}

impl Place for Deployed {
    fn service(&self) -> String {
        self.token("service", None, None)
    }

    fn seat(&self, tenant: &str, seat: &str) -> String {
        self.token("seat", Some(tenant), Some(seat))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.stack.api_base()))
    }

    fn client(&self) -> &Client {
        &self.client
    }

    fn shown_log(&self) -> String {
        format!("its logs lie in {}", self.state.display())
    }

    async fn rest(&self) -> Rest {
        let output = |name: &str| self.stack.output(name).unwrap().to_owned();
        let config = AwsConfig {
            table_name: output("TableName"),
            bucket_name: Some(output("BucketName")),
            kms_key_id: Some(output("KeyArn")),
            ..AwsConfig::default()
        };
        let account = Cloud::at(self.stack.aws().endpoint(), Aws::ACCOUNT).await;
        let parked = self.stack.parked_messages().await.unwrap();
        Rest {
            ports: aws::ports(&account.sdk, &config),
            secrets: format!("{}/connections/", StackOptions::NAME),
            dead_letters: parked.iter().map(|(_, n)| usize::try_from(*n).unwrap()).sum(),
        }
    }
}
