//! Sending a version: begin, upload, publish, wait; and the digest, kept in step with it.

use super::parts::Part;
use super::state::{Entities, State};
use crate::api_client::{ApiClient, DirectoryVersion, PartKind, Upload, VersionState};
use crate::progress;
use anyhow::{Context, bail, ensure};
use matching::EntityKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks at a version that is being built.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is to be sent.
#[derive(Debug)]
pub struct Sent<'a> {
    /// The version that it is a delta to.
    pub base: Option<&'a str>,
    /// Deltas since the last full version, this one included.
    pub deltas: u32,
    /// Its parts.
    pub parts: &'a [Part],
    /// The digest of it, by kind.
    pub digest: [Entities<'a>; 2],
}

/// Sends a version and waits until it is matched to. The digest lies beside `state` under another
/// name until then: whoever is cut off in between finds it by [`adopt`].
pub async fn send(
    client: &ApiClient,
    state: &Path,
    sent: Sent<'_>,
) -> anyhow::Result<DirectoryVersion> {
    let kinds: Vec<PartKind> = sent.parts.iter().map(|part| part_kind(part.kind)).collect();
    let begun = client.begin_directory(sent.base, &kinds).await?;
    ensure!(
        begun.uploads.len() == sent.parts.len(),
        "the deployment gave {} upload addresses for {} parts",
        begun.uploads.len(),
        sent.parts.len()
    );
    upload(client, &begun.uploads, sent.parts).await?;
    let [people, companies] = sent.digest;
    State::write(&pending(state), &begun.version, sent.deltas, people, companies)?;
    client.publish_directory(&begun.version).await?;
    let version = built(client, &begun.version).await?;
    keep(state)?;
    Ok(version)
}

/// Finds out what became of a version whose publisher was cut off: its digest takes its place once
/// the version is the deployment's, and is dropped when it is not.
pub async fn adopt(
    client: &ApiClient,
    state: &Path,
    current: Option<DirectoryVersion>,
) -> anyhow::Result<Option<DirectoryVersion>> {
    let pending = pending(state);
    let Ok(Some(found)) = State::open(&pending) else {
        // None, or cut off while it was written: before anything was published.
        let _ = std::fs::remove_file(&pending);
        return Ok(current);
    };
    let id = found.description.version;
    let of_pending = client.directory(&id).await?;
    let current = match of_pending.map(|version| version.state) {
        Some(VersionState::Counting | VersionState::Building) => {
            progress::tell(&format!("an earlier publish left version {id} behind, being built"));
            // Why it failed, if it does, was for the earlier run to tell.
            let _ = built(client, &id).await;
            client.current_directory().await?
        }
        _ => current,
    };
    if current.as_ref().is_some_and(|current| current.version == id) {
        keep(state)?;
    } else {
        let _ = std::fs::remove_file(&pending);
    }
    Ok(current)
}

async fn upload(client: &ApiClient, to: &[Upload], parts: &[Part]) -> anyhow::Result<()> {
    let bytes = parts.iter().map(|part| part.bytes).sum();
    let bar = progress::transfer("uploading", bytes);
    for (number, (to, part)) in (1..).zip(to.iter().zip(parts)) {
        let before = bar.position();
        let heard = bar.clone();
        let sent = move |so_far: u64| heard.set_position(before + so_far);
        client.upload(number, to, &part.file, part.bytes, sent).await?;
    }
    bar.finish_and_clear();
    let (count, size) = (parts.len(), crate::report::bytes(bytes));
    let plural = if count == 1 { "part" } else { "parts" };
    progress::tell(&format!("uploaded {count} {plural}, {size}"));
    Ok(())
}

/// Waits until a version is built.
async fn built(client: &ApiClient, id: &str) -> anyhow::Result<DirectoryVersion> {
    let spinner = progress::waiting("building");
    loop {
        let version = client.directory(id).await?;
        let Some(version) = version else { bail!("the deployment lost version {id}") };
        match version.state {
            VersionState::Published => {
                spinner.finish_and_clear();
                return Ok(version);
            }
            VersionState::Failed => {
                let reason = version.reason.as_deref().unwrap_or("it does not say why");
                bail!("version {id} failed: {reason}{}", passed_over(&version));
            }
            VersionState::Retired => bail!("another version took the place of {id} meanwhile"),
            VersionState::Draft => bail!("version {id} was not taken for publishing; try again"),
            VersionState::Counting => spinner.set_message("counting terms"),
            VersionState::Building => spinner.set_message("building shards"),
        }
        spinner.tick();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn passed_over(version: &DirectoryVersion) -> String {
    let reasons = version.skipped.iter();
    let reasons: Vec<String> =
        reasons.map(|(reason, lines)| format!("; {lines} lines: {reason}")).collect();
    reasons.concat()
}

fn part_kind(kind: EntityKind) -> PartKind {
    match kind {
        EntityKind::Person => PartKind::People,
        EntityKind::Company => PartKind::Companies,
    }
}

fn pending(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".pending");
    PathBuf::from(name)
}

fn keep(state: &Path) -> anyhow::Result<()> {
    std::fs::rename(pending(state), state)
        .with_context(|| format!("cannot write {}", state.display()))
}
