//! The keys that an issuer signs with: fetched, kept for a while, and fetched again.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;
use reqwest::redirect::Policy;
use shared::ports::Clock;
use tokio::sync::{Mutex, RwLock};

use crate::problem::Problem;

/// A JWKS answer is read no further than this.
const MOST_KEYS: usize = 64;

/// A JWKS answer has no more bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Keys that are older are fetched again: an issuer that withdrew one is heard within this time.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// Keys that are older verify nothing, even if the issuer does not answer.
const USABLE: SignedDuration = SignedDuration::from_hours(1);

/// The issuer is not asked more often, whatever keys tokens name.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// An issuer's keys.
#[derive(Clone)]
pub(super) enum IssuerKeys {
    /// The keys of an issuer in this process.
    Own(Arc<JwkSet>),
    /// Keys that are fetched.
    Fetched(Arc<FetchedKeys>),
}

/// Keys that are fetched from an issuer elsewhere.
pub(super) struct FetchedKeys {
    jwks_url: reqwest::Url,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    kept: RwLock<Option<Kept>>,
    /// When the issuer was asked last; held while it is asked.
    asked_at: Mutex<Option<Timestamp>>,
}

/// Keys as they were fetched.
struct Kept {
    keys: JwkSet,
    fetched_at: Timestamp,
}

impl IssuerKeys {
    /// Keys at `jwks_url`. An issuer is asked there, and nowhere that it points to.
    pub(super) fn at(
        jwks_url: reqwest::Url,
        http: reqwest::ClientBuilder,
        clock: Arc<dyn Clock>,
    ) -> reqwest::Result<Self> {
        let http = http.redirect(Policy::none()).build()?;
        let (kept, asked_at) = (RwLock::default(), Mutex::default());
        Ok(Self::Fetched(Arc::new(FetchedKeys { jwks_url, http, clock, kept, asked_at })))
    }

    /// The key of this name.
    pub(super) async fn key(&self, kid: &str) -> Result<DecodingKey, Problem> {
        match self {
            Self::Own(keys) => find(keys, kid).ok_or_else(Problem::unauthorized),
            Self::Fetched(keys) => keys.key(kid).await,
        }
    }
}

impl FetchedKeys {
    async fn key(&self, kid: &str) -> Result<DecodingKey, Problem> {
        if let Some(key) = self.kept(kid, FRESH).await {
            return Ok(key);
        }
        let mut asked_at = self.asked_at.lock().await;
        // Another request may have fetched them while this one waited.
        if let Some(key) = self.kept(kid, FRESH).await {
            return Ok(key);
        }
        let now = self.clock.now();
        if asked_at.is_none_or(|asked| now.duration_since(asked) >= PAUSE) {
            *asked_at = Some(now);
            match self.fetch().await {
                Ok(keys) => *self.kept.write().await = Some(Kept { keys, fetched_at: now }),
                Err(error) => tracing::error!(error, "the issuer's keys cannot be fetched"),
            }
        }
        if let Some(key) = self.kept(kid, USABLE).await {
            return Ok(key);
        }
        // An issuer that was heard does not know the key; another one was never heard.
        if self.is_heard(now).await {
            Err(Problem::unauthorized())
        } else {
            Err(Problem::unavailable())
        }
    }

    /// The key of this name among those that are younger than `age`.
    async fn kept(&self, kid: &str, age: SignedDuration) -> Option<DecodingKey> {
        let (kept, now) = (self.kept.read().await, self.clock.now());
        let kept = kept.as_ref().filter(|kept| now.duration_since(kept.fetched_at) < age)?;
        find(&kept.keys, kid)
    }

    async fn is_heard(&self, now: Timestamp) -> bool {
        let kept = self.kept.read().await;
        kept.as_ref().is_some_and(|kept| now.duration_since(kept.fetched_at) < USABLE)
    }

    /// Asks the issuer; the error names no address.
    async fn fetch(&self) -> Result<JwkSet, &'static str> {
        let sent = self.http.get(self.jwks_url.clone()).send().await;
        let mut answer = sent.map_err(|_| "it does not answer")?;
        if !answer.status().is_success() {
            return Err("it answers with an error, or points elsewhere");
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| "its answer breaks off")? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err("its answer is too large");
            }
            body.extend_from_slice(&chunk);
        }
        let keys = serde_json::from_slice(&body);
        let mut keys: JwkSet = keys.map_err(|_| "its answer is no key set")?;
        keys.keys.truncate(MOST_KEYS);
        Ok(keys)
    }
}

fn find(keys: &JwkSet, kid: &str) -> Option<DecodingKey> {
    keys.find(kid).and_then(|jwk| DecodingKey::from_jwk(jwk).ok())
}
