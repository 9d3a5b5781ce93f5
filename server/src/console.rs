//! The console's people: links that log them in, and tokens with which pages ask the API for them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use console::IssuerError;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use shared::capabilities::seats::Role;
use shared::capabilities::sessions::{LoginLink, Visitor};
use shared::host::SystemClock;
use shared::kernel::{SeatId, TenantId};
use shared::ports::Entropy;
use tokio::time::timeout;
use ulid::Ulid;

use crate::config::{Callers, Config};
use crate::control::{self, AskError};
use crate::issuer::{self, Bearer, BuiltInIssuer};

/// A link may be followed for so long. docs/console.md says so.
const LINK_VALID: Duration = Duration::from_mins(10);

/// A page is made within a second; the clocks are one.
const TOKEN_VALID: Duration = Duration::from_mins(1);

/// The process answers at once or hangs.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// A link that is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LinkRequest {
    /// The tenant whose console it is.
    pub tenant: TenantId,
    /// What the person may do.
    pub roles: BTreeSet<Role>,
    /// Their seat, if they have one.
    pub seat: Option<SeatId>,
    /// Who they are; the audit log names them so.
    pub subject: String,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Tokens are somebody else's to give.
    #[error("the console logs in people of the built-in issuer only, and {0} is another")]
    OtherIssuer(String),
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

/// A link that logs in to the console of the process that runs on `config`'s folder.
///
/// # Errors
/// When none runs, or it has another issuer.
pub async fn console_link(config: &Config, asked: LinkRequest) -> Result<String, LinkError> {
    if let Callers::Issuer { issuer, .. } = &config.callers {
        return Err(LinkError::OtherIssuer(issuer.clone()));
    }
    let process = control::reach(&config.data).await?.ok_or(LinkError::NotRunning)?;
    let answer = async {
        let answer = process.post("/console-link", &asked).await?;
        Ok(answer.text().await.map_err(AskError::from)?)
    };
    timeout(ANSWER_TIME, answer).await.map_err(|_| LinkError::Slow)?
}

/// The address of the console at `base` that logs in as `asked`.
pub(crate) fn link(
    issuer: &BuiltInIssuer,
    asked: LinkRequest,
    base: &str,
    entropy: &dyn Entropy,
) -> Result<String, issuer::IssuerError> {
    let LinkRequest { tenant, roles, seat, subject } = asked;
    let bearer = Bearer { roles, tenant: Some(tenant), seat, subject: Some(subject) };
    let id = Ulid::from(entropy.bits()).to_string();
    let link = issuer.link(&bearer, id, LINK_VALID, &SystemClock)?;
    Ok(format!("{base}/console/login?link={link}"))
}

/// The built-in issuer, as the console knows it.
pub(crate) struct People(pub(crate) Arc<BuiltInIssuer>);

impl console::Issuer for People {
    fn link(&self, text: &str) -> Option<LoginLink> {
        self.0.opened(text)
    }

    fn token(&self, visitor: &Visitor) -> Result<SecretString, IssuerError> {
        let Visitor { tenant, subject, roles, seat } = visitor.clone();
        let bearer = Bearer { roles, tenant: Some(tenant), seat, subject: Some(subject) };
        Ok(self.0.token(&bearer, TOKEN_VALID, &SystemClock)?.into())
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    use secrecy::ExposeSecret;
    use shared::host::OsEntropy;
    use shared::testing::Memory;

    use super::*;
    use crate::issuer::AUDIENCE;

    async fn issuer(seed: u64) -> BuiltInIssuer {
        let memory = Memory::new(jiff::Timestamp::UNIX_EPOCH, seed);
        BuiltInIssuer::make(&*memory.ports().secrets).await.unwrap()
    }

    fn asked() -> LinkRequest {
        let tenant = TenantId::derived("acme");
        LinkRequest { tenant, roles: [Role::Admin].into(), seat: None, subject: "ada".to_owned() }
    }

    fn text_of(link: &str) -> &str {
        link.strip_prefix("https://crm.example/console/login?link=").unwrap()
    }

    #[tokio::test]
    async fn a_link_opens_the_console_and_is_no_token_and_a_token_is_no_link() {
        let issuer = issuer(1).await;
        let link = || link(&issuer, asked(), "https://crm.example", &OsEntropy).unwrap();
        let (one, two) = (link(), link());
        let opened = issuer.opened(text_of(&one)).unwrap();
        assert_eq!(opened.visitor.subject, "ada");
        assert_eq!(opened.visitor.roles, [Role::Admin].into());
        assert_ne!(opened.id, issuer.opened(text_of(&two)).unwrap().id);

        let key = DecodingKey::from_jwk(&issuer.keys().keys[0]).unwrap();
        let mut of_api = Validation::new(Algorithm::RS256);
        of_api.set_audience(&[AUDIENCE]);
        assert!(decode::<serde_json::Value>(text_of(&one), &key, &of_api).is_err(), "no token");
        let people = People(Arc::new(issuer));
        let token = console::Issuer::token(&people, &opened.visitor).unwrap();
        let token = token.expose_secret();
        assert!(decode::<serde_json::Value>(token, &key, &of_api).is_ok());
        assert!(people.0.opened(token).is_none(), "no link");
    }

    #[tokio::test]
    async fn a_link_that_was_changed_or_that_another_signed_opens_nothing() {
        let (ours, another) = (issuer(1).await, issuer(2).await);
        let link = link(&ours, asked(), "https://crm.example", &OsEntropy).unwrap();
        let text = text_of(&link);
        assert!(ours.opened(text).is_some());
        assert!(another.opened(text).is_none(), "another's key");
        let (head, rest) = text.split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        let flipped: String = claims.chars().rev().collect();
        for wrong in ["", "a.b.c", &format!("{head}.{flipped}.{signature}"), &text[1..]] {
            assert!(ours.opened(wrong).is_none(), "{wrong}");
        }
    }
}
