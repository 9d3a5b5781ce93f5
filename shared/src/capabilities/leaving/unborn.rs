//! The secrets of generations that never went live: callbacks claimed their numbers, and died or
//! came too late. A callback may make a secret and destroy none, so the purge does it.

use super::steps::PurgeSteps;
use crate::capabilities::leaving::Leaver;
use crate::kernel::{Generation, TenantEnvironment};
use crate::store::Slot;
use crate::store::keys::connection as connection_slot;
use crate::work::{Done, WorkError};

impl PurgeSteps {
    /// Destroys the secrets of the generations from `first` to the one before `end`. That of the
    /// connection there is stays, whatever a message says.
    pub(super) async fn destroy_unborn(
        &self,
        at: TenantEnvironment,
        first: Generation,
        end: Generation,
    ) -> Result<Done, WorkError> {
        let slot = Slot::<Leaver>::at(connection_slot(at).into());
        let live = self.store.read(&slot).await?.map(|connection| connection.generation);
        let unborn = (first.0..end.0).map(Generation).filter(|number| Some(*number) != live);
        for generation in unborn {
            self.custody.destroy(at.generation(generation)).await?;
        }
        Ok(Done::Finished)
    }
}
