//! Breaking the glass, and looking through it.

use super::{Glass, GlassId, GlassReason, Ticket, keys, until};
use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::custody::{Custody, LookupError};
use crate::kernel::{Record, SObject, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::{Commit, Draft, Store, When};
use crate::work::{WorkError, boxed};

/// The words in the log by which an alarm knows that the glass was broken.
pub const SHOUT: &str = "an operator broke the glass";

/// Why an operator may not look.
#[derive(Debug, thiserror::Error)]
pub enum GlassError {
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The time is none.
    #[error("minutes must be from 1 to 60")]
    Minutes,
    /// The ticket is none.
    #[error("ticket must be an id such as SUP-1234, without names and addresses")]
    Ticket,
    /// The glass is whole again, or another operator broke it.
    #[error("this glass is whole again or not yours; break it with a reason of your own")]
    Closed,
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for GlassError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

impl From<LookupError> for GlassError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NotFound(what) => Self::NotFound(what),
            LookupError::Work(error) => Self::Work(error),
        }
    }
}

/// Lets operators look at records.
#[derive(Clone)]
pub struct BreakGlass {
    ports: Ports,
    store: Store,
    custody: Custody,
    audit: AuditLog,
}

impl BreakGlass {
    /// Looking into the generations that `custody` opens.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, custody, audit }
    }

    /// Breaks the glass of an environment's connection for some minutes.
    #[must_use]
    #[boxed]
    pub async fn smash(
        &self,
        at: TenantEnvironment,
        operator: String,
        (reason, ticket): (GlassReason, &str),
        minutes: u32,
    ) -> Result<Glass, GlassError> {
        let scope = self.custody.live(at).await?.scope();
        let now = self.ports.clock.now();
        let until = until(now, minutes).ok_or(GlassError::Minutes)?;
        let ticket = Ticket::parse(ticket).ok_or(GlassError::Ticket)?;
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let id = GlassId::new(millis, self.ports.entropy.bits());
        let deed = Deed::of(Action::GlassBroken, scope)
            .named(id.to_string())
            .detail("reason", <&str>::from(reason))
            .detail("ticket", ticket.as_str())
            .detail("minutes", minutes);
        let by = Actor::Operator { subject: operator.clone() };
        let glass = Glass { id, operator, reason, ticket, until };
        let mut commit = Commit::new();
        let draft = Draft::new(&keys::glass(at, id), &glass)?;
        commit.write(draft.until(until.as_second()).when(When::absent()))?;
        let done = self.audit.commit(commit, at.tenant, &by, &deed).await?;
        done.may_lose_to("nobody: the id is new");
        // An alarm hears this line: no filter of the log may be above it.
        tracing::error!(connection.id = %scope, glass.id = %id, "{SHOUT}");
        Ok(glass)
    }

    /// A record as it is kept, through broken glass. It is told before it is shown.
    #[must_use]
    #[boxed]
    pub async fn look(
        &self,
        at: TenantEnvironment,
        operator: String,
        id: GlassId,
        (object, record): (SObject, SalesforceId),
    ) -> Result<Record, GlassError> {
        let glass = self.store.read(&keys::glass(at, id)).await?;
        let now = self.ports.clock.now();
        glass.filter(|glass| glass.is_open_to(&operator, now)).ok_or(GlassError::Closed)?;
        let scope = self.custody.live(at).await?.scope();
        let opened = self.custody.open(scope).await?.ok_or(GlassError::NotFound("connection"))?;
        let deed = Deed::of(Action::RecordRead, scope)
            .record(object, opened.sealer.name(record.as_str()))
            .detail("glass", id);
        self.audit.record(at.tenant, &Actor::Operator { subject: operator }, &deed).await?;
        let found = opened.records.one(object, record).await?;
        found.ok_or(GlassError::NotFound("record"))
    }
}
