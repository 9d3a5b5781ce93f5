//! Purges at size, killed, short of time, and without what they do not need.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, json};

use super::{Disconnect, Purge, PurgePhase, PurgeSteps, keys};
use crate::capabilities::audit::Actor;
use crate::capabilities::custody::{Custody, SalesforceApp, StoredGrant};
use crate::kernel::{
    Connection, Envelope, Generation, GrantState, Message, PurgeMessage, Scope, SeatId, VersionId,
};
use crate::ports::{Item, KeyContext, Ports, Purpose, QueueMessage, WrappedKey};
use crate::product::{Orgs, Product};
use crate::salesforce::{ApiVersion, Http, HttpOptions};
use crate::seal::Sealer;
use crate::store::keys::{GenerationKeys, Kind, connection as connection_slot};
use crate::store::{Commit, Draft, Outbox, Slot, Store};
use crate::testing::{Fuse, Memory};
use crate::work::{self, Done};

const PREFIX: &str = "crm-sync/";
const BUCKETS: u32 = 16;

/// A generation that leaves, over ports that die when a test says so.
struct Leaving {
    memory: Memory,
    ports: Ports,
    fuse: Fuse,
    steps: PurgeSteps,
    scope: Scope,
}

impl Leaving {
    /// A connection without anything, but for its secret.
    async fn new() -> Self {
        let memory = Memory::new(Timestamp::from_second(1_795_294_800).unwrap(), 1);
        let fuse = Fuse::default();
        let ports = fuse.guard(&memory.ports());
        let steps = unreachable_salesforce(&ports).purge_steps();
        let connection = Connection { buckets: BUCKETS, ..Connection::sample() };
        let scope = connection.scope();
        let world = Self { memory, ports, fuse, steps, scope };
        world.fuse.pause();
        world.put(&connection_slot(connection.at), &connection).await;
        let sealer = world.make_secret().await;
        let now = world.now();
        let version = Some(VersionId("1".to_owned()));
        let admin = GrantState::new(1, version, connection.integration_user, now);
        world.put(&world.keys().admin_grant(), &admin).await;
        for seat in 0..5 {
            world.put_seat(&sealer, SeatId::new(1, seat)).await;
        }
        world
    }

    /// The secret, and what seals the seats' grants.
    async fn make_secret(&self) -> Sealer {
        let custody = Custody::new(self.ports.clone(), PREFIX.to_owned());
        custody.make_secret(self.scope, &grant("admin"), "1").await.unwrap();
        let (_, secret) = custody.secret(self.scope).await.unwrap().unwrap();
        let wrapped = BASE64.decode(secret.keys.seat_grants).map(WrappedKey).unwrap();
        let context = KeyContext::new(self.scope, Purpose::SeatGrants);
        Sealer::new(&self.ports.data_keys.unwrap(&wrapped, &context).await.unwrap())
    }

    async fn put_seat(&self, sealer: &Sealer, seat: SeatId) {
        let slot = self.keys().seat_grant(seat);
        let user = "005000000000002AAA".parse().unwrap();
        let state = GrantState::new(1, None, user, self.now());
        let grant = grant(&seat.to_string());
        let body = grant.seal(sealer, &slot.place(), &*self.ports.entropy).unwrap();
        let mut commit = Commit::new();
        commit.write(Draft::new(&slot, &state).unwrap().body(body)).unwrap();
        assert!(Store::new(self.ports.clone()).commit(commit).await.unwrap().is_done());
    }

    async fn put<T: serde::Serialize>(&self, slot: &Slot<T>, document: &T) {
        Store::new(self.ports.clone()).put(slot, document).await.unwrap();
    }

    /// Fills the kinds of the generation with `n` items in all. Gives how many each has.
    async fn fill(&self, n: usize) -> BTreeMap<String, u64> {
        let keys = self.keys();
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Grant).collect();
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for begin in (0..n).step_by(10_000) {
            let items = (begin..n.min(begin + 10_000)).map(|i| {
                let kind = if i % 3 == 0 { kinds[i % kinds.len()] } else { Kind::Record };
                *found.entry(format!("items {}", kind.as_str())).or_insert(0) += 1;
                let id = format!("{i:018}");
                let doc = Map::from_iter([("id".to_owned(), json!(id))]);
                let key = keys.by(kind, &id, format!("Lead#{id}"));
                Item { key, doc, body: Some(vec![7; 64]), expires_at: None }
            });
            self.memory.ports().table.put_many(items.collect()).await.unwrap();
        }
        found
    }

    fn keys(&self) -> GenerationKeys {
        GenerationKeys::new(self.scope, BUCKETS)
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    async fn disconnect(&self) {
        let at = self.scope.tenant_environment();
        Disconnect::new(self.memory.ports()).disconnect(at, &Actor::Service).await.unwrap();
    }

    async fn purge(&self) -> Purge {
        Disconnect::new(self.memory.ports()).get(self.scope).await.unwrap().unwrap()
    }

    /// Delivers until nothing is left to do. Each invocation is almost over when it begins, and two
    /// of three are killed, each somewhere else.
    async fn run(&self, kills: bool) -> u64 {
        let outbox = Outbox::new(self.ports.clone());
        let (mut deliveries, mut at_rest) = (0_u64, 0);
        while at_rest < 40 {
            let batch = self.memory.receive();
            if batch.is_empty() {
                let by = self.memory.next_visible().map(|at| at.duration_since(self.now()));
                let tick = SignedDuration::from_mins(61);
                self.memory.clock.advance(by.unwrap_or(tick).max(SignedDuration::ZERO));
                self.fuse.restart();
                let sent = by.is_some() || outbox.tick().await.is_ok_and(|sent| sent > 0);
                at_rest = if sent { 0 } else { at_rest + 1 };
                continue;
            }
            for message in batch {
                deliveries += 1;
                if kills && !deliveries.is_multiple_of(3) {
                    self.fuse.resume();
                    self.fuse.light(deliveries * 7 % 41 + 1, deliveries.is_multiple_of(2));
                }
                self.deliver(&outbox, message).await;
                self.fuse.restart();
                self.fuse.pause();
            }
        }
        deliveries
    }

    /// Delivers what waits now.
    async fn deliver_all(&self, outbox: &Outbox) {
        for message in self.memory.receive() {
            self.deliver(outbox, message).await;
        }
    }

    async fn deliver(&self, outbox: &Outbox, message: QueueMessage) {
        let envelope = Envelope::<Message>::parse(&message.body).unwrap();
        let Message::Purge(work) = envelope.message.clone() else {
            // Events are told elsewhere.
            return assert!(outbox.finish(&envelope).await.is_ok() || self.fuse.is_dead());
        };
        let soon = self.now() + SignedDuration::from_secs(10);
        let done = match work::until(soon, self.steps.handle(work)).await {
            Ok(Done::Finished) => outbox.finish(&envelope).await.is_ok(),
            Ok(Done::Later(delay)) => outbox.put_off(envelope, delay).await.is_ok(),
            Err(error) => {
                assert!(error.is_retryable(), "{error}: {}", error.source);
                false
            }
        };
        if !done {
            let again = QueueMessage { delay: Duration::from_secs(30), ..message };
            self.memory.ports().queues.send(vec![again]).await.unwrap();
        }
    }

    /// True when the partitions of the generation hold nothing.
    fn is_swept(&self) -> bool {
        let partitions: Vec<String> = self.keys().partitions().map(|(_, pk)| pk).collect();
        let is_unswept = |name: &String| partitions.iter().any(|pk| name.starts_with(pk.as_str()));
        !self.left().iter().any(is_unswept)
    }

    /// Whatever is left but the certificate and the audit log, by a look at the raw stores.
    fn left(&self) -> Vec<String> {
        let own = [keys::purge(self.scope).sk().to_owned()];
        let items = self.memory.items().into_iter();
        let items = items.filter(|item| !own.contains(&item.key.sk().to_owned()));
        let items = items.filter(|item| !item.key.pk().starts_with("AUDIT#"));
        let items = items.map(|item| format!("{} {}", item.key.pk(), item.key.sk()));
        let rest = self.memory.object_keys().into_iter().chain(self.memory.secret_names());
        items.chain(rest).collect()
    }
}

/// The product where nobody answers at Salesforce's address, and where our app has no secret.
fn unreachable_salesforce(ports: &Ports) -> Product<Orgs> {
    let nobody = "127.0.0.1:9".parse().unwrap();
    let http = Http::to_loopback(HttpOptions::default(), nobody).unwrap();
    let (version, base) = (ApiVersion::default(), "https://crm-sync.example".parse().unwrap());
    let app = SalesforceApp::new(ports.clone(), http, version, "app".to_owned(), base, None);
    Product::new(ports.clone()).opening(PREFIX.to_owned()).reaching(app)
}

fn grant(name: &str) -> StoredGrant {
    StoredGrant {
        access_token: format!("access {name}").into(),
        refresh_token: format!("refresh {name}").into(),
        instance_url: "https://acme.my.salesforce.com".parse().unwrap(),
    }
}

fn items(counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let items = counts.iter().filter(|(name, n)| name.starts_with("items") && **n > 0);
    items.map(|(name, n)| (name.clone(), *n)).filter(|(name, _)| name != "items GRANT").collect()
}

async fn purge_of(n: usize, kills: bool) -> (Leaving, u64) {
    let leaving = Leaving::new().await;
    let found = leaving.fill(n).await;
    leaving.ports.objects.put(&object(&leaving, 1), vec![1].into()).await.unwrap();
    leaving.ports.objects.put(&object(&leaving, 2), vec![1].into()).await.unwrap();
    leaving.disconnect().await;
    let deliveries = leaving.run(kills).await;
    let purge = leaving.purge().await;
    assert_eq!(purge.phase, PurgePhase::Complete, "{purge:?}");
    assert_eq!(items(&purge.found), found);
    assert_eq!((purge.found["items GRANT"], purge.found["objects"]), (6, 2));
    assert_eq!(purge.found["secrets"], 1);
    assert!(purge.remaining.values().all(|n| *n == 0), "{:?}", purge.remaining);
    assert_eq!(leaving.left(), Vec::<String>::new());
    (leaving, deliveries)
}

fn object(leaving: &Leaving, n: u32) -> String {
    format!("{}{n}", leaving.scope.object_prefixes()[n as usize % 2])
}

#[tokio::test]
async fn a_purge_of_200_000_items_short_of_time_and_killed_counts_each_once() {
    let (_, deliveries) = purge_of(200_000, true).await;
    assert!(deliveries > 60, "{deliveries} deliveries");
}

#[tokio::test]
async fn killed_at_any_call_from_end_to_end_a_small_purge_counts_each_thing_once() {
    let plain = calls_of_a_small_purge(None).await;
    for n in 1..=plain {
        calls_of_a_small_purge(Some((n, n % 2 == 0))).await;
    }
    assert!(plain > 40, "{plain} calls");
}

async fn calls_of_a_small_purge(death: Option<(u64, bool)>) -> u64 {
    let leaving = Leaving::new().await;
    let found = leaving.fill(700).await;
    leaving.disconnect().await;
    leaving.fuse.resume();
    let before = leaving.fuse.calls();
    if let Some((n, after)) = death {
        leaving.fuse.light(n, after);
    }
    let (outbox, mut looks) = (Outbox::new(leaving.ports.clone()), BTreeSet::new());
    // Nobody dies in a tick.
    let ticks = Outbox::new(leaving.memory.ports());
    // Until the first sweep is over, and the look that follows.
    for _ in 0..120 {
        ticks.tick().await.unwrap();
        for message in leaving.memory.receive() {
            leaving.deliver(&outbox, message).await;
            leaving.fuse.restart();
            looks.extend(leaving.purge().await.look_at);
        }
        leaving.memory.clock.advance(SignedDuration::from_secs(31));
    }
    let calls = leaving.fuse.calls() - before;
    leaving.fuse.pause();
    leaving.run(false).await;
    let purge = leaving.purge().await;
    assert_eq!(purge.phase, PurgePhase::Complete, "{death:?}: {purge:?}");
    // A second look would follow if the first one found what a sweep had counted and left.
    assert!(looks.len() < 2, "{death:?}: {looks:?}");
    assert_eq!(items(&purge.found), found, "{death:?}");
    assert_eq!(purge.found["items GRANT"], 6, "{death:?}");
    assert_eq!((purge.grants.open, purge.grants.unconfirmed), (0, 6), "{death:?}");
    assert_eq!(leaving.left(), Vec::<String>::new(), "{death:?}");
    calls
}

#[tokio::test]
async fn the_last_look_waits_for_functions_that_were_at_work_at_the_fence() {
    let leaving = Leaving::new().await;
    leaving.fill(100).await;
    leaving.disconnect().await;
    let outbox = Outbox::new(leaving.ports.clone());
    let pass = async |minutes: i64| {
        leaving.memory.clock.advance(SignedDuration::from_mins(minutes));
        for _ in 0..40 {
            outbox.tick().await.unwrap();
            leaving.deliver_all(&outbox).await;
        }
    };
    pass(0).await;
    assert_eq!(leaving.purge().await.phase, PurgePhase::Verify);
    // Salesforce is asked again every few minutes, and a function that began before writes late.
    pass(5).await;
    assert_eq!(leaving.purge().await.phase, PurgePhase::Verify);
    leaving.fill(10).await;
    for _ in 0..12 {
        pass(5).await;
    }
    assert_eq!(leaving.purge().await.phase, PurgePhase::Revoke);
    let records = leaving.left().into_iter().filter(|name| name.contains("#REC#"));
    assert_eq!(records.collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test]
async fn grants_are_given_up_after_three_days_though_no_function_ran_meanwhile() {
    let leaving = Leaving::new().await;
    leaving.disconnect().await;
    let outbox = Outbox::new(leaving.ports.clone());
    leaving.deliver_all(&outbox).await;
    assert_eq!(leaving.purge().await.grants.open, 6);
    leaving.memory.clock.advance(SignedDuration::from_hours(73));
    // One more question, and not all that are left of its tries.
    for _ in 0..3 {
        outbox.tick().await.unwrap();
        leaving.deliver_all(&outbox).await;
    }
    let grants = leaving.purge().await.grants;
    assert_eq!((grants.open, grants.unconfirmed), (0, 6), "nobody asks on for days");
}

#[tokio::test]
async fn the_end_of_what_a_late_callback_left_spares_the_living_connection() {
    let leaving = Leaving::new().await;
    let (at, living) = (leaving.scope.tenant_environment(), leaving.scope.generation);
    let first = Generation(0);
    let unborn = PurgeMessage::Unborn { at, first, end: Generation(living.0 + 1) };
    assert_eq!(leaving.steps.handle(unborn).await.unwrap(), Done::Finished);
    assert_eq!(leaving.memory.secret_names().len(), 1, "whatever a message says");
}

/// Nobody answers at Salesforce's address in this world, and our app's secret is missing.
#[tokio::test]
async fn the_data_is_unreadable_in_the_first_step_whatever_becomes_of_the_grants() {
    let leaving = Leaving::new().await;
    leaving.fill(100).await;
    leaving.disconnect().await;
    let outbox = Outbox::new(leaving.ports.clone());
    leaving.deliver_all(&outbox).await;
    let purge = leaving.purge().await;
    assert!(purge.data_key_destroyed, "{purge:?}");
    assert_eq!(purge.grants.open, 6);
    let names = leaving.memory.secret_names();
    assert_eq!(names, [format!("{PREFIX}{}/purge", leaving.scope)], "the purge's own is left");
    // Everything is swept within the hour, while the grants wait for their three days.
    leaving.memory.clock.advance(SignedDuration::from_mins(1));
    for _ in 0..60 {
        leaving.deliver_all(&outbox).await;
        leaving.memory.clock.advance(SignedDuration::from_mins(1));
        outbox.tick().await.unwrap();
    }
    let purge = leaving.purge().await;
    assert_eq!((purge.phase, purge.grants.open), (PurgePhase::Revoke, 6), "{purge:?}");
    let left = leaving.left();
    let kept = left.iter().filter(|name| name.starts_with("PURGE#")).count();
    assert_eq!((kept, leaving.is_swept()), (6, true), "{left:?}");
    leaving.run(false).await;
    let purge = leaving.purge().await;
    assert_eq!((purge.phase, purge.grants.unconfirmed), (PurgePhase::Complete, 6), "{purge:?}");
    let took = purge.completed_at.unwrap().duration_since(purge.requested_at);
    assert!(took < SignedDuration::from_hours(4 * 24), "{took}");
    assert_eq!(leaving.left(), Vec::<String>::new());
}

/// A function that was at work when the fence went up may write for as long as it may run.
#[tokio::test]
async fn what_a_function_in_flight_writes_ten_minutes_after_the_sweep_is_swept_too() {
    let leaving = Leaving::new().await;
    leaving.fill(100).await;
    leaving.disconnect().await;
    let outbox = Outbox::new(leaving.ports.clone());
    let a_minute = async || {
        leaving.deliver_all(&outbox).await;
        leaving.memory.clock.advance(SignedDuration::from_mins(1));
        outbox.tick().await.unwrap();
        leaving.is_swept()
    };
    let mut minutes = 0;
    while !a_minute().await {
        minutes += 1;
        assert!(minutes < 60, "it is not swept within the hour");
    }
    for _ in 0..10 {
        assert!(a_minute().await);
    }
    let key = leaving.keys().by(Kind::Record, "late", "Lead#late".to_owned());
    let late = Item { key, doc: Map::new(), body: None, expires_at: None };
    leaving.memory.ports().table.put_many(vec![late]).await.unwrap();
    leaving.run(false).await;
    let purge = leaving.purge().await;
    assert_eq!(purge.phase, PurgePhase::Complete, "{purge:?}");
    assert_eq!(leaving.left(), Vec::<String>::new());
}

#[tokio::test]
async fn a_purge_needs_neither_the_operators_key_nor_intact_grants_nor_a_known_host() {
    for fault in ["key", "grant", "secret", "host"] {
        let leaving = Leaving::new().await;
        leaving.fill(100).await;
        let (memory, scope) = (&leaving.memory, leaving.scope);
        match fault {
            "key" => memory.disable_key(true),
            "grant" => {
                let slot = leaving.keys().seat_grant(SeatId::new(1, 3));
                let mut item = leaving.ports.table.get(&slot).await.unwrap().unwrap();
                item.body = Some(vec![1, 2, 3]);
                memory.ports().table.put_many(vec![item]).await.unwrap();
            }
            "secret" => {
                let name = format!("{PREFIX}{scope}");
                memory.ports().secrets.put(&name, &"junk".into(), "2").await.unwrap();
            }
            _ => {
                let slot = connection_slot(scope.tenant_environment());
                let mut item = leaving.ports.table.get(&slot).await.unwrap().unwrap();
                item.doc.insert("login_host".to_owned(), json!("evil.example"));
                memory.ports().table.put_many(vec![item]).await.unwrap();
            }
        }
        leaving.disconnect().await;
        leaving.run(false).await;
        let purge = leaving.purge().await;
        assert_eq!(purge.phase, PurgePhase::Complete, "{fault}: {purge:?}");
        assert_eq!(purge.grants.unconfirmed, 6, "{fault}");
        assert_eq!(leaving.left(), Vec::<String>::new(), "{fault}");
        // The host and all else of the connection is gone, too.
        assert_eq!(purge.connection.login_host, "", "{fault}");
    }
}

/// A renewal stored its token and died before it pointed to it: both may be good.
#[tokio::test]
async fn a_token_that_nothing_points_to_yet_is_revoked_beside_the_one_in_use() {
    let leaving = Leaving::new().await;
    let custody = Custody::new(leaving.ports.clone(), PREFIX.to_owned());
    let (_, secret) = custody.secret(leaving.scope).await.unwrap().unwrap();
    custody.put_grant((leaving.scope, "2"), secret, (2, &grant("newer"))).await.unwrap();
    leaving.disconnect().await;
    leaving.run(false).await;
    let purge = leaving.purge().await;
    assert_eq!((purge.phase, purge.grants.unconfirmed), (PurgePhase::Complete, 7), "{purge:?}");
}

/// A key service that is down for less than an hour costs no grant; one that stays down holds up
/// nothing but the grants' revocation.
#[tokio::test]
async fn the_key_service_is_waited_for_within_the_hour_and_no_longer() {
    for (minutes, kept) in [(30, 6), (600, 0)] {
        let leaving = Leaving::new().await;
        leaving.fill(100).await;
        leaving.disconnect().await;
        leaving.memory.lose_key_service(true);
        let outbox = Outbox::new(leaving.ports.clone());
        for minute in 0..=minutes {
            leaving.deliver_all(&outbox).await;
            let purge = leaving.purge().await;
            assert!(minute < 90 || purge.data_key_destroyed, "after {minute} minutes");
            assert!(minute > 55 || !purge.data_key_destroyed, "after {minute} minutes");
            leaving.memory.clock.advance(SignedDuration::from_mins(1));
        }
        leaving.memory.lose_key_service(false);
        leaving.deliver_all(&outbox).await;
        assert_eq!(leaving.purge().await.grants.open, kept, "down for {minutes} minutes");
        leaving.run(false).await;
        let purge = leaving.purge().await;
        assert_eq!((purge.phase, purge.grants.unconfirmed), (PurgePhase::Complete, 6), "{purge:?}");
        assert_eq!(leaving.left(), Vec::<String>::new());
    }
}

/// A renewal that was at work at the fence stores its token after the first step.
#[tokio::test]
async fn a_secret_that_was_put_back_behind_the_fence_goes_too() {
    let leaving = Leaving::new().await;
    leaving.fill(100).await;
    leaving.disconnect().await;
    let outbox = Outbox::new(leaving.ports.clone());
    leaving.deliver_all(&outbox).await;
    assert!(leaving.purge().await.data_key_destroyed);
    leaving.make_secret().await;
    leaving.run(false).await;
    let purge = leaving.purge().await;
    assert_eq!(purge.phase, PurgePhase::Complete, "{purge:?}");
    assert_eq!(leaving.left(), Vec::<String>::new());
}

#[tokio::test]
async fn whoever_destroys_a_secret_holds_none_of_its_keys_any_more() {
    let leaving = Leaving::new().await;
    let custody = Custody::new(leaving.ports.clone(), PREFIX.to_owned());
    let at = leaving.scope.tenant_environment();
    let connection = custody.connection(at).await.unwrap().unwrap();
    assert!(custody.open_past_the_fence(&connection).await.unwrap().is_some());
    custody.destroy(leaving.scope).await.unwrap();
    assert!(custody.open_past_the_fence(&connection).await.unwrap().is_none());
}
