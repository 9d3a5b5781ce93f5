//! `crm-sync directory`: feeds the directory of a deployment.

use super::Outcome;
use super::deployment::token;
use crate::api_client::{ApiClient, DirectoryVersion};
use crate::args::PublishArgs;
use crate::input::FileProblems;
use crate::publish::{
    Changes, Difference, Entities, Export, KINDS, Parts, Scanned, Sent, State, Way, Why, adopt,
    check_gone, plural, send, table,
};
use crate::report::{self, thousands};
use crate::{progress, threads};
use anyhow::{Context, bail, ensure};
use etcetera::BaseStrategy;
use matching::EntityKind;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;
use url::Url;

/// Publishes an export.
pub fn publish(args: &PublishArgs) -> anyhow::Result<Outcome> {
    let export = export(args)?;
    let client = ApiClient::new(&args.api, token(args.token_file.as_deref())?)?;
    let state = match &args.state {
        Some(path) => path.clone(),
        None => default_state(client.base())?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Publishing { args, export, client, state }.run())
}

struct Publishing<'a> {
    args: &'a PublishArgs,
    export: Export,
    client: ApiClient,
    state: PathBuf,
}

impl Publishing<'_> {
    async fn run(self) -> anyhow::Result<Outcome> {
        let started = Instant::now();
        let folder = folder_of(&self.state)?;
        let current = self.client.current_directory().await?;
        let current = adopt(&self.client, &self.state, current).await?;
        let way = Way::find(self.args.full, State::open(&self.state), current.as_ref());
        let mut scans = self.scan(&folder)?;
        let (way, changes) = Self::compare(way, &scans, current.as_ref())?;
        let problems: Vec<FileProblems> = scans.iter_mut().flatten().flat_map(taken).collect();
        let told = match &way {
            Way::Delta(state) => format!("a delta to version {}", state.description.version),
            Way::Full(why) => format!("the whole directory: {why}"),
        };
        let mut output = format!("{}{told}\n", table(&changes));
        let faulty = problems.iter().any(FileProblems::has_faults);
        let nothing = matches!(way, Way::Delta(_)) && lines(&changes) == 0;
        let strict_fault = self.args.voice.strict && faulty;
        if self.args.dry_run || nothing || strict_fault {
            output += if strict_fault {
                "nothing was sent: rows are at fault\n"
            } else if nothing {
                "nothing has changed, and nothing was sent\n"
            } else {
                "nothing was sent: this is a dry run\n"
            };
            let output = self.said(output, &way, &changes, None);
            return Ok(Outcome { output, problems, strict: self.args.voice.strict });
        }
        for (kind, of_kind) in &changes {
            check_gone(*kind, of_kind, self.args.accept_gone)?;
        }
        progress::tell(output.trim_end());
        let version = self.send(&way, &changes, &mut scans, &folder).await?;
        let summary = format!(
            "version {} is published: {} people, {} companies; {:.1} s; peak memory {}\n",
            version.version,
            thousands(version.people),
            thousands(version.companies),
            started.elapsed().as_secs_f64(),
            report::peak_memory().map_or_else(|| "unknown".to_owned(), report::bytes)
        );
        let output = self.said(summary, &way, &changes, Some(&version));
        Ok(Outcome { output, problems, strict: self.args.voice.strict })
    }

    fn scan(&self, folder: &Path) -> anyhow::Result<[Option<Scanned>; 2]> {
        let mut scans = [None, None];
        for (scanned, kind) in scans.iter_mut().zip(KINDS) {
            if self.export.files(kind).is_empty() {
                continue;
            }
            let bar = progress::open_ended(plural(kind));
            let found = self.export.scan(kind, threads(self.args.threads), folder, &bar)?;
            bar.finish_and_clear();
            if found.repeated > 0 {
                let rows = thousands(found.repeated);
                progress::tell(&format!("{rows} rows of {} have a later one", plural(kind)));
            }
            *scanned = Some(found);
        }
        Ok(scans)
    }

    /// What the export changes, and whether it goes as a delta still.
    fn compare(
        way: Way,
        scans: &[Option<Scanned>; 2],
        current: Option<&DirectoryVersion>,
    ) -> anyhow::Result<(Way, Vec<(EntityKind, Changes)>)> {
        let mut changes = Vec::new();
        for (scanned, kind) in scans.iter().zip(KINDS) {
            let before = current.map_or(0, |current| match kind {
                EntityKind::Person => current.people,
                EntityKind::Company => current.companies,
            });
            let mut of_kind = Changes { before, ..Changes::default() };
            if let Some(scanned) = scanned {
                of_kind.entities = Some(scanned.entities.len() as u64);
                of_kind.difference = match &way {
                    Way::Delta(state) => {
                        let before = state.fingerprints(kind)?;
                        let difference = Difference::between(before, &scanned.entities);
                        Some(difference.context("cannot read the digest file")?)
                    }
                    Way::Full(_) => None,
                };
            }
            changes.push((kind, of_kind));
        }
        let whole = changes.iter().all(|(_, of_kind)| of_kind.is_whole());
        let other = changes.iter().any(|(_, of_kind)| of_kind.is_mostly_other());
        let way = if whole && other && matches!(way, Way::Delta(_)) {
            Way::Full(Why::MostChanged)
        } else {
            way
        };
        if let Way::Full(why) = &way {
            let lacking = changes.iter().find(|(_, of_kind)| !of_kind.is_whole());
            if let Some((kind, of_kind)) = lacking {
                bail!(
                    "the whole directory must be sent ({why}), and the {} {} that the deployment \
                     has would be gone: give their files too",
                    thousands(of_kind.before),
                    plural(*kind)
                );
            }
            let entities: u64 = changes.iter().filter_map(|(_, c)| c.entities).sum();
            ensure!(entities > 0, "the files hold no entity");
        }
        Ok((way, changes))
    }

    async fn send(
        &self,
        way: &Way,
        changes: &[(EntityKind, Changes)],
        scans: &mut [Option<Scanned>; 2],
        folder: &Path,
    ) -> anyhow::Result<DirectoryVersion> {
        let mut parts = Parts::in_folder(folder, threads(self.args.threads));
        for (kind, of_kind) in changes {
            match (way, &of_kind.difference) {
                (Way::Full(_), _) => parts.add_all(&self.export, *kind)?,
                (Way::Delta(state), Some(difference)) => {
                    parts.add_changes(&self.export, state, *kind, difference)?;
                }
                (Way::Delta(_), None) => {}
            }
        }
        let parts = parts.finish()?;
        let (base, deltas) = match way {
            Way::Delta(state) => {
                (Some(state.description.version.as_str()), state.description.deltas + 1)
            }
            Way::Full(_) => (None, 0),
        };
        let digest = scans.each_mut().map(|scanned| match (scanned, way) {
            (Some(scanned), _) => Entities::Read(scanned),
            (None, Way::Delta(state)) => Entities::Kept(state),
            (None, Way::Full(_)) => Entities::None,
        });
        send(&self.client, &self.state, Sent { base, deltas, parts: &parts, digest }).await
    }

    fn said(
        &self,
        words: String,
        way: &Way,
        changes: &[(EntityKind, Changes)],
        version: Option<&DirectoryVersion>,
    ) -> String {
        if !self.args.voice.json {
            return words;
        }
        let mut said = json!({
            "version": version.map(|version| &version.version),
            "way": if matches!(way, Way::Delta(_)) { "delta" } else { "full" },
            "why": if let Way::Full(why) = way { json!(why.to_string()) } else { Value::Null },
        });
        for (kind, of_kind) in changes {
            said[plural(*kind)] = of_kind.to_json();
        }
        format!("{said:#}\n")
    }
}

fn taken(scanned: &mut Scanned) -> Vec<FileProblems> {
    std::mem::take(&mut scanned.problems)
}

fn lines(changes: &[(EntityKind, Changes)]) -> usize {
    changes.iter().filter_map(|(_, c)| c.difference.as_ref()).map(Difference::lines).sum()
}

fn export(args: &PublishArgs) -> anyhow::Result<Export> {
    let mut export = Export { people: args.people.clone(), companies: args.companies.clone() };
    for file in &args.files {
        export.add(file)?;
    }
    ensure!(
        !export.people.is_empty() || !export.companies.is_empty(),
        "nothing to publish: name the files of an export"
    );
    Ok(export)
}

/// A file for the deployment at `api`, in the user's data folder.
fn default_state(api: &Url) -> anyhow::Result<PathBuf> {
    let folders = etcetera::choose_base_strategy()
        .context("there is no home folder to keep the digest in; give --state")?;
    let place = format!("{}{}", api.authority(), api.path());
    let name: String = place
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' })
        .collect();
    let name = format!("directory-{}.digest", name.trim_end_matches('_'));
    Ok(folders.data_dir().join("crm-sync").join(name))
}

/// The folder of the digest file, made when missing.
fn folder_of(state: &Path) -> anyhow::Result<PathBuf> {
    let folder = match state.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
