//! The whole product in one process: the real use cases over ports in memory or over those of one
//! machine, against the real simulator, with a fuse that kills the "function" at any call.

mod delivery;
mod documents;
mod logins;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use salesforce_simulator::{Control, Simulator, SimulatorOptions};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::capabilities::activities::Activities;
use shared::capabilities::asking::Asking;
use shared::capabilities::audit::AuditLog;
use shared::capabilities::break_glass::BreakGlass;
use shared::capabilities::changing::Changes;
use shared::capabilities::connecting::{Connect, Wizards};
use shared::capabilities::custody::{Custody, SalesforceApp};
use shared::capabilities::directory::{self, Directory, DirectoryFile, HeldFile, ShardFiles};
use shared::capabilities::exporting::Exports;
use shared::capabilities::importing::{Import, Selections};
use shared::capabilities::leaving::{Disconnect, Offboarding};
use shared::capabilities::linking::{Corrections, Models};
use shared::capabilities::moving::Moving;
use shared::capabilities::seats;
use shared::capabilities::seats::{CrmUsers, Role, Seat, Tenant, Tenants};
use shared::capabilities::settings::{ChangeSettings, SeatLogging, SettingsPatch};
use shared::kernel::{
    Author, Connection, Environment, Message, Queue, SeatId, TenantEnvironment, TenantId,
};
use shared::matching::EntityKind;
use shared::ports::{Condition, Ports};
use shared::product::{self, Orgs, Product};
use shared::salesforce::{ApiVersion, Http, HttpOptions};
use shared::store::keys::GenerationKeys;
use shared::store::{self, Outbox, keys};
use shared::testing::{Fuse, Memory};
use shared::work::{Done, WorkError};
use url::Url;

pub use self::delivery::Delivery;
pub use self::logins::Callback;
use crate::function_role::{APP_SECRET, FunctionRole};
use crate::home::{Home, Machine};
use crate::meter;

/// Our app's consumer key at the simulator.
const CLIENT_ID: &str = "crm-sync-local";

/// How the names of connections' secrets begin.
const SECRETS: &str = "crm-sync/";

/// The time that the purge of a world waits for.
const GRACE: Duration = Duration::from_mins(1);

/// Shard files straight from the object store.
struct Files(Ports);

#[async_trait]
impl ShardFiles for Files {
    async fn file(&self, key: &str) -> Result<HeldFile, WorkError> {
        let bytes: Option<Bytes> = self.0.objects.get(key).await?;
        match bytes {
            Some(bytes) => {
                let fetched = bytes.len() as u64;
                Ok(HeldFile { file: Arc::new(DirectoryFile::new(bytes)), fetched })
            }
            None => Err(WorkError::reject("read a shard", "no such object")),
        }
    }

    async fn forget(&self, _: &str) {}
}

/// All functions over one set of ports, each held to its role.
pub struct Functions {
    /// The API's outbox.
    pub outbox: Outbox,
    /// What the tick sends, which `bulk-import` does.
    pub due: Outbox,
    /// What opens generations for the API.
    pub custody: Custody,
    /// The audit logs that the API shows.
    pub audit_log: AuditLog,
    /// The looks that the API gives operators.
    pub break_glass: BreakGlass,
    /// The authorizations that the API begins.
    pub begin: Connect,
    /// `oauth-callback`.
    pub connect: Connect,
    /// The API's activities.
    pub activities: Activities,
    /// The API's changes.
    pub changes: Changes,
    /// `ask`.
    pub asking: Asking,
    /// `directory-index`, and what the API begins.
    pub directory: Directory,
    /// What the API begins of `data-purge`.
    pub disconnect: Disconnect,
    /// The end of grants, seats and tenants that the API decides.
    pub offboarding: Offboarding,
    /// The tenants and seats that the API makes.
    pub tenants: Tenants,
    /// The choices that the API gives an admin about an org.
    pub selections: Selections,
    /// The API's corrections.
    pub corrections: Corrections,
    /// The exports that the API begins and shows.
    pub exports: Exports,
    /// The set-up wizard.
    pub wizards: Wizards,
    /// The CRM users that the API joins to seats.
    pub crm_users: CrmUsers,
    /// The settings that the API changes.
    pub settings: ChangeSettings,
    /// What the API says and changes of the logging of seats.
    pub seat_logging: SeatLogging,
    /// The models that the API begins and takes, and their making.
    pub models: Models,
    /// The moves of tenants that the API does.
    pub moving: Moving,
    runs: Import,
    queues: HashMap<Queue, (product::Functions, Outbox)>,
}

impl Functions {
    fn new(ports: &Ports, files: &Arc<dyn ShardFiles>, http: &Http, rows: Option<u32>) -> Self {
        let product = |role| product(role, ports, http);
        let callback = product(FunctionRole::of("oauth-callback"));
        let api = product(FunctionRole::of("api"));
        let queues = Queue::ALL.map(|queue| {
            let product = product(FunctionRole::of_queue(queue));
            let outbox = product.outbox();
            let functions = product.functions(files.clone(), "Sales Navigator".to_owned());
            let functions = functions.expect("the shipped model").with_purge_grace(GRACE);
            let functions = match rows {
                Some(rows) => functions.with_page_rows(rows),
                None => functions,
            };
            (queue, (functions, outbox))
        });
        Self {
            outbox: api.outbox(),
            due: product(FunctionRole::of("bulk-import")).outbox(),
            custody: api.custody(),
            audit_log: api.audit_log(),
            break_glass: api.break_glass(),
            begin: api.connect(),
            connect: callback.connect(),
            activities: api.activities(),
            changes: api.changes(),
            asking: product(FunctionRole::of("ask")).asking(),
            directory: api.directory(),
            disconnect: api.disconnect(),
            offboarding: api.offboarding(),
            tenants: api.tenants(),
            selections: api.selections(),
            corrections: api.corrections(),
            exports: api.exports(),
            crm_users: api.crm_users(),
            wizards: api.wizards(),
            settings: api.settings(),
            seat_logging: api.seat_logging(),
            models: api.models().expect("the shipped model"),
            moving: api.moving().expect("the shipped model"),
            runs: api.import(),
            queues: queues.into(),
        }
    }

    /// What the API does to import runs.
    #[must_use]
    pub fn import(&self) -> &Import {
        &self.runs
    }

    /// Does one message's work, as the function of its queue would.
    pub async fn handle(&self, message: impl Into<Message>) -> Result<Done, WorkError> {
        let message = message.into();
        let queue = message.queue();
        let begun = std::time::Instant::now();
        let done = self.queues[&queue].0.handle(message).await;
        let worked = usize::try_from(begun.elapsed().as_micros()).unwrap_or(usize::MAX);
        meter::add(FunctionRole::of_queue(queue).function(), "message", 1, worked);
        done
    }

    /// The outbox behind a queue's edge.
    #[must_use]
    pub fn outbox_of(&self, queue: Queue) -> &Outbox {
        &self.queues[&queue].1
    }
}

/// The product as the function of a role has it.
fn product(role: FunctionRole, ports: &Ports, http: &Http) -> Product<Orgs> {
    let ports = role.hold(ports);
    let base: Url = "http://127.0.0.1:8080".parse().expect("a URL");
    let version = ApiVersion::default();
    let app =
        SalesforceApp::new(ports.clone(), http.clone(), version, APP_SECRET.into(), base, None);
    let app = if role.reads_app() { app } else { app.knowing_only(CLIENT_ID.to_owned()) };
    Product::new(ports).opening(SECRETS.to_owned()).reaching(app)
}

/// The settings by which one world differs from another.
#[derive(Debug, Clone, Copy)]
pub struct WorldOptions {
    /// Makes its ids and tokens differ from those of other worlds.
    pub seed: u64,
    /// Rows on a result page of an import; none for as many as in production.
    pub page_rows: Option<u32>,
    /// Where its data lies.
    pub home: Home,
    /// Which of the tenant's environments it connects.
    pub environment: Environment,
    /// What its admin said of auto-save before anything was imported, if anything.
    pub auto_save: Option<bool>,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            seed: 7,
            page_rows: None,
            home: Home::default(),
            environment: Environment::Production,
            auto_save: Some(true),
        }
    }
}

/// The ports of a world: the one place that decides them.
fn ports_of(memory: &Memory, machine: Option<&Machine>) -> Ports {
    let ports = memory.ports();
    match machine {
        Some(machine) => machine.take_over(ports),
        None => ports,
    }
}

/// One process with everything in it.
pub struct World {
    /// The simulator, which two homes of one tenant share.
    pub simulator: Arc<Simulator>,
    /// The org's My Domain.
    pub org: String,
    /// The queues, the events and the clock; at home in memory the data too. See
    /// [`ports`](Self::ports) for those that the functions have.
    pub memory: Memory,
    machine: Option<Machine>,
    /// Kills the functions.
    pub fuse: Fuse,
    /// The functions.
    pub functions: Box<Functions>,
    /// The tenant.
    pub tenant: TenantId,
    /// Which of the tenant's environments is connected.
    pub environment: Environment,
    /// How messages are delivered.
    pub delivery: Delivery,
    /// The messages whose work fails, as a mistake in the code would have it.
    pub defect: fn(&Message) -> bool,
}

impl World {
    /// A world around the org in `folder`.
    pub async fn new(folder: &Path) -> Self {
        Self::with(folder, WorldOptions::default()).await
    }

    /// A world around the org in `folder`, of one's own making.
    pub async fn with(folder: &Path, own: WorldOptions) -> Self {
        let options = SimulatorOptions { orgs: vec![folder.to_owned()], ..Default::default() };
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        let org = simulator.control().orgs().pop().expect("an org");
        let settings = json!({ "bulk_latency_ms": 0 });
        simulator.control().set(&org, &settings).expect("a known setting");
        Self::around(Arc::new(simulator), own).await
    }

    /// A world around the org of a simulator that runs: another home of the product.
    pub async fn around(simulator: Arc<Simulator>, own: WorldOptions) -> Self {
        let org = simulator.control().orgs().pop().expect("an org");
        let now: Timestamp = "2026-11-21T09:00:00Z".parse().expect("a time");
        let memory = Memory::new(now, own.seed);
        let fuse = Fuse::default();
        let machine = (own.home == Home::OneMachine).then(|| Machine::new(&memory.ports()));
        let ports = fuse.guard(&ports_of(&memory, machine.as_ref()));
        let files = machine.as_ref().map_or_else(
            || Arc::new(Files(ports.clone())) as Arc<dyn ShardFiles>,
            Machine::shard_files,
        );
        let address = simulator.http_url().trim_start_matches("http://");
        let address = address.trim_end_matches('/').parse().expect("an address");
        let http = Http::to_loopback(HttpOptions::default(), address).expect("a client");
        let functions = Box::new(Functions::new(&ports, &files, &http, own.page_rows));
        let tenant = TenantId::derived("acme");
        let (environment, delivery) = (own.environment, Delivery::Plain);
        let world = Self {
            simulator,
            org,
            memory,
            machine,
            fuse,
            functions,
            tenant,
            environment,
            delivery,
            defect: |_| false,
        };
        world.provision().await;
        if let Some(auto_save) = own.auto_save {
            world.set(&json!({ "auto_save": auto_save })).await;
        }
        world
    }

    async fn provision(&self) {
        let ports = self.ports();
        let app = json!({ "client_id": CLIENT_ID, "client_secret": "crm-sync-local-secret" });
        let app = SecretString::from(app.to_string());
        ports.secrets.put(APP_SECRET, &app, "1").await.expect("a secret");
        self.contract(self.tenant, "Acme").await;
    }

    /// Changes settings as an admin does.
    ///
    /// # Panics
    /// When they are refused.
    pub async fn set(&self, patch: &Value) {
        let patch = SettingsPatch(patch.as_object().expect("a patch").clone());
        let by = Author::Admin { subject: None };
        let changed = self.functions.settings.patch(self.at(), &patch, None, &by).await;
        changed.expect("settings that can be");
    }

    async fn put<T: serde::Serialize>(&self, key: store::Slot<T>, document: &T) {
        let write = store::put(key, document, Condition::Always).expect("an item");
        assert!(self.ports().table.write(write).await.expect("a write").is_done());
    }

    /// The ports, as they are behind the fuse: what is done with these is not the functions'.
    #[must_use]
    pub fn ports(&self) -> Ports {
        ports_of(&self.memory, self.machine.as_ref())
    }

    /// The keys of all items, partition and sort key.
    pub async fn item_keys(&self) -> Vec<String> {
        if let Some(machine) = &self.machine {
            return machine.item_keys().await;
        }
        let keys = self.memory.items().into_iter().map(|item| item.key);
        keys.map(|key| format!("{} {}", key.pk(), key.sk())).collect()
    }

    /// How many items there are, and the bytes of the file that holds them.
    ///
    /// # Panics
    /// In memory, where there is no file.
    pub async fn stored(&self) -> (u64, u64) {
        self.machine.as_ref().expect("a world on one machine").stored().await
    }

    /// The keys of all objects.
    pub async fn object_keys(&self) -> Vec<String> {
        match &self.machine {
            Some(machine) => machine.object_keys().await,
            None => self.memory.object_keys(),
        }
    }

    /// The names of all secrets.
    pub async fn secret_names(&self) -> Vec<String> {
        match &self.machine {
            Some(machine) => machine.secret_names().await,
            None => self.memory.secret_names(),
        }
    }

    /// Adds a seat.
    pub async fn seat(&self, email: &str) -> SeatId {
        let id = SeatId::derived(email);
        let seat = Seat {
            id,
            tenant: self.tenant,
            email: email.to_owned(),
            aliases: BTreeSet::new(),
            federation_id: None,
            name: "A seller".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            roles: [Role::Seat].into(),
        };
        self.put(seats::keys::seat(self.tenant, id), &seat).await;
        id
    }

    /// The tenant's environment that is connected.
    #[must_use]
    pub fn at(&self) -> TenantEnvironment {
        TenantEnvironment { tenant: self.tenant, environment: self.environment }
    }

    /// Full power over the simulator.
    #[must_use]
    pub fn control(&self) -> Control {
        self.simulator.control()
    }

    /// Makes another tenant, which has connected nothing.
    pub async fn tenant(&self, name: &str) -> TenantId {
        self.contract(TenantId::derived(name), name).await
    }

    async fn contract(&self, id: TenantId, name: &str) -> TenantId {
        let created_at = self.ports().clock.now();
        let tenant = Tenant::new(id, name.to_owned(), created_at);
        self.put(seats::keys::tenant(id), &tenant).await;
        id
    }

    /// Uploads and publishes a directory version of these files (JSON lines).
    pub async fn publish(
        &self,
        base: Option<shared::kernel::DirectoryVersionId>,
        files: &[(EntityKind, PathBuf)],
    ) -> shared::kernel::DirectoryVersionId {
        let kinds: Vec<EntityKind> = files.iter().map(|(kind, _)| *kind).collect();
        let (version, _) = self.functions.directory.begin(base, &kinds).await.expect("a draft");
        let own = version.parts.iter().rev().take(files.len()).rev();
        for (part, (_, file)) in own.zip(files) {
            let bytes = std::fs::read(file).expect("a file");
            self.ports().objects.put(&part.key, bytes.into()).await.expect("an upload");
        }
        self.functions.directory.publish(version.id).await.expect("a version");
        version.id
    }

    /// Publishes the folder's delta upon the current version.
    pub async fn publish_current(&self, folder: &Path) -> shared::kernel::DirectoryVersionId {
        let ports = self.ports();
        let current = ports.table.get(&directory::keys::directory_current()).await.expect("a read");
        let current = current.expect("a published version").doc["version"].clone();
        let base = serde_json::from_value(current).expect("an id");
        // Versions are ordered by the time of their making.
        self.memory.clock.advance(SignedDuration::from_secs(1));
        let files = [
            (EntityKind::Person, folder.join("delta-people.jsonl")),
            (EntityKind::Company, folder.join("delta-companies.jsonl")),
        ];
        self.publish(Some(base), &files).await
    }

    /// The connection.
    pub async fn connection(&self) -> Connection {
        let key = keys::connection(self.at());
        let found = store::get(&*self.ports().table, &key).await.expect("a read");
        found.expect("a connection")
    }

    /// The keys of the current generation.
    pub async fn keys(&self) -> GenerationKeys {
        let connection = self.connection().await;
        GenerationKeys::of(&connection)
    }
}
