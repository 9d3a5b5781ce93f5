//! The command line's grammar.

mod audit;
mod upkeep;

pub use audit::{AuditCheckArgs, AuditCommand, AuditExportArgs};
pub use upkeep::{
    BackupArgs, DlqCommand, KeysCommand, ListArgs, RedriveArgs, RestoreArgs, RotateArgs,
};

use clap::{Args, Parser, Subcommand};
use shared::kernel::TenantId;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  done (rows may have been skipped: the table says how many and why)
  1  failed: a file is missing, is of another format, or cannot be written; no output is left half \
  written
  2  the command line is wrong
  3  done, but --strict was given and rows were skipped or repaired";

/// Match CRM exports against a directory of people and companies.
#[derive(Debug, Parser)]
#[command(name = "crm-sync", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Link leads and contacts to people, and accounts to companies.
    Match(Box<MatchArgs>),
    /// Make or look at an index of a directory, which `match` opens in milliseconds.
    #[command(subcommand)]
    Index(IndexCommand),
    /// Say why records are or are not directory entities.
    Explain(ExplainArgs),
    /// Train a model on records, with or without the truth.
    Train(TrainArgs),
    /// Measure blocking: candidates a record, and how many true pairs share a block.
    Blocking(BlockingArgs),
    /// Score a predictions file against a truth file.
    Evaluate(EvaluateArgs),
    /// Say how far probabilities are from what they promise.
    Calibration(CalibrationArgs),
    /// Feed a deployment's directory.
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// Move a tenant from one home of the product to another: from one machine to AWS, or back.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Make a speed set: a directory, a CRM and the truth, of any size.
    Generate(GenerateArgs),
    /// Run the whole product in this process, with everything in one folder.
    Serve(ServeArgs),
    /// Look at the configuration of `serve`.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a token for the API of `serve`.
    Token(TokenArgs),
    /// Print a link that logs in to the console of `serve`, once and within ten minutes.
    Console(ConsoleArgs),
    /// Copy everything that `serve` keeps, while it runs or not; the master key stays where it is.
    Backup(BackupArgs),
    /// Make a data folder of a backup.
    Restore(RestoreArgs),
    /// See to the master key of `serve`.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// See to the messages that failed too often.
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Read and check the audit log of a tenant.
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// Where `serve` finds what it needs.
#[derive(Debug, Clone, Args)]
pub struct ServeSource {
    /// The folder that everything is kept in; made when missing.
    #[arg(long, required_unless_present = "config")]
    pub data: Option<PathBuf>,
    /// The configuration, in TOML; docs/self-host.md names its keys.
    #[arg(long)]
    pub config: Option<PathBuf>,
}

/// `crm-sync serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The data folder and the configuration.
    #[command(flatten)]
    pub source: ServeSource,
    /// The address to listen on, in place of the configuration's; 127.0.0.1:8080 when neither says.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
}

/// `crm-sync config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Name every mistake of a configuration, with its line and what to write instead.
    Check {
        /// The file.
        file: PathBuf,
    },
}

/// `crm-sync token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// The data folder and the configuration.
    #[command(flatten)]
    pub source: ServeSource,
    /// admin, seat, reporting, vendor-rep, service or operator; may be given several times.
    #[arg(long, required = true)]
    pub role: Vec<String>,
    /// The tenant that the caller belongs to; none for the product's own services.
    #[arg(long)]
    pub tenant: Option<String>,
    /// The seat, for a seller.
    #[arg(long, requires = "tenant")]
    pub seat: Option<String>,
    /// How long it is valid, as in 30m, 1h or 7d.
    #[arg(long, default_value = "1h")]
    pub valid: String,
}

/// `crm-sync console`.
#[derive(Debug, Args)]
pub struct ConsoleArgs {
    /// The data folder and the configuration.
    #[command(flatten)]
    pub source: ServeSource,
    /// The tenant whose console it is; none with --role service.
    #[arg(long)]
    pub tenant: Option<String>,
    /// admin, seat, reporting or vendor-rep, may be given several times; or service, for who runs
    /// CRM sync.
    #[arg(long, default_value = "admin")]
    pub role: Vec<String>,
    /// The seat, for a seller.
    #[arg(long)]
    pub seat: Option<String>,
    /// Who logs in, as the audit log names them.
    #[arg(long, default_value = "admin")]
    pub subject: String,
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

/// `crm-sync directory`.
#[derive(Debug, Subcommand)]
pub enum DirectoryCommand {
    /// Publish a full export of people and companies: what changed since the last one is sent.
    Publish(PublishArgs),
}

/// `crm-sync directory publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Files of people or companies, whichever their first row tells: JSON lines or CSV, plain or
    /// gzip.
    pub files: Vec<PathBuf>,
    /// Files of people. May be given several times.
    #[arg(long)]
    pub people: Vec<PathBuf>,
    /// Files of companies. May be given several times.
    #[arg(long)]
    pub companies: Vec<PathBuf>,
    /// The address of the deployment's API.
    #[arg(long)]
    pub api: String,
    /// A file that holds a token with the role `service`. Without it the variable
    /// `CRM_SYNC_TOKEN` is read.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// The digest of what was published last. Without it, a file for this deployment in the
    /// user's data folder.
    #[arg(long)]
    pub state: Option<PathBuf>,
    /// Send everything, whatever was published last.
    #[arg(long)]
    pub full: bool,
    /// Say what would change, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Publish even if more than a fifth of the people or of the companies are gone.
    #[arg(long)]
    pub accept_gone: bool,
    /// Threads to read on; all cores when not given.
    #[arg(long)]
    pub threads: Option<NonZeroUsize>,
    /// How the result is printed. With `--strict`, nothing is sent when a row is at fault.
    #[command(flatten)]
    pub voice: Voice,
}

/// Which deployment a command is for.
#[derive(Debug, Clone, Args)]
pub struct DeploymentArgs {
    /// The address of the deployment's API.
    #[arg(long)]
    pub api: String,
    /// A file that holds a token with the role `service`. Without it the variable
    /// `CRM_SYNC_TOKEN` is read.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
}

/// `crm-sync tenant`.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Hand a tenant over and write what people made into a file: from then on this deployment
    /// sends, reads and takes in nothing for its connections.
    Export(TenantExportArgs),
    /// Take a tenant in from a file. It may be run again at any time, and is once its orgs are
    /// connected: what belongs to an org waits in the file until then.
    Import(TenantImportArgs),
    /// Take a hand-over back: the tenant stays. Never once another home has taken it in, or both
    /// send its activities.
    TakeBack(TenantTakeBackArgs),
}

/// `crm-sync tenant export`.
#[derive(Debug, Args)]
pub struct TenantExportArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: TenantId,
    /// The file; nothing may lie there.
    #[arg(long)]
    pub to: PathBuf,
    /// The deployment that the tenant leaves.
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

/// `crm-sync tenant import`.
#[derive(Debug, Args)]
pub struct TenantImportArgs {
    /// The file.
    #[arg(long)]
    pub from: PathBuf,
    /// The tenant's id at the new home; as at the old one when not given.
    #[arg(long)]
    pub tenant: Option<TenantId>,
    /// The deployment that the tenant comes to.
    #[command(flatten)]
    pub deployment: DeploymentArgs,
}

/// `crm-sync tenant take-back`.
#[derive(Debug, Args)]
pub struct TenantTakeBackArgs {
    /// The tenant.
    #[arg(long)]
    pub tenant: TenantId,
    /// The deployment that it was to leave.
    #[command(flatten)]
    pub deployment: DeploymentArgs,
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

/// Where the directory is: files, or an index made of them.
#[derive(Debug, Clone, Args)]
pub struct DirectoryArgs {
    /// The directory's people: JSON lines or CSV, plain or gzip.
    #[arg(long)]
    pub people: Option<PathBuf>,
    /// The directory's companies: JSON lines or CSV, plain or gzip.
    #[arg(long)]
    pub companies: Option<PathBuf>,
    /// The changes among the people since: JSON lines of entities as they are now, deletions
    /// (`{"id": …, "op": "delete"}`) and merges (`{"id": …, "op": "merge", "into": …}`). May be
    /// given several times, the oldest first.
    #[arg(long, requires = "people")]
    pub people_delta: Vec<PathBuf>,
    /// The same of companies.
    #[arg(long, requires = "companies")]
    pub companies_delta: Vec<PathBuf>,
    /// Index files a kind. The results are the same for any number; 1 GiB holds some millions of
    /// people.
    #[arg(long, default_value = "1")]
    pub shards: NonZeroU32,
    /// An index folder made by `crm-sync index build`, in place of the directory's files.
    #[arg(long, conflicts_with_all = ["people", "companies", "shards"])]
    pub index: Option<PathBuf>,
    /// Threads to work on; all cores when not given. The results are the same for any number.
    #[arg(long)]
    pub threads: Option<NonZeroUsize>,
}

/// The CRM's files.
#[derive(Debug, Clone, Args)]
pub struct CrmArgs {
    /// Leads: a Salesforce export in CSV, plain or gzip.
    #[arg(long)]
    pub lead: Option<PathBuf>,
    /// Contacts; their company comes from their account.
    #[arg(long)]
    pub contact: Option<PathBuf>,
    /// Accounts.
    #[arg(long)]
    pub account: Option<PathBuf>,
}

/// `crm-sync match`.
#[derive(Debug, Args)]
pub struct MatchArgs {
    /// The directory.
    #[command(flatten)]
    pub directory: DirectoryArgs,
    /// The CRM's files.
    #[command(flatten)]
    pub crm: CrmArgs,
    /// Where to write `crm_id,profile_id,score`, one row for each matched record.
    #[arg(long)]
    pub out: PathBuf,
    /// Where to write every record's candidates and decision.
    #[arg(long)]
    pub candidates: Option<PathBuf>,
    /// Where to write why, as JSON lines, for each match, review and duplicate.
    #[arg(long)]
    pub explain: Option<PathBuf>,
    /// Where to write the CRM's rows as they came, each with its match, the probability and the
    /// reason behind it, safe to open in a spreadsheet. Of several objects each has a file, with
    /// the object's name behind this one.
    #[arg(long)]
    pub join: Option<PathBuf>,
    /// The directory's columns that stand there too; `first_name,last_name,title,company` of people
    /// and `name,domain` of companies when not given.
    #[arg(long, requires = "join", value_delimiter = ',', conflicts_with = "index")]
    pub join_columns: Option<Vec<String>>,
    /// A model in place of the shipped one, which is adapted to the records.
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// Match by the shipped model as it is.
    #[arg(long, conflicts_with = "model")]
    pub as_shipped: bool,
    /// Where to write the model that was used, for `explain` or another run.
    #[arg(long)]
    pub save_model: Option<PathBuf>,
    /// How the result is printed.
    #[command(flatten)]
    pub voice: Voice,
}

/// `crm-sync index`.
#[derive(Debug, Subcommand)]
pub enum IndexCommand {
    /// Read a directory's files and write an index.
    Build(IndexBuildArgs),
    /// Check an index and say what it holds.
    Inspect(IndexInspectArgs),
}

/// `crm-sync index build`.
#[derive(Debug, Args)]
pub struct IndexBuildArgs {
    /// The folder to write into; made when missing.
    pub out: PathBuf,
    /// The directory's files.
    #[command(flatten)]
    pub directory: DirectoryArgs,
    /// How the result is printed.
    #[command(flatten)]
    pub voice: Voice,
}

/// `crm-sync index inspect`.
#[derive(Debug, Args)]
pub struct IndexInspectArgs {
    /// The index folder.
    pub index: PathBuf,
    /// Print JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `crm-sync explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The CRM record's id.
    pub crm_id: String,
    /// The directory id to compare it with; the record's candidates when none is given.
    pub profile_ids: Vec<String>,
    /// The directory.
    #[command(flatten)]
    pub directory: DirectoryArgs,
    /// The CRM's files: the one with the record, and for a contact its accounts too.
    #[command(flatten)]
    pub crm: CrmArgs,
    /// A model in place of the shipped one.
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// Print JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `crm-sync train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Where to write the model.
    #[arg(long)]
    pub out: PathBuf,
    /// The new model's version, of your choosing.
    #[arg(long)]
    pub version: String,
    /// The directory.
    #[command(flatten)]
    pub directory: DirectoryArgs,
    /// The CRM's files.
    #[command(flatten)]
    pub crm: CrmArgs,
    /// CSV with the columns `crm_id`, `profile_id` (empty: no match): the weights are refined and
    /// calibrated by it. Without it the model is adapted as `match` adapts it.
    #[arg(long)]
    pub truth: Option<PathBuf>,
    /// The model to begin with, in place of the shipped one.
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// Begin with the untrained model: what cross-validation must do, since the shipped model has
    /// seen the labels of its own training set.
    #[arg(long, conflicts_with = "model")]
    pub untrained: bool,
    /// Rounds of expectation maximisation, before the labels or without them.
    #[arg(long)]
    pub rounds: Option<u32>,
    /// Random pairs a record, for the chance that values agree by chance.
    #[arg(long, default_value_t = 4)]
    pub random_pairs: u32,
    /// Seed of the random pairs.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The data that the model is trained on, with its licence. The model records it.
    #[arg(long, default_value = "")]
    pub trained_on: String,
    /// How the result is printed.
    #[command(flatten)]
    pub voice: Voice,
}

/// `crm-sync blocking`.
#[derive(Debug, Args)]
pub struct BlockingArgs {
    /// The directory.
    #[command(flatten)]
    pub directory: DirectoryArgs,
    /// The CRM's files.
    #[command(flatten)]
    pub crm: CrmArgs,
    /// CSV with the columns `crm_id`, `profile_id`: the true pairs.
    #[arg(long)]
    pub truth: Option<PathBuf>,
    /// How the result is printed.
    #[command(flatten)]
    pub voice: Voice,
}

/// `crm-sync calibration`.
#[derive(Debug, Args)]
pub struct CalibrationArgs {
    /// CSV with the columns `crm_id`, `profile_id` (empty: no match), `object`.
    pub truth: PathBuf,
    /// The file that `crm-sync match --candidates` writes.
    pub candidates: PathBuf,
    /// How the result is printed.
    #[command(flatten)]
    pub voice: Voice,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the page's fenced blocks that are commands.
    fn commands(page: &str) -> Vec<String> {
        let blocks = page.split("```").skip(1).step_by(2);
        let lines = blocks.flat_map(str::lines).skip_while(|line| line.is_empty());
        let lines = lines.filter(|line| line.contains(' ') && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    /// The method and the path, as the description has it, of a call of the API.
    fn call(words: &[String]) -> (String, String) {
        let method = words.iter().position(|word| word == "-X").map_or("get", |at| &words[at + 1]);
        let path = words.iter().find_map(|word| word.strip_prefix("$API")).unwrap();
        let parts = path.split('/').map(|part| match part {
            "$TENANT" => "{tenant}",
            "production" => "{environment}",
            "$SEAT" => "{seat}",
            "$RUN" => "{run}",
            "pause" => "{steer}",
            other => other,
        });
        (method.to_lowercase(), parts.collect::<Vec<_>>().join("/"))
    }

    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (n, part) in line.split(['"', '\'']).enumerate() {
            match n % 2 {
                0 => words.extend(part.split_whitespace().map(str::to_owned)),
                _ => words.push(part.to_owned()),
            }
        }
        words
    }

    #[test]
    fn each_command_of_a_runbook_is_one_of_ours() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
        let page = std::fs::read_to_string(format!("{docs}/incidents.md")).unwrap();
        let description = std::fs::read_to_string(format!("{docs}/openapi.yaml")).unwrap();
        let (mut own, mut calls) = (0, 0);
        for line in commands(&page) {
            let words = words(&line);
            if words[0] == "crm-sync" {
                let tenant = TenantId::derived("acme").to_string();
                let words = words.iter().map(|word| match word.as_str() {
                    "$TENANT" => tenant.as_str(),
                    "$API" => "http://127.0.0.1:8080",
                    other => other,
                });
                assert!(Cli::try_parse_from(words).is_ok(), "{line}");
                own += 1;
            } else {
                assert_eq!(words[0], "curl", "{line}");
                let (method, path) = call(&words);
                let (_, found) = description.split_once(&format!("\n  {path}:\n")).expect(&line);
                let methods = found.lines().take_while(|line| line.starts_with("    "));
                assert!(methods.into_iter().any(|m| m.trim() == format!("{method}:")), "{line}");
                calls += 1;
            }
        }
        assert!(own >= 5 && calls >= 8, "{own} commands, {calls} calls");
    }
}
