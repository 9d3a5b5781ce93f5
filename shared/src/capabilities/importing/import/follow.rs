//! Manual matches that follow their record: a merged one to its master, a converted lead to its
//! contact.

use super::Import;
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::linking::Correction;
use crate::kernel::{Gone, MatchMessage, SObject};
use crate::ports::Condition;
use crate::store::{self, Next};
use crate::work::WorkError;

impl Import {
    /// What a person linked stays linked when the record goes on as another one, unless somebody
    /// said something about that one, too.
    pub(super) async fn follow(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        changed: &[String],
    ) -> Result<(), WorkError> {
        let keys: Vec<_> = changed.iter().map(|id| opened.keys.correction(object, id)).collect();
        let said: Vec<Correction> = store::get_many(&*self.ports.table, &keys).await?;
        for said in said.into_iter().filter(|said| said.ruling.always.is_some()) {
            let heir = self.heir(opened, object, &said.id).await?;
            let now = self.ports.clock.now();
            let Some(heir) = heir.and_then(|(object, id)| said.pass_on(object, id, now)) else {
                continue;
            };
            let scope = opened.keys.scope();
            let key = opened.keys.correction(heir.object, &heir.id);
            let write = store::put(key, &heir, Condition::Absent)?;
            let settle = MatchMessage::Correct { scope, object: heir.object, record: heir.id };
            let _ = self.outbox.commit(vec![write], vec![Next::now(settle)]).await?;
        }
        Ok(())
    }

    /// The record as which one goes on; none when it does not.
    async fn heir(
        &self,
        opened: &OpenGeneration,
        object: SObject,
        id: &str,
    ) -> Result<Option<(SObject, String)>, WorkError> {
        let head = opened.records.heads(object, &[id.to_owned()]).await?.pop();
        if let Some(Gone::Merged { into }) = head.and_then(|head| head.gone) {
            return Ok(Some((object, into)));
        }
        if object != SObject::Lead {
            return Ok(None);
        }
        let lead = opened.records.one(object, id).await?;
        let contact = lead
            .filter(|lead| lead.fields.is_true("IsConverted"))
            .and_then(|lead| lead.fields.get("ConvertedContactId").map(ToOwned::to_owned));
        Ok(contact.map(|contact| (SObject::Contact, contact)))
    }
}
