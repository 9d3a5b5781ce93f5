//! Telling: events go to the bus, for other systems.
//!
//! Delivery is at least once. An event that is published twice has one id.

use crate::kernel::TellingMessage;
use crate::ports::Ports;
use crate::work::{Done, WorkError, boxed};

/// Publishes events.
#[derive(Clone)]
pub struct Telling {
    ports: Ports,
}

impl Telling {
    /// Telling through the ports' event bus.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Does one message's work.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: TellingMessage) -> Result<Done, WorkError> {
        match message {
            TellingMessage::Publish { event } => self.ports.events.publish(&event).await?,
        }
        Ok(Done::Finished)
    }
}
