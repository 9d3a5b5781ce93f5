//! The bus of events on `EventBridge`.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::error::{AwsError, failed};
use crate::kernel::Event;
use crate::ports::{Events, PortError};

const ACTION: &str = "publish an event";

/// The port [`Events`] on one event bus. The detail of an entry is the CloudEvent.
#[derive(Debug, Clone)]
pub struct EventBridgeEvents {
    client: Client,
    bus: String,
}

impl EventBridgeEvents {
    /// The bus of this name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, bus: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), bus: bus.into() }
    }
}

#[async_trait]
impl Events for EventBridgeEvents {
    async fn publish(&self, event: &Event) -> Result<(), PortError> {
        let detail = event.to_cloud_event();
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(Event::SOURCE)
            .detail_type(detail["type"].as_str().unwrap_or_default())
            .time(DateTime::from_secs(event.time.as_second()))
            .detail(detail.to_string())
            .build();
        let told = self.client.put_events().entries(entry).send().await;
        let told = told.map_err(|error| failed(ACTION, &error))?;
        // The bus may refuse an entry within a call that succeeds.
        match told.entries.unwrap_or_default().into_iter().find_map(|entry| entry.error_code) {
            None => Ok(()),
            Some(code) => {
                Err(AwsError::Service { code, status: 200, request_id: None }.doing(ACTION))
            }
        }
    }
}
