//! Every queue's work, for whoever does all of it in one process.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use matching::InvalidModel;

use super::{Orgs, Product};
use crate::capabilities::changing::Writes;
use crate::capabilities::connecting::Care;
use crate::capabilities::directory::{Directory, ShardFiles};
use crate::capabilities::exporting::ExportSteps;
use crate::capabilities::importing::Import;
use crate::capabilities::leaving::PurgeSteps;
use crate::capabilities::linking::MatchSteps;
use crate::capabilities::saving::AutoSave;
use crate::capabilities::telling::Telling;
use crate::kernel::Message;
use crate::work::{Done, WorkError};

/// What the functions on AWS do, each for its queue.
///
/// Each capability holds its ports and its stores, some tens of kilobytes in all. They lie on the
/// heap, as whoever holds or moves these functions does so on a worker's stack of two megabytes.
#[derive(Clone)]
pub struct Functions {
    import: Box<Import>,
    match_steps: Box<MatchSteps>,
    export_steps: Box<ExportSteps>,
    auto_save: Box<AutoSave>,
    writes: Box<Writes>,
    care: Box<Care>,
    telling: Box<Telling>,
    purge_steps: Box<PurgeSteps>,
    directory: Box<Directory>,
}

impl Functions {
    /// The functions of `product`, with the directory's shards from `files`. `name` is the
    /// product's in the subjects of tasks and notes.
    pub(super) fn new(
        product: &Product<Orgs>,
        files: Arc<dyn ShardFiles>,
        name: String,
    ) -> Result<Self, &'static InvalidModel> {
        Ok(Self {
            import: Box::new(product.import()),
            match_steps: Box::new(product.match_steps(files)?),
            export_steps: Box::new(product.export_steps()),
            auto_save: Box::new(product.auto_save()),
            writes: Box::new(product.writes(name)),
            care: Box::new(product.care()),
            telling: Box::new(product.telling()),
            purge_steps: Box::new(product.purge_steps()),
            directory: Box::new(product.directory()),
        })
    }

    /// The same, with another wait of purges for those who still work.
    #[must_use]
    pub fn with_purge_grace(self, grace: Duration) -> Self {
        Self { purge_steps: Box::new(self.purge_steps.with_grace(grace)), ..self }
    }

    /// The same, with a lease of another length for settling.
    #[must_use]
    pub fn with_settle_lease(self, lease: SignedDuration) -> Self {
        Self { match_steps: Box::new(self.match_steps.with_settle_lease(lease)), ..self }
    }

    /// The same, with result pages of so many rows.
    #[must_use]
    pub fn with_page_rows(self, rows: u32) -> Self {
        Self { import: Box::new(self.import.with_page_rows(rows)), ..self }
    }

    /// Does one message's work, as the function of its queue would.
    ///
    /// # Errors
    /// Those of the capability, which say whether to try again.
    pub async fn handle(&self, message: Message) -> Result<Done, WorkError> {
        match message {
            Message::Import(message) => self.import.handle(message).await,
            Message::Match(message) => self.match_steps.handle(message).await,
            Message::Export(message) => self.export_steps.handle(message).await,
            Message::AutoSave(message) => self.auto_save.handle(message).await,
            Message::Writeback(message) => self.writes.handle(message).await,
            Message::Care(message) => self.care.handle(message).await,
            Message::Telling(message) => self.telling.handle(message).await,
            Message::Purge(message) => self.purge_steps.handle(message).await,
            Message::Directory(message) => self.directory.handle(message).await,
        }
    }
}
