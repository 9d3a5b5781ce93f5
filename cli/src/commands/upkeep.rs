//! `backup` and `restore`: what the keeper of a data folder does beside `serve`.

use server::backup::Manifest;

use super::Outcome;
use super::serve::{read, runtime};
use crate::args::{BackupArgs, RestoreArgs};

/// Copies the data folder.
pub fn backup(args: &BackupArgs) -> anyhow::Result<Outcome> {
    let config = read(&args.source)?;
    let manifest = runtime()?.block_on(server::backup::backup(&config.data, &args.to))?;
    let (to, holds) = (args.to.display(), holds(&manifest));
    Ok(said(format!(
        "{to} holds {holds}\n\
         the master key {} is not in it: whoever restores it needs that key\n",
        manifest.about.master_key,
    )))
}

/// Makes a data folder of a copy.
pub fn restore(args: &RestoreArgs) -> anyhow::Result<Outcome> {
    let config = read(&args.source)?;
    let manifest = server::backup::restore(&args.from, &config.data)?;
    let (data, holds) = (config.data.display(), holds(&manifest));
    Ok(said(format!(
        "{data} holds {holds}\n\
         it opens under the master key {}: put that key where `serve` looks for it, then start\n",
        manifest.about.master_key,
    )))
}

/// The size and the age of a copy.
fn holds(manifest: &Manifest) -> String {
    let (files, bytes, made) = (manifest.files.len(), manifest.bytes(), manifest.about.made);
    format!("{files} files ({bytes} bytes) as of {made:.0}")
}

fn said(output: String) -> Outcome {
    Outcome { output, ..Outcome::default() }
}
