//! Finding the CRM record that an activity is about, and waiting for it where there is none.
//!
//! The record is the entity's link at the moment when something is done: a correction, a merge or a
//! conversion that comes before the activity is logged decides where it is logged.

use matching::EntityKind;

use super::{Activity, ActivityError};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::{Awaited, EntityMatches};
use crate::kernel::{EntityId, RecordRef, SObject};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::{Commit, Marker, Slot, Stored, When};
use crate::work::WorkError;

/// The link of an activity's entity, as it was read.
pub(super) struct Link {
    slot: Slot<EntityMatches>,
    matches: Option<Stored<EntityMatches>>,
}

impl Link {
    /// The link of an entity now.
    pub(super) async fn of(
        opened: &OpenGeneration,
        kind: EntityKind,
        entity: &EntityId,
    ) -> Result<Self, PortError> {
        let slot = opened.keys.entity(kind, entity);
        let matches = opened.store.load(&slot).await?;
        Ok(Self { slot, matches })
    }

    /// The record that the entity is linked to, if it is.
    pub(super) fn record(&self) -> Option<RecordRef> {
        self.matches.as_ref()?.matched
    }

    /// Has an activity wait for another link than this one. The commit is done only while this one
    /// holds: whoever links the entity afterwards finds that somebody waits.
    pub(super) fn wait_for_another(
        &self,
        opened: &OpenGeneration,
        activity: &Activity,
        commit: &mut Commit,
    ) -> Result<(), PortError> {
        let Activity { id, entity_kind: kind, entity, .. } = activity;
        let awaited = Awaited { entity: entity.clone() };
        let name = opened.sealer.name(entity.as_str());
        commit.put(&opened.keys.awaited(*kind, &name), &awaited)?;
        commit.put(&opened.keys.waiting(*kind, &name, *id), &Marker {})?;
        let unchanged = self.matches.as_ref().map_or_else(When::absent, When::unchanged);
        commit.check(&self.slot, unchanged);
        Ok(())
    }
}

/// The record whose activities keep their order: all that belongs to an account shares its lane.
pub(super) async fn lane_of(
    opened: &OpenGeneration,
    record: RecordRef,
) -> Result<SalesforceId, WorkError> {
    let row = opened.records.one(record.object, record.id).await?;
    Ok(row.and_then(|row| row.fields.reference("AccountId")).unwrap_or(record.id))
}

/// Refuses an opportunity that cannot be the one of an activity about this record, or about none so
/// far.
pub(super) async fn check_opportunity(
    opened: &OpenGeneration,
    opportunity: SalesforceId,
    record: Option<RecordRef>,
) -> Result<(), ActivityError> {
    if record.is_some_and(|record| record.object == SObject::Lead) {
        let why = "a lead has no opportunity: leave opportunity_id out, or link a contact";
        return Err(ActivityError::Invalid(why));
    }
    let fits = match record {
        Some(record) => is_of_its_account(opened, opportunity, record).await?,
        None => opened.records.one(SObject::Opportunity, opportunity).await?.is_some(),
    };
    let why = "opportunity_id names no opportunity of the person's account that an import has read";
    if fits { Ok(()) } else { Err(ActivityError::Invalid(why)) }
}

/// True if an opportunity belongs to the account of a contact, as the last import read both.
pub(super) async fn is_of_its_account(
    opened: &OpenGeneration,
    opportunity: SalesforceId,
    record: RecordRef,
) -> Result<bool, PortError> {
    let account = |row: crate::kernel::Record| row.fields.reference("AccountId");
    let deal = opened.records.one(SObject::Opportunity, opportunity).await?.and_then(account);
    let own = opened.records.one(record.object, record.id).await?.and_then(account);
    Ok(deal.is_some() && deal == own)
}
