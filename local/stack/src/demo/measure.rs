//! How long one process needs for an org, how much memory, and how fast its API answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::org::Org;
use super::progress::Progress;
use super::{Demo, OwnData, say};
use crate::embedded::Embedded;
use crate::home::{Home, On};
use crate::options::StackOptions;
use crate::resources::{self, Peaks};

/// Matches that are read one after another.
const READS: usize = 2_000;
/// How long the idle process is watched.
const IDLE: Duration = Duration::from_mins(1);
/// The pause between two looks at a process's memory.
const LOOK: Duration = Duration::from_millis(500);

/// Publishes the directory, connects the org and waits until everything is matched and saved;
/// then reads matches and watches the process idle. Without a directory it ends with the import.
/// Prints a line a figure.
///
/// # Errors
/// When a step fails, or an import that does not hold what the org has.
pub async fn measure(stack: StackOptions, data: OwnData) -> anyhow::Result<()> {
    let org = Org::read(&data.org, data.directory)?;
    let rows: u64 = org.rows.values().sum();
    let options = StackOptions { org: Some(org.folder.clone()), ..stack };
    let began = Instant::now();
    let home = Home::start(On::Embedded, options).await?;
    say(&format!("start, simulator's load included   {:8.1} s", seconds(began)));
    let peaks = Watched::begin(&home)?;
    let mut demo = Demo::of(home, org, Progress::new()).await?;
    demo.create_tenant().await?;
    if demo.org.directory.is_some() {
        let began = Instant::now();
        demo.publish_directory().await?;
        say(&format!("directory: uploaded to published   {:8.1} s", seconds(began)));
        peaks.say("directory")?;
        demo.first_job(rows, &peaks).await?;
        peaks.say("the job")?;
        demo.latency().await?;
        demo.idle().await?;
    } else {
        demo.import_alone(rows, &peaks).await?;
    }
    ensure!(demo.report.is_right(), "{}", demo.report);
    Ok(())
}

impl Demo {
    /// From the login to the last imported row.
    async fn import_alone(&mut self, rows: u64, peaks: &Watched) -> anyhow::Result<()> {
        let began = Instant::now();
        self.connect().await?;
        self.first_import().await?;
        let imported = seconds(began);
        say(&format!("connect to imported, {rows} rows   {imported:8.1} s"));
        peaks.say("the import")
    }

    /// From the login to the last saved entity.
    async fn first_job(&mut self, rows: u64, peaks: &Watched) -> anyhow::Result<()> {
        let began = Instant::now();
        self.import_alone(rows, peaks).await?;
        let step = self.progress.step("match");
        let runs = self.settled(&step).await?;
        step.done(&format!("{} match runs", runs.len()));
        say(&format!("connect to matched and saved       {:8.1} s", seconds(began)));
        let summary = self.service.get(&format!("{}/matches/summary", self.connection())).await?;
        say(&format!("matches                            {summary}"));
        self.saved().await
    }

    /// Reads the matches of records that lie far apart, each with its candidates.
    async fn latency(&self) -> anyhow::Result<()> {
        let matches = format!("{}/matches", self.connection());
        let records = self.spread().await?;
        let mut took = Vec::with_capacity(records.len());
        for record in &records {
            let began = Instant::now();
            self.service.get(&format!("{matches}/Lead/{record}")).await?;
            took.push(began.elapsed());
        }
        took.sort();
        let at = |share: usize| -> anyhow::Result<f64> {
            let place = (took.len() * share / 1000).min(took.len().saturating_sub(1));
            Ok(took.get(place).context("no match was read")?.as_secs_f64() * 1e3)
        };
        say(&format!(
            "a match with its candidates        p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms, \
             {} reads",
            at(500)?,
            at(990)?,
            at(1000)?,
            took.len()
        ));
        Ok(())
    }

    /// The ids of leads, evenly over the org's file.
    async fn spread(&self) -> anyhow::Result<Vec<String>> {
        let file = self.org.folder.join("Lead.csv");
        let step = usize::try_from(self.org.rows["Lead"])?.div_ceil(READS).max(1);
        tokio::task::spawn_blocking(move || {
            let mut reader = csv::Reader::from_path(file)?;
            let rows = reader.records().step_by(step);
            rows.map(|row| Ok(row?.get(0).context("a lead has no id")?.to_owned())).collect()
        })
        .await?
    }

    /// The share of a core and the memory of the process while nothing happens.
    async fn idle(&self) -> anyhow::Result<()> {
        let process = embedded(&self.home)?.process_id();
        let before = resources::processor_time(process)?;
        tokio::time::sleep(IDLE).await;
        let used = resources::processor_time(process)?.saturating_sub(before);
        let memory = resources::memory(process)?;
        say(&format!(
            "idle                               {:.2} % of a core, {} MB, of which {} MB its own",
            used.as_secs_f64() / IDLE.as_secs_f64() * 100.0,
            memory.resident / 1_000_000,
            memory.anonymous / 1_000_000,
        ));
        Ok(())
    }
}

/// The peaks of the process and of the simulator, looked at until it is dropped.
#[derive(Debug)]
struct Watched {
    processes: [u32; 2],
    peaks: Arc<Mutex<[Peaks; 2]>>,
    looking: tokio::task::JoinHandle<()>,
}

impl Watched {
    fn begin(home: &Home) -> anyhow::Result<Self> {
        let processes = [
            embedded(home)?.process_id(),
            home.simulator()?.process_id().context("nobody says which process the simulator is")?,
        ];
        let peaks = Arc::new(Mutex::new([Peaks::default(); 2]));
        let kept = Arc::clone(&peaks);
        let looking = tokio::spawn(async move {
            loop {
                for (place, process) in processes.into_iter().enumerate() {
                    if let Ok(memory) = resources::memory(process) {
                        kept.lock().unwrap_or_else(PoisonError::into_inner)[place].see(memory);
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Ok(Self { processes, peaks, looking })
    }

    /// Prints the peaks since the line before, and the processor's time since the start.
    fn say(&self, after: &str) -> anyhow::Result<()> {
        let peaks = std::mem::take(&mut *self.peaks.lock().unwrap_or_else(PoisonError::into_inner));
        let named = ["crm-sync", "simulator"].into_iter().zip(self.processes);
        for ((name, process), peak) in named.zip(peaks) {
            say(&format!(
                "  after {after}: {name:<9} peak {} MB resident, {} MB its own; {:.1} s of a core",
                peak.resident / 1_000_000,
                peak.anonymous / 1_000_000,
                resources::processor_time(process)?.as_secs_f64(),
            ));
        }
        Ok(())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

fn embedded(home: &Home) -> anyhow::Result<&Embedded> {
    match home {
        Home::Embedded(embedded) => Ok(embedded),
        Home::Emulator(_) => anyhow::bail!("one process is measured, not the emulator"),
    }
}

fn seconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64()
}
