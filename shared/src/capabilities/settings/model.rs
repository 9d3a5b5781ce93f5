//! The settings of an environment.

use serde::{Deserialize, Serialize};

/// The switches that an admin may set for an environment. After connecting, all are on but the
/// report on won deals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Save accounts and contacts of open opportunities for their owners.
    pub auto_save: bool,
    /// Only opportunities at or after this stage count; none means every open one ("Not Sure").
    pub stage: Option<String>,
    /// Log messages and `InMails`.
    pub log_messages: bool,
    /// Log notes.
    pub log_notes: bool,
    /// Report on won deals. Off until an admin asks for it: the report shows revenue.
    pub roi: bool,
    /// Show profiles inside the CRM.
    pub embedded_profile: bool,
    /// Point out records whose person has left the company.
    pub data_validation: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auto_save: true,
            stage: None,
            log_messages: true,
            log_notes: true,
            roi: false,
            embedded_profile: true,
            data_validation: true,
        }
    }
}
