//! `dlq`: the messages that failed too often, told without their bodies, and sent again.

use std::io;
use std::path::PathBuf;

use embedded::queues::{DeadLetter, LocalQueues};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::kernel::{Envelope, Message, Queue};

use crate::config::Config;
use crate::control::{self, AskError};
use crate::folder::{self, DEAD_LETTERS};
use crate::stores::StoresError;

/// Why the dead letters cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// The running process does not give them.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The process answered something else.
    #[error("crm-sync serve answered what this version of crm-sync does not understand")]
    Answer(#[source] reqwest::Error),
    /// The folder is not this process's.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// There is no folder.
    #[error("{} holds no data of crm-sync", .0.display())]
    Nothing(PathBuf),
    /// The file cannot be read.
    #[error("{} cannot be used", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// Nobody would do their work.
    #[error("no crm-sync serve runs on {}: start it, then send them again", .0.display())]
    NobodyWorks(PathBuf),
}

/// A dead letter, without the message itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What tells it from others.
    pub id: String,
    /// The queue that it was for.
    pub queue: Queue,
    /// The message's kind; none for one that this version does not know.
    pub kind: Option<String>,
    /// The ids of whose work it was: tenant, environment and generation, or less.
    pub owner: String,
    /// When it failed too often, the last time; letters of older versions do not tell.
    pub at: Option<Timestamp>,
    /// Counts how often it was tried.
    pub tries: u32,
    /// The class of its last failure, without any data; letters of older versions do not tell.
    pub failure: Option<String>,
}

impl From<DeadLetter> for Listed {
    fn from(letter: DeadLetter) -> Self {
        let message =
            Envelope::<Message>::parse(&letter.body).ok().map(|envelope| envelope.message);
        let scope = message.as_ref().and_then(Message::scope);
        Self {
            id: letter.id,
            queue: letter.queue,
            kind: message.map(|message| message.kind().to_owned()),
            owner: scope.map_or(letter.group, |scope| scope.to_string()),
            at: letter.at,
            tries: letter.tries,
            failure: letter.failure,
        }
    }
}

/// Which dead letters are sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// The one with this id.
    One(String),
    /// Those of a queue.
    Queue(Queue),
    /// All.
    All,
}

/// The dead letters of these queues.
pub(crate) fn of(queues: &LocalQueues) -> Vec<Listed> {
    queues.all_dead_letters().into_iter().map(Listed::from).collect()
}

/// Sends dead letters again. Gives their number.
pub(crate) fn send_again(queues: &LocalQueues, chosen: &Chosen) -> io::Result<usize> {
    queues.redrive_chosen(|letter| match chosen {
        Chosen::One(id) => letter.id == *id,
        Chosen::Queue(queue) => letter.queue == *queue,
        Chosen::All => true,
    })
}

/// The dead letters of the data folder, the one that failed last at the end: of the running
/// process, or of its file when none runs.
pub async fn list(config: &Config) -> Result<Vec<Listed>, DeadLettersError> {
    let data = &config.data;
    if let Some(process) = control::reach(data).await? {
        let answer = process.post("/dead-letters", &()).await?;
        return answer.json().await.map_err(DeadLettersError::Answer);
    }
    if !folder::is_filled(data) {
        return Err(DeadLettersError::Nothing(data.clone()));
    }
    let _lock = folder::lock(data)?;
    let file = data.join(DEAD_LETTERS);
    let queues = LocalQueues::open(&file).map_err(|error| DeadLettersError::File(file, error))?;
    Ok(of(&queues))
}

/// Has the running process do the work of dead letters again. Gives their number.
pub async fn redrive(config: &Config, chosen: &Chosen) -> Result<usize, DeadLettersError> {
    let process = control::reach(&config.data).await?;
    let process = process.ok_or_else(|| DeadLettersError::NobodyWorks(config.data.clone()))?;
    let answer = process.post("/dead-letters/redrive", chosen).await?;
    answer.json().await.map_err(DeadLettersError::Answer)
}

#[cfg(test)]
mod tests;
