//! The secret of a connection, and the tokens of a grant, as they are stored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::ports::{PortError, WrappedKey};
use crate::salesforce::{InstanceUrl, Session, TokenResponse};
use crate::work::WorkError;

/// The secret of a connection: the wrapped data key, and the connection's own grant.
#[derive(Serialize, Deserialize)]
pub(crate) struct ConnectionSecret {
    /// The wrapped data key, base64.
    pub data_key: String,
    /// The number of the grant's token, as in [`crate::kernel::GrantState`].
    pub number: u64,
    /// The grant.
    pub grant: StoredGrant,
}

/// A grant's tokens as they are stored, in a secret or sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct StoredGrant {
    pub access_token: String,
    pub refresh_token: String,
    pub instance_url: InstanceUrl,
}

impl StoredGrant {
    /// A token response as it is stored. Without rotation, the refresh token of `before` stays.
    pub(crate) fn of(token: &TokenResponse, before: Option<&Self>) -> Result<Self, WorkError> {
        let refresh_token = token
            .refresh_token
            .as_ref()
            .map(|t| t.expose_secret().to_owned())
            .or_else(|| before.map(|b| b.refresh_token.clone()))
            .ok_or_else(|| WorkError::reject("keep a grant", "Salesforce gave no refresh token"))?;
        Ok(Self {
            access_token: token.access_token.expose_secret().to_owned(),
            refresh_token,
            instance_url: token.instance_url.clone(),
        })
    }

    /// The session that calls are made in.
    pub(super) fn session(&self) -> Session {
        Session {
            instance: self.instance_url.clone(),
            access_token: self.access_token.as_str().into(),
        }
    }
}

impl ConnectionSecret {
    pub(crate) fn parse(text: &SecretString) -> Result<Self, PortError> {
        // serde_json's error could quote the value.
        serde_json::from_str(text.expose_secret())
            .map_err(|_| PortError::reject("read a connection's secret", "unknown form"))
    }

    pub(crate) fn to_text(&self) -> Result<SecretString, PortError> {
        serde_json::to_string(self)
            .map(SecretString::from)
            .map_err(|_| PortError::reject("write a connection's secret", "unknown form"))
    }

    pub(crate) fn wrapped(&self) -> Result<WrappedKey, PortError> {
        BASE64
            .decode(&self.data_key)
            .map(WrappedKey)
            .map_err(|error| PortError::reject("read a connection's secret", error))
    }

    pub(crate) fn encode(wrapped: &WrappedKey) -> String {
        BASE64.encode(&wrapped.0)
    }
}
