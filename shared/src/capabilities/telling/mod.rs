//! Telling others what happened.

use crate::kernel::TellingMessage;
use crate::ports::Ports;
use crate::work::{Done, WorkError};

/// Tells others what happened.
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

    /// Does one message's work. An event that is told twice is told under one id.
    pub async fn handle(&self, message: TellingMessage) -> Result<Done, WorkError> {
        match message {
            TellingMessage::Publish { event } => self.ports.events.publish(&event).await?,
        }
        Ok(Done::Finished)
    }
}
