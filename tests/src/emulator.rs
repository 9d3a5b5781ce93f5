//! The AWS emulator as a child process of the tests, and what an adapter needs to be there.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use aws_sdk_dynamodb::config::{Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use shared::aws::{AwsConfig, SdkConfig, sdk_loader};
use shared::kernel::Queue;

use crate::repository::root;

const REGION: &str = "eu-west-1";
const PYTHON: &str = ".venv-aws/bin/python";
const LAUNCHER: &str = "local/tools/emulator.py";

/// Starts that are tried: another process may take the free port first.
const ATTEMPTS: usize = 3;
const READY_STEPS: usize = 600;
const STEP: Duration = Duration::from_millis(50);

/// A running emulator. It ends when it is dropped, and when the process that started it ends.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    endpoint: String,
}

impl Emulator {
    /// The emulator of this test process, started by its first test.
    pub fn shared() -> anyhow::Result<&'static Self> {
        static STARTED: OnceLock<Emulator> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        // One test starts it, the others wait.
        let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        match STARTED.get() {
            Some(emulator) => Ok(emulator),
            None => Self::start().map(|emulator| STARTED.get_or_init(|| emulator)),
        }
    }

    fn start() -> anyhow::Result<Self> {
        if !root().join(PYTHON).exists() {
            bail!("the AWS emulator is not installed ({PYTHON} is missing): run `make setup`");
        }
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            match Self::try_start() {
                Ok(emulator) => return Ok(emulator),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| anyhow::anyhow!("no attempt was made")))
    }

    fn try_start() -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let search_path = std::env::vars_os().filter(|(name, _)| name == "PATH");
        let child = Command::new(root().join(PYTHON))
            .arg(root().join(LAUNCHER))
            .env_clear()
            .envs(search_path)
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("IOT_MTLS_ENABLED", "0")
            .env("LOG_LEVEL", "WARNING")
            .env("MINISTACK_REGION", REGION)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // It ends when this pipe closes: however we end, nothing stays behind.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start the AWS emulator")?;
        let mut emulator = Self { child, endpoint };
        for _ in 0..READY_STEPS {
            if let Some(status) = emulator.child.try_wait()? {
                bail!("the AWS emulator ended ({status}): start {LAUNCHER} by hand to see why");
            }
            if is_ready(port).unwrap_or(false) {
                return Ok(emulator);
            }
            std::thread::sleep(STEP);
        }
        bail!("the AWS emulator was not ready in 30 seconds")
    }

    /// A world of its own within the emulator: `account` is twelve digits, and no other account
    /// sees what it makes.
    pub async fn cloud(&self, account: &str) -> Cloud {
        Cloud::at(&self.endpoint, account).await
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /_ministack/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(status.ends_with(b" 200"))
}

/// One account of the emulator.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// The SDK's configuration for it.
    pub sdk: SdkConfig,
}

impl Cloud {
    /// An account of the emulator at an address.
    pub async fn at(endpoint: &str, account: &str) -> Self {
        let sdk = sdk_loader()
            .endpoint_url(endpoint)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(account, "secret", None, None, "tests"))
            .load()
            .await;
        Self { sdk }
    }

    /// Makes a table as `template.yaml` describes it.
    pub async fn table(&self, name: &str) -> anyhow::Result<()> {
        let attribute = |name: &str| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()
        };
        let key = |name: &str, kind| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build()
        };
        aws_sdk_dynamodb::Client::new(&self.sdk)
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute("pk")?)
            .attribute_definitions(attribute("sk")?)
            .key_schema(key("pk", KeyType::Hash)?)
            .key_schema(key("sk", KeyType::Range)?)
            .send()
            .await?;
        Ok(())
    }

    /// Makes a bucket.
    pub async fn bucket(&self, name: &str) -> anyhow::Result<()> {
        let region = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(REGION))
            .build();
        aws_sdk_s3::Client::new(&self.sdk)
            .create_bucket()
            .bucket(name)
            .create_bucket_configuration(region)
            .send()
            .await?;
        Ok(())
    }

    /// Makes a key and gives its id.
    pub async fn key(&self) -> anyhow::Result<String> {
        let made = aws_sdk_kms::Client::new(&self.sdk).create_key().send().await?;
        Ok(made.key_metadata.context("no key was made")?.key_id)
    }

    /// Makes all queues and gives their addresses.
    pub async fn queues(&self) -> anyhow::Result<BTreeMap<Queue, String>> {
        let client = aws_sdk_sqs::Client::new(&self.sdk);
        let mut urls = BTreeMap::new();
        for queue in Queue::ALL {
            let made = client.create_queue().queue_name(queue.as_str()).send().await?;
            urls.insert(queue, made.queue_url.context("no queue was made")?);
        }
        Ok(urls)
    }

    /// A table, a bucket, a key and all queues.
    pub async fn everything(&self) -> anyhow::Result<AwsConfig> {
        let name = "crm-sync";
        self.table(name).await?;
        self.bucket(name).await?;
        Ok(AwsConfig {
            table_name: name.to_owned(),
            bucket_name: Some(name.to_owned()),
            kms_key_id: Some(self.key().await?),
            event_bus_name: None,
            queue_urls: self.queues().await?,
        })
    }
}
