//! Starts the Salesforce simulator for the local stack and the demo.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use salesforce_simulator::{Simulator, SimulatorOptions};
use serde_json::json;

/// A Salesforce simulator: orgs from folders of CSV files, on loopback.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A folder of Salesforce-shaped CSV files; may be given more than once.
    #[arg(long = "org")]
    orgs: Vec<PathBuf>,
    /// The My Domain label of the first org.
    #[arg(long)]
    my_domain: Option<String>,
    /// The first org is a sandbox.
    #[arg(long)]
    sandbox: bool,
    /// The port of HTTP, TLS and the proxy; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    http_port: u16,
    /// The port of the control API; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    control_port: u16,
    /// Where the test CA's certificate is written.
    #[arg(long)]
    ca_out: Option<PathBuf>,
    /// Where the addresses are written, as JSON, once the simulator is ready.
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            eprintln!("salesforce-simulator: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let options = SimulatorOptions {
        orgs: arguments.orgs,
        my_domain: arguments.my_domain,
        sandbox: arguments.sandbox,
        http_port: arguments.http_port,
        control_port: arguments.control_port,
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await?;
    if let Some(path) = &arguments.ca_out {
        std::fs::write(path, simulator.ca_pem())?;
    }
    let ready = json!({
        "http_url": simulator.http_url(),
        "proxy_url": simulator.proxy_url(),
        "control_url": simulator.control_url(),
        "ca_file": arguments.ca_out,
    });
    eprintln!("{ready}");
    if let Some(path) = &arguments.ready_file {
        publish(path, &ready.to_string())?;
    }
    stopped().await?;
    simulator.stop();
    Ok(())
}

/// Writes a file that appears whole or not at all.
fn publish(path: &Path, text: &str) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text)?;
    std::fs::rename(partial, path)
}

/// Waits for Ctrl-C or the termination signal.
async fn stopped() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
