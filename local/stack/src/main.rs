//! `stack`: everything on one machine, from the command line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};
use rustix::process::{Pid, Signal, kill_process};
use stack::{
    Caller, Data, DemoOptions, DirectoryFiles, Finished, Home, Issuer, On, OwnData, Stack,
    StackOptions, StackRecord, differences, run_demo, say,
};
use tokio::signal::unix::{SignalKind, signal};

/// The pause between two forced ticks, so that nobody waits for the minute.
const TICK: Duration = Duration::from_secs(2);

/// Runs all of crm-sync on this machine.
#[derive(Debug, Parser)]
struct Arguments {
    /// The repository.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// The folder of the built binaries.
    #[arg(long, default_value = "target/debug")]
    binaries: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Brings everything up, prints the addresses and waits for ctrl-c.
    Up {
        /// The org to load into the simulated Salesforce: a folder of CSV exports.
        #[arg(long)]
        org: Option<PathBuf>,
        /// The port of the API; 0 takes a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Prints a token for the API of the running stack.
    Token {
        /// The caller's roles: admin, seat, reporting, vendor-rep, service, operator.
        #[arg(long, value_delimiter = ',', required = true)]
        roles: Vec<String>,
        /// The caller's tenant.
        #[arg(long)]
        tenant: Option<String>,
        /// The caller's seat.
        #[arg(long)]
        seat: Option<String>,
    },
    /// Runs the main job, end to end, and reports what was found.
    Demo {
        /// Where the product runs: in one process on embedded stores, or as functions on the AWS
        /// emulator.
        #[arg(long, value_enum, default_value_t = On::Embedded)]
        on: On,
        /// End with the report; 0 when all is right.
        #[arg(long)]
        exit: bool,
        /// Take the demo's full org, not the slice of it that holds every case.
        #[arg(long, conflicts_with = "org")]
        full: bool,
        /// An org of your own: a folder of CSV exports.
        #[arg(long, requires_all = ["people", "companies"])]
        org: Option<PathBuf>,
        /// The directory's people, JSON lines, plain or gzipped.
        #[arg(long, requires = "org")]
        people: Option<PathBuf>,
        /// The directory's companies, JSON lines, plain or gzipped.
        #[arg(long, requires = "org")]
        companies: Option<PathBuf>,
    },
    /// Measures one process on an org of one's own: times, memory, how fast the API answers.
    Measure {
        /// A folder of CSV exports.
        #[arg(long)]
        org: PathBuf,
        /// The directory's people, JSON lines, plain or gzipped. Without a directory the import
        /// alone is measured.
        #[arg(long, requires = "companies")]
        people: Option<PathBuf>,
        /// The directory's companies, JSON lines, plain or gzipped.
        #[arg(long, requires = "people")]
        companies: Option<PathBuf>,
    },
    /// Compares two demos' reports, line by line; ids and times are set aside.
    Compare {
        /// A report.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// Invokes a function of the running stack with an event of `events/`, named
    /// FUNCTION.WHAT.json.
    Invoke {
        /// The event's file.
        event: PathBuf,
    },
    /// Ends the running stack.
    Down,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // Nobody reads a closed standard error.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let root = arguments.root.canonicalize().context("find the repository (--root)")?;
    let mut options = StackOptions::new(&root);
    options.binaries = root.join(&arguments.binaries);
    match arguments.command {
        Command::Up { org, port } => {
            options.org = org;
            options.port = port;
            up(options).await?;
        }
        Command::Token { roles, tenant, seat } => {
            let record = StackRecord::read(&options.state)?;
            let issuer = Issuer::open(&record.issuer, &record.issuer_key_file)?;
            let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
            let caller = Caller { roles: &roles, tenant: tenant.as_deref(), seat: seat.as_deref() };
            say(&issuer.token(caller, Duration::from_hours(1))?);
        }
        Command::Demo { on, exit, full, org, people, companies } => {
            let data = match (org, people, companies) {
                (Some(org), Some(people), Some(companies)) => {
                    let directory = Some(DirectoryFiles { people, companies });
                    Data::Own(OwnData { org, directory })
                }
                _ if full => Data::Full,
                _ => Data::Small,
            };
            options.state = root.join(".local").join(format!("demo-{}", on.name()));
            return demo(DemoOptions { on, stack: options, data }, exit).await;
        }
        Command::Measure { org, people, companies } => {
            options.state = root.join(".local/measure");
            let files = people.zip(companies);
            let directory = files.map(|(people, companies)| DirectoryFiles { people, companies });
            stack::measure(options, OwnData { org, directory }).await?;
        }
        Command::Compare { one, other } => compare(&one, &other)?,
        Command::Invoke { event } => invoke(&options, &event).await?,
        Command::Down => down(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(options: StackOptions) -> anyhow::Result<()> {
    let mut ended = Ended::watch()?;
    let state = options.state.clone();
    let stack = tokio::select! {
        stack = Stack::start(options) => stack?,
        () = ended.wait() => return Ok(()),
    };
    say(&addresses(&StackRecord::read(&state)?));
    let _ticker = stack.ticker(TICK)?;
    ended.wait().await;
    Ok(())
}

async fn demo(options: DemoOptions, exit: bool) -> anyhow::Result<ExitCode> {
    let mut ended = Ended::watch()?;
    let state = options.stack.state.clone();
    let finished = tokio::select! {
        finished = run_demo(options) => finished?,
        () = ended.wait() => return Ok(ExitCode::FAILURE),
    };
    let report = finished.report.to_string();
    say(&report);
    // Beside the demo's folder, which is emptied when one starts.
    let file = state.with_extension("report");
    std::fs::write(&file, &report).with_context(|| format!("write {}", file.display()))?;
    say(&format!("this report      {}", file.display()));
    if !exit {
        say(&places(&finished, &state).await?);
        let _ticker = finished.home.ticker(TICK)?;
        ended.wait().await;
    }
    Ok(if finished.report.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What can be looked at once a demo is done.
async fn places(finished: &Finished, state: &Path) -> anyhow::Result<String> {
    let api = finished.home.api_base();
    let connect = finished.connect_page.address();
    let mut lines = vec![
        format!("API reference    {api}/openapi.yaml"),
        format!("connect again    {connect}  (in a browser, as the customer's admin)"),
    ];
    lines.push(match &finished.home {
        Home::Emulator(_) => addresses(&StackRecord::read(state)?),
        Home::Embedded(embedded) => [
            format!("the console      {}", embedded.console_link(&finished.tenant).await?),
            format!("another link     {}", embedded.console_command(&finished.tenant)),
            format!("API              {api}"),
            format!("Salesforce       {}", embedded.simulator().http_url()),
            format!("its records      {}/simulator", embedded.simulator().control_url()),
            format!("metrics          {api}/metrics"),
            format!("its stores       {}", embedded.data().display()),
            format!("a token          {}", embedded.token_command()),
            "ctrl-c ends it".to_owned(),
        ]
        .join("\n"),
    });
    Ok(lines.join("\n"))
}

fn compare(one: &Path, other: &Path) -> anyhow::Result<()> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
    };
    let (left, right) = (read(one)?, read(other)?);
    let found = differences(&left, &right);
    for line in &found {
        say(line);
    }
    ensure!(found.is_empty(), "{} and {} differ", one.display(), other.display());
    say(&format!("{} lines, the same in both reports", left.trim().lines().count()));
    Ok(())
}

async fn invoke(options: &StackOptions, event: &Path) -> anyhow::Result<()> {
    let name = event.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (function, _) =
        name.split_once('.').context("the event's file is to be named FUNCTION.WHAT.json")?;
    let text =
        std::fs::read_to_string(event).with_context(|| format!("read {}", event.display()))?;
    let aws = StackRecord::read(&options.state)?.aws()?;
    let answer = aws
        .invoke(&format!("{}-{function}", StackOptions::NAME), &serde_json::from_str(&text)?)
        .await?;
    say(&format!("{answer:#}"));
    Ok(())
}

fn addresses(record: &StackRecord) -> String {
    let mut lines = vec![format!("API              {}", record.api_base)];
    if let Some(url) = &record.salesforce_url {
        lines.push(format!("Salesforce       {url}"));
    }
    if let Some(url) = &record.control_url {
        lines.push(format!("its records      {url}/simulator"));
        lines.push(format!("its control API  {url}"));
    }
    lines.push(format!("AWS              {}", record.aws_endpoint));
    let stack = std::env::current_exe().unwrap_or_else(|_| "stack".into());
    lines.push(format!("a token          {} token --roles service", stack.display()));
    lines.push("ctrl-c ends it".to_owned());
    lines.join("\n")
}

fn down(options: &StackOptions) -> anyhow::Result<()> {
    let record = StackRecord::running(&options.state).context("no stack is running")?;
    let pid = i32::try_from(record.process_id).ok().and_then(Pid::from_raw);
    kill_process(pid.context("stack.json names no process")?, Signal::TERM)?;
    say("the stack ends");
    Ok(())
}

/// The signals that end a stack.
struct Ended {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Ended {
    fn watch() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}
