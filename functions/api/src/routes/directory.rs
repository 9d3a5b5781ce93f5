//! Directory versions: published by the product's back end.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use matching::EntityKind;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::capabilities::directory::DirectoryVersion;
use shared::kernel::DirectoryVersionId;

use crate::caller::Caller;
use crate::problem::Problem;
use crate::state::{Api, Body, Path};

/// A version may have this many parts of its own.
const MOST_PARTS: usize = 1_000;

/// A new version.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewVersion {
    #[serde(default)]
    base: Option<DirectoryVersionId>,
    parts: Vec<NewPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPart {
    kind: PartKind,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartKind {
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

/// `POST /v1/directory/versions`
pub(crate) async fn begin(
    State(api): State<Api>,
    caller: Caller,
    Body(new): Body<NewVersion>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.service()?;
    if new.parts.len() > MOST_PARTS {
        return Err(Problem::invalid("a version may have 1,000 parts of its own at most"));
    }
    let kinds: Vec<EntityKind> = new.parts.iter().map(|part| part.kind.into()).collect();
    let (version, urls) = api.directory.begin(new.base, &kinds).await?;
    let uploads: Vec<Value> = kinds
        .iter()
        .zip(urls)
        .map(|(kind, url)| json!({ "kind": shared::kernel::entity_kind_name(*kind), "url": url }))
        .collect();
    Ok((StatusCode::CREATED, Json(json!({ "version": version.id, "uploads": uploads }))))
}

/// `POST /v1/directory/versions/{version}/publish`
pub(crate) async fn publish(
    State(api): State<Api>,
    caller: Caller,
    Path(version): Path<DirectoryVersionId>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.service()?;
    let version = api.directory.publish(version).await?;
    Ok((StatusCode::ACCEPTED, Json(view(&version))))
}

/// `GET /v1/directory/versions/{version}`
pub(crate) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(version): Path<DirectoryVersionId>,
) -> Result<Json<Value>, Problem> {
    caller.service()?;
    let version = api.directory.get(version).await?;
    let version = version.ok_or_else(|| Problem::not_found("directory version"))?;
    Ok(Json(view(&version)))
}

fn view(version: &DirectoryVersion) -> Value {
    json!({
        "version": version.id,
        "base": version.base,
        "state": version.state,
        "reason": version.reason,
        "people": version.people,
        "companies": version.companies,
        "shards": version.people_shards + version.company_shards,
        "skipped": version.skipped,
        "created_at": version.created_at,
        "published_at": version.published_at,
    })
}
