//! The documents of a world, as an open generation reads them.

use shared::capabilities::custody::Custody;
use shared::kernel::TenantEnvironment;
use shared::store::Store;

use super::{SECRETS, World};

impl World {
    /// The documents, with those of the current generation that lie sealed, behind the fuse.
    pub async fn documents(&self) -> Store {
        self.documents_at(self.at()).await
    }

    /// The documents with those that lie sealed of an environment's generation.
    pub async fn documents_at(&self, at: TenantEnvironment) -> Store {
        let custody = Custody::new(self.ports(), SECRETS.to_owned());
        custody.shown(at).await.expect("a live connection").store
    }
}
