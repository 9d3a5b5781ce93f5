//! A pass of the rules over everything that is imported, some records a step: over opportunities,
//! and over what somebody owns where a rule looks at that.
//!
//! A change of the rules begins one. The document of the pass makes a step happen once, however
//! often its message comes. A later change of the rules ends the pass before its next step and
//! begins its own, so that changes in a row make one pass.

use super::AutoSave;
use crate::capabilities::saving::Pass;
use crate::kernel::{AutoSaveMessage, SObject, Scope};
use crate::store::Commit;
use crate::work::WorkError;

/// How many records a step looks at.
const PER_STEP: usize = 200;

/// What a pass goes over, the one after the other. Its place counts their buckets through.
const OBJECTS: [SObject; 4] =
    [SObject::Opportunity, SObject::Account, SObject::Contact, SObject::Lead];

impl AutoSave {
    /// Takes one step of the pass that a change of the rules called for.
    pub(super) async fn everything(
        &self,
        scope: Scope,
        rules: u64,
        step: u64,
    ) -> Result<(), WorkError> {
        let Some(context) = self.context(scope).await? else { return Ok(()) };
        if context.rules != rules {
            return Ok(()); // the later change has a pass of its own
        }
        let generation = &context.generation;
        let slot = generation.keys.saving_pass();
        let before = self.store.load(&slot).await?;
        let same = before.as_deref().filter(|pass| pass.of == rules);
        let pass = same.cloned().unwrap_or_else(|| Pass::begin(rules));
        let Some(place) = pass.place.clone().filter(|_| pass.step == step) else { return Ok(()) };
        let (buckets, after) = (generation.keys.buckets(), place.after.as_deref());
        let object = OBJECTS.get((place.bucket / buckets) as usize).copied();
        let Some(object) = object else { return Ok(()) };
        let bucket = place.bucket % buckets;
        let (records, next) = generation.records.page(object, bucket, after, PER_STEP).await?;
        if object == SObject::Opportunity {
            let wanted = self.of_deals(&context, records).await?;
            self.save(&context, wanted).await?;
        } else {
            let ids: Vec<_> = records.iter().map(|record| record.id).collect();
            let wanted = self.of_owned(&context, object, &ids).await?;
            self.save(&context, wanted).await?;
        }
        let objects = if context.settings.saves_by_owners() { OBJECTS.len() } else { 1 };
        let all = buckets.saturating_mul(u32::try_from(objects).unwrap_or(1));
        let pass = pass.after_page(place.bucket, next, all);
        let mut commit = Commit::new();
        commit.save(&slot, before.as_ref(), &pass)?;
        if pass.place.is_some() {
            commit.now(AutoSaveMessage::Everything { scope, rules, step: pass.step });
        }
        let winner = "another delivery of this message, which took the same step";
        self.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }
}
