//! Versions of the directory.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use matching::EntityKind;
use serde::{Deserialize, Serialize};
use shared::capabilities::directory::{self, DirectoryError};
use shared::kernel::DirectoryVersionId;
use utoipa::ToSchema;

use crate::callers::{AtVersion, Service};
use crate::extract::Body;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire;

/// A version may have this many parts of its own.
const MOST_PARTS: usize = 1_000;

/// A list has this many versions at the most.
const MOST_LISTED: usize = 50;

/// A version that is to be begun.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDirectoryVersion {
    /// The version that this one is a delta to; none when it is whole.
    #[serde(default)]
    #[schema(value_type = Option<wire::DirectoryVersionId>)]
    base: Option<DirectoryVersionId>,
    /// Its own parts.
    #[schema(max_items = 1000)]
    parts: Vec<NewPart>,
}

/// A part that is to be uploaded.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPart {
    kind: PartKind,
}

/// The kind of entity that a part holds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartKind {
    People,
    Companies,
}

impl From<PartKind> for EntityKind {
    fn from(kind: PartKind) -> Self {
        match kind {
            PartKind::People => Self::Person,
            PartKind::Companies => Self::Company,
        }
    }
}

/// A version that was begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct BegunDirectoryVersion {
    #[schema(value_type = wire::DirectoryVersionId)]
    version: DirectoryVersionId,
    /// Where to put the parts, in the order in which they were named.
    uploads: Vec<Upload>,
}

/// Where to put a part.
#[derive(Serialize, ToSchema)]
pub(crate) struct Upload {
    kind: PartKind,
    url: String,
}

wire::named! {
    /// Where a version stands.
    DirectoryState of directory::DirectoryState {
        Draft Counting Building Published Failed Retired
    }
}

/// A version of the directory.
#[derive(Serialize, ToSchema)]
pub(crate) struct DirectoryVersion {
    #[schema(value_type = wire::DirectoryVersionId)]
    version: DirectoryVersionId,
    /// The version that it is a delta to.
    #[schema(value_type = Option<wire::DirectoryVersionId>, required = true)]
    base: Option<DirectoryVersionId>,
    #[schema(value_type = DirectoryState)]
    state: directory::DirectoryState,
    /// Why it failed.
    #[schema(required = true)]
    reason: Option<String>,
    people: u64,
    companies: u64,
    shards: u32,
    /// Of these, those of people.
    people_shards: u32,
    /// Of these, those of companies.
    company_shards: u32,
    /// Lines passed over, by reason.
    skipped: BTreeMap<String, u64>,
    created_at: Timestamp,
    #[schema(required = true)]
    published_at: Option<Timestamp>,
}

impl From<directory::DirectoryVersion> for DirectoryVersion {
    fn from(version: directory::DirectoryVersion) -> Self {
        Self {
            version: version.id,
            base: version.base,
            state: version.state,
            reason: version.reason,
            people: version.people,
            companies: version.companies,
            shards: version.people_shards + version.company_shards,
            people_shards: version.people_shards,
            company_shards: version.company_shards,
            skipped: version.skipped,
            created_at: version.created_at,
            published_at: version.published_at,
        }
    }
}

/// Begin a version
#[utoipa::path(post, path = "/v1/directory/versions", tag = "directory",
    operation_id = "beginDirectoryVersion",
    extensions(("x-roles" = json!(Service::<()>::ROLES))),
    request_body(content = NewDirectoryVersion,
        example = json!({ "parts": [{ "kind": "people" }, { "kind": "companies" }] })),
    responses(
        (status = 201, body = BegunDirectoryVersion,
            description = "An upload address for each part"),
        Problem))]
pub(crate) async fn begin(
    State(api): State<Api>,
    _: Service,
    Body(new): Body<NewDirectoryVersion>,
) -> Result<(StatusCode, Json<BegunDirectoryVersion>), Problem> {
    if new.parts.len() > MOST_PARTS {
        return Err(Problem::invalid("a version may have 1,000 parts of its own at most"));
    }
    let kinds: Vec<EntityKind> = new.parts.iter().map(|part| part.kind.into()).collect();
    let (version, urls) = api.directory.begin(new.base, &kinds).await?;
    let parts = new.parts.iter().zip(urls);
    let uploads = parts.map(|(part, url)| Upload { kind: part.kind, url });
    let begun = BegunDirectoryVersion { version: version.id, uploads: uploads.collect() };
    Ok((StatusCode::CREATED, Json(begun)))
}

/// Have a version built and used
#[utoipa::path(post, path = "/v1/directory/versions/{version}/publish", tag = "directory",
    operation_id = "publishDirectoryVersion",
    params(AtVersion), extensions(("x-roles" = json!(Service::<AtVersion>::ROLES))),
    responses((status = 202, description = "It is being built", body = DirectoryVersion), Problem))]
pub(crate) async fn publish(
    State(api): State<Api>,
    Service(place): Service<AtVersion>,
) -> Result<(StatusCode, Json<DirectoryVersion>), Problem> {
    let version = api.directory.publish(place.version).await?;
    Ok((StatusCode::ACCEPTED, Json(version.into())))
}

/// A version's state and counts
#[utoipa::path(get, path = "/v1/directory/versions/{version}", tag = "directory",
    operation_id = "showDirectoryVersion",
    params(AtVersion), extensions(("x-roles" = json!(Service::<AtVersion>::ROLES))),
    responses((status = 200, description = "The version", body = DirectoryVersion), Problem))]
pub(crate) async fn show(
    State(api): State<Api>,
    Service(place): Service<AtVersion>,
) -> Result<Json<DirectoryVersion>, Problem> {
    let version = api.directory.get(place.version).await?.ok_or(DirectoryError::NotFound)?;
    Ok(Json(version.into()))
}

/// Versions of the directory.
#[derive(Serialize, ToSchema)]
pub(crate) struct DirectoryVersions {
    /// The newest first.
    #[schema(max_items = 50)]
    items: Vec<DirectoryVersion>,
}

/// The fifty versions that were begun last
#[utoipa::path(get, path = "/v1/directory/versions", tag = "directory",
    operation_id = "listDirectoryVersions",
    extensions(("x-roles" = json!(Service::<()>::ROLES))),
    responses((status = 200, description = "The versions", body = DirectoryVersions), Problem))]
pub(crate) async fn list(
    State(api): State<Api>,
    _: Service,
) -> Result<Json<DirectoryVersions>, Problem> {
    let versions = api.directory.list(MOST_LISTED).await?;
    Ok(Json(DirectoryVersions { items: versions.into_iter().map(Into::into).collect() }))
}

/// The version that is matched to now
#[utoipa::path(get, path = "/v1/directory/versions/current", tag = "directory",
    operation_id = "showCurrentDirectoryVersion",
    extensions(("x-roles" = json!(Service::<()>::ROLES))),
    responses((status = 200, description = "The version", body = DirectoryVersion), Problem))]
pub(crate) async fn current(
    State(api): State<Api>,
    _: Service,
) -> Result<Json<DirectoryVersion>, Problem> {
    let version = api.directory.current().await?.ok_or(DirectoryError::NotFound)?;
    Ok(Json(version.into()))
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Work(error) => error.into(),
            DirectoryError::NotFound => Self::not_found("directory version"),
            DirectoryError::NotADraft => Self::conflict("not_a_draft", error.to_string()),
            _ => Self::invalid(error.to_string()),
        }
    }
}
