//! The care of connections, message by message.

use crate::capabilities::connecting::Upkeep;
use crate::capabilities::importing::Previews;
use crate::kernel::CareMessage;
use crate::work::{Done, WorkError, boxed};

/// Takes care of connections: their upkeep, and what their orgs are asked between imports.
#[derive(Clone)]
pub struct Care {
    upkeep: Upkeep,
    previews: Previews,
}

impl Care {
    /// Care by `upkeep`, and by `previews` for what an admin wants to look at.
    #[must_use]
    pub fn new(upkeep: Upkeep, previews: Previews) -> Self {
        Self { upkeep, previews }
    }

    /// Does one message's work.
    #[must_use]
    #[boxed]
    pub async fn handle(&self, message: CareMessage) -> Result<Done, WorkError> {
        match message {
            CareMessage::Upkeep { scope, step } => self.upkeep.step(scope, step).await,
            CareMessage::Inspect { scope } => self.upkeep.inspect(scope).await,
            CareMessage::PreviewMapping { scope, asked_at } => {
                self.previews.preview(scope, asked_at).await
            }
        }
    }
}
