//! An org that is connected, over the stores of one machine, and its end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use embedded::keys::{MasterKey, SealedSecrets};
use embedded::objects::{FileObjects, ObjectsConfig};
use embedded::table::SqliteTable;
use jiff::{SignedDuration, Timestamp};
use salesforce_simulator::{Simulator, SimulatorOptions};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, json};
use shared::capabilities::audit::Actor;
use shared::capabilities::connecting::Begun;
use shared::capabilities::custody::SalesforceApp;
use shared::capabilities::leaving::{Disconnect, Purge, PurgePhase, PurgeSteps};
use shared::capabilities::seats::{self, Role, Seat, Tenant};
use shared::kernel::{
    Author, Connection, Envelope, Environment, Grantee, Message, Scope, SeatId, TenantEnvironment,
    TenantId,
};
use shared::ports::{Condition, Item, Key, Ports, QueueMessage};
use shared::product::{Orgs, Product};
use shared::salesforce::{ApiVersion, Http, HttpOptions};
use shared::store::keys::{GenerationKeys, Kind, connection as connection_slot};
use shared::store::{self, Outbox, Slot};
use shared::testing::{Fuse, Memory};
use shared::work::{self, Done};
use tempfile::TempDir;
use url::Url;

use crate::counted::Counted;

/// Items that are put at once.
const TOGETHER: u64 = 10_000;

/// Bytes of a sealed record: a narrow row, compressed.
const BODY: usize = 300;

/// How often it is looked whether the keys are destroyed.
const LOOK: Duration = Duration::from_millis(20);

/// Ticks without work after which a purge that does not end is given up.
const MOST_TICKS: u32 = 200;

/// How often invocations die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deaths {
    /// Never, and each has all the time it wants.
    None,
    /// Two of three are killed at a call, each at another one. The third has time for one round.
    Often,
}

/// The way of a purge to its end.
pub(crate) struct Outcome {
    /// Messages that were delivered.
    pub(crate) deliveries: u64,
    /// Invocations that were killed.
    pub(crate) kills: u64,
    /// The time from the disconnect until every key of the generation was destroyed.
    pub(crate) unreadable_after: Duration,
}

/// An org that is connected.
pub(crate) struct World {
    simulator: Simulator,
    org: String,
    memory: Memory,
    fuse: Fuse,
    secrets: SealedSecrets,
    /// The table, which counts its calls.
    pub(crate) table: Counted,
    /// The ports, with the fuse before them.
    ports: Ports,
    product: Product<Orgs>,
    /// What is looked at from outside, neither counted nor killed.
    purges: Disconnect,
    /// The generation.
    pub(crate) scope: Scope,
    folder: TempDir,
}

impl World {
    /// Connects an org, and authorizes so many sellers.
    pub(crate) async fn connected(sellers: u64) -> anyhow::Result<Self> {
        let simulator = Simulator::start(SimulatorOptions::default()).await?;
        let users: Vec<_> = (0..=sellers).map(user).collect();
        let org = json!({ "my_domain": "acme", "records": { "User": users } });
        simulator.control().load_org(org)?;
        let org = simulator.control().orgs().pop().context("an org")?;
        let memory = Memory::new(Timestamp::from_second(1_795_294_800)?, 11);
        let folder = TempDir::new()?;
        let (secrets, stores) = stores(folder.path(), memory.ports())?;
        let table = Counted::new(stores.table.clone());
        let purges = Disconnect::new(stores.clone());
        let fuse = Fuse::default();
        fuse.pause();
        let ports = fuse.guard(&Ports { table: Arc::new(table.clone()), ..stores });
        let product = product(&ports, &simulator)?;
        let at = TenantEnvironment {
            tenant: TenantId::derived("acme"),
            environment: Environment::Production,
        };
        let scope = at.generation(shared::kernel::Generation(1));
        let world = Self {
            simulator,
            org,
            memory,
            fuse,
            secrets,
            table,
            ports,
            product,
            purges,
            scope,
            folder,
        };
        world.provision().await?;
        world.authorize(Grantee::Admin, 0).await?;
        ensure!(world.connection().await?.scope() == scope, "the first generation");
        for n in 1..=sellers {
            let seat = world.seat(n).await?;
            world.authorize(Grantee::Seat(seat), n).await?;
        }
        Ok(world)
    }

    /// The folder of the stores.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A copy of the file of secrets: the process has the file itself for itself.
    pub(crate) async fn copy_of_secrets(&self) -> anyhow::Result<PathBuf> {
        let copy = self.folder().join(format!("secrets-{}.db", self.memory.ports().entropy.bits()));
        self.secrets.back_up(&copy).await?;
        Ok(copy)
    }

    async fn provision(&self) -> anyhow::Result<()> {
        let app =
            json!({ "client_id": "crm-sync-local", "client_secret": "crm-sync-local-secret" });
        self.ports.secrets.put("app", &SecretString::from(app.to_string()), "1").await?;
        let (id, created_at) = (self.scope.tenant, self.ports.clock.now());
        let tenant = Tenant::new(id, "Acme".to_owned(), created_at);
        self.put(seats::keys::tenant(id), &tenant).await
    }

    async fn seat(&self, n: u64) -> anyhow::Result<SeatId> {
        let (tenant, email) = (self.scope.tenant, username(n));
        let id = SeatId::derived(&email);
        let seat = Seat {
            id,
            tenant,
            email,
            aliases: BTreeSet::new(),
            federation_id: None,
            name: format!("Seller {n}"),
            time_zone: "Europe/Berlin".to_owned(),
            roles: [Role::Seat].into(),
        };
        self.put(seats::keys::seat(tenant, id), &seat).await?;
        Ok(id)
    }

    async fn put<T: serde::Serialize>(&self, slot: Slot<T>, document: &T) -> anyhow::Result<()> {
        let write = store::put(slot, document, Condition::Always)?;
        ensure!(self.ports.table.write(write).await?.is_done(), "a write");
        Ok(())
    }

    async fn authorize(&self, grantee: Grantee, n: u64) -> anyhow::Result<()> {
        let connect = self.product.connect();
        let at = self.scope.tenant_environment();
        let Begun { url, cookie } = connect.begin(at, grantee, None, &Author::Service).await?;
        let back = self.simulator.control().approve(url.as_str(), &username(n))?;
        let back: Url = back.parse()?;
        let parameter = |name: &str| {
            let pair = back.query_pairs().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.into_owned())
        };
        let code = parameter("code").map(SecretString::from).context("a code")?;
        let state = parameter("state").context("a state")?;
        let browser = Some(cookie.1.expose_secret());
        connect.finish(at.environment, &state, browser, Ok(code)).await?;
        Ok(())
    }

    async fn connection(&self) -> anyhow::Result<Connection> {
        let slot = connection_slot(self.scope.tenant_environment());
        store::get(&*self.ports.table, &slot).await?.context("a connection")
    }

    /// Puts items and objects into the generation: half of the items are records, the others are
    /// of all other kinds.
    pub(crate) async fn fill(&self, items: u64, objects: u64) -> anyhow::Result<()> {
        let keys = GenerationKeys::of(&self.connection().await?);
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|k| *k != Kind::Grant).collect();
        // Some kinds have one partition, the others one for each bucket.
        let of_kind = |kind: Kind| -> Vec<String> {
            keys.partitions()
                .filter(|(of, _)| *of == kind)
                .map(|(_, partition)| partition)
                .collect()
        };
        let partitions: Vec<Vec<String>> = kinds.iter().map(|kind| of_kind(*kind)).collect();
        let records = of_kind(Kind::Record);
        for begin in (0..items).step_by(usize::try_from(TOGETHER)?) {
            let items = (begin..items.min(begin + TOGETHER)).map(|n| {
                let others = usize::try_from(n / 2).unwrap_or_default() % kinds.len();
                let of = if n % 2 == 0 { &records } else { &partitions[others] };
                let id = format!("{n:018}");
                let doc = Map::from_iter([("id".to_owned(), json!(id))]);
                let bucket = keys.bucket(&id) as usize % of.len();
                let key = Key::stored(of[bucket].clone(), format!("Contact#{id}"));
                Item { key, doc, body: Some(vec![7; BODY]), expires_at: None }
            });
            self.ports.table.put_many(items.collect()).await?;
        }
        for n in 0..objects {
            let key = format!("{}pages/{n}", self.scope.object_prefix());
            self.ports.objects.put(&key, vec![7; BODY].into()).await?;
        }
        Ok(())
    }

    /// Disconnects, and delivers until the purge is complete.
    pub(crate) async fn purge(&self, deaths: Deaths) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        self.product
            .disconnect()
            .disconnect(self.scope.tenant_environment(), &Actor::Service)
            .await?;
        let (outbox, steps) = (self.product.outbox(), self.product.purge_steps());
        let unreadable = tokio::spawn(unreadable(self.purges.clone(), self.scope));
        let (mut deliveries, mut kills, mut ticks) = (0, 0, 0);
        while self.certificate().await?.phase != PurgePhase::Complete {
            let batch = self.memory.receive();
            if batch.is_empty() {
                ticks += 1;
                ensure!(ticks < MOST_TICKS, "the purge does not end");
                let now = self.ports.clock.now();
                let by = self.memory.next_visible().map(|at| at.duration_since(now));
                let tick = SignedDuration::from_mins(2);
                self.memory.clock.advance(by.unwrap_or(tick).max(SignedDuration::ZERO));
                if by.is_none() {
                    outbox.tick().await?;
                }
                continue;
            }
            for message in batch {
                deliveries += 1;
                ticks = 0;
                kills +=
                    u64::from(!self.deliver(&steps, &outbox, message, deaths, deliveries).await?);
            }
        }
        let unreadable_after = unreadable.await??.duration_since(began);
        Ok(Outcome { deliveries, kills, unreadable_after })
    }

    /// Delivers one message. False when its invocation was killed; the message comes again.
    async fn deliver(
        &self,
        steps: &PurgeSteps,
        outbox: &Outbox,
        message: QueueMessage,
        deaths: Deaths,
        n: u64,
    ) -> anyhow::Result<bool> {
        let envelope = Envelope::<Message>::parse(&message.body)?;
        let Message::Purge(work) = envelope.message.clone() else {
            // Behind the fence the others have nothing to do.
            outbox.finish(&envelope).await?;
            return Ok(true);
        };
        let is_short = deaths == Deaths::Often && n.is_multiple_of(3);
        let left = if is_short { 10 } else { 120 };
        if deaths == Deaths::Often && !is_short {
            self.fuse.resume();
            self.fuse.light(n * 7_919 % 199 + 1, n.is_multiple_of(2));
        }
        let until = self.ports.clock.now() + SignedDuration::from_secs(left);
        let done = match work::until(until, steps.handle(work)).await {
            Ok(Done::Finished) => outbox.finish(&envelope).await.is_ok(),
            Ok(Done::Later(delay)) => outbox.put_off(envelope, delay).await.is_ok(),
            Err(error) => {
                ensure!(error.is_retryable(), "{}", work::chain(&error));
                false
            }
        };
        self.fuse.restart();
        self.fuse.pause();
        if !done {
            let again = QueueMessage { delay: Duration::from_secs(30), ..message };
            self.memory.ports().queues.send(vec![again]).await?;
        }
        Ok(done)
    }

    /// The purge as it stands; at its end it is the certificate.
    pub(crate) async fn certificate(&self) -> anyhow::Result<Purge> {
        self.purges.get(self.scope).await?.context("a purge")
    }

    /// How many grants Salesforce still honours.
    pub(crate) fn live_grants(&self) -> anyhow::Result<usize> {
        let grants = self.simulator.control().grants(&self.org)?;
        Ok(grants.iter().filter(|grant| grant.state == "active").count())
    }
}

/// The time at which the purge notes that every key of the generation is destroyed.
async fn unreadable(purges: Disconnect, scope: Scope) -> anyhow::Result<Instant> {
    loop {
        let purge = purges.get(scope).await?.context("a purge")?;
        if purge.data_key_destroyed {
            return Ok(Instant::now());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn username(n: u64) -> String {
    format!("user{n}@acme.example")
}

fn user(n: u64) -> serde_json::Value {
    json!({
        "Username": username(n), "Email": username(n), "LastName": format!("User {n}"),
    })
}

fn stores(folder: &Path, ports: Ports) -> anyhow::Result<(SealedSecrets, Ports)> {
    let master = MasterKey::generate(&*ports.entropy);
    let objects = FileObjects::open(ObjectsConfig {
        folder: folder.join("objects"),
        public_base: "http://127.0.0.1".to_owned(),
        signing_key: master.derive("addresses of uploads"),
        most_upload: 1 << 20,
        clock: ports.clock.clone(),
    })?;
    let secrets = SealedSecrets::open(&folder.join("secrets.db"), &master, ports.entropy.clone())?;
    let ports = Ports {
        table: Arc::new(SqliteTable::open(&folder.join("table.db"))?),
        objects: Arc::new(objects),
        data_keys: Arc::new(secrets.data_keys()),
        secrets: Arc::new(secrets.clone()),
        ..ports
    };
    Ok((secrets, ports))
}

fn product(ports: &Ports, simulator: &Simulator) -> anyhow::Result<Product<Orgs>> {
    let base: Url = "http://127.0.0.1:8080".parse()?;
    let url: Url = simulator.http_url().parse()?;
    let address = url.socket_addrs(|| None)?.into_iter().next().context("an address")?;
    let http = Http::to_loopback(HttpOptions::default(), address)?;
    let version = ApiVersion::default();
    let app = SalesforceApp::new(ports.clone(), http, version, "app".to_owned(), base, None);
    Ok(Product::new(ports.clone()).opening("crm-sync/".to_owned()).reaching(app))
}
