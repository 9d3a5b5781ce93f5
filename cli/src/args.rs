//! The command line's grammar.

use clap::{Args, Parser, Subcommand};
use std::num::NonZeroUsize;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  done (rows may have been skipped: the table says how many and why)
  1  failed: a file is missing, is of another format, or cannot be written; no output is left half written
  2  the command line is wrong
  3  done, but --strict was given and rows were skipped or repaired";

/// Match CRM exports against a directory of people and companies.
#[derive(Debug, Parser)]
#[command(name = "crm-sync", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Score a predictions file against a truth file.
    Evaluate(EvaluateArgs),
    /// Make a speed set: a directory, a CRM and the truth, of any size.
    Generate(GenerateArgs),
}

/// How a command speaks.
#[derive(Debug, Clone, Copy, Args)]
pub struct Voice {
    /// Print the summary as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Exit with code 3 when any row was skipped or repaired.
    #[arg(long)]
    pub strict: bool,
}

/// `crm-sync evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// CSV with the columns `crm_id`, `profile_id` (empty: no match), `object`, `case`.
    pub truth: PathBuf,
    /// CSV with the columns `crm_id`, `profile_id`, `score`.
    pub predictions: PathBuf,
    /// Lead, Contact, Account, person (Lead and Contact), all, or each of them in turn.
    #[arg(long, default_value = "each")]
    pub object: String,
    /// Accept links of at least this score; all when not given.
    #[arg(long, allow_negative_numbers = true)]
    pub threshold: Option<f64>,
    /// Count by case too.
    #[arg(long)]
    pub cases: bool,
    /// How the result is printed.
    #[command(flatten)]
    pub voice: Voice,
}

/// `crm-sync generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The folder to write into; made when missing.
    pub out: PathBuf,
    /// People in the directory; as many CRM records, half leads and half contacts.
    #[arg(long, default_value_t = 10_000)]
    pub scale: u64,
    /// The same seed and scale make the same bytes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads to work on; all cores when not given.
    #[arg(long)]
    pub threads: Option<NonZeroUsize>,
    /// Print the summary as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}
