//! What auto-save does for one seat: the rules that an admin allows, and the seller's own choices
//! among them.

use std::collections::BTreeMap;

use strum::IntoEnumIterator;

use super::{SavingRule, SeatChoices, Settings, keys};
use crate::kernel::{AutoSaveMessage, ConnectionState, SeatId, TenantEnvironment};
use crate::ports::Ports;
use crate::store::keys::connection;
use crate::store::{Attempt, Commit, Store, attempts};
use crate::work::{WorkError, boxed};

/// Whether a rule saves for a seat, and whose word that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveRule {
    /// The rule.
    pub rule: SavingRule,
    /// True if it saves for the seat.
    pub on: bool,
    /// True if an admin allows it: then the seller chooses.
    pub is_allowed: bool,
}

impl EffectiveRule {
    /// What holds of a rule.
    #[must_use]
    pub fn of(rule: SavingRule, settings: &Settings, choices: &SeatChoices) -> Self {
        let is_allowed = settings.saves(rule);
        let on = is_allowed && choices.saving.get(&rule).copied().unwrap_or(true);
        Self { rule, on, is_allowed }
    }
}

/// Shows and sets what is saved for seats.
#[derive(Clone)]
pub struct SeatSaving {
    store: Store,
}

impl SeatSaving {
    /// Over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        Self { store: Store::new(ports) }
    }

    /// What each rule does for a seat as things are.
    ///
    /// # Errors
    /// Those of the ports.
    #[must_use]
    #[boxed]
    pub async fn of(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
    ) -> Result<Vec<EffectiveRule>, WorkError> {
        let slots = (&keys::settings(at), &keys::seat_choices(at, seat));
        let (kept, choices) = self.store.load_both(slots).await?;
        let settings = kept.map(|kept| kept.into_inner().settings).unwrap_or_default();
        let choices = choices.as_deref().cloned().unwrap_or_default();
        Ok(SavingRule::iter().map(|rule| EffectiveRule::of(rule, &settings, &choices)).collect())
    }

    /// Remembers what a seller chose of some rules; the others stay as they are. What a rule that
    /// is on again would have saved meanwhile is saved now; nothing that is saved goes.
    ///
    /// # Errors
    /// Those of the ports.
    #[must_use]
    #[boxed]
    pub async fn choose(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        chosen: &BTreeMap<SavingRule, bool>,
    ) -> Result<(), WorkError> {
        let slot = keys::seat_choices(at, seat);
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let mut choices = before.as_deref().cloned().unwrap_or_default();
            choices.saving.extend(chosen);
            if before.as_deref() == Some(&choices) {
                return Ok(Attempt::Done(()));
            }
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &choices)?;
            let live = self.store.read(&connection(at)).await?;
            if let Some(live) = live.filter(|c| c.state != ConnectionState::Disconnected) {
                commit.now(AutoSaveMessage::Seat { scope: live.scope(), seat });
            }
            Ok(Attempt::of(&self.store.commit(commit).await?, ()))
        })
        .await
    }
}
