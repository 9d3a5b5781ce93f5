//! Undoing what auto-save did under one revision of the settings.

use super::{Pass, Undoing};
use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, LookupError};
use crate::capabilities::settings;
use crate::kernel::{Author, AutoSaveMessage, Signature, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Store, attempts};
use crate::work::{WorkError, boxed};

/// Why nothing is undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoingError {
    /// There is no connection, or nothing was ever undone.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// Auto-save goes by that revision.
    #[error("auto-save goes by the rules of revision {0}: change them or turn it off first")]
    InForce(u64),
    /// The settings never were at that revision.
    #[error("the settings are at revision {now}, and never were at {asked}")]
    Unknown {
        /// The one that was named.
        asked: u64,
        /// Theirs.
        now: u64,
    },
}

impl From<PortError> for UndoingError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<WorkError> for UndoingError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

/// Undoes what auto-save saved.
#[derive(Clone)]
pub struct UndoSaving {
    ports: Ports,
    store: Store,
    custody: Custody,
    audit: AuditLog,
}

impl UndoSaving {
    /// Undoings in generations that `custody` opens.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, audit }
    }

    /// Asks that what was saved under a revision's rules leaves the lists, but for what the rules
    /// of today call for. An undoing that is under way ends.
    ///
    /// # Errors
    /// When no org is connected, auto-save goes by that revision, or there never was such a one.
    #[must_use]
    #[boxed]
    pub async fn ask(
        &self,
        at: TenantEnvironment,
        rules: u64,
        by: &Author,
    ) -> Result<Undoing, UndoingError> {
        let opened = self.custody.open_live(at).await?;
        let kept = self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        if kept.changes < rules {
            return Err(UndoingError::Unknown { asked: rules, now: kept.changes });
        }
        if kept.settings.auto_save && kept.rules == rules {
            return Err(UndoingError::InForce(rules));
        }
        let (slot, scope) = (opened.keys.saving_undone(), opened.keys.scope());
        let asked = Signature { at: self.ports.clock.now(), by: by.clone() };
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let undoing = before.as_ref().map_or(1, |before| before.pass.of + 1);
            let document = Undoing {
                pass: Pass::begin(undoing),
                rules,
                asked: asked.clone(),
                removed: 0,
                kept: 0,
                finished_at: None,
            };
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &document)?;
            commit.now(AutoSaveMessage::Undo { scope, undoing, step: 0 });
            let deed = Deed::at(Action::SavingUndone, at).detail("revision", rules);
            let done = self.audit.commit(commit, at.tenant, &Actor::from(by), &deed).await?;
            Ok(Attempt::of(&done, document))
        })
        .await
    }

    /// The latest undoing.
    ///
    /// # Errors
    /// When no org is connected, or nothing was ever undone.
    #[must_use]
    #[boxed]
    pub async fn latest(&self, at: TenantEnvironment) -> Result<Undoing, UndoingError> {
        let opened = self.custody.shown(at).await?;
        let found = self.store.read(&opened.keys.saving_undone()).await?;
        Ok(found.ok_or(LookupError::NotFound("undoing"))?)
    }
}
