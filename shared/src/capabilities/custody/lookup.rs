//! Finding the connection that a question is about.

use serde::de::DeserializeOwned;

use crate::capabilities::custody::{Custody, OpenGeneration, unread};
use crate::kernel::{Connection, ConnectionState, TenantEnvironment};
use crate::ports::PortError;
use crate::store::keys::{GenerationKeys, connection as connection_slot};
use crate::store::{Slot, Stored, When, field};
use crate::work::{WorkError, boxed};

/// Why something cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for LookupError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl Custody {
    /// A tenant's connection in an environment, whatever its state.
    #[must_use]
    #[boxed]
    pub async fn find(&self, at: TenantEnvironment) -> Result<Connection, LookupError> {
        self.connection(at).await?.ok_or(LookupError::NotFound("connection"))
    }

    /// A tenant's connection in an environment. Behind the fence there is none: what a generation
    /// brought in is not shown while it is purged.
    #[must_use]
    #[boxed]
    pub async fn live(&self, at: TenantEnvironment) -> Result<Connection, LookupError> {
        before_the_fence(self.find(at).await?)
    }

    /// The keys of what an environment's connection holds.
    pub(crate) async fn keys(&self, at: TenantEnvironment) -> Result<GenerationKeys, LookupError> {
        Ok(GenerationKeys::of(&self.live(at).await?))
    }

    /// What an environment's connection holds, to be shown: it is shown after a hand-over too.
    #[must_use]
    #[boxed]
    pub async fn shown(&self, at: TenantEnvironment) -> Result<OpenGeneration, LookupError> {
        let live = self.live(at).await?;
        let opened = self.open_past_the_fence(&live).await?;
        opened.ok_or_else(|| unread("show a connection").into())
    }

    /// What an environment's connection holds, to change it, whether or not the connection works.
    pub(crate) async fn open_live(
        &self,
        at: TenantEnvironment,
    ) -> Result<OpenGeneration, LookupError> {
        let live = self.live(at).await?;
        self.open(live.scope()).await?.ok_or(LookupError::NotFound("connection"))
    }

    /// What an environment's connection holds, to take in what sellers do: none where it does not
    /// work and nobody mended it in time.
    pub(crate) async fn open_unlapsed(
        &self,
        at: TenantEnvironment,
    ) -> Result<Option<OpenGeneration>, WorkError> {
        match self.connection(at).await? {
            Some(connection) if connection.state != ConnectionState::Lapsed => {
                self.open(connection.scope()).await
            }
            Some(_) | None => Ok(None),
        }
    }

    /// What [`Custody::shown`] gives, and the document at `slot` by the same read.
    pub(crate) async fn shown_beside<T: DeserializeOwned>(
        &self,
        at: TenantEnvironment,
        slot: &Slot<T>,
    ) -> Result<(OpenGeneration, Option<T>), LookupError> {
        let not_found = || LookupError::NotFound("connection");
        let (connection, beside) = self.store.load_both((&connection_slot(at), slot)).await?;
        let live = before_the_fence(connection.ok_or_else(not_found)?.into_inner())?;
        let opened = self.open_past_the_fence(&live).await?;
        let opened = opened.ok_or_else(|| unread("show a connection"))?;
        Ok((opened, beside.map(Stored::into_inner)))
    }
}

/// A connection, unless its fence is up.
fn before_the_fence(connection: Connection) -> Result<Connection, LookupError> {
    match connection.state {
        ConnectionState::Disconnected => Err(LookupError::NotFound("connection")),
        ConnectionState::Connected
        | ConnectionState::ReconnectRequired
        | ConnectionState::Lapsed => Ok(connection),
    }
}

/// The condition that no fence shuts this generation out, for a commit of its connection.
pub(crate) fn unfenced(connection: &Connection) -> Result<When<Connection>, PortError> {
    let is_live = field!(Connection, state).is_not(&ConnectionState::Disconnected)?;
    Ok(field!(Connection, generation).is(&connection.generation)?.and(is_live))
}
