//! Manual matches that follow their record: from a merged one to its master, from a converted lead
//! to its contact.

use super::Import;
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{Gone, MatchMessage, SObject};
use crate::salesforce::SalesforceId;
use crate::store::Commit;
use crate::work::WorkError;

impl Import {
    /// Has a manual match follow its record when the record goes on as another one. A correction
    /// of the other record stays as it is.
    pub(super) async fn follow(
        &self,
        generation: &OpenGeneration,
        object: SObject,
        changed: &[SalesforceId],
    ) -> Result<(), WorkError> {
        let slots = changed.iter().map(|&id| generation.keys.correction(object, id));
        let corrections = generation.store.load_many(slots).await?;
        for correction in corrections.iter().filter(|found| found.ruling.always.is_some()) {
            let heir = self.heir(generation, object, correction.id).await?;
            let now = self.ports.clock.now();
            let Some(heir) = heir.and_then(|(object, id)| correction.pass_on(object, id, now))
            else {
                continue;
            };
            let scope = generation.keys.scope();
            let mut commit = Commit::new();
            commit.create(&generation.keys.correction(heir.object, heir.id), &heir)?;
            commit.now(MatchMessage::Correct { scope, object: heir.object, record: heir.id });
            generation.store.commit(commit).await?.may_lose_to(
                "a correction of the record itself, which goes before an inherited one",
            );
        }
        Ok(())
    }

    /// The record as which another one goes on, if it does.
    async fn heir(
        &self,
        generation: &OpenGeneration,
        object: SObject,
        id: SalesforceId,
    ) -> Result<Option<(SObject, SalesforceId)>, WorkError> {
        let head = generation.records.heads(object, &[id]).await?.pop();
        if let Some(Gone::Merged { into }) = head.and_then(|head| head.gone) {
            return Ok(Some((object, into)));
        }
        if object != SObject::Lead {
            return Ok(None);
        }
        let lead = generation.records.one(object, id).await?;
        let contact = lead
            .filter(|lead| lead.fields.is_true("IsConverted"))
            .and_then(|lead| lead.fields.reference("ConvertedContactId"));
        Ok(contact.map(|contact| (SObject::Contact, contact)))
    }
}
