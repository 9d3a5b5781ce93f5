//! The main job, end to end: connect, import, match, badges, auto-save, write back, import again, a
//! new directory version, disconnect and purge, with a report of what was found.

mod api;
mod badges;
mod browser;
mod changes;
mod compare;
mod connect_page;
mod control;
mod farewell;
mod lists;
mod looks;
mod measure;
mod onboarding;
mod org;
mod pages;
mod past;
mod progress;
mod quality;
mod report;
mod runs;
mod sellers;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::Value;

use self::api::Api;
use self::control::Control;
use self::org::Org;
use self::past::ByHand;
use self::progress::{Progress, Step};
use crate::home::{Home, On};
use crate::issuer::Caller;
use crate::options::StackOptions;
use crate::watch::{PATIENCE, Watch};

pub use self::compare::differences;
pub use self::connect_page::ConnectPage;
pub use self::measure::measure;
pub use self::progress::say;
pub use self::quality::Quality;
pub use self::report::Report;

/// The environment that the demo connects.
const ENVIRONMENT: &str = "production";
/// The pause between two looks at something that is under way.
const PAUSE: Duration = Duration::from_millis(150);
/// The pause between two forced ticks, so that nobody waits for the minute.
const TICK: Duration = Duration::from_secs(1);

/// The input of a demo.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Where the product runs.
    pub on: On,
    /// The stack to start; its org is set by the demo.
    pub stack: StackOptions,
    /// The data that it runs on.
    pub data: Data,
}

/// The org and the directory of a demo.
#[derive(Debug, Clone)]
pub enum Data {
    /// A slice of the demo's own that holds every case and takes about a minute.
    Small,
    /// The demo's own, generated in full: 15,000 accounts, contacts and leads.
    Full,
    /// The caller's own.
    Own(OwnData),
}

/// Data of the caller's own.
#[derive(Debug, Clone)]
pub struct OwnData {
    /// A folder of Salesforce CSV exports.
    pub org: PathBuf,
    /// The directory; without it nothing is matched.
    pub directory: Option<DirectoryFiles>,
}

/// A directory's two files, JSON lines, plain or gzipped.
#[derive(Debug, Clone)]
pub struct DirectoryFiles {
    /// Its people.
    pub people: PathBuf,
    /// Its companies.
    pub companies: PathBuf,
}

/// A finished demo, its home still running.
#[derive(Debug)]
pub struct Finished {
    /// Where the product runs.
    pub home: Home,
    /// The findings.
    pub report: Report,
    /// Where a person can connect the demo's tenant again, in a browser.
    pub connect_page: ConnectPage,
    /// The demo's tenant.
    pub tenant: String,
}

/// The result of one look at something under way.
enum Look<T> {
    /// The wait is over.
    Done(T),
    /// The wait goes on; the text says how far the matter is, and changes when it moves.
    At(String),
}

/// Everything that the steps share.
struct Demo {
    home: Home,
    org: Org,
    service: Api,
    control: Control,
    progress: Progress,
    report: Report,
    tenant: String,
    /// The first directory version.
    directory: String,
    seats: Vec<Seat>,
    /// What somebody logged in Salesforce itself.
    by_hand: Option<ByHand>,
}

/// A seat that was made.
#[derive(Debug, Clone)]
struct Seat {
    id: String,
    email: String,
    /// The Username of the CRM user whose e-mail it has.
    username: Option<String>,
}

/// Runs the whole job.
///
/// # Errors
/// When a step cannot be done at all. A step that was done with a wrong result is in the report.
pub async fn run(options: DemoOptions) -> anyhow::Result<Finished> {
    let progress = Progress::new();
    let org = read_org(&options, &progress)?;
    let step = progress.step("start");
    step.at(match options.on {
        On::Embedded => "simulator, crm-sync serve",
        On::Emulator => "simulator, emulator, template",
    });
    let stack = StackOptions { org: Some(org.folder.clone()), ..options.stack };
    let home = Home::start(options.on, stack).await?;
    step.done(&format!("{}, API at {}", options.on.name(), home.api_base()));
    let _ticker = home.ticker(TICK)?;
    let mut demo = Demo::of(home, org, progress).await?;
    if let Err(error) = demo.all_steps().await {
        say(&demo.report.to_string());
        return Err(error);
    }
    let path = format!("{}/authorize", demo.connection());
    let connect_page = ConnectPage::serve(demo.service, path).await?;
    let Demo { home, report, tenant, .. } = demo;
    Ok(Finished { home, report, connect_page, tenant })
}

fn read_org(options: &DemoOptions, progress: &Progress) -> anyhow::Result<Org> {
    let step = progress.step("org");
    let (root, binaries) = (&options.stack.root, &options.stack.binaries);
    let generate = |small| {
        // Beside the stack's own folder, which is emptied when it starts.
        let folder = options.stack.state.with_extension("org");
        Org::generate(root, &binaries.join("org-generator"), &folder, small)
    };
    let org = match &options.data {
        Data::Small => generate(true)?,
        Data::Full => generate(false)?,
        Data::Own(own) => Org::read(&own.org, own.directory.clone())?,
    };
    let rows: u64 = org.rows.values().sum();
    step.done(&format!("{rows} rows of {} objects in {}", org.rows.len(), org.folder.display()));
    Ok(org)
}

impl Demo {
    /// A demo in a home that runs, before its first step.
    async fn of(home: Home, org: Org, progress: Progress) -> anyhow::Result<Self> {
        let control = Control::new(home.simulator()?).await?;
        let token = home.token(Caller { roles: &["service"], ..Caller::default() }).await?;
        let service = Api::new(home.api_base(), token)?;
        Ok(Self {
            home,
            org,
            service,
            control,
            progress,
            report: Report::default(),
            tenant: String::new(),
            directory: String::new(),
            seats: Vec::new(),
            by_hand: None,
        })
    }

    async fn all_steps(&mut self) -> anyhow::Result<()> {
        self.create_tenant().await?;
        self.publish_directory().await?;
        self.connect().await?;
        self.first_import().await?;
        self.matches().await?;
        self.badges().await?;
        self.saved().await?;
        self.write_back().await?;
        self.looks().await?;
        self.second_import().await?;
        self.log_past().await?;
        self.second_directory().await?;
        self.changes().await?;
        self.pages().await?;
        self.disconnect().await
    }

    /// The path of the tenant's connection.
    fn connection(&self) -> String {
        format!("/v1/tenants/{}/connections/{ENVIRONMENT}", self.tenant)
    }

    /// Looks again and again until a look is done. Gives up when a message has failed for good, or
    /// when nothing has moved for [`PATIENCE`]: neither what the looks see nor a queue's count.
    async fn until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> anyhow::Result<Look<T>>,
    ) -> anyhow::Result<T> {
        let mut watch = Watch::new(Instant::now());
        loop {
            let at = match look().await? {
                Look::Done(found) => return Ok(found),
                Look::At(at) => at,
            };
            if let Some((queue, messages)) = self.home.parked_messages().await?.first() {
                bail!(
                    "{messages} message(s) of the queue {queue} failed five times; {} says why",
                    self.home.log()
                );
            }
            let sight = format!("{at}; {}", queues(&self.home.messages_under_way().await?));
            if watch.stands_still(&sight, Instant::now()) {
                let minutes = PATIENCE.as_secs() / 60;
                bail!("{what}: nothing has moved for {minutes} minutes; it stands at {sight}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until no queue has a message, in two looks in a row.
    async fn until_quiet(&self, step: &Step) -> anyhow::Result<()> {
        let mut quiet = 0;
        self.until("the queues", async || {
            let under_way = self.home.messages_under_way().await?;
            let messages: u64 = under_way.iter().map(|(_, depth)| depth).sum();
            step.at(format!("{messages} messages under way"));
            quiet = if messages == 0 { quiet + 1 } else { 0 };
            Ok(if quiet == 2 { Look::Done(()) } else { Look::At(format!("{messages} messages")) })
        })
        .await
    }
}

/// The queues that have messages, with how many.
fn queues(under_way: &[(String, u64)]) -> String {
    let busy = under_way.iter().filter(|(_, depth)| *depth > 0);
    let busy: Vec<String> = busy.map(|(queue, depth)| format!("{queue} {depth}")).collect();
    if busy.is_empty() {
        "no queue has a message".to_owned()
    } else {
        format!("messages: {}", busy.join(", "))
    }
}

/// A text of a reply that must have it.
fn text(reply: &Value, name: &str) -> anyhow::Result<String> {
    match reply[name].as_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("the API's reply has no {name}: {reply}"),
    }
}

/// A number of a reply; 0 when it has none.
fn number(reply: &Value, name: &str) -> u64 {
    reply[name].as_u64().unwrap_or(0)
}
