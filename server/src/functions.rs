//! Every queue's work, in one process.

use std::sync::Arc;
use std::time::Duration;

use shared::capabilities::activities::WriteBack;
use shared::capabilities::connecting::Care;
use shared::capabilities::directory::{Directory, ShardFiles};
use shared::capabilities::importing::Import;
use shared::capabilities::leaving::Disconnect;
use shared::capabilities::linking::MatchSteps;
use shared::capabilities::saving::AutoSave;
use shared::capabilities::telling::Telling;
use shared::kernel::Message;
use shared::matching::InvalidModel;
use shared::product::{Orgs, Product};
use shared::work::{Done, WorkError};

/// What the functions on AWS do, each for its queue.
pub(crate) struct Functions {
    import: Import,
    match_steps: MatchSteps,
    auto_save: AutoSave,
    write_back: WriteBack,
    care: Care,
    telling: Telling,
    disconnect: Disconnect,
    directory: Directory,
}

/// What differs from one deployment to another.
pub(crate) struct FunctionOptions {
    /// The directory's shards.
    pub files: Arc<dyn ShardFiles>,
    /// The product's name in the subjects of tasks and notes.
    pub product_name: String,
    /// How long a purge waits for those who still work.
    pub purge_grace: Duration,
}

impl Functions {
    /// The functions of `product`.
    ///
    /// # Errors
    /// When the model that is shipped is broken.
    pub(crate) fn new(
        product: &Product<Orgs>,
        options: FunctionOptions,
    ) -> Result<Self, &'static InvalidModel> {
        Ok(Self {
            import: product.import(),
            match_steps: product.match_steps(options.files)?,
            auto_save: product.auto_save(),
            write_back: product.write_back(options.product_name),
            care: product.care(),
            telling: product.telling(),
            disconnect: product.disconnect().with_grace(options.purge_grace),
            directory: product.directory(),
        })
    }

    /// Does one message's work.
    pub(crate) async fn handle(&self, message: Message) -> Result<Done, WorkError> {
        match message {
            Message::Import(message) => self.import.handle(message).await,
            Message::Match(message) => self.match_steps.handle(message).await,
            Message::AutoSave(message) => self.auto_save.handle(message).await,
            Message::Writeback(message) => self.write_back.handle(message).await,
            Message::Care(message) => self.care.handle(message).await,
            Message::Telling(message) => self.telling.handle(message).await,
            Message::Purge(message) => self.disconnect.handle(message).await,
            Message::Directory(message) => self.directory.handle(message).await,
        }
    }
}
