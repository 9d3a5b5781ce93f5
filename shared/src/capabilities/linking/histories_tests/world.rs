//! Matching by itself: its real use cases over the ports in memory, with messages delivered in any
//! order and twice, as a seed says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use matching::{EntityKind, MatchModel};
use secrecy::SecretString;
use serde_json::Value;

use crate::capabilities::audit::Actor;
use crate::capabilities::custody::{Custody, OpenGeneration, StoredGrant};
use crate::capabilities::directory::{
    Directory, DirectoryFile, DirectoryState, DirectoryVersion, HeldFile, ShardFiles,
};
use crate::capabilities::linking::match_runs::MatchRuns;
use crate::capabilities::linking::{
    CandidateList, Correcting, Corrections, DecisionCounts, EntityMatches, MATCHED_OBJECTS,
    MatchSteps, ModelState, Models, Ruling, ShadowCursor, TunedModel, UnfinishedRuns,
};
use crate::kernel::{
    Author, Connection, ConnectionState, DirectoryVersionId, Envelope, Environment, Fields,
    Generation, ImportRunId, MatchMessage, MatchRunId, MatchTrigger, Message, ModelId, Reading,
    Record, SObject, Scope, TenantEnvironment, TenantId,
};
use crate::ports::{Ports, Range};
use crate::salesforce::SalesforceId;
use crate::store::keys::{self, Kind, Relation};
use crate::store::{self, Commit, Next, Outbox, Store, Stored};
use crate::testing::{Memory, record_id};
use crate::work::{Done, WorkError};

/// Numbers that look random, the same for the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).unwrap()
    }

    /// True once in `n` times.
    pub(super) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Directory files straight from the object store.
struct Files(Ports);

#[async_trait]
impl ShardFiles for Files {
    async fn file(&self, key: &str) -> Result<HeldFile, WorkError> {
        let bytes = self.0.objects.get(key).await?;
        let bytes = bytes.ok_or_else(|| WorkError::reject("read a shard", "no such object"))?;
        Ok(HeldFile { fetched: bytes.len() as u64, file: Arc::new(DirectoryFile::new(bytes)) })
    }

    async fn forget(&self, _: &str) {}
}

pub(super) struct World {
    pub(super) memory: Memory,
    pub(super) ports: Ports,
    pub(super) scope: Scope,
    pub(super) custody: Custody,
    pub(super) runs: MatchRuns,
    match_steps: MatchSteps,
    pub(super) corrections: Corrections,
    pub(super) models: Models,
    outbox: Outbox,
    /// Shards that the people of a version are dealt to.
    shards: u64,
    /// Every line about every entity, in order.
    lines: BTreeMap<EntityKind, Vec<String>>,
    waiting: Vec<String>,
    imports: u64,
}

impl World {
    /// A connected tenant, a directory without entities, and no record.
    pub(super) async fn new(shards: u64) -> Self {
        let memory = Memory::new("2026-11-22T00:00:00Z".parse().unwrap(), 1);
        let ports = memory.ports();
        let environment = Environment::Production;
        let at = TenantEnvironment { tenant: TenantId::derived("acme"), environment };
        let scope = at.generation(Generation(1));
        let custody = Custody::new(ports.clone(), "test/".to_owned());
        let models = Models::new(
            ports.clone(),
            custody.clone(),
            Arc::new(MatchModel::shipped().unwrap().clone()),
        );
        let files = Arc::new(Files(ports.clone()));
        let world = Self {
            runs: MatchRuns::new(ports.clone(), custody.clone()),
            match_steps: MatchSteps::new(&ports, &custody, files, models.clone()),
            corrections: Corrections::new(ports.clone(), custody.clone()),
            outbox: Outbox::new(ports.clone()),
            lines: BTreeMap::new(),
            waiting: Vec::new(),
            imports: 0,
            memory,
            ports,
            scope,
            custody,
            models,
            shards,
        };
        world.connect(at).await;
        world
    }

    async fn connect(&self, at: TenantEnvironment) {
        let connection = Connection {
            at,
            generation: self.scope.generation,
            state: ConnectionState::Connected,
            org_id: "00D000000000001EAA".parse().unwrap(),
            org_name: "Acme".to_owned(),
            edition: "Enterprise Edition".to_owned(),
            instance_url: "https://acme.my.salesforce.com".parse().unwrap(),
            login_host: "login.salesforce.com".parse().unwrap(),
            buckets: 3,
            integration_user: "005000000000001AAA".parse().unwrap(),
            connected_at: self.ports.clock.now(),
            slot_offset: 0,
            trouble: None,
            paused_since: None,
            degraded_since: None,
            handed_over_at: None,
        };
        let text = || SecretString::from("none");
        let instance_url = connection.instance_url.clone();
        let grant = StoredGrant { access_token: text(), refresh_token: text(), instance_url };
        self.custody.make_secret(self.scope, &grant, "1").await.unwrap();
        self.put(keys::connection(at), &connection).await;
        self.put(keys::live(at.tenant, at.environment), &at).await;
    }

    pub(super) async fn put<T: serde::Serialize>(&self, key: store::Slot<T>, document: &T) {
        let mut commit = Commit::new();
        commit.put(&key, document).unwrap();
        let store = match self.custody.open(self.scope).await {
            Ok(Some(opened)) => opened.store,
            _ => self.store(),
        };
        assert!(store.commit(commit).await.unwrap().is_done());
    }

    pub(super) async fn opened(&self) -> OpenGeneration {
        self.custody.open(self.scope).await.unwrap().unwrap()
    }

    /// Uploads lines as a version upon the current one, and has it published. Whatever else waits
    /// goes on waiting.
    pub(super) async fn publish(&mut self, lines: &[(EntityKind, Value)]) -> DirectoryVersionId {
        self.memory.clock.advance(SignedDuration::from_secs(1));
        let mut parts: BTreeMap<EntityKind, Vec<String>> = BTreeMap::new();
        for (kind, line) in lines {
            parts.entry(*kind).or_default().push(line.to_string());
            self.lines.entry(*kind).or_default().push(line.to_string());
        }
        let people = self
            .lines
            .get(&EntityKind::Person)
            .map_or(0, |lines| lines.iter().map(|line| line.len() as u64 + 1).sum());
        let directory = self.directory().with_shards_of(u64::div_ceil(people, self.shards).max(1));
        let kinds: Vec<EntityKind> = parts.keys().copied().collect();
        let base = self.runs.current_directory().await.unwrap().map(|version| version.id);
        let (version, _) = directory.begin(base, &kinds).await.unwrap();
        let own = &version.parts[version.parts.len() - kinds.len()..];
        for (part, lines) in own.iter().zip(parts.values()) {
            let body = lines.join("\n") + "\n";
            self.ports.objects.put(&part.key, body.into()).await.unwrap();
        }
        directory.publish(version.id).await.unwrap();
        while self.version(version.id).await.state != DirectoryState::Published {
            self.receive();
            let is_building = |body: &String| body.contains("directory_") && !body.contains("fan");
            let at = self.waiting.iter().position(is_building).expect("a step of the build");
            let body = self.waiting.remove(at);
            self.deliver(body).await;
        }
        version.id
    }

    pub(super) async fn version(&self, id: DirectoryVersionId) -> DirectoryVersion {
        self.directory().get(id).await.unwrap().unwrap()
    }

    fn directory(&self) -> Directory {
        Directory::new(self.ports.clone(), Arc::new(UnfinishedRuns::new(self.ports.clone())))
    }

    fn store(&self) -> Store {
        Store::new(self.ports.clone())
    }

    /// The lines that say what every entity is now: the last about each.
    pub(super) fn last_lines(&self) -> Vec<(EntityKind, Value)> {
        let mut last = Vec::new();
        for (kind, lines) in &self.lines {
            let mut by_id: BTreeMap<String, Value> = BTreeMap::new();
            for line in lines {
                let line: Value = serde_json::from_str(line).unwrap();
                by_id.insert(line["id"].as_str().unwrap().to_owned(), line);
            }
            last.extend(by_id.into_values().map(|line| (*kind, line)));
        }
        last
    }

    /// Lands what an import read, and hands what changed to matching in batches of `batch`.
    pub(super) async fn import(&mut self, rows: Vec<Record>, batch: usize) {
        self.memory.clock.advance(SignedDuration::from_secs(1));
        self.imports += 1;
        let run = ImportRunId::derived(&self.imports.to_string());
        let opened = self.opened().await;
        let mut changed: BTreeMap<SObject, BTreeSet<SalesforceId>> = BTreeMap::new();
        for row in &rows {
            changed.entry(row.object).or_default().insert(row.id);
        }
        opened
            .records
            .land(Reading { run, step: 1, at: self.ports.clock.now() }, rows)
            .await
            .unwrap();
        for account in changed.get(&SObject::Account).cloned().unwrap_or_default() {
            let with_it = opened.records.children(account, Relation::AccountContact).await.unwrap();
            changed.entry(SObject::Contact).or_default().extend(with_it);
        }
        let pins = self.runs.pins(&opened).await.unwrap();
        let id = MatchRunId::derived(&run.to_string());
        let now = self.ports.clock.now();
        let mut match_run =
            pins.as_ref().map(|pins| MatchRuns::begin(id, MatchTrigger::Import, pins, now));
        if let Some(match_run) = &match_run {
            let mut commit = Commit::new();
            MatchRuns::save(&mut commit, &opened.keys, None, match_run).unwrap();
            assert!(self.store().commit(commit).await.unwrap().is_done());
        }
        for (object, ids) in changed {
            let ids: Vec<SalesforceId> = ids.into_iter().collect();
            for (n, ids) in ids.chunks(batch).enumerate() {
                let probes = self.runs.probe(&opened, object, ids, now).await.unwrap();
                let name = format!("{run}-{n}");
                self.runs.keep_probes(&opened, object, &name, &probes).await.unwrap();
                let (Some(run), Some(pins)) = (&mut match_run, &pins) else { continue };
                let before = self.store().load(&opened.keys.match_run(id)).await.unwrap().unwrap();
                let mut commit = Commit::new();
                let version = &pins.directory;
                self.runs
                    .batches(&opened, run, version, object, &probes, &mut commit)
                    .await
                    .unwrap();
                MatchRuns::save(&mut commit, &opened.keys, Some(&before), run).unwrap();
                assert!(self.store().commit(commit).await.unwrap().is_done());
            }
        }
        if let Some(run) = &mut match_run {
            let before = self.store().load(&opened.keys.match_run(id)).await.unwrap().unwrap();
            run.end_planning(now);
            let mut commit = Commit::new();
            MatchRuns::save(&mut commit, &opened.keys, Some(&before), run).unwrap();
            assert!(self.store().commit(commit).await.unwrap().is_done());
        }
    }

    /// Has somebody say something, if the record is there and the entity is.
    pub(super) async fn say(
        &self,
        object: SObject,
        record: SalesforceId,
        what: Correcting,
    ) -> bool {
        self.corrections.say(self.scope, object, record, what, &Author::Service).await.is_ok()
    }

    /// Takes a model, or the shipped one again.
    pub(super) async fn take(&self, model: Option<&MatchModel>) {
        let id = match model {
            None => None,
            Some(model) => {
                let opened = self.opened().await;
                let id = ModelId::derived(&model.version);
                let key = format!("{}models/{id}", self.scope.object_prefix());
                opened
                    .put_object(&self.ports, &key, model.to_json().unwrap().as_bytes())
                    .await
                    .unwrap();
                let item = TunedModel {
                    id,
                    state: ModelState::Ready,
                    beside: crate::capabilities::linking::ModelChoice::default(),
                    step: 1,
                    labels: BTreeMap::new(),
                    cursor: ShadowCursor::default(),
                    shadow: BTreeMap::new(),
                    created_at: Timestamp::UNIX_EPOCH,
                    finished_at: None,
                };
                self.put(opened.keys.model(id), &item).await;
                Some(id)
            }
        };
        self.models.choose(self.scope, id, &Actor::Service).await.unwrap();
    }

    /// Asks for a match of everything.
    pub(super) async fn rematch(&self) {
        let run = MatchRunId::new(0, self.ports.entropy.bits());
        let (scope, trigger) = (self.scope, MatchTrigger::Settings);
        let next = Next::now(MatchMessage::Rematch { scope, run, trigger, step: 0 });
        let mut commit = Commit::new();
        commit.then(next);
        assert!(self.store().commit(commit).await.unwrap().is_done());
    }

    /// Delivers at most `most` messages, in any order and some of them twice.
    pub(super) async fn deliver_some(&mut self, random: &mut Random, most: usize) {
        for _ in 0..most {
            self.receive();
            if self.waiting.is_empty() {
                return;
            }
            let at = random.below(self.waiting.len());
            let body = if random.once_in(5) {
                self.waiting[at].clone()
            } else {
                self.waiting.swap_remove(at)
            };
            self.deliver(body).await;
        }
    }

    /// Delivers until nothing is left to do.
    pub(super) async fn settle_down(&mut self, random: &mut Random) {
        for _ in 0..10_000 {
            self.deliver_some(random, 1).await;
            if self.waiting.is_empty() {
                match self.memory.next_visible() {
                    None => return,
                    Some(at) => {
                        let by = at.duration_since(self.ports.clock.now());
                        self.memory.clock.advance(by.max(SignedDuration::ZERO));
                    }
                }
            }
        }
        panic!("the world does not come to rest");
    }

    /// Lets time pass, then has the tick send what is due.
    pub(super) async fn tick_after(&mut self, seconds: i64) {
        self.memory.clock.advance(SignedDuration::from_secs(seconds));
        self.outbox.tick().await.unwrap();
        self.receive();
    }

    /// Delivers the messages of one kind that wait.
    pub(super) async fn deliver_only(&mut self, kind: &str) {
        let (wanted, rest) = self.waiting.drain(..).partition(|body| body.contains(kind));
        self.waiting = rest;
        for body in wanted {
            let body: String = body;
            self.deliver(body).await;
        }
    }

    /// Delivers the first message of one kind that waits.
    pub(super) async fn deliver_first(&mut self, kind: &str) {
        let at = self.waiting.iter().position(|body| body.contains(kind));
        let body = self.waiting.remove(at.expect("a message of the kind"));
        self.deliver(body).await;
    }

    pub(super) fn receive(&mut self) {
        self.waiting.extend(self.memory.receive().into_iter().map(|message| message.body));
    }

    async fn deliver(&mut self, body: String) {
        let envelope = Envelope::<Message>::parse(&body).unwrap();
        match self.handle(envelope.message.clone()).await {
            Ok(Done::Finished) => self.outbox.finish(&envelope).await.unwrap(),
            Ok(Done::Later(_)) => self.waiting.push(body),
            Err(error) if error.is_retryable() => self.waiting.push(body),
            Err(error) => panic!("{body}: {error}: {}", error.source),
        }
    }

    async fn handle(&self, message: Message) -> Result<Done, WorkError> {
        match message {
            Message::Match(message) => self.match_steps.handle(message).await,
            Message::Directory(message) => self.directory().handle(message).await,
            Message::AutoSave(_) => Ok(Done::Finished),
            other => panic!("matching sends no {}", other.kind()),
        }
    }

    /// A world that comes to the same end at once: the records as they are, the directory as one
    /// full version, what people said, and the model taken; then one run.
    pub(super) async fn made_at_once(&self, random: &mut Random) -> Self {
        let mut fresh = Box::pin(Self::new(1)).await;
        let (old, new) = (self.opened().await, fresh.opened().await);
        let mut rows = Vec::new();
        for object in MATCHED_OBJECTS {
            for bucket in 0..old.keys.buckets() {
                rows.extend(old.records.page(object, bucket, None, 1_000).await.unwrap().0);
                let said = old.store.all(&old.keys.corrections(object, bucket)).await.unwrap();
                let said = said.into_iter().map(Stored::into_inner);
                for said in said.filter(|said| said.ruling != Ruling::default()) {
                    let mut list = CandidateList::empty(object, said.id);
                    list.ruling = Some(said.ruling);
                    if old.records.one(object, said.id).await.unwrap().is_some() {
                        fresh.put(new.keys.candidates(object, said.id), &list).await;
                    }
                }
            }
        }
        let choice = self.models.choice(self.scope).await.unwrap();
        if choice.model.is_some() {
            let model = self.models.chosen(&old, choice).await.unwrap();
            fresh.take(Some(&model)).await;
        }
        fresh.import(rows, 1_000).await;
        fresh.publish(&self.last_lines()).await;
        fresh.settle_down(random).await;
        fresh
    }

    /// The stored list of each record that is there.
    pub(super) async fn lists(&self) -> BTreeMap<SalesforceId, CandidateList> {
        let mut lists = BTreeMap::new();
        let store = self.opened().await.store;
        for item in self.items(Kind::Candidates).await {
            let list: CandidateList = store.typed(item).unwrap();
            lists.insert(list.id, list);
        }
        lists.retain(|_, list| !list.gone);
        lists
    }

    /// The counts of each object as they are kept, and as they are counted.
    pub(super) async fn counts(&self) -> [BTreeMap<SObject, DecisionCounts>; 2] {
        let keys = self.opened().await.keys;
        let mut all: [BTreeMap<SObject, DecisionCounts>; 2] = Default::default();
        for object in MATCHED_OBJECTS {
            let kept = self.store().read(&keys.decision_counts(object)).await.unwrap();
            all[0].insert(object, kept.unwrap_or_default());
            all[1].insert(object, DecisionCounts::default());
        }
        for list in self.lists().await.into_values() {
            all[1].get_mut(&list.object).unwrap().count(None, &list);
        }
        all
    }

    /// The match runs that are listed as unfinished.
    pub(super) async fn unfinished_runs(&self) -> usize {
        let series = self.opened().await.keys.unfinished_runs();
        self.store().all(&series).await.unwrap().len()
    }

    pub(super) async fn list(&self, record: SalesforceId) -> CandidateList {
        self.lists().await.remove(&record).expect("a list")
    }

    /// All matches, by record and by entity, without the story of how they came to be.
    pub(super) async fn seen(&self) -> BTreeMap<String, String> {
        let mut seen = BTreeMap::new();
        for (id, list) in self.lists().await {
            let CandidateList { matched, source, decision, always, never, candidates, .. } = list;
            let text = format!(
                "{decision:?} {matched:?} {source:?} always {always:?} never {never:?} \
                 {candidates:?}"
            );
            seen.insert(id.to_string(), text);
        }
        let store = self.opened().await.store;
        for item in self.items(Kind::Entity).await {
            let entity: EntityMatches = store.typed(item).unwrap();
            let text = format!("{:?} {:?}", entity.matched, entity.bids);
            seen.insert(format!("{:?} {}", entity.kind, entity.entity), text);
        }
        seen
    }

    async fn items(&self, kind: Kind) -> Vec<crate::ports::Item> {
        let keys = self.opened().await.keys;
        let mut items = Vec::new();
        for bucket in 0..keys.buckets() {
            let pk = keys.partition(kind, bucket);
            items.extend(
                self.ports.table.query(&pk, &Range::All, None, 10_000).await.unwrap().items,
            );
        }
        items
    }
}

/// A record.
pub(super) fn record(
    object: SObject,
    n: usize,
    stamp: Timestamp,
    fields: &[(&str, &str)],
) -> Record {
    let fields: Fields =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Record::read(object, id(object, n), stamp, fields)
}

/// The id of the nth record of an object.
pub(super) fn id(object: SObject, n: usize) -> SalesforceId {
    let prefix = match object {
        SObject::Lead => "00Q",
        SObject::Contact => "003",
        _ => "001",
    };
    record_id(prefix, n as u64)
}
