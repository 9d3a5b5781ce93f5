//! What sellers do, and the CRM object that it becomes. Pure.

use serde::{Deserialize, Serialize};
use strum::EnumIter;

use crate::capabilities::settings::{LogType, Settings};
use crate::salesforce::SalesforceId;

/// The kind of thing that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumIter)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// A message to a connection.
    Message,
    /// A message to somebody who is no connection.
    Inmail,
    /// A note about a person or a company.
    Note,
    /// A call.
    Call,
    /// Somebody looked at what a Smart Link leads to.
    SmartLinkView,
    /// A request to connect.
    ConnectionRequest,
}

impl ActivityKind {
    /// The type with which it is turned on and off.
    #[must_use]
    pub fn log_type(self) -> LogType {
        match self {
            Self::Message | Self::Inmail => LogType::Messages,
            Self::Note => LogType::Notes,
            Self::Call => LogType::Calls,
            Self::SmartLinkView => LogType::SmartLinks,
            Self::ConnectionRequest => LogType::ConnectionRequests,
        }
    }

    /// True if there is none without a text: the others tell enough by being done.
    #[must_use]
    pub fn needs_text(self) -> bool {
        matches!(self, Self::Message | Self::Inmail | Self::Note)
    }

    /// The object that it becomes.
    #[must_use]
    pub fn object(self, settings: &Settings) -> CrmObject {
        match self {
            Self::Note if settings.enhanced_notes => CrmObject::ContentNote,
            _ => self.classic_object(),
        }
    }

    /// The object that it becomes in every org.
    #[must_use]
    pub fn classic_object(self) -> CrmObject {
        if self == Self::Note { CrmObject::Note } else { CrmObject::Task }
    }

    /// The record type that an admin chose for it; none leaves it to the org. A note has none.
    #[must_use]
    pub fn record_type(self, settings: &Settings) -> Option<SalesforceId> {
        match self {
            Self::Message => settings.record_type_message,
            Self::Inmail => settings.record_type_inmail,
            Self::Note => None,
            Self::Call => settings.record_type_call,
            Self::SmartLinkView => settings.record_type_smart_link_view,
            Self::ConnectionRequest => settings.record_type_connection_request,
        }
    }
}

/// An object that activities become. This is the whole of what they may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CrmObject {
    /// A task, done.
    Task,
    /// A classic note.
    Note,
    /// An enhanced note, and the link that attaches it to its record.
    ContentNote,
}

impl CrmObject {
    /// The API name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "Task",
            Self::Note => "Note",
            Self::ContentNote => "ContentNote",
        }
    }
}

/// Where a call was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallSource {
    /// On a phone.
    Mobile,
    /// Elsewhere.
    Desktop,
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn only_notes_become_notes_and_enhanced_ones_by_setting() {
        let enhanced = Settings { enhanced_notes: true, ..Settings::default() };
        for kind in ActivityKind::iter() {
            let is_note = kind == ActivityKind::Note;
            let classic = if is_note { CrmObject::Note } else { CrmObject::Task };
            assert_eq!(kind.object(&Settings::default()), classic, "{kind:?}");
            let other = if is_note { CrmObject::ContentNote } else { CrmObject::Task };
            assert_eq!(kind.object(&enhanced), other, "{kind:?}");
        }
    }

    #[test]
    fn each_kind_of_task_has_the_record_type_that_was_chosen_for_it() {
        let id = |n: u32| Some(format!("0120000000000{n:02}").parse().unwrap());
        let settings = Settings {
            record_type_message: id(1),
            record_type_inmail: id(2),
            record_type_call: id(3),
            record_type_smart_link_view: id(4),
            record_type_connection_request: id(5),
            ..Settings::default()
        };
        let chosen: Vec<_> = ActivityKind::iter().map(|kind| kind.record_type(&settings)).collect();
        assert_eq!(chosen, [id(1), id(2), None, id(3), id(4), id(5)]);
        for kind in ActivityKind::iter() {
            assert_eq!(kind.record_type(&Settings::default()), None, "{kind:?}");
        }
    }
}
