//! Whether an activity is logged at all: the word of the admin, of the seller, and of the
//! conversation. Pure.

use serde::{Deserialize, Serialize};

use super::NotLogged;
use crate::kernel::SeatId;

/// What a seller says of logging an activity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LogWish {
    /// "Log to CRM", ticked or not; none leaves it as it was for the item before.
    pub log: Option<bool>,
    /// The conversation that it belongs to, by the product's own name.
    pub conversation: Option<String>,
    /// A note for its author alone: it is logged only when the seller says so of this very one.
    pub private: bool,
}

/// A seller's switch for one conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Whose switch it is.
    pub seat: SeatId,
    /// The product's own name of it.
    pub name: String,
    /// True if what belongs to it is logged.
    pub log: bool,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("log", &self.log).finish_non_exhaustive()
    }
}

/// Where what a seller said of one item is remembered for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// For everything of the same type.
    ForType(bool),
    /// For the same conversation.
    ForConversation(bool),
}

impl LogWish {
    /// Why an activity is not logged, if it is not: the nearest word decides. `conversation` and
    /// `choice` are what the seller said before, of the conversation and of the type.
    #[must_use]
    pub fn decided(&self, conversation: Option<bool>, choice: Option<bool>) -> Option<NotLogged> {
        match self.log {
            Some(true) => None,
            _ if self.private => Some(NotLogged::PrivateNote),
            Some(false) => Some(NotLogged::SellerChoice),
            None => match (conversation, choice) {
                (Some(false), _) => Some(NotLogged::ConversationOff),
                (None, Some(false)) => Some(NotLogged::SellerChoice),
                _ => None,
            },
        }
    }

    /// What is remembered of it. A word about a private note is about that note alone.
    #[must_use]
    pub fn remembered(&self) -> Option<Remembered> {
        let log = self.log.filter(|_| !self.private)?;
        Some(match self.conversation {
            Some(_) => Remembered::ForConversation(log),
            None => Remembered::ForType(log),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(log: Option<bool>, conversation: Option<&str>, private: bool) -> LogWish {
        LogWish { log, conversation: conversation.map(str::to_owned), private }
    }

    #[test]
    fn the_nearest_word_decides_and_without_one_it_is_logged() {
        let silent = wish(None, None, false);
        assert_eq!(silent.decided(None, None), None);
        assert_eq!(silent.decided(None, Some(false)), Some(NotLogged::SellerChoice));
        assert_eq!(silent.decided(Some(true), Some(false)), None);
        assert_eq!(silent.decided(Some(false), Some(true)), Some(NotLogged::ConversationOff));
        assert_eq!(wish(Some(true), None, false).decided(Some(false), Some(false)), None);
        let unticked = wish(Some(false), None, false);
        assert_eq!(unticked.decided(Some(true), Some(true)), Some(NotLogged::SellerChoice));
    }

    #[test]
    fn a_private_note_is_logged_only_when_the_seller_says_so_of_it() {
        for log in [None, Some(false)] {
            let kept = wish(log, None, true).decided(Some(true), Some(true));
            assert_eq!(kept, Some(NotLogged::PrivateNote), "{log:?}");
        }
        assert_eq!(wish(Some(true), None, true).decided(None, Some(false)), None);
    }

    #[test]
    fn a_word_is_remembered_where_it_was_said() {
        let of_type = wish(Some(false), None, false).remembered();
        assert_eq!(of_type, Some(Remembered::ForType(false)));
        let of_thread = wish(Some(true), Some("t"), false).remembered();
        assert_eq!(of_thread, Some(Remembered::ForConversation(true)));
        assert_eq!(wish(None, Some("t"), false).remembered(), None);
        assert_eq!(wish(Some(true), None, true).remembered(), None, "private");
    }
}
