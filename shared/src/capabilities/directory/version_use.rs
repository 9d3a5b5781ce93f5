//! The question whether a version's files are still needed.

use async_trait::async_trait;

use crate::kernel::DirectoryVersionId;
use crate::store::keys::GenerationKeys;
use crate::work::WorkError;

/// Says which directory versions a capability uses. The directory deletes no files of a version in
/// use.
#[async_trait]
pub trait VersionUse: Send + Sync {
    /// True if unfinished work of this generation uses the version.
    async fn is_in_use(
        &self,
        generation: &GenerationKeys,
        version: DirectoryVersionId,
    ) -> Result<bool, WorkError>;
}
