//! A dry run: what the rules of auto-save would save under some settings, before anything is turned
//! on. It counts and gives examples, and saves nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SavedList;
use crate::capabilities::custody::{Custody, LookupError};
use crate::capabilities::settings::{self, SavingRule, SettingProblem, Settings, SettingsPatch};
use crate::kernel::{
    Author, AutoSaveMessage, EntityId, SObject, SeatId, Signature, TenantEnvironment,
};
use crate::ports::{PortError, Ports};
use crate::salesforce::SalesforceId;
use crate::store::{Attempt, Commit, Store, attempts};
use crate::work::{WorkError, boxed};

/// How many examples a dry run gives, of each rule.
pub(super) const MOST_EXAMPLES: usize = 5;

/// How many seats a dry run tells of, one by one: those who would get the most.
pub(super) const MOST_SEATS: usize = 100;

/// What the rules would save.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    /// Counts the dry runs.
    pub run: u64,
    /// The settings that it goes by.
    pub settings: Settings,
    /// Who asked for it, and when.
    pub asked: Signature,
    /// Counts the steps: one a seat.
    pub step: u64,
    /// The seat that was looked at last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SeatId>,
    /// When it came to its end; none while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What was found so far.
    pub found: Forecast,
}

/// What would be saved, for all seats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// How many seats were looked at.
    pub seats: u64,
    /// Those of them that are no CRM user: nothing is saved for them.
    pub without_user: u64,
    /// New entries in lists of accounts.
    pub accounts: u64,
    /// New entries in lists of people.
    pub leads: u64,
    /// What is saved already.
    pub had: u64,
    /// Records that a rule names and that are matched to nobody: they cannot be saved.
    pub unmatched: u64,
    /// New entries that a full list has no room for.
    #[serde(default)]
    pub left_out: u64,
    /// New entries by rule; one that two rules call for counts at both.
    pub by_rule: BTreeMap<SavingRule, u64>,
    /// Some of the new entries.
    pub examples: Vec<Example>,
    /// The seats that would get the most, the most first.
    pub by_seat: Vec<SeatForecast>,
}

/// What would be saved for one seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatForecast {
    /// The seat.
    pub seat: SeatId,
    /// New entries in its list of accounts.
    pub accounts: u64,
    /// New entries in its list of people.
    pub leads: u64,
    /// Those of both that its lists have no room for.
    #[serde(default)]
    pub left_out: u64,
}

/// Something that would be saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// For whom.
    pub seat: SeatId,
    /// In which list.
    pub list: SavedList,
    /// By which rule.
    pub rule: SavingRule,
    /// Who or what in the directory.
    pub entity: EntityId,
    /// The record that it is matched to.
    pub object: SObject,
    /// That record's id.
    pub record: SalesforceId,
}

impl Forecast {
    /// Takes in what was found for a seat.
    pub(super) fn add(&mut self, of_seat: Self) {
        self.seats += of_seat.seats;
        self.without_user += of_seat.without_user;
        self.accounts += of_seat.accounts;
        self.leads += of_seat.leads;
        self.had += of_seat.had;
        self.unmatched += of_seat.unmatched;
        self.left_out += of_seat.left_out;
        for (rule, count) in of_seat.by_rule {
            *self.by_rule.entry(rule).or_default() += count;
        }
        for example in of_seat.examples {
            self.show(example);
        }
        self.by_seat.extend(of_seat.by_seat);
        self.by_seat.sort_by_key(|of| (std::cmp::Reverse(of.accounts + of.leads), of.seat));
        self.by_seat.truncate(MOST_SEATS);
    }

    /// Keeps an example, unless there are enough of its rule.
    pub(super) fn show(&mut self, example: Example) {
        let of_rule = self.examples.iter().filter(|known| known.rule == example.rule);
        if of_rule.count() < MOST_EXAMPLES {
            self.examples.push(example);
        }
    }
}

/// Why there is no dry run.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// There is no connection, or none was asked for.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The settings cannot be so.
    #[error("the settings cannot be so")]
    Settings(Vec<SettingProblem>),
}

impl From<PortError> for DryRunError {
    fn from(error: PortError) -> Self {
        Self::Lookup(error.into())
    }
}

impl From<WorkError> for DryRunError {
    fn from(error: WorkError) -> Self {
        Self::Lookup(error.into())
    }
}

/// Asks for dry runs, and shows them.
#[derive(Clone)]
pub struct DryRuns {
    ports: Ports,
    store: Store,
    custody: Custody,
}

impl DryRuns {
    /// Dry runs in generations that `custody` opens.
    #[must_use]
    pub fn new(ports: Ports, custody: Custody) -> Self {
        Self { store: Store::new(ports.clone()), ports, custody }
    }

    /// Asks for a dry run under the settings as they are with a patch, and with auto-save turned
    /// on. One that is under way ends.
    ///
    /// # Errors
    /// When no org is connected, or the patch is none.
    #[must_use]
    #[boxed]
    pub async fn ask(
        &self,
        at: TenantEnvironment,
        patch: &SettingsPatch,
        by: Author,
    ) -> Result<DryRun, DryRunError> {
        let opened = self.custody.open_live(at).await?;
        let kept = self.store.read(&settings::keys::settings(at)).await?.unwrap_or_default();
        let settings = kept.settings.patched(patch).map_err(DryRunError::Settings)?;
        let settings = Settings { auto_save: true, ..settings };
        let asked = Signature { at: self.ports.clock.now(), by };
        let (slot, scope) = (opened.keys.saving_dry_run(), opened.keys.scope());
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let dry_run = DryRun {
                run: before.as_ref().map_or(1, |before| before.run + 1),
                settings: settings.clone(),
                asked: asked.clone(),
                step: 0,
                after: None,
                finished_at: None,
                found: Forecast::default(),
            };
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &dry_run)?;
            commit.now(AutoSaveMessage::DryRun { scope, run: dry_run.run, step: 0 });
            Ok(Attempt::of(&self.store.commit(commit).await?, dry_run))
        })
        .await
    }

    /// The latest dry run.
    ///
    /// # Errors
    /// When no org is connected, or none was asked for.
    #[must_use]
    #[boxed]
    pub async fn latest(&self, at: TenantEnvironment) -> Result<DryRun, DryRunError> {
        let opened = self.custody.shown(at).await?;
        let found = self.store.read(&opened.keys.saving_dry_run()).await?;
        Ok(found.ok_or(LookupError::NotFound("dry run"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entity_id, record_id};

    fn of_seat(n: u64, accounts: u64) -> Forecast {
        let seat = SeatId::derived(&n.to_string());
        let example = |n| Example {
            seat,
            list: SavedList::Accounts,
            rule: SavingRule::OwnedAccounts,
            entity: entity_id("co_1"),
            object: SObject::Account,
            record: record_id("001", n),
        };
        let mut found = Forecast { seats: 1, accounts, ..Forecast::default() };
        found.by_rule.insert(SavingRule::OwnedAccounts, accounts);
        found.by_seat.push(SeatForecast { seat, accounts, leads: 0, left_out: 0 });
        (0..accounts).for_each(|n| found.show(example(n)));
        found
    }

    #[test]
    fn seats_add_up_and_those_with_the_most_are_told() {
        let mut all = Forecast::default();
        (0..250).for_each(|n| all.add(of_seat(n, n % 7)));
        assert_eq!((all.seats, all.accounts), (250, all.by_rule[&SavingRule::OwnedAccounts]));
        assert_eq!((all.by_seat.len(), all.by_seat[0].accounts), (MOST_SEATS, 6));
        assert!(all.by_seat.is_sorted_by(|a, b| a.accounts >= b.accounts));
        assert_eq!(all.examples.len(), MOST_EXAMPLES, "no more of a rule");
    }
}
