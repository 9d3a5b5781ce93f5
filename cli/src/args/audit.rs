//! The grammar of the commands for audit logs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use shared::kernel::TenantId;

use super::DeploymentArgs;

/// `crm-sync audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Write a tenant's log into a file, an entry a line, with its head as the last line; the log
    /// is checked as it is read.
    Export(AuditExportArgs),
    /// Find an entry that was edited, removed, swapped or cut off.
    Check(AuditCheckArgs),
}

/// `crm-sync audit export`.
#[derive(Debug, Args)]
pub struct AuditExportArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: TenantId,
    /// The file; nothing may lie there.
    #[arg(long)]
    pub to: PathBuf,
    /// The deployment.
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

/// `crm-sync audit check`.
#[derive(Debug, Args)]
pub struct AuditCheckArgs {
    /// The file that `crm-sync audit export` wrote.
    pub file: PathBuf,
    /// A file that was written earlier: its last entry must be in this one.
    #[arg(long)]
    pub since: Vec<PathBuf>,
    /// A head that was kept elsewhere, as `number:hash`; a deployment's logs have one an entry.
    #[arg(long)]
    pub head: Vec<String>,
}
