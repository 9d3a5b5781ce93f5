//! Undoing a change: another change, with a way of its own.

use super::{Change, ChangeError, ChangeKind, ChangeState, ChangeValues, Changes};
use crate::capabilities::custody::OpenGeneration;
use crate::kernel::{ChangeId, RecordRef, SObject, SeatId, TenantEnvironment};
use crate::store::{Attempt, Commit, Draft, Stored, attempts};
use crate::work::boxed;

impl Changes {
    /// Sets out to undo a change. An update is undone by the values that were there before, a
    /// creation by deleting the record: both only where nobody changed them since. Asked again, it
    /// gives the same undoing; one that came to nothing can be set out anew. A new account stays:
    /// Salesforce deletes an account's contacts with it, those too that the seller does not see.
    ///
    /// # Errors
    /// When the change is not made, is an undoing itself, or made an account.
    #[must_use]
    #[boxed]
    pub async fn undo(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        id: ChangeId,
    ) -> Result<Change, ChangeError> {
        attempts(|| async {
            let opened = self.at_work(at).await?;
            let before = self.load(&opened, seat, id).await?;
            if before.undoes.is_some() {
                return Err(ChangeError::Conflict(
                    "an undoing is not undone; make the change anew",
                ));
            }
            if before.state != ChangeState::Made {
                return Err(ChangeError::Conflict("only a change that is made can be undone"));
            }
            if !before.was_claimed {
                let why = "the CRM had these values already, so nothing was written";
                return Err(ChangeError::Conflict(why));
            }
            if let ChangeKind::Create { object: SObject::Account } = before.what {
                return Err(ChangeError::Conflict(
                    "Salesforce deletes an account's contacts with it, so it is not deleted from \
                     here; delete it in the CRM if nobody needs it",
                ));
            }
            if let Some(earlier) = self.undoing(&opened, &before).await? {
                return Ok(Attempt::Done(earlier));
            }
            let values: ChangeValues =
                opened.unsealed(&before.slot(), before.body().unwrap_or_default())?;
            let Some((what, values)) = undone(&before, &values) else {
                return Err(ChangeError::Conflict("only a change that is made can be undone"));
            };
            let earlier = before.undone_by.map(|id| id.to_string()).unwrap_or_default();
            let undoing = Change {
                id: ChangeId::derived(&format!("undo|{}|{earlier}", before.id)),
                seat,
                what,
                entity: before.entity.clone(),
                asked_at: self.ports.clock.now(),
                digest: String::new(),
                was_claimed: false,
                created: None,
                role_done: true,
                undoes: Some(before.id),
                undone_by: None,
                state: ChangeState::Queued,
                tries: 0,
            };
            let mut commit = Commit::new();
            let after = Change { undone_by: Some(undoing.id), ..Change::clone(&before) };
            let draft = Draft::after(&before, &after)?;
            commit.write(draft.body(before.body().unwrap_or_default().to_vec()))?;
            self.begin(&opened, &undoing, &values, commit).await
        })
        .await
    }

    /// The undoing that is under way or done.
    async fn undoing(
        &self,
        opened: &OpenGeneration,
        change: &Stored<Change>,
    ) -> Result<Option<Change>, ChangeError> {
        let Some(id) = change.undone_by else { return Ok(None) };
        let undoing = opened.store.read(&opened.keys.change(change.seat, id)).await?;
        let came_to_nothing = |undoing: &Change| {
            matches!(undoing.state, ChangeState::Refused { .. } | ChangeState::Withdrawn)
        };
        Ok(undoing.filter(|undoing| !came_to_nothing(undoing)))
    }
}

/// What undoes a change that is made, and between which values.
fn undone(change: &Change, values: &ChangeValues) -> Option<(ChangeKind, ChangeValues)> {
    let (object, left_at) = (change.object(), values.left_at);
    let record = RecordRef { object, id: change.record()? };
    let back = ChangeValues { left_at, ..ChangeValues::default() };
    Some(match change.what {
        ChangeKind::Create { .. } => (ChangeKind::Delete { record }, back),
        ChangeKind::Update { .. } => {
            let (to, from) = (values.from.clone(), values.left.clone());
            (ChangeKind::Update { record }, ChangeValues { to, from, ..back })
        }
        ChangeKind::Delete { .. } => return None,
    })
}
