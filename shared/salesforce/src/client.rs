//! The parts that every data call has in common.

use std::fmt;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::decode::mended;
use super::error::SalesforceError;
use super::hosts::InstanceUrl;
use super::http::{Answer, Http, Request};
use super::limits::Observed;

/// A version of Salesforce's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiVersion(u16);

impl ApiVersion {
    /// The version by its number: 62 is `v62.0`.
    #[must_use]
    pub fn new(number: u16) -> Self {
        Self(number)
    }
}

impl Default for ApiVersion {
    /// 62, the lowest version this client is written for.
    fn default() -> Self {
        Self(62)
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.0", self.0)
    }
}

/// Where to call and as whom. Passed with each call, since tokens change while work goes on.
#[derive(Debug, Clone)]
pub struct Session {
    /// The org's API.
    pub instance: InstanceUrl,
    /// The access token.
    pub access_token: SecretString,
}

/// A value, and what its answer's headers told.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply<T> {
    /// The value.
    pub value: T,
    /// The headers.
    pub observed: Observed,
}

impl<T> Reply<T> {
    /// Changes the value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Reply<U> {
        Reply { value: f(self.value), observed: self.observed }
    }
}

/// The client for an org's data. Each call names the [`Session`] it is made in.
///
/// Nothing is retried here: [`SalesforceError::advice`] tells the caller, who knows what the
/// call was for, what to do.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) http: Http,
    pub(super) version: ApiVersion,
}

impl Client {
    /// Makes a client.
    #[must_use]
    pub fn new(http: Http, version: ApiVersion) -> Self {
        Self { http, version }
    }

    /// A request to `/services/data/v…/{path}`.
    pub(super) fn request(&self, method: Method, path: &[&str]) -> Request {
        let version = self.version.to_string();
        let segments = ["services", "data", &version].into_iter().chain(path.iter().copied());
        // Admins can tell our calls apart in their event logs by this.
        Request::new(method, segments)
            .header("sforce-call-options", HeaderValue::from_static("client=crm-sync"))
    }

    /// Sends a request and takes a success.
    pub(super) async fn send(
        &self,
        session: &Session,
        request: Request,
    ) -> Result<Answer, SalesforceError> {
        let request = request.bearer(&session.access_token);
        self.http.send(&session.instance, request).await?.into_success().await
    }

    /// Sends a request whose answer has no body.
    pub(super) async fn send_bare(
        &self,
        session: &Session,
        request: Request,
    ) -> Result<Reply<()>, SalesforceError> {
        let answer = self.send(session, request).await?;
        let observed = answer.observed();
        Ok(Reply { value: (), observed })
    }

    /// Sends a request and reads the JSON of its answer.
    pub(super) async fn send_json<T: DeserializeOwned>(
        &self,
        session: &Session,
        request: Request,
    ) -> Result<Reply<T>, SalesforceError> {
        let answer = self.send(session, request).await?;
        let (status, observed) = (answer.status(), answer.observed());
        let body: Bytes = answer.bytes().await?;
        Ok(Reply { value: parse_json(status, &body)?, observed })
    }
}

pub(super) fn parse_json<T: DeserializeOwned>(
    status: u16,
    body: &[u8],
) -> Result<T, SalesforceError> {
    let unread = |_| SalesforceError::Protocol {
        status,
        problem: if looks_like_html(body) { "a page of HTML" } else { "unexpected JSON" },
    };
    serde_json::from_slice(body)
        .or_else(|error| {
            // Texts that were cut within a character cannot be decoded: only they are marked.
            let mended = mended(body).ok_or(error)?;
            serde_json::from_slice(&mended)
        })
        .map_err(unread)
}

/// A page for people where data was expected: Salesforce's edge does this with status 200, too.
pub(super) fn looks_like_html(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}
