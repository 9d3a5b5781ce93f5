//! How long one process needs for an org, how much memory, and how fast its API answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use super::badges::AT_ONCE;
use super::org::Org;
use super::progress::Progress;
use super::{Demo, Look, OwnData, number, say, text};
use crate::embedded::Embedded;
use crate::home::{Home, On};
use crate::options::StackOptions;
use crate::resources::{self, Peaks};

/// Matches that are read one after another.
const READS: usize = 2_000;
/// Badges of a hundred people that are asked for one after another.
const BADGE_CALLS: usize = 500;
/// How often each page of the console is read.
const PAGES_READ: usize = 30;
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
        demo.badge_latency().await?;
        say_spread("a page of the console             ", demo.page_times(PAGES_READ).await?)?;
        demo.set_of_people().await?;
        demo.tried_out().await?;
        peaks.say("the dry run")?;
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
        say_spread("a match with its candidates       ", took)
    }

    /// Asks for the badges of a hundred people at a time, of some thousands who are matched.
    async fn badge_latency(&self) -> anyhow::Result<()> {
        let matches = format!("{}/matches?object=Contact", self.connection());
        let (mut people, mut cursor) = (Vec::new(), String::new());
        while people.len() < AT_ONCE * 50 {
            let page = self.service.get(&format!("{matches}{cursor}")).await?;
            let items = page["items"].as_array().into_iter().flatten();
            people.extend(items.filter_map(|item| item["entity_id"].as_str().map(str::to_owned)));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let groups: Vec<&[String]> = people.chunks_exact(AT_ONCE).collect();
        ensure!(!groups.is_empty(), "fewer than a hundred people are matched");
        let mut took = Vec::with_capacity(BADGE_CALLS);
        for group in groups.iter().cycle().take(BADGE_CALLS) {
            let began = Instant::now();
            self.badges_of("person", group).await?;
            took.push(began.elapsed());
        }
        say_spread("badges of 100 people              ", took)
    }

    /// The set of everybody in the CRM, as a search engine takes it.
    async fn set_of_people(&self) -> anyhow::Result<()> {
        let exports = format!("{}/exports", self.connection());
        let began = Instant::now();
        let order = json!({ "kind": "in_crm_people", "format": "roaring" });
        let asked = self.service.post(&exports, &order).await?;
        let path = format!("{exports}/{}", text(&asked, "export_id")?);
        let made = self.until("the set", async || {
            let job = self.service.get(&path).await?;
            let percent = number(&job, "percent");
            let is_ready = job["state"] == "ready";
            Ok(if is_ready { Look::Done(job) } else { Look::At(format!("{percent} %")) })
        });
        let made = made.await?;
        let files = made["files"].as_array().into_iter().flatten();
        say(&format!(
            "the set of people in the CRM       {:8.1} s: {} people in {} bytes",
            seconds(began),
            number(&made, "rows"),
            files.map(|file| number(file, "bytes")).sum::<u64>(),
        ));
        Ok(())
    }

    /// What every rule of auto-save would save for all seats: counted, and not saved.
    async fn tried_out(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        let told = self.every_rule_tried().await?;
        let entries = ["accounts", "leads", "had"].map(|name| number(&told, name));
        say(&format!(
            "a dry run of all rules             {:8.1} s: {} entries for {} seats",
            seconds(began),
            entries.iter().sum::<u64>(),
            number(&told, "seats"),
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

/// Prints how long some calls took.
fn say_spread(what: &str, mut took: Vec<Duration>) -> anyhow::Result<()> {
    took.sort();
    let at = |share: usize| -> anyhow::Result<f64> {
        let place = (took.len() * share / 1000).min(took.len().saturating_sub(1));
        Ok(took.get(place).context("nothing was read")?.as_secs_f64() * 1e3)
    };
    let (half, most_of, most) = (at(500)?, at(990)?, at(1000)?);
    let calls = took.len();
    say(&format!("{what} p50 {half:.2} ms, p99 {most_of:.2} ms, most {most:.2} ms, {calls} reads"));
    Ok(())
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
