//! All that is written into the CRM for sellers, message by message.

use super::ChangeSteps;
use crate::capabilities::activities::WriteBack;
use crate::capabilities::custody::{Custody, SalesforceApp};
use crate::kernel::WritebackMessage;
use crate::ports::Ports;
use crate::work::{Done, WorkError, boxed};

/// Writes into the CRM what sellers do and want changed.
#[derive(Clone)]
pub struct Writes {
    activities: WriteBack,
    changes: ChangeSteps,
}

impl Writes {
    /// Writing through `app`; `product` is the product's name in subjects.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody, app: SalesforceApp, product: String) -> Self {
        let changes = ChangeSteps::new(ports.clone(), custody.clone(), app.clone());
        Self { activities: WriteBack::new(ports, custody, app, product), changes }
    }

    /// Does one message's work.
    ///
    /// # Errors
    /// Those of the ports, and what Salesforce may answer otherwise later.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: WritebackMessage) -> Result<Done, WorkError> {
        match message {
            WritebackMessage::Activity { scope, activity } => {
                self.activities.handle(scope, activity).await
            }
            WritebackMessage::Change { scope, seat, change } => {
                self.changes.handle(scope, seat, change).await
            }
            WritebackMessage::Release { scope, seat } => {
                self.changes.release(scope, seat).await?;
                self.activities.release(scope, seat).await
            }
            WritebackMessage::Linked { scope, entity_kind, entity } => {
                self.activities.linked(scope, entity_kind, &entity).await
            }
        }
    }
}
