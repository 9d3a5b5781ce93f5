//! The secret of a connection, and the tokens of a grant, as they are stored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::kernel::Scope;
use crate::ports::{Entropy, PortError, Purpose, WrappedKey};
use crate::salesforce::{InstanceUrl, Session, TokenResponse};
use crate::seal::Sealer;
use crate::work::WorkError;

/// The secret of a connection: the wrapped data keys, and the connection's own grant.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ConnectionSecret {
    /// The wrapped data keys.
    pub keys: WrappedKeys,
    /// The number of the grant's token, as in [`crate::kernel::GrantState`].
    pub number: u64,
    /// The grant, sealed under its key, base64.
    pub grant: String,
}

/// The data keys of a generation, one for each purpose, each wrapped with its purpose bound to it;
/// base64.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WrappedKeys {
    pub records: String,
    pub admin_grant: String,
    pub seat_grants: String,
}

impl WrappedKeys {
    /// The key for a purpose; none when a generation has no such key.
    pub(super) fn of(&self, purpose: Purpose) -> Result<WrappedKey, PortError> {
        let text = match purpose {
            Purpose::Records => &self.records,
            Purpose::AdminGrant => &self.admin_grant,
            Purpose::SeatGrants => &self.seat_grants,
            Purpose::Purge | Purpose::Login => {
                return Err(PortError::reject("unwrap a data key", "not a generation's"));
            }
        };
        BASE64
            .decode(text)
            .map(WrappedKey)
            .map_err(|error| PortError::reject("read a connection's secret", error))
    }

    pub(super) fn encode(wrapped: &WrappedKey) -> String {
        BASE64.encode(&wrapped.0)
    }
}

/// A grant's tokens. Nothing prints them or writes them down, but for [`StoredGrant::seal`].
#[derive(Clone, Deserialize)]
pub(crate) struct StoredGrant {
    pub access_token: SecretString,
    pub refresh_token: SecretString,
    pub instance_url: InstanceUrl,
}

/// The form in which a grant is sealed.
#[derive(Serialize)]
struct GrantForm<'a> {
    access_token: &'a str,
    refresh_token: &'a str,
    instance_url: &'a InstanceUrl,
}

/// Room for the form of a grant, so that writing it leaves no half of it behind in memory.
const FORM: usize = 16 << 10;

impl StoredGrant {
    /// A token response as it is kept. Without rotation, the refresh token of `before` stays.
    pub(crate) fn of(token: &TokenResponse, before: Option<&Self>) -> Result<Self, WorkError> {
        let refresh_token = token
            .refresh_token
            .clone()
            .or_else(|| before.map(|b| b.refresh_token.clone()))
            .ok_or_else(|| WorkError::reject("keep a grant", "Salesforce gave no refresh token"))?;
        Ok(Self {
            access_token: token.access_token.clone(),
            refresh_token,
            instance_url: token.instance_url.clone(),
        })
    }

    /// The session that calls are made in.
    pub(super) fn session(&self) -> Session {
        Session { instance: self.instance_url.clone(), access_token: self.access_token.clone() }
    }

    /// The grant, sealed for its place.
    pub(crate) fn seal(
        &self,
        sealer: &Sealer,
        place: &str,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, PortError> {
        let form = GrantForm {
            access_token: self.access_token.expose_secret(),
            refresh_token: self.refresh_token.expose_secret(),
            instance_url: &self.instance_url,
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(FORM));
        // serde_json's error could quote the value.
        serde_json::to_writer(&mut *plain, &form)
            .map_err(|_| PortError::reject("seal a grant", "unknown form"))?;
        sealer
            .seal(place, &plain, entropy)
            .map_err(|error| PortError::reject("seal a grant", error))
    }

    /// The grant that was sealed for this place.
    pub(super) fn open(sealer: &Sealer, place: &str, body: &[u8]) -> Result<Self, PortError> {
        let plain =
            sealer.open(place, body).map_err(|error| PortError::reject("open a grant", error))?;
        // serde_json's error could quote the value.
        serde_json::from_slice(&Zeroizing::new(plain))
            .map_err(|_| PortError::reject("open a grant", "unknown form"))
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

    /// The same keys, with a grant of this number.
    pub(super) fn with(
        keys: WrappedKeys,
        (number, grant): (u64, &StoredGrant),
        (sealer, scope): (&Sealer, Scope),
        entropy: &dyn Entropy,
    ) -> Result<Self, PortError> {
        let body = grant.seal(sealer, &place(scope, number), entropy)?;
        Ok(Self { keys, number, grant: BASE64.encode(body) })
    }

    /// The grant.
    pub(super) fn open(&self, sealer: &Sealer, scope: Scope) -> Result<StoredGrant, PortError> {
        let body =
            BASE64.decode(&self.grant).map_err(|error| PortError::reject("open a grant", error))?;
        StoredGrant::open(sealer, &place(scope, self.number), &body)
    }
}

/// What a sealed grant is bound to.
fn place(scope: Scope, number: u64) -> String {
    format!("{scope}|admin|{number}")
}

#[cfg(test)]
mod tests {
    use static_assertions::assert_not_impl_any;

    use super::*;
    use crate::kernel::{Connection, Generation};

    // A grant in a log, an error, a document or an answer does not compile.
    assert_not_impl_any!(StoredGrant: std::fmt::Debug, std::fmt::Display, Serialize, PartialEq);

    /// Whoever can write to a secret store must not bring an older token back, nor another org's.
    #[test]
    fn an_admins_grant_opens_under_its_own_number_and_in_its_own_generation_alone() {
        let sealer = Sealer::new(&Zeroizing::new([7; 32]));
        let scope = Connection::sample().scope();
        let keys = ["records", "admin", "seats"].map(str::to_owned);
        let [records, admin_grant, seat_grants] = keys;
        let keys = WrappedKeys { records, admin_grant, seat_grants };
        let grant = StoredGrant {
            access_token: "access".into(),
            refresh_token: "refresh".into(),
            instance_url: "https://acme.my.salesforce.com".parse().unwrap(),
        };
        let secret = ConnectionSecret::with(keys, (2, &grant), (&sealer, scope), &Zero).unwrap();
        assert!(secret.open(&sealer, scope).is_ok());
        let of_another_number = ConnectionSecret { number: 3, ..secret.clone() };
        assert!(of_another_number.open(&sealer, scope).is_err());
        let next = Scope { generation: Generation(scope.generation.0 + 1), ..scope };
        assert!(secret.open(&sealer, next).is_err());
    }

    struct Zero;
    impl Entropy for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }
}
