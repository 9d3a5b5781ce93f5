//! The grammar of the commands for whoever keeps a data folder.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ServeSource;

/// `crm-sync backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The data folder and the configuration.
    #[command(flatten)]
    pub source: ServeSource,
    /// The folder to write, which may not be there yet.
    #[arg(long)]
    pub to: PathBuf,
}

/// `crm-sync restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The folder that `crm-sync backup` wrote.
    #[arg(long)]
    pub from: PathBuf,
    /// The data folder and the configuration: a folder that is empty or not there yet.
    #[command(flatten)]
    pub source: ServeSource,
}

/// `crm-sync keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Seal everything under a new master key, while `serve` runs or not.
    Rotate(RotateArgs),
}

/// `crm-sync keys rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The data folder and the configuration.
    #[command(flatten)]
    pub source: ServeSource,
    /// The file of the new key, made when missing, for a key that does not come from a file: the
    /// key is then yours to put where it comes from. Without this the file of the key is replaced.
    #[arg(long)]
    pub new_key_file: Option<PathBuf>,
}

/// `crm-sync dlq`.
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// List them, the one that failed last at the end: ids and classes, and no data.
    List(ListArgs),
    /// Have the running `serve` do their work again.
    Redrive(RedriveArgs),
}

/// `crm-sync dlq list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The data folder and the configuration.
    #[command(flatten)]
    pub source: ServeSource,
    /// Print JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `crm-sync dlq redrive`.
#[derive(Debug, Args)]
#[group(id = "chosen", required = true, multiple = false, args = ["id", "queue", "all"])]
pub struct RedriveArgs {
    /// The data folder and the configuration.
    #[command(flatten)]
    pub source: ServeSource,
    /// The id of one, as `dlq list` prints it.
    pub id: Option<String>,
    /// Those of a queue: import, match, auto-save, writeback, care, telling, purge or directory.
    #[arg(long)]
    pub queue: Option<String>,
    /// All.
    #[arg(long)]
    pub all: bool,
}
