//! One module a command: arguments in, an outcome out.

pub mod audit;
pub mod blocking;
pub mod calibration;
pub mod directory;
pub mod dlq;
pub mod evaluate;
pub mod explain;
pub mod generate;
pub mod index;
pub mod match_records;
pub mod serve;
pub mod tenant;
pub mod train;
pub mod upkeep;

mod adaptation;
mod deployment;
mod join;
mod sources;

use crate::args::{
    AuditCommand, Command, ConfigCommand, DirectoryCommand, DlqCommand, IndexCommand, KeysCommand,
    TenantCommand,
};
use crate::input::FileProblems;

/// The result of a command, for its caller to print.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The result, for stdout.
    pub output: String,
    /// The faults met in each file read.
    pub problems: Vec<FileProblems>,
    /// Rows at fault make the exit code 3.
    pub strict: bool,
}

impl Outcome {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let faulty = self.problems.iter().any(FileProblems::has_faults);
        if self.strict && faulty { 3 } else { 0 }
    }
}

/// Runs one command to its end.
pub fn run(command: &Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Match(args) => match_records::run(args),
        Command::Index(IndexCommand::Build(args)) => index::build(args),
        Command::Index(IndexCommand::Inspect(args)) => index::inspect(args),
        Command::Explain(args) => explain::run(args),
        Command::Train(args) => train::run(args),
        Command::Blocking(args) => blocking::run(args),
        Command::Calibration(args) => calibration::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Directory(DirectoryCommand::Publish(args)) => directory::publish(args),
        Command::Tenant(TenantCommand::Export(args)) => tenant::export(args),
        Command::Tenant(TenantCommand::Import(args)) => tenant::import(args),
        Command::Tenant(TenantCommand::TakeBack(args)) => tenant::take_back(args),
        Command::Generate(args) => generate::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Config(ConfigCommand::Check { file }) => serve::check(file),
        Command::Token(args) => serve::token(args),
        Command::Console(args) => serve::console(args),
        Command::Backup(args) => upkeep::backup(args),
        Command::Restore(args) => upkeep::restore(args),
        Command::Keys(KeysCommand::Rotate(args)) => upkeep::rotate(args),
        Command::Dlq(DlqCommand::List(args)) => dlq::list(args),
        Command::Dlq(DlqCommand::Redrive(args)) => dlq::redrive(args),
        Command::Audit(AuditCommand::Export(args)) => audit::export(args),
        Command::Audit(AuditCommand::Check(args)) => audit::check(args),
    }
}
