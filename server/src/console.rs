//! Links that log people in to the console of a process that runs.

use std::time::Duration;

use shared::capabilities::sessions::Visitor;
use tokio::time::timeout;

use crate::config::Config;
use crate::control::{self, AskError};

/// The process answers at once or hangs.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nothing serves the console.
    #[error("crm-sync serve does not run on this folder: start it first")]
    NotRunning,
    /// The process said no, or nothing.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The process does not answer in time.
    #[error("crm-sync serve does not answer at its socket within {} s", ANSWER_TIME.as_secs())]
    Slow,
}

/// A link that logs `visitor` in to the console of the process that runs on `config`'s folder.
///
/// # Errors
/// When none runs, or it has no such tenant or seat.
pub async fn console_link(config: &Config, visitor: Visitor) -> Result<String, LinkError> {
    let process = control::reach(&config.data).await?.ok_or(LinkError::NotRunning)?;
    let answer = async {
        let answer = process.post("/console-link", &visitor).await?;
        Ok(answer.text().await.map_err(AskError::from)?)
    };
    timeout(ANSWER_TIME, answer).await.map_err(|_| LinkError::Slow)?
}
