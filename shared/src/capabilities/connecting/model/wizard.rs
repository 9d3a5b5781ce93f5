//! The set-up wizard of an environment. Pure.
//!
//! Its four steps are kept on our side, so that a person may close the window at any of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::capabilities::settings::SettingsPatch;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WizardStep {
    /// Connect the org.
    Connect,
    /// Choose the data to synchronise and the activities to log.
    Sync,
    /// Choose if won deals are reported on.
    Roi,
    /// Embedded profiles and data validation.
    Advanced,
}

impl WizardStep {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Sync, Self::Roi, Self::Advanced];

    fn next(self) -> Self {
        let place = Self::ALL.iter().position(|step| *step == self).unwrap_or(0);
        Self::ALL[(place + 1).min(Self::ALL.len() - 1)]
    }

    fn before(self) -> Self {
        let place = Self::ALL.iter().position(|step| *step == self).unwrap_or(0);
        Self::ALL[place.saturating_sub(1)]
    }
}

/// A person's answer to a step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", deny_unknown_fields)]
pub enum WizardAnswer {
    /// Where to log in: a My Domain, or the usual page. The step is done when the org is connected.
    Connect {
        /// A My Domain such as `acme.my.salesforce.com`.
        #[serde(default)]
        login_host: Option<String>,
    },
    /// The switches.
    Sync {
        /// Save accounts and contacts of open opportunities for their owners.
        auto_save: bool,
        /// Only opportunities at or after this stage count.
        #[serde(default)]
        stage: Option<String>,
        /// Log messages and `InMails`.
        log_messages: bool,
        /// Log notes.
        log_notes: bool,
    },
    /// The choice if won deals are reported on.
    Roi {
        /// Opted in.
        roi: bool,
    },
    /// The rest.
    Advanced {
        /// Show profiles inside the CRM.
        embedded_profile: bool,
        /// Point out records whose person has left.
        data_validation: bool,
    },
}

impl WizardAnswer {
    /// The step that it answers.
    #[must_use]
    pub fn step(&self) -> WizardStep {
        match self {
            Self::Connect { .. } => WizardStep::Connect,
            Self::Sync { .. } => WizardStep::Sync,
            Self::Roi { .. } => WizardStep::Roi,
            Self::Advanced { .. } => WizardStep::Advanced,
        }
    }

    /// The settings that the step is about, and no others: a patch of the settings.
    #[must_use]
    pub fn settings(&self) -> SettingsPatch {
        let pairs = match self {
            Self::Connect { .. } => Vec::new(),
            Self::Sync { auto_save, stage, log_messages, log_notes } => vec![
                ("auto_save", json!(auto_save)),
                ("stage", json!(stage)),
                ("log_messages", json!(log_messages)),
                ("log_notes", json!(log_notes)),
            ],
            Self::Roi { roi } => vec![("roi", json!(roi))],
            Self::Advanced { embedded_profile, data_validation } => vec![
                ("embedded_profile", json!(embedded_profile)),
                ("data_validation", json!(data_validation)),
            ],
        };
        SettingsPatch(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// The progress of an environment's wizard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wizard {
    /// Where the person is.
    pub at: WizardStep,
    /// The answered steps. The connection itself tells if the org is connected.
    #[serde(default)]
    pub answered: BTreeSet<WizardStep>,
    /// Where the person logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_host: Option<String>,
    /// Counts the changes, so that two windows do not overwrite each other.
    #[serde(default)]
    pub changes: u64,
}

impl Default for Wizard {
    fn default() -> Self {
        Self { at: WizardStep::Connect, answered: BTreeSet::new(), login_host: None, changes: 0 }
    }
}

/// Why a step cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WizardError {
    /// Without an org there is nothing to set up.
    #[error("connect the org first")]
    NotConnected,
    /// The steps before come first.
    #[error("answer the steps before this one first")]
    TooEarly,
}

impl Wizard {
    /// Takes an answer, to the step at which the person is or to an earlier one.
    pub fn answer(&mut self, answer: &WizardAnswer, connected: bool) -> Result<(), WizardError> {
        let step = answer.step();
        self.catch_up(connected);
        if let WizardAnswer::Connect { login_host } = answer {
            self.login_host.clone_from(login_host);
        } else if !connected {
            return Err(WizardError::NotConnected);
        }
        let before = WizardStep::ALL.into_iter().take_while(|earlier| *earlier < step);
        if before.skip(1).any(|earlier| !self.answered.contains(&earlier)) {
            return Err(WizardError::TooEarly);
        }
        self.changes += 1;
        if step != WizardStep::Connect || connected {
            self.answered.insert(step);
            self.at = step.next();
        }
        Ok(())
    }

    /// Goes back one step; nothing that was answered is lost.
    pub fn back(&mut self, connected: bool) {
        self.catch_up(connected);
        self.at = self.at.before();
        self.changes += 1;
    }

    /// The org may have been connected, or disconnected, since the wizard was left.
    pub fn catch_up(&mut self, connected: bool) {
        if !connected {
            self.at = WizardStep::Connect;
            self.answered.remove(&WizardStep::Connect);
        } else if self.answered.insert(WizardStep::Connect) && self.at == WizardStep::Connect {
            self.at = WizardStep::Sync;
        }
    }

    /// True if every step is answered.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.answered.len() == WizardStep::ALL.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::settings::Settings;

    const SYNC: WizardAnswer =
        WizardAnswer::Sync { auto_save: false, stage: None, log_messages: true, log_notes: true };
    const ROI: WizardAnswer = WizardAnswer::Roi { roi: true };
    const ADVANCED: WizardAnswer =
        WizardAnswer::Advanced { embedded_profile: true, data_validation: false };

    #[test]
    fn the_steps_follow_each_other_and_the_first_ends_with_the_connection() {
        let mut wizard = Wizard::default();
        assert_eq!(wizard.answer(&SYNC, false), Err(WizardError::NotConnected));
        let login = WizardAnswer::Connect { login_host: Some("acme.my.salesforce.com".into()) };
        wizard.answer(&login, false).unwrap();
        assert_eq!(wizard.at, WizardStep::Connect);
        wizard.catch_up(true);
        assert_eq!(wizard.at, WizardStep::Sync);
        assert_eq!(wizard.answer(&ROI, true), Err(WizardError::TooEarly));
        for answer in [SYNC, ROI, ADVANCED] {
            wizard.answer(&answer, true).unwrap();
        }
        assert!(wizard.is_finished());
    }

    #[test]
    fn going_back_keeps_the_answers_and_a_lost_connection_begins_anew() {
        let mut wizard = Wizard::default();
        wizard.answer(&SYNC, true).unwrap();
        wizard.back(true);
        assert_eq!(wizard.at, WizardStep::Sync);
        wizard.back(true);
        assert_eq!(wizard.at, WizardStep::Connect);
        wizard.catch_up(true);
        assert_eq!(wizard.at, WizardStep::Connect, "who went back is not pushed on");
        wizard.catch_up(false);
        assert!(wizard.answered.contains(&WizardStep::Sync) && !wizard.is_finished());
    }

    #[test]
    fn a_step_changes_its_own_settings_alone() {
        let settings = Settings { log_notes: false, ..Settings::default() };
        let after = settings.patched(&ROI.settings()).unwrap();
        assert_eq!(after, Settings { roi: true, ..settings.clone() });
        for answer in [SYNC, ROI, ADVANCED] {
            assert!(settings.patched(&answer.settings()).is_ok(), "{answer:?}");
        }
    }
}
