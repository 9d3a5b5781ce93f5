//! What is logged of one seat: the admin's switch for it, and the seller's own choices by type.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator;

use super::{LogType, SavingRule, Settings, keys};
use crate::capabilities::audit::{Action, Actor, AuditLog, Deed};
use crate::capabilities::seats;
use crate::kernel::{Author, SeatId, Signature, TenantEnvironment};
use crate::ports::{PortError, Ports};
use crate::store::{Attempt, Commit, Store, attempts};
use crate::work::{WorkError, boxed};

/// The most seats that one call switches.
pub const MOST_SWITCHED: usize = 100;

/// The admin's switch for a seat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatSwitch {
    /// True if what the seat does is logged.
    pub write_back: bool,
    /// Who set it, and when.
    pub signed: Signature,
}

/// What a seller chose. What they never said is logged, and saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeatChoices {
    /// By type of activity: true if it is logged.
    pub types: BTreeMap<LogType, bool>,
    /// By rule of auto-save: true if it saves for this seller.
    pub saving: BTreeMap<SavingRule, bool>,
}

/// Whose word decides whether a type is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// Nobody said anything: it is logged.
    Nobody,
    /// The seller chose.
    Seller,
    /// The admin turned logging off for the seat.
    AdminForSeat,
    /// The admin turned the type off for everybody.
    Admin,
}

/// Whether a type is logged for a seat, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveLog {
    /// The type.
    pub kind: LogType,
    /// True if it is logged unless the seller says otherwise of the item or its conversation.
    pub on: bool,
    /// Whose word that is.
    pub decided_by: DecidedBy,
}

impl EffectiveLog {
    /// What holds of a type.
    #[must_use]
    pub fn of(
        kind: LogType,
        settings: &Settings,
        is_switched_on: bool,
        choices: &SeatChoices,
    ) -> Self {
        let (on, decided_by) = match choices.types.get(&kind) {
            _ if !settings.logs(kind) => (false, DecidedBy::Admin),
            _ if !is_switched_on => (false, DecidedBy::AdminForSeat),
            Some(chosen) => (*chosen, DecidedBy::Seller),
            None => (true, DecidedBy::Nobody),
        };
        Self { kind, on, decided_by }
    }
}

/// What is logged of a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingOfSeat {
    /// Every type.
    pub types: Vec<EffectiveLog>,
    /// The admin's switch, if one was ever set.
    pub switch: Option<SeatSwitch>,
}

/// Why switches are not set.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// None, or too many at once.
    #[error("name 1 to {MOST_SWITCHED} seats")]
    Count,
    /// Nothing was set.
    #[error("there is no seat {0}; nothing is changed")]
    NoSeat(SeatId),
    /// A port failed.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<PortError> for SwitchError {
    fn from(error: PortError) -> Self {
        Self::Work(error.into())
    }
}

/// Shows and sets what is logged of seats.
#[derive(Clone)]
pub struct SeatLogging {
    ports: Ports,
    store: Store,
    audit: AuditLog,
}

impl SeatLogging {
    /// Over these ports.
    #[must_use]
    pub fn new(ports: Ports) -> Self {
        let (store, audit) = (Store::new(ports.clone()), AuditLog::new(ports.clone()));
        Self { ports, store, audit }
    }

    /// What is logged of a seat as things are.
    #[must_use]
    #[boxed]
    pub async fn of(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
    ) -> Result<LoggingOfSeat, WorkError> {
        let kept = self.store.read(&keys::settings(at)).await?.unwrap_or_default();
        let (switch, choices) = self
            .store
            .load_both((&keys::seat_switch(at, seat), &keys::seat_choices(at, seat)))
            .await?;
        let choices = choices.as_deref().cloned().unwrap_or_default();
        let is_on = switch.as_ref().is_none_or(|switch| switch.write_back);
        let of = |kind| EffectiveLog::of(kind, &kept.settings, is_on, &choices);
        let types = LogType::iter().map(of).collect();
        Ok(LoggingOfSeat { types, switch: switch.as_deref().cloned() })
    }

    /// Remembers what a seller chose of some types; the others stay as they are.
    #[must_use]
    #[boxed]
    pub async fn choose(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        chosen: &BTreeMap<LogType, bool>,
    ) -> Result<(), WorkError> {
        let slot = keys::seat_choices(at, seat);
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            let mut choices = before.as_deref().cloned().unwrap_or_default();
            choices.types.extend(chosen);
            if before.as_deref() == Some(&choices) {
                return Ok(Attempt::Done(()));
            }
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &choices)?;
            Ok(Attempt::of(&self.store.commit(commit).await?, ()))
        })
        .await
    }

    /// Turns logging on or off for seats. Each seat's switch is a deed of its own in the audit log.
    #[must_use]
    #[boxed]
    pub async fn switch(
        &self,
        at: TenantEnvironment,
        of: &BTreeSet<SeatId>,
        write_back: bool,
        by: &Author,
    ) -> Result<(), SwitchError> {
        if !(1..=MOST_SWITCHED).contains(&of.len()) {
            return Err(SwitchError::Count);
        }
        for seat in of {
            if self.store.load(&seats::keys::seat(at.tenant, *seat)).await?.is_none() {
                return Err(SwitchError::NoSeat(*seat));
            }
        }
        for seat in of {
            self.switch_one(at, *seat, write_back, by).await?;
        }
        Ok(())
    }

    async fn switch_one(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        write_back: bool,
        by: &Author,
    ) -> Result<(), WorkError> {
        let slot = keys::seat_switch(at, seat);
        attempts(|| async {
            let before = self.store.load(&slot).await?;
            if before.as_ref().is_none_or(|switch| switch.write_back) == write_back {
                return Ok(Attempt::Done(()));
            }
            let signed = Signature { at: self.ports.clock.now(), by: by.clone() };
            let mut commit = Commit::new();
            commit.save(&slot, before.as_ref(), &SeatSwitch { write_back, signed })?;
            let deed = Deed::at(Action::SettingsChanged, at).seat(seat);
            let deed = deed.detail("settings", "write_back").detail("write_back", write_back);
            let done = self.audit.commit(commit, at.tenant, &Actor::from(by), &deed).await?;
            Ok(Attempt::of(&done, ()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::seats::Seat;
    use crate::kernel::{Environment, TenantId};
    use crate::testing::Memory;

    fn at() -> TenantEnvironment {
        let (tenant, environment) = (TenantId::derived("acme"), Environment::Production);
        TenantEnvironment { tenant, environment }
    }

    async fn logging(names: &[&str]) -> SeatLogging {
        let memory = Memory::new("2026-11-28T09:00:00Z".parse().unwrap(), 1);
        let logging = SeatLogging::new(memory.ports());
        for name in names {
            let seat = Seat {
                id: SeatId::derived(name),
                tenant: at().tenant,
                email: format!("{name}@acme.example"),
                aliases: BTreeSet::new(),
                federation_id: None,
                name: (*name).to_owned(),
                time_zone: "UTC".to_owned(),
                roles: BTreeSet::new(),
            };
            logging.store.put(&seats::keys::seat(at().tenant, seat.id), &seat).await.unwrap();
        }
        logging
    }

    #[test]
    fn the_admins_word_goes_before_the_sellers() {
        let types = |kind, on| BTreeMap::from([(kind, on)]);
        let off = |kind| SeatChoices { types: types(kind, false), ..SeatChoices::default() };
        let on = SeatChoices { types: types(LogType::Calls, true), ..SeatChoices::default() };
        let settings = Settings::default();
        let no_calls = Settings { log_calls: false, ..Settings::default() };
        let of = |settings: &Settings, is_on, choices: &SeatChoices| {
            let log = EffectiveLog::of(LogType::Calls, settings, is_on, choices);
            (log.on, log.decided_by)
        };
        assert_eq!(of(&settings, true, &SeatChoices::default()), (true, DecidedBy::Nobody));
        assert_eq!(of(&settings, true, &off(LogType::Notes)), (true, DecidedBy::Nobody));
        assert_eq!(of(&settings, true, &off(LogType::Calls)), (false, DecidedBy::Seller));
        assert_eq!(of(&settings, false, &on), (false, DecidedBy::AdminForSeat));
        assert_eq!(of(&no_calls, false, &on), (false, DecidedBy::Admin));
    }

    #[tokio::test]
    async fn a_sellers_choice_of_one_type_is_remembered_and_leaves_the_others() {
        let logging = logging(&["ada"]).await;
        let ada = SeatId::derived("ada");
        for (kind, on) in [(LogType::Calls, false), (LogType::Notes, false), (LogType::Calls, true)]
        {
            logging.choose(at(), ada, &BTreeMap::from([(kind, on)])).await.unwrap();
        }
        let types = logging.of(at(), ada).await.unwrap().types;
        let off: Vec<LogType> = types.iter().filter(|log| !log.on).map(|log| log.kind).collect();
        assert_eq!(off, [LogType::Notes]);
        let other = logging.of(at(), SeatId::derived("joe")).await.unwrap();
        assert!(other.types.iter().all(|log| log.on), "another's choice is another's");
    }

    #[tokio::test]
    async fn an_admin_switches_several_seats_and_each_is_a_deed_or_none_is_switched() {
        let logging = logging(&["ada", "joe"]).await;
        let both = BTreeSet::from([SeatId::derived("ada"), SeatId::derived("joe")]);
        let mut strangers = both.clone();
        strangers.insert(SeatId::derived("nobody"));
        let refused = logging.switch(at(), &strangers, false, &Author::Service).await;
        assert!(matches!(refused, Err(SwitchError::NoSeat(_))), "{refused:?}");
        assert_eq!(logging.of(at(), SeatId::derived("ada")).await.unwrap().switch, None);
        for _ in 0..2 {
            logging.switch(at(), &both, false, &Author::Service).await.unwrap();
        }
        for seat in &both {
            let of = logging.of(at(), *seat).await.unwrap();
            assert!(of.types.iter().all(|log| log.decided_by == DecidedBy::AdminForSeat));
        }
        let entries = crate::capabilities::audit::keys::entries(at().tenant);
        assert_eq!(logging.store.all(&entries).await.unwrap().len(), 2, "one deed each");
        let none = logging.switch(at(), &BTreeSet::new(), false, &Author::Service).await;
        assert!(matches!(none, Err(SwitchError::Count)));
    }
}
