//! The last inspection of an org, the conclusions from it, and asking for the next one.

use jiff::Timestamp;

use crate::capabilities::connecting::{Diagnosis, Inspection, ObjectPermissions, diagnose};
use crate::capabilities::custody::{Custody, LookupError};
use crate::kernel::{Asked, CareMessage, Connection, ConnectionState, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::keys::GenerationKeys;
use crate::store::{Attempt, Commit, Store, attempts};
use crate::work::{WorkError, boxed};

/// Why an org cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    /// There is no connection.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The connection needs its admin.
    #[error("the connection does not work; authorize it again")]
    NotWorking,
}

impl From<PortError> for InspectionError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

/// The result of an inspection for the whole org.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionState {
    /// Nobody asked the org yet.
    NotChecked,
    /// The org did not let itself be asked.
    Refused,
    /// Something that is needed is hidden.
    Blocked,
    /// Nothing is missing.
    Complete,
}

impl PermissionState {
    /// The conclusion from the last inspection.
    #[must_use]
    pub fn of(found: Option<&Inspection>) -> Self {
        match found {
            None => Self::NotChecked,
            Some(found) if found.refused.is_some() => Self::Refused,
            Some(found) if found.objects.iter().any(ObjectPermissions::is_blocked) => Self::Blocked,
            Some(_) => Self::Complete,
        }
    }
}

/// A connection, check by check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosed {
    /// The connection.
    pub connection: Connection,
    /// The checks.
    pub checks: Vec<Diagnosis>,
}

/// Shows what orgs were found to show.
#[derive(Clone)]
pub struct Inspections {
    ports: Ports,
    store: Store,
    custody: Custody,
}

impl Inspections {
    /// Inspections over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let store = Store::new(ports.clone());
        Self { ports, store, custody }
    }

    /// The last inspection; none before the first, or without a connection.
    #[must_use]
    #[boxed]
    pub async fn last(&self, at: TenantEnvironment) -> Result<Option<Inspection>, WorkError> {
        match self.custody.connection(at).await? {
            Some(connection) => self.of(&connection).await,
            None => Ok(None),
        }
    }

    /// Has the org asked again. An inspection made later than the answer is the new one. Who asks
    /// again before it is made is told of the same.
    #[must_use]
    #[boxed]
    pub async fn ask(&self, at: TenantEnvironment) -> Result<Timestamp, InspectionError> {
        let connection = self.custody.live(at).await?;
        if connection.state != ConnectionState::Connected {
            return Err(InspectionError::NotWorking);
        }
        let slot = GenerationKeys::of(&connection).asked_inspection();
        attempts(|| async {
            let asked_at = self.ports.clock.now();
            let before = self.store.load(&slot).await?;
            if let Some(asked) = before.as_ref().filter(|asked| asked.is_awaited(asked_at)) {
                let last = self.of(&connection).await.map_err(LookupError::from)?;
                if last.is_none_or(|last| last.inspected_at < asked.asked_at) {
                    return Ok(Attempt::Done(asked.asked_at));
                }
            }
            let asked = Asked { work: connection.generation, asked_at };
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &asked)?;
            commit.now(CareMessage::Inspect { scope: connection.scope() });
            Ok(Attempt::of(&self.store.commit(commit).await?, asked_at))
        })
        .await
    }

    /// The trouble that keeps a connection from working.
    #[must_use]
    #[boxed]
    pub async fn diagnose(&self, at: TenantEnvironment) -> Result<Diagnosed, InspectionError> {
        let connection = self.custody.find(at).await?;
        let found = self.of(&connection).await.map_err(LookupError::from)?;
        let checks = diagnose(&connection, found.as_ref());
        Ok(Diagnosed { connection, checks })
    }

    async fn of(&self, connection: &Connection) -> Result<Option<Inspection>, WorkError> {
        if connection.state == ConnectionState::Disconnected {
            return Ok(None);
        }
        Ok(self.store.read(&GenerationKeys::of(connection).inspection()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::SObject;

    #[test]
    fn the_state_follows_from_the_last_inspection() {
        let of = |refused: Option<&str>, readable| {
            let lead = ObjectPermissions { readable, ..ObjectPermissions::of(SObject::Lead, None) };
            PermissionState::of(Some(&Inspection {
                inspected_at: Timestamp::UNIX_EPOCH,
                refused: refused.map(str::to_owned),
                personal_user: None,
                objects: vec![lead],
            }))
        };
        assert_eq!(PermissionState::of(None), PermissionState::NotChecked);
        assert_eq!(of(Some("API_DISABLED_FOR_ORG"), true), PermissionState::Refused);
        assert_eq!(of(None, false), PermissionState::Blocked);
        assert_eq!(of(None, true), PermissionState::Complete);
    }
}
