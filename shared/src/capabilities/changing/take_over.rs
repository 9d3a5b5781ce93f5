//! Taking over changes from another home of the product.
//!
//! A change that came to its end there is kept as it is: it can be undone here. One that did not is
//! made from here on; what was claimed there is looked for before anything is sent.

use super::{Bulk, Change, ChangeValues, Changes};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::WritebackMessage;
use crate::store::{Attempt, Commit, Draft, Marker, When, attempts};
use crate::work::WorkError;

impl Changes {
    /// Takes a change over from a home that does nothing for it any more. False when it is here:
    /// then it stays as it is here.
    pub(crate) async fn take_over(
        &self,
        opened: &OpenGeneration,
        moved: &Change,
        values: &ChangeValues,
    ) -> Result<bool, WorkError> {
        let slot = opened.keys.change(moved.seat, moved.id);
        attempts(|| async {
            if opened.store.load(&slot).await?.is_some() {
                return Ok(Attempt::Done(false));
            }
            let mut commit = Commit::new();
            opened.check_at_home(&mut commit)?;
            let body = opened.sealed(&self.ports, &slot, values)?;
            commit.write(Draft::new(&slot, moved)?.body(body).when(When::absent()))?;
            let entry = opened.keys.asked_change(moved.seat, moved.asked_at, moved.id);
            commit.put(&entry, &Marker {})?;
            if moved.state.is_open() {
                let (scope, seat, change) = (opened.keys.scope(), moved.seat, moved.id);
                commit.now(WritebackMessage::Change { scope, seat, change });
            }
            Ok(Attempt::of(&opened.store.commit(commit).await?, true))
        })
        .await
    }

    /// Takes over which changes a seller approved together. False when that is known here.
    pub(crate) async fn take_over_bulk(
        &self,
        opened: &OpenGeneration,
        moved: &Bulk,
    ) -> Result<bool, WorkError> {
        let slot = opened.keys.bulk(moved.seat, moved.id);
        attempts(|| async {
            if opened.store.load(&slot).await?.is_some() {
                return Ok(Attempt::Done(false));
            }
            let mut commit = Commit::new();
            opened.check_at_home(&mut commit)?;
            commit.create(&slot, moved)?;
            Ok(Attempt::of(&opened.store.commit(commit).await?, true))
        })
        .await
    }
}
