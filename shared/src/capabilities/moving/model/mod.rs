//! The file that a tenant moves in: one JSON object a line. Pure.
//!
//! The form is the file's own: stored documents may change without it. What changes it takes the
//! next number of [`FORMAT`].

mod of_org;
mod of_tenant;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

use crate::capabilities::linking::entity_kind_of;
use crate::kernel::TenantId;
use crate::salesforce::SalesforceId;

pub use of_org::*;
pub use of_tenant::*;

/// The number of the form that is written and read here.
pub const FORMAT: u32 = 4;

/// Why a line is not read. Nothing of it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The first line is not an export's.
    #[error("does not begin the export of a tenant")]
    NotAnExport,
    /// A later version wrote the file.
    #[error(
        "is of form {0}, and this version reads forms up to {FORMAT}; upgrade it and try again"
    )]
    LaterForm(u32),
    /// A kind that this version does not have.
    #[error("is of a kind that only a later version knows; upgrade this one and try again")]
    LaterKind,
    /// It is no JSON, or not of its kind.
    #[error("is damaged")]
    Damaged,
    /// It is of the right form, at the wrong place.
    #[error("is not where an export has it")]
    Misplaced,
}

/// A line of the file.
#[derive(Clone, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Line {
    /// The first line.
    TenantExport(Header),
    /// The contract.
    Tenant(MovedTenant),
    /// A licensed user.
    Seat(MovedSeat),
    /// A vote for another CRM.
    CrmVote(MovedVote),
    /// An environment's switches.
    Settings(MovedSettings),
    /// The settings of an environment's imports.
    ImportSettings(MovedImportSettings),
    /// The choice of what an environment's imports read.
    Selection(MovedSelection),
    /// An environment's rules of matching.
    MatchRules(MovedMatchRules),
    /// What is logged of a seat.
    SeatLogging(MovedSeatLogging),
    /// The org to which what follows belongs.
    Connection(MovedConnection),
    /// A model made of the tenant's corrections.
    Model(MovedModel),
    /// The model in use, where it is one of the tenant's own.
    ModelChoice(MovedChoice),
    /// A record's corrections.
    Correction(MovedCorrection),
    /// Something saved for a seat.
    Saved(MovedSaved),
    /// A seller's switch for a conversation.
    Conversation(MovedConversation),
    /// A list that a seller keeps.
    List(MovedList),
    /// Something in a list that a seller keeps.
    ListEntry(MovedListEntry),
    /// A change that a seller wants in the CRM, with its values.
    Change(Box<MovedChange>),
    /// Which changes a seller approved together.
    Bulk(MovedBulk),
    /// An activity, with its text.
    Activity(Box<MovedActivity>),
    /// The last line: how many there were of each kind.
    End(End),
}

/// The beginning of every file, of whatever form.
#[derive(Deserialize)]
struct Opening {
    kind: String,
    #[serde(default)]
    format: u32,
}

/// The first line: whose file it is, and of which form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The number of the form.
    pub format: u32,
    /// The tenant, by its id at the old home.
    pub tenant: TenantId,
    /// When the export began.
    pub exported_at: Timestamp,
}

/// How many lines there were of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// By kind; the first line and this one are not counted.
    pub lines: BTreeMap<String, u64>,
}

impl fmt::Debug for Line {
    /// Names the kind alone: lines hold people's texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({})", self.kind())
    }
}

impl Header {
    /// The header of an export that begins.
    #[must_use]
    pub fn new(tenant: TenantId, exported_at: Timestamp) -> Self {
        Self { format: FORMAT, tenant, exported_at }
    }

    /// Reads the first line of a file.
    ///
    /// # Errors
    /// When it begins no export, or one of a later form.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let opening: Opening = serde_json::from_str(text).map_err(|_| LineError::NotAnExport)?;
        if opening.kind != "tenant_export" || opening.format == 0 {
            return Err(LineError::NotAnExport);
        }
        if opening.format > FORMAT {
            return Err(LineError::LaterForm(opening.format));
        }
        match serde_json::from_str(text) {
            Ok(Line::TenantExport(header)) => Ok(header),
            _ => Err(LineError::Damaged),
        }
    }
}

impl Line {
    /// Reads a line behind the first.
    ///
    /// # Errors
    /// When it is of a later version, damaged, or another first line.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let opening: Opening = serde_json::from_str(text).map_err(|_| LineError::Damaged)?;
        if !Self::VARIANTS.contains(&opening.kind.as_str()) {
            return Err(LineError::LaterKind);
        }
        match serde_json::from_str(text) {
            Ok(Self::TenantExport(_)) => Err(LineError::Misplaced),
            Ok(line) if line.is_sound() => Ok(line),
            // serde_json's error could quote the line.
            Ok(_) | Err(_) => Err(LineError::Damaged),
        }
    }

    /// False for values that no home ever stored.
    fn is_sound(&self) -> bool {
        match self {
            Self::ImportSettings(moved) => moved.clone().into_settings().check().is_ok(),
            Self::Correction(moved) => entity_kind_of(moved.object).is_some(),
            _ => true,
        }
    }

    /// The line as it is written, without its end.
    ///
    /// # Errors
    /// When it cannot be written, which nothing that was read can cause.
    pub fn to_json(&self) -> Result<String, LineError> {
        serde_json::to_string(self).map_err(|_| LineError::Damaged)
    }

    /// The name of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// True if it belongs to an org, and comes behind the line of its connection.
    #[must_use]
    pub fn is_of_an_org(&self) -> bool {
        matches!(
            self,
            Self::Model(_)
                | Self::ModelChoice(_)
                | Self::Correction(_)
                | Self::Saved(_)
                | Self::Conversation(_)
                | Self::List(_)
                | Self::ListEntry(_)
                | Self::Change(_)
                | Self::Bulk(_)
                | Self::Activity(_)
        )
    }

    /// The place of an activity that is under way: its lane, and its place there. A file has these
    /// behind all other lines of their org and in this order, so that they keep it.
    #[must_use]
    pub fn place(&self) -> Option<(SalesforceId, u64)> {
        let Self::Activity(moved) = self else { return None };
        let target = moved.target.as_ref().filter(|_| moved.state.is_under_way())?;
        Some((target.lane, target.place))
    }
}

impl End {
    /// Counts a line.
    pub fn count(&mut self, line: &Line) {
        *self.lines.entry(line.kind().to_owned()).or_default() += 1;
    }
}
