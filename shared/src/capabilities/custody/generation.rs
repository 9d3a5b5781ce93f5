//! A generation that is open: its keys, its records, and the sealing under its data key.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::unfenced;
use crate::kernel::Connection;
use crate::ports::{Key, PortError, Ports};
use crate::seal::Sealer;
use crate::store::keys::{GenerationKeys, connection as connection_slot};
use crate::store::{Commit, Records, Store, When, field};

/// A generation that may be read and written.
#[derive(Clone)]
pub struct OpenGeneration {
    /// Its connection.
    pub connection: Connection,
    /// Its keys.
    pub keys: GenerationKeys,
    /// What seals its records; its grants are sealed under keys of their own.
    pub sealer: Sealer,
    /// Its records.
    pub records: Records,
    /// The documents, with those of this generation that lie sealed.
    pub store: Store,
}

impl OpenGeneration {
    /// Has a commit done only while this home acts for the tenant, and no fence is up. A generation
    /// that was opened before may be written after: what the other home must know of, and what
    /// leads to a row in the org, is committed under this condition.
    pub(crate) fn check_at_home(&self, commit: &mut Commit) -> Result<(), PortError> {
        commit.check(&connection_slot(self.connection.at), self.is_at_home()?);
        Ok(())
    }

    /// The same, and while this holds of the connection.
    pub(crate) fn check_at_home_and(
        &self,
        also: When<Connection>,
        commit: &mut Commit,
    ) -> Result<(), PortError> {
        commit.check(&connection_slot(self.connection.at), self.is_at_home()?.and(also));
        Ok(())
    }

    fn is_at_home(&self) -> Result<When<Connection>, PortError> {
        Ok(unfenced(&self.connection)?.and(field!(Connection, handed_over_at).is_missing()))
    }

    /// Seals a value for the item at `key`.
    pub(crate) fn sealed<T: Serialize>(
        &self,
        ports: &Ports,
        key: &Key,
        value: &T,
    ) -> Result<Vec<u8>, PortError> {
        sealed_under(&self.sealer, ports, key, value)
    }

    /// Opens the body that was sealed for the item at `key`.
    pub(crate) fn unsealed<T: DeserializeOwned>(
        &self,
        key: &Key,
        body: &[u8],
    ) -> Result<T, PortError> {
        unsealed_under(&self.sealer, key, body)
    }

    /// Seals an object for its key and stores it.
    pub(crate) async fn put_object(
        &self,
        ports: &Ports,
        key: &str,
        plain: &[u8],
    ) -> Result<(), PortError> {
        let sealed = self
            .sealer
            .seal(key, plain, &*ports.entropy)
            .map_err(|error| PortError::reject("seal an object", error))?;
        ports.objects.put(key, sealed.into()).await
    }

    /// Fetches an object and opens it; none when there is no such object.
    pub(crate) async fn get_object(
        &self,
        ports: &Ports,
        key: &str,
    ) -> Result<Option<Vec<u8>>, PortError> {
        let Some(sealed) = ports.objects.get(key).await? else { return Ok(None) };
        self.sealer
            .open(key, &sealed)
            .map(Some)
            .map_err(|error| PortError::reject("open an object", error))
    }
}

/// Seals a value for the item at `key`.
pub(super) fn sealed_under<T: Serialize>(
    sealer: &Sealer,
    ports: &Ports,
    key: &Key,
    value: &T,
) -> Result<Vec<u8>, PortError> {
    // serde_json's error could quote the value.
    let plain =
        serde_json::to_vec(value).map_err(|_| PortError::reject("seal a value", "unknown form"))?;
    sealer
        .seal(&key.place(), &plain, &*ports.entropy)
        .map_err(|error| PortError::reject("seal a value", error))
}

/// Opens the body that was sealed for the item at `key`.
pub(super) fn unsealed_under<T: DeserializeOwned>(
    sealer: &Sealer,
    key: &Key,
    body: &[u8],
) -> Result<T, PortError> {
    let plain = sealer.open(&key.place(), body);
    let plain = plain.map_err(|error| PortError::reject("open a value", error))?;
    // serde_json's error could quote the value.
    serde_json::from_slice(&plain).map_err(|_| PortError::reject("open a value", "unknown form"))
}
