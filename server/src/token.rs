//! A token of the built-in issuer, from the running process or, when none runs, from its secrets.

use std::sync::Arc;
use std::time::Duration;

use embedded::keys::{OpenSecretsError, SealedSecrets};
use shared::host::OsEntropy;
use tokio::time::timeout;

use crate::config::{Callers, Config};
use crate::control::{self, AskError, TokenRequest};
use crate::folder::SECRETS;
use crate::issuer::{BuiltInIssuer, IssuerError};
use crate::stores::{self, StoresError};

/// The process answers at once or hangs.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Tokens are somebody else's to give.
    #[error("the tokens of {0} are taken here: ask that issuer for one")]
    OtherIssuer(String),
    /// The process said no, or nothing.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The process does not answer in time.
    #[error("crm-sync serve does not answer at its socket within {} s", ANSWER_TIME.as_secs())]
    Slow,
    /// The master key cannot be had.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// The secrets do not open.
    #[error("the secrets do not open")]
    Secrets(#[from] OpenSecretsError),
    /// The issuer has no key.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
}

/// A token as `asked`. The running process has the secrets for itself, and is asked; when none
/// runs, they are opened here.
///
/// # Errors
/// When there is no such issuer, or neither way works.
pub async fn token(config: &Config, asked: TokenRequest) -> Result<String, TokenError> {
    if let Callers::Issuer { issuer, .. } = &config.callers {
        return Err(TokenError::OtherIssuer(issuer.clone()));
    }
    if let Some(process) = control::reach(&config.data).await? {
        let answer = async {
            let answer = process.post("/token", &asked).await?;
            Ok(answer.text().await.map_err(AskError::from)?)
        };
        return timeout(ANSWER_TIME, answer).await.map_err(|_| TokenError::Slow)?;
    }
    let file = config.data.join(SECRETS);
    if !file.exists() {
        return Err(IssuerError::NoKey.into());
    }
    let (key, _) = stores::master_key(config).await?;
    let secrets = SealedSecrets::open(&file, &key, Arc::new(OsEntropy))?;
    Ok(control::sign(&BuiltInIssuer::open(&secrets).await?, asked)?)
}
