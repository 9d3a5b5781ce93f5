//! One random history: an org that lives while it is imported by functions that die.

mod changes;
mod choices;

use fastrand::Rng;
use jiff::SignedDuration;
use salesforce_simulator::{Fault, FaultKind};
use serde_json::{Value, json};
use shared::capabilities::importing;
use shared::capabilities::importing::{ObjectImport, RunState, Selection};
use shared::kernel::{ConnectionState, Grantee, ImportMessage, ImportRunId, ImportTrigger};
use shared::store::{Commit, Store, Stored};
use tests::Home;
use tests::world::{World, WorldOptions};

pub(super) use self::choices::new_org;
use super::compare::{differences, large_accounts};

/// Steps after which a run that does not end is taken for one that never will.
const MOST_STEPS: usize = 20_000;

/// Rows become visible at most so late: within what the import looks back.
const MOST_LAG_MS: u64 = 9 * 60 * 1000;

/// An org and a world around it, and the dice.
pub(super) struct History {
    pub(super) world: World,
    random: Rng,
    runs: u32,
    /// The run that was asked for last.
    run: ImportRunId,
    /// True if the org has person accounts.
    has_persons: bool,
    /// True if a record was hidden, shown, or deleted for good, or a formula changed.
    traceless: bool,
    /// The faults that may still come in this run.
    trouble: Trouble,
    log: Vec<String>,
}

/// How much more of each may happen before the run has to come to its end.
#[derive(Default)]
struct Trouble {
    changes: u32,
    choices: u32,
    faults: u32,
    deaths: u32,
    doubles: u32,
}

impl History {
    /// A small org that was just connected.
    pub(super) async fn begin(seed: u64, home: Home, folder: &std::path::Path) -> Self {
        let mut random = Rng::with_seed(seed);
        let page_rows = Some(random.u32(1..8));
        let world =
            World::with(folder, WorldOptions { seed, page_rows, home, ..WorldOptions::default() })
                .await;
        world.control().freeze(true);
        let run = ImportRunId::derived("none");
        let trouble = Trouble::default();
        let has_persons = random.u8(..3) == 0;
        let (runs, traceless, log) = (0, false, Vec::new());
        let mut history = Self { world, random, runs, run, has_persons, traceless, trouble, log };
        history.set(&json!({ "person_accounts": has_persons }));
        history.assign_profile();
        for _ in 0..history.random.u32(5..40) {
            history.change();
        }
        if history.random.u8(..4) == 0 {
            history.filter().await;
        }
        let admin = format!("admin@{}.example", history.world.org);
        history.world.authorize(Grantee::Admin, &admin).await.unwrap();
        let scope = history.world.connection().await.scope();
        history.run = ImportRunId::derived(&format!("{scope}|connected"));
        history
    }

    /// Has only large accounts imported.
    async fn filter(&mut self) {
        self.log.push("large accounts only".to_owned());
        let chosen = Selection { filters: large_accounts(), ..Selection::default() };
        let key = importing::keys::selection(self.world.at());
        let mut commit = Commit::new();
        commit.put(&key, &chosen).unwrap();
        assert!(self.store().commit(commit).await.unwrap().is_done());
    }

    /// Lives through some runs with trouble and one without; what differs from the org then.
    pub(super) async fn live(&mut self) -> Vec<String> {
        self.trouble();
        self.rest().await;
        for _ in 0..self.random.u32(1..4) {
            for _ in 0..self.random.u32(0..12) {
                self.change();
                self.pass();
            }
            if self.random.u8(..3) == 0 {
                self.choose().await;
            }
            self.trouble();
            self.start().await;
            self.rest().await;
        }
        // Where counts differ, ids are compared once a day at most.
        let mut wrong = self.calm(25).await;
        if !wrong.is_empty() && self.traceless {
            // Two changes without a trace may leave the count as it was: the week's comparison
            // finds them.
            wrong = self.calm(8 * 24).await;
        }
        wrong.extend(self.idle().await);
        wrong
    }

    /// The events so far, a line each.
    pub(super) fn log(&self) -> String {
        self.log.join("\n")
    }

    /// All trouble over, everything visible, and some time later one more run that goes through.
    async fn calm(&mut self, hours: i64) -> Vec<String> {
        self.trouble = Trouble::default();
        self.world.control().remove_faults(None);
        self.world.fuse.restart();
        self.world.fuse.pause();
        self.set(&json!({ "visibility_lag_ms": 0, "bulk_timeout_rows": null }));
        self.advance(hours * 3600);
        for _ in 0..5 {
            if self.world.connection().await.state != ConnectionState::Connected {
                // It died between a rotation and its storing: the admin logs in again.
                let admin = format!("admin@{}.example", self.world.org);
                self.world.authorize(Grantee::Admin, &admin).await.unwrap();
            }
            self.start().await;
            self.rest().await;
            if self.state().await == Some(RunState::Complete) {
                break;
            }
        }
        let mut wrong = differences(&self.world).await;
        let state = self.state().await;
        if state != Some(RunState::Complete) {
            wrong.push(format!("the last run ended as {state:?}"));
        }
        for object in self.objects().await {
            let excluded = object.selection.excluded.then_some(0);
            let (live, count) = (object.live, excluded.or(object.salesforce_count));
            if live != count {
                wrong.push(format!("{}: {live:?} live, {count:?} counted", object.object));
            }
        }
        wrong
    }

    /// One more run over the unchanged org; what it wrote.
    async fn idle(&mut self) -> Vec<String> {
        self.advance(60);
        self.start().await;
        self.rest().await;
        let written = self.objects().await.into_iter().filter(|o| o.counts.written() > 0);
        written.map(|o| format!("{} written again: {:?}", o.object, o.counts)).collect()
    }

    async fn state(&self) -> Option<RunState> {
        let run = self.store().read(&self.world.keys().await.run(self.run)).await.unwrap();
        run.map(|run| run.state)
    }

    async fn objects(&self) -> Vec<ObjectImport> {
        let series = self.world.keys().await.object_imports(self.run);
        let objects = self.store().all(&series).await.unwrap();
        objects.into_iter().map(Stored::into_inner).collect()
    }

    fn store(&self) -> Store {
        Store::new(self.world.ports())
    }

    fn trouble(&mut self) {
        self.trouble = Trouble {
            changes: self.random.u32(0..8),
            choices: self.random.u32(0..3),
            faults: self.random.u32(0..5),
            deaths: self.random.u32(0..4),
            doubles: self.random.u32(0..8),
        };
        let lag = if self.random.bool() { self.random.u64(0..MOST_LAG_MS) } else { 0 };
        let shuffle = self.random.bool();
        let most = (self.random.u8(..4) == 0).then(|| self.random.usize(4..30));
        self.set(
            &json!({ "visibility_lag_ms": lag, "shuffle": shuffle, "bulk_timeout_rows": most }),
        );
    }

    /// Asks for a run.
    pub(super) async fn start(&mut self) {
        self.runs += 1;
        self.log.push(format!("run {}", self.runs));
        let scope = self.world.connection().await.scope();
        self.run = ImportRunId::derived(&format!("run {}", self.runs));
        let trigger =
            if self.random.u8(..6) == 0 { ImportTrigger::Full } else { ImportTrigger::Requested };
        let message = ImportMessage::Start { scope, run: self.run, trigger };
        // Another process asks.
        let mut commit = Commit::new();
        commit.now(message);
        assert!(self.store().commit(commit).await.unwrap().is_done());
    }

    /// Delivers messages in any order, some twice, while the org lives on, until the run is over.
    async fn rest(&mut self) {
        let mut pool = Vec::new();
        for _ in 0..MOST_STEPS {
            pool.extend(self.world.memory.receive().into_iter().map(|m| m.body));
            if pool.is_empty() {
                let over = self.state().await.is_some_and(RunState::is_terminal);
                if over && self.world.memory.next_visible().is_none() {
                    return self.note_objects().await;
                }
                self.wait().await;
                continue;
            }
            self.make_trouble().await;
            let at = self.random.usize(..pool.len());
            let double = self.random.u8(..6) == 0 && take(&mut self.trouble.doubles);
            let body = if double { pool[at].clone() } else { pool.swap_remove(at) };
            self.world.deliver(&body).await;
        }
        let left = self.objects().await.into_iter().filter(|o| !o.phase.is_terminal());
        let left: Vec<_> = left.map(|o| (o.object, o.step, o.phase)).collect();
        let (state, log) = (self.state().await, self.log());
        panic!("the run does not end: {state:?}, {left:?}, {pool:?}\n{log}");
    }

    /// The deeds of the run, for whoever looks for the reason of a difference.
    async fn note_objects(&mut self) {
        for o in self.objects().await {
            let text = format!(
                "{}: {:?} live of {:?}, swept {}, {:?} {:?}",
                o.object, o.live, o.salesforce_count, o.swept, o.counts, o.errors
            );
            self.log.push(text);
        }
    }

    async fn make_trouble(&mut self) {
        if self.random.u8(..4) == 0 && take(&mut self.trouble.changes) {
            self.change();
            self.pass();
        }
        if self.random.u8(..8) == 0 && take(&mut self.trouble.choices) {
            self.choose().await;
        }
        if self.random.u8(..6) == 0 && take(&mut self.trouble.faults) {
            let fault = self.fault();
            self.log.push(format!("fault {:?}", fault.kind));
            self.world.control().add_fault(fault);
        }
        if self.random.u8(..6) == 0 && take(&mut self.trouble.deaths) {
            let (calls, after) = (self.random.u64(1..30), self.random.bool());
            self.log.push(format!("dies in {calls} calls"));
            self.world.fuse.light(calls, after);
        }
    }

    /// Time passes until a message is visible, or a tick comes.
    async fn wait(&mut self) {
        let now = self.world.ports().clock.now();
        if let Some(at) = self.world.memory.next_visible() {
            self.advance(at.duration_since(now).as_secs().max(0) + 1);
        } else {
            self.advance(121);
            self.world.fuse.restart();
            let _ = self.world.functions.due.tick().await;
        }
    }

    fn advance(&mut self, seconds: i64) {
        self.world.control().advance(seconds);
        self.world.memory.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Often no time passes between two changes: their stamps tie.
    fn pass(&mut self) {
        let choices = [0, 0, 0, 0, 1, 1, 40, 420, 7_200, 86_400];
        let seconds = choices[self.random.usize(..choices.len())];
        self.advance(seconds);
    }

    fn set(&self, settings: &Value) {
        self.world.control().set(&self.world.org, settings).unwrap();
    }

    fn fault(&mut self) -> Fault {
        let bytes = self.random.usize(..400);
        let kind = match self.random.u8(..8) {
            0 => FaultKind::InvalidSession,
            1 => FaultKind::DropBefore,
            2 => FaultKind::DropAfter,
            3 | 4 => FaultKind::Truncate { bytes },
            5 => FaultKind::Html { status: 200 },
            6 => FaultKind::Html { status: 503 },
            _ => FaultKind::Html { status: 420 },
        };
        let path = ["/jobs/query", "/results", "/services/data", "/query"];
        Fault { skip: self.random.u64(..3), ..Fault::at(path[self.random.usize(..4)], kind) }
    }
}

fn take(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}
