//! The secrets on Secrets Manager. A version's id is the request token that wrote it, and the
//! token is derived from the caller's: writing again is idempotent, and a writer that died before
//! it learnt the version can name it all the same.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;
use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretError;
use aws_sdk_secretsmanager::operation::get_secret_value::{
    GetSecretValueError, GetSecretValueOutput,
};
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use secrecy::{ExposeSecret, SecretString};

use super::error::{failed, unopened};
use super::pause::{ATTEMPTS, pause};
use crate::ports::{Disposition, PortError, Secrets, VersionId};

const PUT: &str = "put a secret";

/// The port [`Secrets`] on Secrets Manager. Names are whole ones, or ARNs.
#[derive(Debug, Clone)]
pub struct SecretsManagerSecrets {
    client: Client,
    key_id: Option<String>,
}

/// Why a secret's value could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum SecretError {
    #[error("the secret was being made and deleted at every attempt")]
    Unsettled,
    #[error("the secret holds no text")]
    NoText,
}

impl SecretsManagerSecrets {
    /// The secrets of this account; new ones are encrypted with this KMS key.
    #[must_use]
    pub fn new(sdk: &SdkConfig, key_id: Option<String>) -> Self {
        Self { client: Client::new(sdk), key_id }
    }

    /// Adds a version; none when there is no such secret.
    async fn add(
        &self,
        name: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<Option<VersionId>, PortError> {
        let put = self.client.put_secret_value().secret_id(name).client_request_token(token);
        match put.secret_string(value.expose_secret()).send().await {
            Ok(put) => Ok(Some(VersionId(put.version_id.unwrap_or_else(|| token.to_owned())))),
            Err(error) => match error.as_service_error() {
                // The second: deleted a moment ago and not yet gone.
                Some(
                    PutSecretValueError::ResourceNotFoundException(_)
                    | PutSecretValueError::InvalidRequestException(_),
                ) => Ok(None),
                _ => Err(failed(PUT, &error)),
            },
        }
    }

    /// Makes a secret without a value, so that every value is added, and repeated, in one way.
    async fn create(&self, name: &str) -> Result<(), PortError> {
        let create = self.client.create_secret().name(name);
        match create.set_kms_key_id(self.key_id.clone()).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // Made by another meanwhile, or deleted a moment ago and not yet gone.
                Some(
                    CreateSecretError::ResourceExistsException(_)
                    | CreateSecretError::InvalidRequestException(_),
                ) => Ok(()),
                _ => Err(failed(PUT, &error)),
            },
        }
    }

    async fn read(
        &self,
        name: &str,
        version: Option<&VersionId>,
    ) -> Result<Option<(VersionId, SecretString)>, PortError> {
        let action = "get a secret";
        let get = self.client.get_secret_value().secret_id(name);
        match get.set_version_id(version.map(|v| v.0.clone())).send().await {
            Ok(got) => found(got).map(Some).map_err(|error| PortError::reject(action, error)),
            Err(error) => match error.as_service_error() {
                Some(GetSecretValueError::ResourceNotFoundException(_)) => Ok(None),
                Some(GetSecretValueError::InvalidRequestException(refused)) => {
                    if is_marked_for_deletion(refused.message()) {
                        return Ok(None);
                    }
                    // The secret is there and in no state to be read: an operator sees to it.
                    let failed = failed(action, &error);
                    Err(PortError { disposition: Disposition::Pause, ..failed })
                }
                _ => Err(unopened(action, &error)),
            },
        }
    }
}

/// Whether Secrets Manager refuses a call since the secret is on its way out. It has one code for
/// all states in which a call cannot be done; only its message tells them apart.
fn is_marked_for_deletion(message: Option<&str>) -> bool {
    message.is_some_and(|message| message.contains("deletion") || message.contains("deleted"))
}

fn found(got: GetSecretValueOutput) -> Result<(VersionId, SecretString), SecretError> {
    let version = got.version_id.ok_or(SecretError::NoText)?;
    let value = got.secret_string.ok_or(SecretError::NoText)?;
    Ok((VersionId(version), value.into()))
}

/// The request token of a caller's token: a UUID made of its hash.
fn request_token(token: &str) -> String {
    let hash = blake3::derive_key("crm-sync secret version", token.as_bytes());
    let mut bytes: [u8; 16] = hash.first_chunk().copied().unwrap_or_default();
    // The version and variant of a UUID made by a rule of one's own (RFC 9562, version 8).
    bytes[6] = bytes[6] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[async_trait]
impl Secrets for SecretsManagerSecrets {
    async fn put(
        &self,
        name: &str,
        value: &SecretString,
        token: &str,
    ) -> Result<VersionId, PortError> {
        let token = request_token(token);
        for attempt in 0..ATTEMPTS {
            if let Some(version) = self.add(name, value, &token).await? {
                return Ok(version);
            }
            if attempt > 0 {
                pause(attempt).await;
            }
            self.create(name).await?;
        }
        Err(PortError::retry(PUT, SecretError::Unsettled))
    }

    async fn get(
        &self,
        name: &str,
        version: &VersionId,
    ) -> Result<Option<SecretString>, PortError> {
        Ok(self.read(name, Some(version)).await?.map(|(_, value)| value))
    }

    async fn newest(&self, name: &str) -> Result<Option<(VersionId, SecretString)>, PortError> {
        self.read(name, None).await
    }

    async fn destroy(&self, name: &str) -> Result<(), PortError> {
        let delete = self.client.delete_secret().secret_id(name);
        match delete.force_delete_without_recovery(true).send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteSecretError::ResourceNotFoundException(_)) => Ok(()),
                _ => Err(failed("destroy a secret", &error)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_on_its_way_out_is_told_from_one_that_cannot_be_read() {
        let going = "You can't perform this operation on the secret because it was marked for \
                     deletion.";
        assert!(is_marked_for_deletion(Some(going)));
        let disabled = "You can't perform this operation: the KMS key is not in a valid state.";
        assert!(!is_marked_for_deletion(Some(disabled)));
        assert!(!is_marked_for_deletion(None), "unknown: the secret is not taken for gone");
    }

    #[test]
    fn the_same_token_always_names_the_same_version() {
        // Stored beside grants: another form would lose them.
        assert_eq!(request_token("grant#1"), request_token("grant#1"));
        assert_ne!(request_token("grant#1"), request_token("grant#2"));
        let token = request_token("grant#1");
        assert_eq!((token.len(), &token[14..15]), (36, "8"));
    }
}
