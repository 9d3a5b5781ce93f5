//! The grammar of the commands for whoever keeps a data folder.

use std::path::PathBuf;

use clap::Args;

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
