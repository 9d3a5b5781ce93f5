//! Asking for an export, and looking at one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::keys::file_object;
use super::{ExportFile, ExportJob, ExportOrder, ExportState};
use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, LookupError, unfenced};
use crate::kernel::{Asked, Author, ExportId, ExportMessage, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::keys::{GenerationKeys, connection as connection_slot};
use crate::store::{Attempt, Commit, Store, Stored, attempts};
use crate::work::boxed;

/// An address leads to its file for so long.
const ADDRESS_VALID: Duration = Duration::from_mins(15);

/// A finished file and where it can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportAddress {
    /// The file.
    pub file: ExportFile,
    /// Where anyone may get it who has the address.
    pub url: String,
    /// Until when.
    pub valid_until: Timestamp,
}

/// Begins exports and shows them.
#[derive(Clone)]
pub struct Exports {
    ports: Ports,
    store: Store,
    custody: Custody,
    audit: AuditLog,
}

impl Exports {
    /// Exports over these ports.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, audit }
    }

    /// Has an order carried out; gives the export. Who orders what is being written gets that one.
    #[must_use]
    #[boxed]
    pub async fn ask(
        &self,
        at: TenantEnvironment,
        order: ExportOrder,
        by: &Author,
    ) -> Result<ExportJob, LookupError> {
        attempts(|| async {
            let connection = self.custody.live(at).await?;
            let (keys, scope) = (GenerationKeys::of(&connection), connection.scope());
            let (slot, now) = (keys.asked_export(&order), self.ports.clock.now());
            let before = self.store.load(&slot).await?;
            if let Some(running) = self.running(&keys, before.as_ref(), now).await? {
                return Ok(Attempt::Done(running));
            }
            let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
            let id = ExportId::new(millis, self.ports.entropy.bits());
            let job = ExportJob::begin(id, order, keys.buckets(), now);
            let mut commit = Commit::new();
            commit.create(&keys.export(id), &job)?;
            commit.save(&slot, before.as_ref(), &Asked { work: id, asked_at: now })?;
            commit.check(&connection_slot(at), unfenced(&connection)?);
            commit.now(ExportMessage::Step { scope, export: id, step: 0 });
            let deed = Deed::of(Action::Export, scope).named(id.to_string());
            let deed = deed.detail("kind", order.kind.as_str());
            let deed = deed.detail("format", order.format.as_str());
            let done = self.audit.commit(commit, at.tenant, &Actor::from(by), &deed).await?;
            // A refusal is somebody who asked at the same moment, or the end of the connection.
            Ok(Attempt::of(&done, job))
        })
        .await
    }

    /// The export of an order that is being written.
    async fn running(
        &self,
        keys: &GenerationKeys,
        asked: Option<&Stored<Asked<ExportId>>>,
        now: Timestamp,
    ) -> Result<Option<ExportJob>, PortError> {
        let Some(asked) = asked.filter(|asked| asked.is_awaited(now)) else { return Ok(None) };
        let job = self.store.read(&keys.export(asked.work)).await?;
        Ok(job.filter(|job| job.state == ExportState::Running))
    }

    /// An export, with the addresses of its files while they can be had.
    #[must_use]
    #[boxed]
    pub async fn get(
        &self,
        at: TenantEnvironment,
        export: ExportId,
    ) -> Result<(ExportJob, Vec<ExportAddress>), LookupError> {
        let keys = self.custody.keys(at).await?;
        let job = self.store.read(&keys.export(export)).await?;
        let job = job.ok_or(LookupError::NotFound("export"))?;
        let now = self.ports.clock.now();
        let Some(end) = job.files_end().filter(|_| job.has_files(now)) else {
            return Ok((job, Vec::new()));
        };
        let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
        let valid = ADDRESS_VALID.min(left);
        let valid_until = now + SignedDuration::try_from(valid).unwrap_or_default();
        let mut addresses = Vec::with_capacity(job.files.len());
        for file in &job.files {
            let key = file_object(keys.scope(), export, (&file.hash, &file.name));
            let url = self.ports.objects.presign_get(&key, valid).await?;
            addresses.push(ExportAddress { file: file.clone(), url, valid_until });
        }
        Ok((job, addresses))
    }
}
