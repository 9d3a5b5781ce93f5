//! `backup`, `restore` and `keys rotate`: what the keeper of a data folder does beside `serve`.

use server::backup::Manifest;

use super::Outcome;
use super::serve::{read, runtime};
use crate::args::{BackupArgs, RestoreArgs, RotateArgs};

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

/// Rotates the master key.
pub fn rotate(args: &RotateArgs) -> anyhow::Result<Outcome> {
    let config = read(&args.source)?;
    // The process that does it may have another folder as its own.
    let file = args.new_key_file.as_ref().map(std::path::absolute).transpose()?;
    let rotated = runtime()?.block_on(server::keys::rotate(&config, file))?;
    let (from, to, file) = (rotated.from, rotated.to, rotated.file.display());
    let next = match rotated.kept {
        Some(kept) => format!(
            "the key before, {from}, is kept in {}: only backups from before need it\n",
            kept.display()
        ),
        None => format!("put the key in {file} where `serve` looks for it, in place of {from}\n"),
    };
    Ok(said(format!(
        "everything opens under the master key {to} in {file}: keep a copy of it elsewhere\n{next}"
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
