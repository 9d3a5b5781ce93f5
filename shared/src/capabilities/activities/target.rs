//! Finding the CRM record that an activity is about.

use matching::EntityKind;

use super::ActivityTarget;
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{EntityId, SObject};
use crate::work::WorkError;

/// The record of an entity that is linked, with its lane but without a place in it. A contact goes
/// before a lead, and all that belongs to an account shares its lane.
pub(super) async fn find_target(
    opened: &OpenGeneration,
    kind: EntityKind,
    entity: &EntityId,
) -> Result<Option<ActivityTarget>, WorkError> {
    let objects: &[SObject] = match kind {
        EntityKind::Person => &[SObject::Contact, SObject::Lead],
        EntityKind::Company => &[SObject::Account],
    };
    for &object in objects {
        let matches = opened.store.read(&opened.keys.entity(object, entity)).await?;
        let Some(record) = matches.and_then(|matches| matches.matched) else { continue };
        let Some(row) = opened.records.one(object, record).await? else { continue };
        let lane = row.fields.reference("AccountId").unwrap_or(record);
        return Ok(Some(ActivityTarget { object, record, lane, place: 0 }));
    }
    Ok(None)
}
