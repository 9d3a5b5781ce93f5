//! The one way out: an HTTPS client that reaches Salesforce's hosts and follows no redirect.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use reqwest::Method;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::datetime::parse_http_date;
use super::error::{SalesforceError, TransportError};
use super::hosts::{HostPolicy, TrustedHost};
use super::limits::{ApiUsage, Observed};
use super::resolver::PublicResolver;

/// No JSON answer is larger: a REST page holds 2,000 rows, and a describe is under 3 MB.
const MAX_JSON_BYTES: usize = 64 << 20;

/// An error page is read no further than this.
const MAX_ERROR_BYTES: usize = 1 << 20;

/// A connection that idled longer is not used again: a frozen Lambda sandbox wakes up with
/// connections that the other side closed long ago, and a write that dies on one has an unknown
/// outcome.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// The options of the client. A proxy is taken from `HTTPS_PROXY` and `NO_PROXY`.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Certificate authorities trusted beside the system's, in PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// `User-Agent`, by which an org's admin can recognise us.
    pub user_agent: String,
    /// Which of Salesforce's clouds are in reach.
    pub host_policy: HostPolicy,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest silence within an answer; Salesforce itself ends a query after 2 minutes.
    pub read_timeout: Duration,
    /// Longest time for one call.
    pub total_timeout: Duration,
    /// Longest time for one page of bulk results; Salesforce cuts it at 20 minutes.
    pub download_timeout: Duration,
    /// No page of bulk results is larger, decompressed. What is compressed is never longer than
    /// that, so this bounds it, too.
    pub most_page_bytes: u64,
    /// Longest time for a call to the token endpoint: callers hold a lease while they wait.
    pub token_timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            ca_pem: None,
            user_agent: concat!("crm-sync/", env!("CARGO_PKG_VERSION")).to_owned(),
            host_policy: HostPolicy::Commercial,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(130),
            total_timeout: Duration::from_secs(150),
            download_timeout: Duration::from_mins(10),
            // 5,000 rows of 400,000 characters, Salesforce's most in one.
            most_page_bytes: 2 << 30,
            token_timeout: Duration::from_secs(25),
        }
    }
}

/// Why the client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The CA file is not PEM, or holds no certificate.
    #[error("the CA file does not hold PEM certificates")]
    CaPem,
    /// TLS could not be set up, or the user agent is not a header value.
    #[error("the HTTP client cannot be set up")]
    Setup(#[source] reqwest::Error),
}

/// The HTTPS client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    options: Arc<HttpOptions>,
    #[cfg(any(test, feature = "testing"))]
    loopback: Option<std::net::SocketAddr>,
}

impl Http {
    /// Makes the client.
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        Self::resolving(options, PublicResolver)
    }

    /// Makes the client with a resolver of names.
    pub(super) fn resolving(
        options: HttpOptions,
        names: impl reqwest::dns::Resolve + 'static,
    ) -> Result<Self, HttpError> {
        let mut builder = Self::builder(&options).https_only(true).dns_resolver(names);
        if let Some(pem) = &options.ca_pem {
            let certificates =
                reqwest::Certificate::from_pem_bundle(pem).map_err(|_| HttpError::CaPem)?;
            if certificates.is_empty() {
                return Err(HttpError::CaPem);
            }
            builder = builder.tls_certs_merge(certificates);
        }
        Ok(Self {
            client: builder.build().map_err(HttpError::Setup)?,
            options: Arc::new(options),
            #[cfg(any(test, feature = "testing"))]
            loopback: None,
        })
    }

    /// Makes a client for tests: what is meant for a Salesforce host goes to a plain-HTTP server on
    /// loopback, with the `Host` header kept.
    ///
    /// The types still allow Salesforce's hosts only, so that tests run with the production
    /// allow-list.
    #[cfg(any(test, feature = "testing"))]
    pub fn to_loopback(
        options: HttpOptions,
        address: std::net::SocketAddr,
    ) -> Result<Self, HttpError> {
        let client = Self::builder(&options).no_proxy().build().map_err(HttpError::Setup)?;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], address.port()));
        Ok(Self { client, options: Arc::new(options), loopback: Some(address) })
    }

    fn builder(options: &HttpOptions) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .user_agent(&options.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .gzip(true)
            .pool_idle_timeout(POOL_IDLE)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            .timeout(options.total_timeout)
    }

    pub(super) fn options(&self) -> &HttpOptions {
        &self.options
    }

    /// Sends a request to a host of the allow-list; any status is an answer.
    pub(super) async fn send(
        &self,
        host: &impl TrustedHost,
        request: Request,
    ) -> Result<Answer, TransportError> {
        let url = request.url(host);
        #[cfg(any(test, feature = "testing"))]
        let url = self.loopback.map_or(url.clone(), |address| on_loopback(url, address));
        let mut builder = self.client.request(request.method, url).headers(request.headers);
        #[cfg(any(test, feature = "testing"))]
        if self.loopback.is_some() {
            builder = builder.header(reqwest::header::HOST, host.trusted_host());
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        Ok(Answer(builder.send().await?))
    }
}

#[cfg(any(test, feature = "testing"))]
fn on_loopback(mut url: Url, address: std::net::SocketAddr) -> Url {
    let set = url.set_scheme("http").and_then(|()| url.set_ip_host(address.ip()));
    let set = set.and_then(|()| url.set_port(Some(address.port())));
    debug_assert_eq!(set, Ok(()), "an https URL can be made an http one");
    url
}

/// A request without its host. It has no `Debug`: bodies hold secrets and personal data.
pub(super) struct Request {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    timeout: Option<Duration>,
}

impl Request {
    /// A request to a path given by its segments, each of which is escaped.
    pub(super) fn new<S: Into<String>>(method: Method, path: impl IntoIterator<Item = S>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let path = path.into_iter().map(Into::into).collect();
        Self { method, path, query: Vec::new(), headers, body: None, timeout: None }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn bearer(mut self, token: &SecretString) -> Self {
        // A token that is no header value cannot be one of Salesforce's; the request then goes
        // without and is answered with 401.
        let text = SecretString::from(format!("Bearer {}", token.expose_secret()));
        if let Ok(mut value) = HeaderValue::from_str(text.expose_secret()) {
            value.set_sensitive(true);
            self.headers.insert(AUTHORIZATION, value);
        }
        self
    }

    pub(super) fn body(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = Some(body);
        self
    }

    pub(super) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    fn url(&self, host: &impl TrustedHost) -> Url {
        let mut url = https_url(host);
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

/// The root of a host.
#[expect(
    clippy::expect_used,
    reason = "a trusted host is a checked name of LDH labels, which is a URL host"
)]
pub(super) fn https_url(host: &impl TrustedHost) -> Url {
    Url::parse(&format!("https://{}/", host.trusted_host())).expect("a checked host name")
}

/// An answer of any status, its body unread.
pub(super) struct Answer(reqwest::Response);

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(super) fn is_success(&self) -> bool {
        self.0.status().is_success()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.0.headers().get(name)?.to_str().ok()
    }

    /// Seconds of `Retry-After`; its date form needs a clock and is passed over.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str())?.trim().parse().ok().map(Duration::from_secs)
    }

    pub(super) fn observed(&self) -> Observed {
        Observed {
            server_date: self.header(DATE.as_str()).and_then(|text| parse_http_date(text).ok()),
            api_usage: self.header("sforce-limit-info").and_then(ApiUsage::parse),
        }
    }

    /// Turns an answer that is not a success into its error.
    pub(super) async fn into_success(self) -> Result<Self, SalesforceError> {
        if self.is_success() {
            return Ok(self);
        }
        let (status, retry_after) = (self.status(), self.retry_after());
        // The status tells enough if the body breaks off.
        let body = self.read(MAX_ERROR_BYTES).await.unwrap_or_default();
        Err(SalesforceError::from_answer(status, retry_after, &body))
    }

    /// The whole body of a JSON answer.
    pub(super) async fn bytes(self) -> Result<Bytes, SalesforceError> {
        self.read(MAX_JSON_BYTES).await
    }

    async fn read(self, max: usize) -> Result<Bytes, SalesforceError> {
        let status = self.status();
        let mut body = BytesMut::new();
        let mut chunks = self.0.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(TransportError::from)?;
            if body.len() + chunk.len() > max {
                return Err(SalesforceError::Protocol { status, problem: "too large a body" });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The body as it arrives, decompressed; an error once it is longer than `most` bytes.
    pub(super) fn stream(
        self,
        most: u64,
    ) -> impl Stream<Item = Result<Bytes, SalesforceError>> + Send + 'static {
        let status = self.status();
        let mut left = most;
        self.0.bytes_stream().map(move |chunk| {
            let chunk = chunk.map_err(TransportError::from)?;
            left = left
                .checked_sub(chunk.len() as u64)
                .ok_or(SalesforceError::Protocol { status, problem: "too large a body" })?;
            Ok(chunk)
        })
    }
}
