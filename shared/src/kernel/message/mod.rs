//! The messages between the functions, one type for each capability that does the work.
//!
//! They live in the kernel because a message is a contract between a sender and a receiver and
//! belongs to neither (`docs/decisions/0006`). They hold ids and object keys only, never data of a
//! person.

mod activities;
mod care;
mod directory;
mod exports;
mod import;
mod linking;
mod purge;
mod queue;
mod saving;
mod telling;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use activities::WritebackMessage;
pub use care::CareMessage;
pub use directory::DirectoryMessage;
pub use exports::{ExportMessage, MatchShardMessage};
pub use import::{ImportMessage, ImportTrigger};
pub use linking::{MatchMessage, MatchTrigger};
pub use purge::PurgeMessage;
pub use queue::Queue;
pub use saving::AutoSaveMessage;
pub use telling::TellingMessage;

use crate::kernel::Scope;

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident($message:ty)),+ $(,)?) => {
        /// A piece of work for one function: what the outbox keeps and sends, whoever receives it.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(untagged)]
        pub enum Message {
            $($(#[$doc])* $name($message),)+
        }

        impl Message {
            /// The name of its kind, as in its body.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(message) => message.into(),)+
                }
            }
        }

        $(impl From<$message> for Message {
            fn from(message: $message) -> Self {
                Self::$name(message)
            }
        })+
    };
}

messages! {
    /// For `bulk-import`.
    Import(ImportMessage),
    /// For `match-shard`.
    Match(MatchMessage),
    /// For `match-shard` too.
    Export(ExportMessage),
    /// For `auto-save`.
    AutoSave(AutoSaveMessage),
    /// For `writeback`.
    Writeback(WritebackMessage),
    /// For `connection-care`.
    Care(CareMessage),
    /// For `telling`.
    Telling(TellingMessage),
    /// For `data-purge`.
    Purge(PurgeMessage),
    /// For `directory-index`.
    Directory(DirectoryMessage),
}

impl Message {
    /// The queue that this work waits in.
    #[must_use]
    pub fn queue(&self) -> Queue {
        match self {
            Self::Import(_) => Queue::Import,
            Self::Match(_) | Self::Export(_) => Queue::Match,
            Self::AutoSave(_) => Queue::AutoSave,
            Self::Writeback(_) => Queue::Writeback,
            Self::Care(_) => Queue::Care,
            Self::Telling(_) => Queue::Telling,
            Self::Purge(_) => Queue::Purge,
            Self::Directory(_) => Queue::Directory,
        }
    }

    /// Whose generation the work belongs to, and goes with; none for the directory, which belongs
    /// to no tenant, for an event, which is told though the generation may be gone, for a login
    /// that did not become a grant, and for the rest of a tenant.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::Import(message) => Some(message.scope()),
            Self::Match(message) => Some(message.scope()),
            Self::Export(message) => Some(message.scope()),
            Self::AutoSave(message) => Some(message.scope()),
            Self::Writeback(message) => Some(message.scope()),
            Self::Care(message) => Some(message.scope()),
            Self::Purge(message) => message.scope(),
            Self::Telling(_) | Self::Directory(_) => None,
        }
    }

    /// The fair-queue group.
    #[must_use]
    pub fn group(&self) -> String {
        let tenant = match self {
            Self::Telling(TellingMessage::Publish { event }) => Some(event.scope.tenant),
            Self::Purge(message) => Some(message.tenant()),
            _ => self.scope().map(|scope| scope.tenant),
        };
        tenant.map_or_else(|| "directory".to_owned(), |tenant| tenant.to_string())
    }
}

/// A message as it travels. A receiver reads only its own type; senders and the outbox, any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<M = Message> {
    /// The version of this form; only 1 exists.
    pub v: u8,
    /// The sort key of the due item that stands behind the message, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Counts how often this work was put off. It bounds loops that feed themselves.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hops: u32,
    /// The work.
    pub message: M,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Why a queue body is not an envelope.
#[derive(Debug, thiserror::Error)]
pub enum ParseEnvelopeError {
    /// Not JSON of the right shape, or a message for another queue.
    #[error("the body is not a message of this queue")]
    Shape(#[source] serde_json::Error),
    /// A version that this code does not know.
    #[error("the message has version {0}, and only 1 is known")]
    Version(u8),
}

impl<M> Envelope<M> {
    /// An envelope around `message`.
    #[must_use]
    pub fn of(message: M) -> Self {
        Self { v: 1, due: None, hops: 0, message }
    }

    /// The same envelope around the message that `convert` makes of this one's.
    #[must_use]
    pub fn map<N>(self, convert: impl FnOnce(M) -> N) -> Envelope<N> {
        let Self { v, due, hops, message } = self;
        Envelope { v, due, hops, message: convert(message) }
    }
}

impl<M: DeserializeOwned> Envelope<M> {
    /// Reads a queue body.
    pub fn parse(body: &str) -> Result<Self, ParseEnvelopeError> {
        let envelope: Self = serde_json::from_str(body).map_err(ParseEnvelopeError::Shape)?;
        if envelope.v == 1 { Ok(envelope) } else { Err(ParseEnvelopeError::Version(envelope.v)) }
    }
}
