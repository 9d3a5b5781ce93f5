//! The ports on AWS: the only code that names an SDK.
//!
//! Whatever a service answers becomes a [`PortError`](crate::ports::PortError) that says what was
//! being done and whether to try again, and holds nothing that was sent or received.

mod dynamodb;
mod error;
mod eventbridge;
mod kms;
mod pause;
mod s3;
mod secrets;
mod sqs;
mod unconfigured;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};

pub use crate::host::{OsEntropy, SystemClock};
pub use dynamodb::DynamoTable;
pub use eventbridge::EventBridgeEvents;
pub use kms::KmsDataKeys;
pub use s3::S3Objects;
pub use secrets::SecretsManagerSecrets;
pub use sqs::SqsQueues;
use unconfigured::Unconfigured;

use crate::kernel::Queue;
use crate::ports::{DataKeys, Events, ObjectStore, Ports};

/// Attempts of one call by the SDK itself, the first included.
const SDK_ATTEMPTS: u32 = 4;

/// The services are in the same region: a connection that takes longer will not come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Until the first byte of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The parts of AWS that one function uses. A part that is not set refuses its calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsConfig {
    /// The table.
    pub table_name: String,
    /// The bucket.
    pub bucket_name: Option<String>,
    /// The KMS key that wraps data keys and encrypts secrets.
    pub kms_key_id: Option<String>,
    /// The event bus on which others hear what happens.
    pub event_bus_name: Option<String>,
    /// The addresses of the queues to which messages are sent.
    pub queue_urls: BTreeMap<Queue, String>,
}

/// How the SDK loads its configuration: region, credentials and endpoint as the environment says.
#[must_use]
pub fn sdk_loader() -> ConfigLoader {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
    aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
        .timeout_config(timeouts.build())
}

/// The SDK's configuration as the environment says.
pub async fn load_sdk() -> SdkConfig {
    sdk_loader().load().await
}

/// All ports. No call is made.
#[must_use]
pub fn ports(sdk: &SdkConfig, config: &AwsConfig) -> Ports {
    let objects: Arc<dyn ObjectStore> = match &config.bucket_name {
        Some(bucket) => Arc::new(S3Objects::new(sdk, bucket)),
        None => Arc::new(Unconfigured("BUCKET_NAME")),
    };
    let data_keys: Arc<dyn DataKeys> = match &config.kms_key_id {
        Some(key) => Arc::new(KmsDataKeys::new(sdk, key)),
        None => Arc::new(Unconfigured("KMS_KEY_ID")),
    };
    let events: Arc<dyn Events> = match &config.event_bus_name {
        Some(bus) => Arc::new(EventBridgeEvents::new(sdk, bus)),
        None => Arc::new(Unconfigured("EVENT_BUS_NAME")),
    };
    Ports {
        table: Arc::new(DynamoTable::new(sdk, &config.table_name)),
        queues: Arc::new(SqsQueues::new(sdk, config.queue_urls.clone())),
        objects,
        secrets: Arc::new(SecretsManagerSecrets::new(sdk, config.kms_key_id.clone())),
        data_keys,
        events,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    }
}

/// For a client that sends each request once.
fn once() -> RetryConfig {
    RetryConfig::disabled()
}
