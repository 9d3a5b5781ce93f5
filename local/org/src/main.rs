//! Writes the demo's org to a folder.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;
use org_generator::{Base, Error, Options, Org};

/// Writes a Salesforce org over real companies and synthetic people, with a directory delta, seats
/// and expectations
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The folder with the base records, the directory and the truth
    #[arg(long, default_value = "data/dev")]
    base: PathBuf,
    /// The folder to write; made when missing
    #[arg(long)]
    out: PathBuf,
    /// Another seed tells another story over the same records
    #[arg(long, default_value_t = Options::default().seed)]
    seed: u64,
    /// A slice of some 60 accounts that imports in seconds
    #[arg(long)]
    small: bool,
    /// The moment at which the org is as it is
    #[arg(long, default_value_t = Options::default().as_of)]
    as_of: Timestamp,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let base = Base::read(&arguments.base)?;
    let options = Options { seed: arguments.seed, as_of: arguments.as_of, small: arguments.small };
    let org = Org::generate(&base, options)?;
    org.write(&arguments.out)?;
    let counts: Vec<String> =
        org.counts().into_iter().map(|(object, rows)| format!("{rows} {object}")).collect();
    eprintln!("{}: {}", arguments.out.display(), counts.join(", "));
    Ok(())
}

/// One line with the whole chain of causes.
fn report(error: &Error) {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    eprintln!("error: {message}");
}
