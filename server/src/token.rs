//! A token of the built-in issuer, from the running process or, when none runs, from its secrets.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use embedded::keys::{OpenSecretsError, SealedSecrets};
use reqwest::{Client, StatusCode};
use shared::host::OsEntropy;
use tokio::net::UnixStream;

use crate::config::{Callers, Config};
use crate::control::{self, TokenRequest};
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
    /// The process said no.
    #[error("crm-sync serve refused: {0}")]
    Refused(String),
    /// The process does not answer.
    #[error("crm-sync serve does not answer at its socket")]
    Socket(#[from] reqwest::Error),
    /// The socket cannot be reached.
    #[error("the socket of the data folder cannot be reached")]
    Reach(#[source] io::Error),
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
    let socket = control::socket(&config.data);
    match UnixStream::connect(&socket).await {
        Ok(_) => {
            let client = Client::builder().unix_socket(socket).timeout(ANSWER_TIME).build()?;
            let answer = client.post("http://crm-sync/token").json(&asked).send().await?;
            let (status, text) = (answer.status(), answer.text().await?);
            if status == StatusCode::OK { Ok(text) } else { Err(TokenError::Refused(text)) }
        }
        Err(error) if nobody_listens(&error) => {
            let file = config.data.join("secrets.db");
            if !file.exists() {
                return Err(IssuerError::NoKey.into());
            }
            let (key, _) = stores::master_key(config).await?;
            let secrets = SealedSecrets::open(&file, &key, Arc::new(OsEntropy))?;
            Ok(control::sign(&BuiltInIssuer::open(&secrets).await?, asked)?)
        }
        Err(error) => Err(TokenError::Reach(error)),
    }
}

/// There is no socket, or its process is gone.
fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
