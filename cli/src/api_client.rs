//! The API of a deployment, wherever it runs, as an operator's program calls it.

use backon::{ExponentialBuilder, Retryable};
use futures::StreamExt;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::capabilities::audit::{AuditEntry, HeadMark};
use shared::kernel::TenantId;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Seek;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use url::{Url, form_urlencoded};

/// An answer of the API takes no longer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// An upload address is good for an hour.
const UPLOAD_TIMEOUT: Duration = Duration::from_hours(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Read from a file and sent at once.
const PIECE: usize = 64 << 10;

/// Why the deployment did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is no web address.
    #[error("{0:?} is no address of an API; give one such as https://api.example.com")]
    Address(String),
    /// Nothing answers there.
    #[error("cannot reach {base}; check --api, and whether the deployment runs")]
    Unreachable {
        /// The API's address.
        base: Url,
        /// The cause.
        source: reqwest::Error,
    },
    /// Something answers that is not this product.
    #[error("{base} is not the API of crm-sync (it answered {status} to {path}); check --api")]
    NotTheApi {
        /// The API's address.
        base: Url,
        /// Its answer.
        status: StatusCode,
        /// The path asked for.
        path: String,
    },
    /// The token does not verify.
    #[error("the token was refused: it is out of date, or of another deployment; get a new one")]
    TokenRefused,
    /// The token is good, but not for this.
    #[error("the token does not allow this: it needs the role \"service\"")]
    RoleMissing,
    /// The API refused, with its reason.
    #[error("the deployment refused: {reason} ({kind})")]
    Refused {
        /// The problem's stable name.
        kind: String,
        /// Its words.
        reason: String,
    },
    /// The deployment has a fault, or too much to do.
    #[error("the deployment answered {status}; try again shortly")]
    Failing {
        /// Its answer.
        status: StatusCode,
    },
    /// A part was not taken.
    #[error("the upload of part {part} was refused ({status}); publish again for new addresses")]
    UploadRefused {
        /// The part's number, from 1.
        part: usize,
        /// The answer.
        status: StatusCode,
    },
    /// A part broke off on its way.
    #[error("the upload of part {part} broke off; publish again")]
    UploadBroken {
        /// The part's number, from 1.
        part: usize,
        /// The cause.
        source: reqwest::Error,
    },
    /// The part's file cannot be read.
    #[error("cannot read a part that was just written")]
    Part(#[from] std::io::Error),
}

impl ApiError {
    /// Whether the same call may succeed in a moment.
    fn passes(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } | Self::UploadBroken { source, .. } => {
                !source.is_builder()
            }
            Self::Failing { .. } => true,
            Self::UploadRefused { status, .. } => is_passing(*status),
            _ => false,
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// Where a directory version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Its parts are being uploaded.
    Draft,
    /// Its terms are being counted.
    Counting,
    /// Its shards are being built.
    Building,
    /// It is matched to.
    Published,
    /// It cannot be built.
    Failed,
    /// Another took its place.
    Retired,
}

/// A directory version, as the API tells of it.
#[derive(Debug, Clone, Deserialize)]
pub struct DirectoryVersion {
    /// Its id.
    pub version: String,
    /// Where it stands.
    pub state: VersionState,
    /// Why it failed.
    pub reason: Option<String>,
    /// People in it.
    pub people: u64,
    /// Companies in it.
    pub companies: u64,
    /// Lines passed over, by reason.
    #[serde(default)]
    pub skipped: BTreeMap<String, u64>,
}

/// The kinds of parts, by the API's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    /// People.
    People,
    /// Companies.
    Companies,
}

/// A version that was begun.
#[derive(Debug, Deserialize)]
pub struct Begun {
    /// Its id.
    pub version: String,
    /// Where to put each part.
    pub uploads: Vec<Upload>,
}

/// Where to put a part.
#[derive(Debug, Deserialize)]
pub struct Upload {
    /// The signed address.
    pub url: Url,
}

/// A connection that a deployment does nothing for any more.
#[derive(Debug, Deserialize)]
pub struct HandedOver {
    /// Its environment.
    pub environment: String,
}

#[derive(Debug, Deserialize)]
struct HandOver {
    connections: Vec<HandedOver>,
}

/// A page of a tenant's export.
#[derive(Deserialize)]
pub struct ExportPage {
    /// Its lines.
    pub lines: Vec<String>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// A page of a tenant's audit log.
#[derive(Debug, Deserialize)]
pub struct AuditPage {
    /// Its entries, the oldest first.
    pub items: Vec<AuditEntry>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
    /// The last entry of the whole log.
    pub head: HeadMark,
}

/// What became of lines that a deployment was given, by kind.
#[derive(Debug, Default, Deserialize)]
pub struct TakenIn {
    /// They were written.
    pub taken: BTreeMap<String, u64>,
    /// Their content was there.
    pub known: BTreeMap<String, u64>,
}

impl TakenIn {
    /// Adds the counts of another batch.
    pub fn add(&mut self, other: Self) {
        let add = |counts: &mut BTreeMap<String, u64>, others: BTreeMap<String, u64>| {
            for (kind, count) in others {
                *counts.entry(kind).or_default() += count;
            }
        };
        add(&mut self.taken, other.taken);
        add(&mut self.known, other.known);
    }
}

#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    detail: Option<String>,
}

/// A caller of one deployment's API.
#[derive(Debug)]
pub struct ApiClient {
    base: Url,
    token: SecretString,
    http: reqwest::Client,
    pauses: ExponentialBuilder,
}

impl ApiClient {
    /// A caller of the API at `base`, with a token that has the role `service`.
    ///
    /// # Errors
    /// When `base` is no address.
    pub fn new(base: &str, token: SecretString) -> Result<Self, ApiError> {
        let wrong = || ApiError::Address(base.to_owned());
        let mut address = Url::parse(base).map_err(|_| wrong())?;
        if !matches!(address.scheme(), "http" | "https") || !address.has_host() {
            return Err(wrong());
        }
        if !address.path().ends_with('/') {
            address.set_path(&format!("{}/", address.path()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|source| ApiError::Unreachable { base: address.clone(), source })?;
        Ok(Self { base: address, token, http, pauses: ExponentialBuilder::default().with_jitter() })
    }

    /// The same with the first pause before a call is tried again.
    #[must_use]
    pub fn pausing(self, first: Duration) -> Self {
        Self { pauses: self.pauses.with_min_delay(first), ..self }
    }

    /// The API's address.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The directory version that is matched to now; none before the first.
    pub async fn current_directory(&self) -> Result<Option<DirectoryVersion>, ApiError> {
        self.directory("current").await
    }

    /// A directory version; none when there is no such.
    pub async fn directory(&self, version: &str) -> Result<Option<DirectoryVersion>, ApiError> {
        match self.again(Method::GET, &format!("v1/directory/versions/{version}"), None).await {
            Ok(version) => Ok(Some(version)),
            Err(ApiError::Refused { kind, .. }) if kind == "not_found" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins a version, as a delta to `base` when there is one. One begun twice leaves a draft
    /// that nobody uses.
    pub async fn begin_directory(
        &self,
        base: Option<&str>,
        kinds: &[PartKind],
    ) -> Result<Begun, ApiError> {
        let parts: Vec<Value> = kinds.iter().map(|kind| json!({ "kind": kind })).collect();
        let mut body = json!({ "parts": parts });
        if let Some(base) = base {
            body["base"] = json!(base);
        }
        self.again(Method::POST, "v1/directory/versions", Some(&body)).await
    }

    /// Has a version built whose parts are uploaded.
    pub async fn publish_directory(&self, version: &str) -> Result<(), ApiError> {
        let path = format!("v1/directory/versions/{version}/publish");
        let asked = self.again::<Value>(Method::POST, &path, Some(&json!({}))).await;
        match asked {
            // The answer to an earlier try was lost on its way.
            Err(ApiError::Refused { kind, .. }) if kind == "not_a_draft" => Ok(()),
            other => other.map(drop),
        }
    }

    /// Puts part number `part` at the address that the API gave for it. `sent` hears how many
    /// bytes of it are on their way; a part that is sent again begins anew.
    pub async fn upload(
        &self,
        part: usize,
        to: &Upload,
        file: &File,
        bytes: u64,
        sent: impl Fn(u64) + Clone + Send + 'static,
    ) -> Result<(), ApiError> {
        let once = || async {
            let mut file = file.try_clone()?;
            file.rewind()?;
            let request = self
                .http
                .put(to.url.clone())
                .timeout(UPLOAD_TIMEOUT)
                // The address of an object takes no body of unknown length.
                .header(CONTENT_LENGTH, bytes)
                .body(streamed(file, sent.clone()));
            // The address is a key to the object: it is in no message.
            let answer = request
                .send()
                .await
                .map_err(|source| ApiError::UploadBroken { part, source: source.without_url() })?;
            let status = answer.status();
            if status.is_success() { Ok(()) } else { Err(ApiError::UploadRefused { part, status }) }
        };
        once.retry(self.pauses).when(ApiError::passes).await
    }

    /// Has the deployment do nothing more for a tenant's connections. Gives those.
    pub async fn hand_over(&self, tenant: TenantId) -> Result<Vec<HandedOver>, ApiError> {
        let path = format!("v1/tenants/{tenant}/hand-over");
        let handed_over: HandOver = self.again(Method::PUT, &path, None).await?;
        Ok(handed_over.connections)
    }

    /// Takes a hand-over back.
    pub async fn take_back(&self, tenant: TenantId) -> Result<(), ApiError> {
        let path = format!("v1/tenants/{tenant}/hand-over");
        self.again(Method::DELETE, &path, None).await
    }

    /// A page of the export of a tenant that was handed over; the first without a cursor.
    pub async fn export(
        &self,
        tenant: TenantId,
        cursor: Option<&str>,
    ) -> Result<ExportPage, ApiError> {
        let path = paged(format!("v1/tenants/{tenant}/export"), cursor);
        self.again(Method::GET, &path, None).await
    }

    /// A page of a tenant's audit log; the first without a cursor.
    pub async fn audit(
        &self,
        tenant: TenantId,
        cursor: Option<&str>,
    ) -> Result<AuditPage, ApiError> {
        let path = paged(format!("v1/tenants/{tenant}/audit"), cursor);
        self.again(Method::GET, &path, None).await
    }

    /// Gives lines of a tenant's export to the deployment, which takes them in once however often
    /// it is given them.
    pub async fn import(&self, tenant: TenantId, lines: &[String]) -> Result<TakenIn, ApiError> {
        let path = format!("v1/tenants/{tenant}/import");
        self.again(Method::POST, &path, Some(&json!({ "lines": lines }))).await
    }

    async fn again<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ApiError> {
        let call = || self.call(method.clone(), path, body);
        call.retry(self.pauses).when(ApiError::passes).await
    }

    async fn call<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ApiError> {
        let address = self.base.join(path).map_err(|_| ApiError::Address(path.to_owned()))?;
        let mut request = self
            .http
            .request(method, address)
            .timeout(ANSWER_TIMEOUT)
            .bearer_auth(self.token.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let unreachable = |source| ApiError::Unreachable { base: self.base.clone(), source };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.bytes().await.map_err(unreachable)?;
        match status {
            StatusCode::UNAUTHORIZED => return Err(ApiError::TokenRefused),
            StatusCode::FORBIDDEN => return Err(ApiError::RoleMissing),
            status if is_passing(status) => return Err(ApiError::Failing { status }),
            _ => {}
        }
        let other =
            || ApiError::NotTheApi { base: self.base.clone(), status, path: without_query(path) };
        if status.is_success() {
            // Nothing is the JSON `null`.
            let text = if status == StatusCode::NO_CONTENT { b"null" } else { &text[..] };
            return serde_json::from_slice(text).map_err(|_| other());
        }
        let problem: Problem = serde_json::from_slice(&text).map_err(|_| other())?;
        let reason = problem.detail.unwrap_or(problem.title);
        Err(ApiError::Refused { kind: problem.kind, reason })
    }
}

/// The path of the page behind a cursor.
fn paged(mut path: String, cursor: Option<&str>) -> String {
    if let Some(cursor) = cursor {
        let mut query = form_urlencoded::Serializer::new(String::new());
        path.push('?');
        path.push_str(&query.append_pair("cursor", cursor).finish());
    }
    path
}

/// The path as errors tell of it: a query may name records.
fn without_query(path: &str) -> String {
    format!("/{}", path.split('?').next().unwrap_or_default())
}

fn streamed(file: File, sent: impl Fn(u64) + Clone + Send + 'static) -> reqwest::Body {
    let file = tokio::fs::File::from_std(file);
    let pieces = futures::stream::try_unfold((file, 0), move |(mut file, so_far)| {
        let sent = sent.clone();
        async move {
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await?;
            piece.truncate(read);
            let so_far = so_far + read as u64;
            sent(so_far);
            Ok::<_, std::io::Error>((read > 0).then_some((piece, (file, so_far))))
        }
    });
    reqwest::Body::wrap_stream(pieces.boxed())
}
