//! The proof that whoever exchanges a code also asked for it (RFC 7636), always by S256.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use secrecy::{ExposeSecret, SecretString};

/// The text is not a PKCE verifier: 43 to 128 unreserved characters (RFC 7636 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a PKCE verifier")]
pub struct PkceError;

/// A PKCE verifier. Its challenge is always S256.
#[derive(Clone)]
pub struct Pkce(SecretString);

impl Pkce {
    /// Makes a verifier of 256 random bits.
    #[must_use]
    pub fn from_entropy(entropy: [u8; 32]) -> Self {
        Self(SecretString::from(URL_SAFE_NO_PAD.encode(entropy)))
    }

    /// Takes up a stored verifier.
    pub fn from_verifier(verifier: SecretString) -> Result<Self, PkceError> {
        let text = verifier.expose_secret();
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self(verifier))
        } else {
            Err(PkceError)
        }
    }

    /// The verifier, to be stored beside the state until the callback.
    #[must_use]
    pub fn verifier(&self) -> &SecretString {
        &self.0
    }

    /// The S256 challenge; not secret.
    #[must_use]
    pub fn challenge(&self) -> String {
        self.oauth2_challenge().as_str().to_owned()
    }

    pub(super) fn oauth2_verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.0.expose_secret().to_owned())
    }

    pub(super) fn oauth2_challenge(&self) -> PkceCodeChallenge {
        PkceCodeChallenge::from_code_verifier_sha256(&self.oauth2_verifier())
    }
}

impl fmt::Debug for Pkce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkce([redacted])")
    }
}
