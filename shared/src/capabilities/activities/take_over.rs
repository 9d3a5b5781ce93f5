//! Taking over activities and switches for conversations from another home of the product.
//!
//! An activity that came to its end there is kept as it is, and never logged again. One that did
//! not is logged from here on: at the end of its lane, or outside it where it waited outside.

use super::edges::enlist;
use super::lanes::take_place;
use super::{Activities, Activity, ActivityTarget, ActivityText, Conversation, OUTSIDE_ITS_LANE};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::WritebackMessage;
use crate::store::{Attempt, Commit, Draft, When, attempts};
use crate::work::WorkError;

impl Activities {
    /// Takes an activity over from a home that does nothing for it any more. False when it is here:
    /// then it stays as it is here.
    pub(crate) async fn take_over(
        &self,
        opened: &OpenGeneration,
        moved: &Activity,
        text: &ActivityText,
    ) -> Result<bool, WorkError> {
        attempts(|| self.try_take_over(opened, moved, text)).await
    }

    /// Takes a seller's switch for a conversation over. False when they said something of it here.
    pub(crate) async fn take_over_conversation(
        &self,
        opened: &OpenGeneration,
        said: &Conversation,
    ) -> Result<bool, WorkError> {
        attempts(|| async {
            let thread = self.conversation(opened, said.seat, Some(&said.name)).await?;
            let Some((slot, None)) = thread else { return Ok(Attempt::Done(false)) };
            let mut commit = Commit::new();
            opened.check_at_home(&mut commit)?;
            commit.save(&slot, None, said)?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, true))
        })
        .await
    }

    /// One attempt. It is overtaken when another activity took the place in the lane.
    async fn try_take_over(
        &self,
        opened: &OpenGeneration,
        moved: &Activity,
        text: &ActivityText,
    ) -> Result<Attempt<bool>, WorkError> {
        let slot = opened.keys.activity(moved.id);
        if opened.store.load(&slot).await?.is_some() {
            return Ok(Attempt::Done(false));
        }
        let mut activity = moved.clone();
        let mut commit = Commit::new();
        // What came into an org that ends meanwhile would outlive it.
        opened.check_at_home(&mut commit)?;
        if moved.state.is_open() {
            if let Some(target) = &mut activity.target {
                if moved.state.is_under_way() {
                    take_place(&self.store, opened, moved.id, target, &mut commit).await?;
                } else {
                    target.place = OUTSIDE_ITS_LANE;
                }
            }
            if !activity.target.as_ref().is_some_and(ActivityTarget::has_place) {
                let scope = opened.keys.scope();
                commit.now(WritebackMessage::Activity { scope, activity: moved.id });
            }
        }
        enlist(&mut commit, &opened.keys, None, &activity)?;
        let body = opened.sealed(&self.ports, &slot, text)?;
        commit.write(Draft::new(&slot, &activity)?.body(body).when(When::absent()))?;
        Ok(Attempt::of(&opened.store.commit(commit).await?, true))
    }
}
