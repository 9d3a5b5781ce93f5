//! What a run left in the object store is deleted when the run has ended.

use super::Import;
use super::keys::run_folder;
use crate::kernel::{ImportMessage, ImportRunId, Scope};
use crate::store::{Commit, Next};
use crate::work::{CLEAR_AFTER, Done, WorkError};

impl Import {
    /// Deletes the pages, ids and lists of a run that has ended.
    pub(super) async fn clear(&self, scope: Scope, run: ImportRunId) -> Result<Done, WorkError> {
        // What was disconnected, the purge deletes.
        if self.custody.open(scope).await?.is_some() {
            self.ports.objects.delete_folder(&run_folder(scope, run)).await?;
        }
        Ok(Done::Finished)
    }
}

/// Adds to the commit that ends a run what deletes the run's objects.
pub(super) fn clear_later(commit: &mut Commit, scope: Scope, run: ImportRunId) {
    commit.then(Next::after(CLEAR_AFTER, ImportMessage::Clear { scope, run }));
}
