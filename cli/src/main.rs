//! The `crm-sync` command: parses the command line, runs it, and turns the outcome into output and
//! an exit code.

use clap::Parser;
use crm_sync::args::Cli;
use crm_sync::commands::{Outcome, run};
use std::io::Write;
use std::process::ExitCode;

/// Normalising makes many short texts on one thread that end on another, where this allocator is
/// much the faster. It asks for no huge pages (`no_thp`): of memory that it gave back, the system
/// would back two megabytes anew whenever a byte is used, and an idle process would keep it all.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(outcome) => tell(&outcome),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn tell(outcome: &Outcome) -> ExitCode {
    for file in outcome.problems.iter().filter(|file| !file.is_empty()) {
        eprintln!("warning: {}", file.to_string().replace('\n', "\nwarning: "));
    }
    // A reader that closes the pipe early (`head`) has what it wanted.
    let _ = std::io::stdout().lock().write_all(outcome.output.as_bytes());
    ExitCode::from(outcome.exit_code())
}
