//! The secret store. Values are versioned: a version, once written, can be read by its id for as
//! long as it is the current or the previous one.

use async_trait::async_trait;
use secrecy::SecretString;

use super::PortError;
use crate::kernel::VersionId;

/// Named secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Stores a value as the secret's newest version, creating the secret when there is none.
    /// `token` makes it idempotent: the same token and value give the same version.
    async fn put(
        &self,
        name: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<VersionId, PortError>;

    /// A given version's value, or none when the secret or the version does not exist. A store may
    /// show late what was written: for seconds after a put, none or an older value may come.
    async fn get(&self, name: &str, version: &VersionId)
    -> Result<Option<SecretString>, PortError>;

    /// The newest version and its value, which may come late, too.
    async fn newest(&self, name: &str) -> Result<Option<(VersionId, SecretString)>, PortError>;

    /// Deletes every version at once and for good. No error when there is no such secret.
    async fn destroy(&self, name: &str) -> Result<(), PortError>;
}
