//! A pass of the rules over everything that is imported, some opportunities a step.
//!
//! A change of the rules begins one. The document of the pass makes a step happen once, however
//! often its message comes. A later change of the rules ends the pass before its next step and
//! begins its own, so that changes in a row make one pass.

use super::AutoSave;
use crate::capabilities::saving::Pass;
use crate::kernel::{AutoSaveMessage, SObject, Scope};
use crate::store::Commit;
use crate::work::WorkError;

/// How many opportunities a step looks at.
const PER_STEP: usize = 200;

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
        let (bucket, after) = (place.bucket, place.after.as_deref());
        let object = SObject::Opportunity;
        let (deals, next) = generation.records.page(object, bucket, after, PER_STEP).await?;
        self.evaluate(&context, deals).await?;
        let pass = pass.after_page(bucket, next, generation.keys.buckets());
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
