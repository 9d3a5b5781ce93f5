//! Data keys on KMS.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use zeroize::Zeroizing;

use super::error::{failed, unopened};
use crate::ports::{DataKeys, KeyContext, PortError, WrappedKey};

/// The names under which the context is bound to a wrapped key; roles are allowed by them.
const SCOPE: &str = "scope";
const PURPOSE: &str = "purpose";

/// The port [`DataKeys`] on one KMS key.
#[derive(Debug, Clone)]
pub struct KmsDataKeys {
    client: Client,
    key_id: String,
}

/// KMS answered with something that is no 256-bit key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer holds no 256-bit key")]
struct NoKey;

impl KmsDataKeys {
    /// Data keys wrapped by the key of this id or ARN.
    #[must_use]
    pub fn new(sdk: &SdkConfig, key_id: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), key_id: key_id.into() }
    }
}

/// Copies the key and wipes the answer's own copy.
fn plain(blob: Option<Blob>, action: &'static str) -> Result<Zeroizing<[u8; 32]>, PortError> {
    let bytes = Zeroizing::new(blob.map(Blob::into_inner).unwrap_or_default());
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return Err(PortError::reject(action, NoKey));
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

#[async_trait]
impl DataKeys for KmsDataKeys {
    async fn generate(
        &self,
        context: &KeyContext,
    ) -> Result<(Zeroizing<[u8; 32]>, WrappedKey), PortError> {
        let action = "make a data key";
        let made = self
            .client
            .generate_data_key()
            .key_id(&self.key_id)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(SCOPE, &context.scope)
            .encryption_context(PURPOSE, context.purpose.as_str())
            .send()
            .await
            .map_err(|error| failed(action, &error))?;
        let wrapped = made.ciphertext_blob.ok_or_else(|| PortError::reject(action, NoKey))?;
        Ok((plain(made.plaintext, action)?, WrappedKey(wrapped.into_inner())))
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &KeyContext,
    ) -> Result<Zeroizing<[u8; 32]>, PortError> {
        let action = "unwrap a data key";
        let opened = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .ciphertext_blob(Blob::new(wrapped.0.clone()))
            .encryption_context(SCOPE, &context.scope)
            .encryption_context(PURPOSE, context.purpose.as_str())
            .send()
            .await
            .map_err(|error| unopened(action, &error))?;
        plain(opened.plaintext, action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_length_is_no_key() {
        assert!(plain(None, "test").is_err());
        assert!(plain(Some(Blob::new([1; 31])), "test").is_err());
        assert_eq!(*plain(Some(Blob::new([1; 32])), "test").unwrap(), [1; 32]);
    }
}
