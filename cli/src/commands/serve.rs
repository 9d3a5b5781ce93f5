//! `serve`, `config check` and `token`: the whole product in one process, and what surrounds it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::de::DeserializeOwned;
use serde_json::Value;
use server::Running;
use server::config::{Config, Overrides};
use server::control::TokenRequest;
use shared::capabilities::seats::Role;
use shared::capabilities::sessions::Visitor;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use crate::args::{ConsoleArgs, ServeArgs, ServeSource, TokenArgs};

/// Runs the product until a signal ends it.
pub fn run(args: &ServeArgs) -> anyhow::Result<Outcome> {
    let mut config = read(&args.source)?;
    config.listen = args.listen.unwrap_or(config.listen);
    server::logs::start(&config.log);
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(&config))?;
    // What blocks still is a write that nobody waits for: its due item brings it again.
    runtime.shutdown_background();
    Ok(Outcome::default())
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let running = Running::start(config).await?;
    for line in running.summary() {
        eprintln!("{line}");
    }
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    running.stop().await;
    Ok(())
}

/// Checks a configuration. Every mistake is part of the error.
pub fn check(file: &Path) -> anyhow::Result<Outcome> {
    // The command line of `serve` may give the folder: that the file names none is no mistake.
    let overrides = Overrides { data: Some(PathBuf::new()), listen: None };
    Config::read(Some(file), overrides)?;
    Ok(Outcome { output: format!("{} is in order\n", file.display()), ..Outcome::default() })
}

/// Prints a token.
pub fn token(args: &TokenArgs) -> anyhow::Result<Outcome> {
    let config = read(&args.source)?;
    let valid = validity(&args.valid)?;
    let asked = TokenRequest {
        roles: roles(&args.role)?,
        tenant: args
            .tenant
            .as_deref()
            .map(|id| word(id).context("--tenant is no tenant's id"))
            .transpose()?,
        seat: args
            .seat
            .as_deref()
            .map(|id| word(id).context("--seat is no seat's id"))
            .transpose()?,
        seconds: valid.as_secs().unsigned_abs(),
    };
    let token = runtime()?.block_on(server::token(&config, asked))?;
    Ok(Outcome { output: format!("{token}\n"), ..Outcome::default() })
}

/// Prints a link to the console.
pub fn console(args: &ConsoleArgs) -> anyhow::Result<Outcome> {
    let config = read(&args.source)?;
    let roles = roles(&args.role)?;
    let runs_it = roles == BTreeSet::from([Role::Service]);
    ensure!(
        runs_it == args.tenant.is_none(),
        "give --tenant for somebody of a customer's, or --role service alone for who runs CRM sync"
    );
    let tenant = args.tenant.as_deref();
    let visitor = Visitor {
        tenant: tenant.map(|id| word(id).context("--tenant is no tenant's id")).transpose()?,
        roles,
        seat: args
            .seat
            .as_deref()
            .map(|id| word(id).context("--seat is no seat's id"))
            .transpose()?,
        subject: args.subject.clone(),
    };
    let link = runtime()?.block_on(server::console_link(&config, visitor))?;
    Ok(Outcome { output: format!("{link}\n"), ..Outcome::default() })
}

/// The roles of some words.
fn roles(words: &[String]) -> anyhow::Result<BTreeSet<Role>> {
    let known = "a role is one of admin, seat, reporting, vendor-rep, service, operator";
    words.iter().map(|role| word(role)).collect::<Option<_>>().context(known)
}

/// How long a token is valid; a day has 24 hours.
fn validity(text: &str) -> anyhow::Result<SignedDuration> {
    let form = "write --valid as in 30m, 1h or 7d";
    let span: Span = text.parse().context(form)?;
    let valid = span.to_duration(SpanRelativeTo::days_are_24_hours()).context(form)?;
    ensure!(valid > SignedDuration::ZERO, form);
    Ok(valid)
}

/// The configuration that a command line names.
pub(super) fn read(source: &ServeSource) -> anyhow::Result<Config> {
    let overrides = Overrides { data: source.data.clone(), listen: None };
    Ok(Config::read(source.config.as_deref(), overrides)?)
}

/// Enough for one command.
pub(super) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A value by the word that stands for it in JSON.
fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::from(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_for_as_long_as_the_advice_says() {
        for (text, hours) in [("1h", 1), ("7d", 168), ("1d 12h", 36)] {
            assert_eq!(validity(text).unwrap(), SignedDuration::from_hours(hours), "{text}");
        }
        assert_eq!(validity("30m").unwrap(), SignedDuration::from_mins(30));
        for wrong in ["", "7", "a week", "0s", "-1h", "1mo"] {
            let error = validity(wrong).unwrap_err().to_string();
            assert!(error.contains("30m, 1h or 7d"), "{wrong}: {error}");
        }
    }
}
