//! Work of `auto-save`.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::kernel::{ImportRunId, MatchRunId, SObject, Scope, SeatId};
use crate::salesforce::SalesforceId;

/// The records to which the auto-save rules are to be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(tag = "kind")]
pub enum AutoSaveMessage {
    /// Apply the auto-save rules to some opportunities.
    #[serde(rename = "auto_save")]
    #[strum(serialize = "auto_save")]
    Opportunities {
        /// Of which connection.
        scope: Scope,
        /// Their record ids.
        opportunities: Vec<SalesforceId>,
    },
    /// Find the opportunities of these records, which changed or whose matches did, and apply the
    /// rules to them.
    #[serde(rename = "auto_save_records")]
    #[strum(serialize = "auto_save_records")]
    Records {
        /// Of which connection.
        scope: Scope,
        /// The object of the records.
        object: SObject,
        /// Their ids.
        records: Vec<SalesforceId>,
    },
    /// Apply the rules to everything that a CRM user owns: their seat or role is new.
    #[serde(rename = "auto_save_owner")]
    #[strum(serialize = "auto_save_owner")]
    Owner {
        /// Of which connection.
        scope: Scope,
        /// The CRM user.
        user: SalesforceId,
    },
    /// Apply the rules to everything that the CRM user of a new seat owns.
    #[serde(rename = "auto_save_seat")]
    #[strum(serialize = "auto_save_seat")]
    Seat {
        /// Of which connection.
        scope: Scope,
        /// The seat.
        seat: SeatId,
    },
    /// Apply the rules to every opportunity, some a step: the rules changed.
    #[serde(rename = "auto_save_everything")]
    #[strum(serialize = "auto_save_everything")]
    Everything {
        /// Of which connection.
        scope: Scope,
        /// Counts the changes of the rules; a later one makes this pass pointless.
        rules: u64,
        /// The step that this message is for.
        step: u64,
    },
    /// Count what the rules would save for the next seat, and save nothing.
    #[serde(rename = "auto_save_dry_run")]
    #[strum(serialize = "auto_save_dry_run")]
    DryRun {
        /// Of which connection.
        scope: Scope,
        /// Which dry run; a later one makes it pointless.
        run: u64,
        /// The step that this message is for.
        step: u64,
    },
    /// Let what is saved follow its entities into the directory version that everything was matched
    /// to by a match run, some a step.
    #[serde(rename = "auto_save_directory")]
    #[strum(serialize = "auto_save_directory")]
    Directory {
        /// Of which connection.
        scope: Scope,
        /// The match run, which came to its end.
        run: MatchRunId,
        /// The step that this message is for.
        step: u64,
    },
    /// Let go what no rule has called for since long, some a step, after an import run.
    #[serde(rename = "auto_save_unsave")]
    #[strum(serialize = "auto_save_unsave")]
    Unsave {
        /// Of which connection.
        scope: Scope,
        /// The import run; a later one makes this pass pointless.
        run: ImportRunId,
        /// The step that this message is for.
        step: u64,
    },
    /// Take out what auto-save saved under one revision of the settings and no rule calls for now,
    /// some a step.
    #[serde(rename = "auto_save_undo")]
    #[strum(serialize = "auto_save_undo")]
    Undo {
        /// Of which connection.
        scope: Scope,
        /// Which undoing; a later one makes it pointless.
        undoing: u64,
        /// The step that this message is for.
        step: u64,
    },
}

impl AutoSaveMessage {
    /// Whose generation the work belongs to, and goes with.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Opportunities { scope, .. }
            | Self::Records { scope, .. }
            | Self::Owner { scope, .. }
            | Self::Seat { scope, .. }
            | Self::Everything { scope, .. }
            | Self::DryRun { scope, .. }
            | Self::Directory { scope, .. }
            | Self::Unsave { scope, .. }
            | Self::Undo { scope, .. } => *scope,
        }
    }
}
