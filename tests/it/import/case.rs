//! A small org that was just connected, and how a fault's test drives its imports.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::capabilities::custody::Custody;
use shared::capabilities::importing::{
    ActiveRun, ImportRun, ObjectImport, ObjectPhase, RunState, Watermark,
};
use shared::kernel::{Envelope, Grantee, ImportMessage, ImportRunId, ImportTrigger, SObject};
use shared::store::{Commit, Records, Slot, Store};
use tempfile::TempDir;
use tests::Home;
use tests::world::{World, WorldOptions};

use super::compare::differences;

pub(super) type Objects = BTreeMap<SObject, ObjectImport>;

/// The fields that an org's admin has added.
const CUSTOM_FIELDS: [&str; 5] = [
    "Contact.Work_Email__c email",
    "Contact.Role__c string(80) calculated",
    "Contact.Tier__c picklist(Gold|Silver)",
    "Lead.Score__c double",
    "Opportunity.Expected__c currency",
];

/// A connected org of some accounts, contacts, leads and opportunities.
pub(super) struct Case {
    pub(super) world: World,
    pub(super) accounts: Vec<String>,
    pub(super) contacts: Vec<String>,
    pub(super) leads: Vec<String>,
    _folder: TempDir,
}

impl Case {
    /// Pages of seven rows, so that an object has several.
    pub(super) async fn new() -> Self {
        Self::at(Home::Memory).await
    }

    /// The same in a world of this home.
    pub(super) async fn at(home: Home) -> Self {
        Self::with(WorldOptions { home, page_rows: Some(7), ..WorldOptions::default() }).await
    }

    /// Pages of so many rows.
    pub(super) async fn with_page_rows(rows: u32) -> Self {
        Self::with(WorldOptions { page_rows: Some(rows), ..WorldOptions::default() }).await
    }

    async fn with(options: WorldOptions) -> Self {
        Self::of_org(options, &json!({})).await
    }

    /// The same, of an org with these switches.
    pub(super) async fn of_org(options: WorldOptions, switches: &Value) -> Self {
        let folder = TempDir::new().unwrap();
        let org = json!({ "my_domain": "faults", "custom_fields": CUSTOM_FIELDS,
            "settings": switches });
        std::fs::write(folder.path().join("org.json"), org.to_string()).unwrap();
        let world = World::with(folder.path(), options).await;
        let (accounts, contacts, leads) = (Vec::new(), Vec::new(), Vec::new());
        let mut case = Self { world, accounts, contacts, leads, _folder: folder };
        for n in 0..10 {
            let account = case.create("Account", &json!({ "Name": format!("Account {n}") }));
            for m in 0..3 {
                let name = format!("Contact {n} {m}");
                let contact = json!({ "LastName": name, "AccountId": account });
                case.contacts.push(case.create("Contact", &contact));
            }
            let deal = json!({ "Name": "Deal", "AccountId": account, "StageName": "Prospecting",
                "CloseDate": "2027-01-31", "Amount": 1000 });
            let deal = case.create("Opportunity", &deal);
            let role = json!({ "OpportunityId": deal, "ContactId": case.contacts[n * 3] });
            case.create("OpportunityContactRole", &role);
            case.accounts.push(account);
            let lead = json!({ "LastName": format!("Lead {n}"), "Company": "Somewhere" });
            case.leads.push(case.create("Lead", &lead));
            case.create("Task", &json!({ "Subject": "Call", "WhoId": case.contacts[n * 3] }));
        }
        case.world.authorize(Grantee::Admin, "admin@faults.example").await.unwrap();
        case
    }

    /// The same, imported once.
    pub(super) async fn imported() -> Self {
        Self::imported_at(Home::Memory).await
    }

    /// The same in a world of this home.
    pub(super) async fn imported_at(home: Home) -> Self {
        let case = Self::at(home).await;
        case.world.run().await;
        assert_eq!(case.run(case.first().await).await.unwrap().state, RunState::Complete);
        case.equals_the_org().await;
        case
    }

    pub(super) fn create(&self, object: &str, fields: &Value) -> String {
        self.world.control().create(&self.world.org, object, fields).unwrap()
    }

    pub(super) fn update(&self, id: &str, fields: &Value) {
        self.world.control().update(&self.world.org, id, fields).unwrap();
    }

    pub(super) fn set(&self, settings: &Value) {
        self.world.control().set(&self.world.org, settings).unwrap();
    }

    /// Both clocks go on.
    pub(super) fn advance(&self, seconds: i64) {
        self.world.control().advance(seconds);
        self.world.memory.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// The run that the connection began with.
    pub(super) async fn first(&self) -> ImportRunId {
        let scope = self.world.connection().await.scope();
        ImportRunId::derived(&format!("{scope}|connected"))
    }

    /// Asks for a run.
    pub(super) async fn ask(&self, name: &str) -> ImportRunId {
        self.ask_for(name, ImportTrigger::Requested).await
    }

    pub(super) async fn ask_for(&self, name: &str, trigger: ImportTrigger) -> ImportRunId {
        let scope = self.world.connection().await.scope();
        let run = ImportRunId::derived(name);
        let message = ImportMessage::Start { scope, run, trigger };
        let mut commit = Commit::new();
        commit.now(message);
        assert!(self.store().commit(commit).await.unwrap().is_done());
        run
    }

    /// Asks for a run and has it go through.
    pub(super) async fn import(&self, name: &str) -> Objects {
        let run = self.ask(name).await;
        self.world.run().await;
        let state = self.run(run).await.map(|run| run.state);
        let objects = self.objects(run).await;
        assert_eq!(state, Some(RunState::Complete), "{objects:#?}");
        objects
    }

    /// Delivers messages in order until an object of a run is where it should be.
    pub(super) async fn until(
        &self,
        run: ImportRunId,
        object: SObject,
        there: impl Fn(&ObjectPhase) -> bool,
    ) {
        self.until_object(run, object, |progress| there(&progress.phase)).await;
    }

    /// The same, by all that is known of the object.
    pub(super) async fn until_object(
        &self,
        run: ImportRunId,
        object: SObject,
        there: impl Fn(&ObjectImport) -> bool,
    ) {
        let mut left = Vec::new();
        for _ in 0..2_000 {
            if self.objects(run).await.get(&object).is_some_and(&there) {
                let messages = left.into_iter().collect();
                self.world.ports().queues.send(messages).await.unwrap();
                return;
            }
            if left.is_empty() {
                left = self.world.memory.receive();
            }
            if left.is_empty() {
                self.world.memory.clock.advance(SignedDuration::from_secs(1));
                continue;
            }
            self.world.deliver(&left.remove(0).body).await;
        }
        panic!("{object} never gets there");
    }

    /// What we hold of the org.
    pub(super) async fn records(&self) -> Records {
        let custody = Custody::new(self.world.ports(), "crm-sync/".to_owned());
        let scope = self.world.connection().await.scope();
        custody.open(scope).await.unwrap().unwrap().records
    }

    pub(super) fn store(&self) -> Store {
        Store::new(self.world.ports())
    }

    async fn read<T: DeserializeOwned>(&self, slot: &Slot<T>) -> Option<T> {
        self.store().read(slot).await.unwrap()
    }

    pub(super) async fn run(&self, run: ImportRunId) -> Option<ImportRun> {
        self.read(&self.world.keys().await.run(run)).await
    }

    pub(super) async fn active(&self) -> Option<ActiveRun> {
        self.read(&self.world.keys().await.active_run()).await
    }

    pub(super) async fn watermark(&self, object: SObject) -> Option<Watermark> {
        self.read(&self.world.keys().await.watermark(object)).await
    }

    pub(super) async fn objects(&self, run: ImportRunId) -> Objects {
        let series = self.world.keys().await.object_imports(run);
        let objects = self.store().all(&series).await.unwrap();
        objects.into_iter().map(|o| (o.object, o.into_inner())).collect()
    }

    /// The message of a step.
    pub(super) async fn step(
        &self,
        run: ImportRunId,
        object: SObject,
        step: u64,
    ) -> Envelope<ImportMessage> {
        let scope = self.world.connection().await.scope();
        Envelope::of(ImportMessage::Object { scope, run, object, step })
    }

    /// Hands a message to a function, once.
    pub(super) async fn deliver(&self, envelope: &Envelope<impl Serialize>) {
        self.world.deliver(&serde_json::to_string(envelope).unwrap()).await;
    }

    /// How often the simulator was asked for a path.
    pub(super) fn calls(&self, part: &str) -> usize {
        self.world.control().requests().iter().filter(|call| call.path.contains(part)).count()
    }

    /// Our records are exactly what the integration user sees.
    pub(super) async fn equals_the_org(&self) {
        assert_eq!(differences(&self.world).await, Vec::<String>::new());
    }
}
