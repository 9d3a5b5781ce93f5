//! A tenant moves from one home of the product to another, with everything that people made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use salesforce_simulator::{Fault, FaultKind};
use serde_json::{Value, json};
use shared::capabilities::activities::{Activity, ActivityKind, ActivityState, HoldReason};
use shared::capabilities::audit::Actor;
use shared::capabilities::changing::{ChangeKind, ChangeState, NewChange, Values};
use shared::capabilities::importing::{self, ImportSettings};
use shared::capabilities::linking::{
    Correcting, Correction, MATCHED_OBJECTS, MatchRules, ObjectRules,
};
use shared::capabilities::lists::{List, ListEntry, ListKind, NewList};
use shared::capabilities::moving::{ImportedLines, Line, LineError, MovingError};
use shared::capabilities::saving::Saved;
use shared::capabilities::seats::{self, NewSeat, Role, Seat, SeatPatch, TenantError};
use shared::capabilities::settings::{self, Settings};
use shared::kernel::{ActivityId, Author, Grantee, SObject, SeatId};
use shared::ports::{Clock, Range};
use shared::product::{Generations, Product};
use shared::store::keys::Kind;
use shared::store::{self, Store, Stored};
use tempfile::TempDir;
use tests::Home;
use tests::world::{Delivery, World, WorldOptions};

use super::main_job::{ADMIN, activity, imported_at, state};
use super::observe::lists;
use super::org::{directory, tiny};

const NOOR: &str = "noor.castellan@acme.example";

in_both_homes!(
    a_tenant_moves_with_everything_that_people_made,
    a_seat_that_moved_keeps_its_addresses_to_itself,
    what_belongs_to_another_org_or_to_none_is_refused,
    changes_move_with_their_tenant_and_are_made_by_one_home,
    rules_of_matching_that_come_to_a_connected_home_decide_there,
);

/// A tenant at its old home, where people have worked for a while.
struct Old {
    folder: TempDir,
    world: World,
    /// Who has logged in, and who has not.
    sellers: [(SeatId, String); 2],
    /// Activities: logged, waiting for a login, of unknown outcome, in the queue.
    activities: [ActivityId; 4],
}

/// The other of the two homes: each test moves from one to the other.
fn other(home: Home) -> Home {
    match home {
        Home::Memory => Home::OneMachine,
        Home::OneMachine => Home::Memory,
    }
}

async fn put<T: serde::Serialize>(world: &World, slot: store::Slot<T>, document: &T) {
    let write = store::put(slot, document, shared::ports::Condition::Always).unwrap();
    assert!(world.ports().table.write(write).await.unwrap().is_done());
}

impl Old {
    async fn at(home: Home) -> Self {
        let folder = tiny();
        let world = imported_at(home, folder.path(), Delivery::Plain).await;
        let at = world.at();
        let changed = Settings { roi: true, data_validation: false, ..Settings::default() };
        let changed = settings::KeptSettings { settings: changed, ..Default::default() };
        put(&world, settings::keys::settings(at), &changed).await;
        let every = ImportSettings { every_minutes: 360, ..ImportSettings::default() };
        world.functions.import().change_settings(at, &every, &Actor::Service).await.unwrap();
        let place = seats::keys::seats(world.tenant);
        let all: Vec<Seat> = store::query_all(&*world.ports().table, &place).await.unwrap();
        let noor = SeatId::derived(NOOR);
        let another = all.iter().find(|seat| seat.id != noor).unwrap();
        let sellers = [(noor, NOOR.to_owned()), (another.id, another.email.clone())];
        let mut old = Self { folder, world, sellers, activities: [ActivityId::derived("none"); 4] };
        old.correct().await;
        old.choose().await;
        old.work().await;
        old
    }

    /// A seller unlinks one record and confirms another.
    async fn correct(&self) {
        let world = &self.world;
        let matched = lists(world, SObject::Contact).await.into_iter();
        let matched: Vec<_> = matched.filter(|list| list.matched.is_some()).collect();
        let (wrong, right) = (&matched[0], &matched[1]);
        let scope = world.connection().await.scope();
        let by = Author::Seat { seat: self.sellers[0].0 };
        let unmatch = Correcting::Unmatch { entity_id: None };
        let confirm = Correcting::Match { entity_id: right.matched.clone().unwrap() };
        for (list, what) in [(wrong, unmatch), (right, confirm)] {
            let said = world.functions.corrections.say(scope, list.object, list.id, what, &by);
            said.await.unwrap();
        }
        world.run().await;
    }

    /// A seller keeps a list with a colleague, and an admin asks for surer matches.
    async fn choose(&self) {
        let (world, [(noor, _), (another, _)]) = (&self.world, &self.sellers);
        let product = product(world);
        let matched = lists(world, SObject::Contact).await.into_iter();
        let people: Vec<_> = matched.filter_map(|list| list.matched).take(3).collect();
        let name = "Renewals".to_owned();
        let new = NewList { kind: ListKind::Leads, name, collaborators: [*another].into() };
        let list = product.lists().make(world.at(), *noor, new).await.unwrap();
        product.lists().add(world.at(), *noor, list.id, &people).await.unwrap();
        let surer = ObjectRules { match_at: Some(0.9995), ..ObjectRules::default() };
        let rules = MatchRules([(SObject::Lead, surer)].into());
        let changes = product.match_rules(product.models().unwrap());
        changes.change(world.at(), rules, None, &Author::Service).await.unwrap();
        world.run().await;
    }

    /// Activities in every state; the last two are about one person, so that they share a lane.
    async fn work(&mut self) {
        let world = &self.world;
        let (at, [(noor, username), (another, _)]) = (world.at(), &self.sellers);
        let matched = lists(world, SObject::Contact).await;
        let mut people = matched.iter().filter_map(|list| list.matched.clone());
        let (one, two) = (people.next().unwrap(), people.next().unwrap());
        world.authorize(Grantee::Seat(*noor), username).await.unwrap();
        let post = async |seat: SeatId, key, kind, person: &str| {
            let new = activity(seat, key, kind, person);
            world.functions.activities.post(at, new).await.unwrap().id
        };
        let logged = post(*noor, "logged", ActivityKind::Message, one.as_str()).await;
        let held = post(*another, "held", ActivityKind::Inmail, one.as_str()).await;
        world.run().await;
        // Salesforce takes the row, and its answer is lost.
        world.control().add_fault(Fault {
            method: Some("POST".to_owned()),
            times: 1,
            ..Fault::at("/sobjects/Task", FaultKind::DropAfter)
        });
        let claimed = post(*noor, "claimed", ActivityKind::Message, two.as_str()).await;
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
        let queued = post(*noor, "queued", ActivityKind::Note, two.as_str()).await;
        self.activities = [logged, held, claimed, queued];
        let states = self.states(world).await;
        assert!(matches!(states[0], ActivityState::Logged { .. }), "{states:?}");
        let login = ActivityState::Held { reason: HoldReason::CrmLoginRequired };
        assert_eq!(states[1], login);
        assert!(matches!(states[2], ActivityState::Claimed { .. }), "{states:?}");
        assert_eq!(states[3], ActivityState::Queued);
    }

    async fn states(&self, world: &World) -> Vec<ActivityState> {
        let mut states = Vec::new();
        for id in self.activities {
            states.push(state(world, id).await);
        }
        states
    }

    /// The lines of the tenant, and those of its org, in the order of a file.
    async fn exported(&self) -> (Vec<String>, Vec<String>) {
        let moving = &self.world.functions.moving;
        moving.hand_over(self.world.tenant).await.unwrap();
        let first = moving.export(self.world.tenant, None).await.unwrap();
        let (mut next, mut of_org) = (first.next, Vec::new());
        while let Some(cursor) = next {
            let page = moving.export(self.world.tenant, Some(&cursor)).await.unwrap();
            of_org.extend(page.lines);
            next = page.next;
        }
        // As `crm-sync tenant export` does.
        of_org.sort_by_key(|line| Line::parse(line).unwrap().place());
        (first.lines, of_org)
    }

    /// The new home, before an org is connected there.
    async fn new_home(&self, home: Home) -> World {
        let own = WorldOptions { home, seed: 8, ..WorldOptions::default() };
        let new = World::around(Arc::clone(&self.world.simulator), own).await;
        let behind = self.world.memory.clock.now().duration_since(new.memory.clock.now());
        new.memory.clock.advance(behind + SignedDuration::from_hours(1));
        new
    }
}

fn product(world: &World) -> Product<Generations> {
    Product::new(world.ports()).opening("crm-sync/".to_owned())
}

async fn import(world: &World, lines: &[String]) -> Result<ImportedLines, MovingError> {
    world.functions.moving.import(world.tenant, lines).await
}

/// The documents of a kind, by sort key.
async fn documents<T: serde::de::DeserializeOwned>(
    world: &World,
    kind: Kind,
    prefix: &str,
) -> BTreeMap<String, T> {
    let (keys, opened) = (world.keys().await, world.documents().await);
    let mut found = BTreeMap::new();
    for bucket in 0..keys.buckets() {
        let (ports, pk) = (world.ports(), keys.partition(kind, bucket));
        let page = ports.table.query(&pk, &Range::All, None, 100_000).await.unwrap();
        let items = page.items.into_iter().filter(|item| item.key.sk().starts_with(prefix));
        found.extend(items.map(|item| (item.key.sk().to_owned(), opened.typed(item).unwrap())));
    }
    found
}

/// Which entity each live record is linked to.
async fn links(world: &World) -> BTreeSet<String> {
    let mut links = BTreeSet::new();
    for object in MATCHED_OBJECTS {
        let lists = lists(world, object).await.into_iter().filter(|list| !list.gone);
        links.extend(lists.map(|l| format!("{object} {} {:?} {:?}", l.id, l.matched, l.source)));
    }
    links
}

/// How many rows of the CRM carry each activity's marker.
fn rows_by_marker(world: &World) -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    for (object, field) in [("Task", "Description"), ("Note", "Body")] {
        for row in world.control().records(&world.org, object, 0, 100_000).unwrap() {
            let text = row[field].as_str().unwrap_or_default();
            if let Some(at) = text.rfind("[ref ") {
                *rows.entry(text[at..].to_owned()).or_default() += 1;
            }
        }
    }
    rows
}

async fn a_seat_that_moved_keeps_its_addresses_to_itself(home: Home) {
    let old = Old::at(other(home)).await;
    let aliases = Some(BTreeSet::from(["n.castellan@acme.example".to_owned()]));
    let patch = SeatPatch { aliases, ..SeatPatch::default() };
    let (tenants, noor) = (&old.world.functions.tenants, old.sellers[0].0);
    tenants.change_seat(old.world.tenant, noor, &patch, &Author::Service).await.unwrap();
    let (of_tenant, _) = old.exported().await;
    let new = old.new_home(home).await;
    import(&new, &of_tenant).await.unwrap();
    for email in [NOOR, "N.Castellan@acme.example"] {
        let another = NewSeat {
            email: email.to_owned(),
            name: "Another".to_owned(),
            time_zone: "UTC".to_owned(),
            roles: BTreeSet::from([Role::Seat]),
        };
        let added = new.functions.tenants.add_seat(new.tenant, another, &Actor::Service).await;
        assert!(matches!(added, Err(TenantError::EmailTaken)), "{added:?}");
    }
}

async fn a_tenant_moves_with_everything_that_people_made(home: Home) {
    let old = Old::at(other(home)).await;
    let (of_tenant, of_org) = old.exported().await;
    let head = of_tenant[0].clone();
    let batch = |lines: &[String]| [std::slice::from_ref(&head), lines].concat();

    // What waits at the old home stays there, and nothing new is taken in.
    let rows = rows_by_marker(&old.world);
    for message in old.world.memory.receive() {
        old.world.deliver(&message.body).await;
    }
    assert_eq!(rows_by_marker(&old.world), rows, "the old home has stopped");
    let late = activity(old.sellers[0].0, "late", ActivityKind::Note, "p");
    assert!(old.world.functions.activities.post(old.world.at(), late).await.is_err());

    let new = old.new_home(home).await;
    import(&new, &of_tenant).await.unwrap();
    let refused = import(&new, &batch(&of_org)).await.unwrap_err();
    assert!(matches!(refused, MovingError::NotConnected { .. }), "{refused}");
    new.authorize(Grantee::Admin, ADMIN).await.unwrap();
    new.run().await;
    // An import that ends half-way is simply run again.
    import(&new, &batch(&of_org[..of_org.len() / 2])).await.unwrap();
    let again = import(&new, &batch(&of_org)).await.unwrap();
    let rest = of_org.len() - of_org.len() / 2;
    assert_eq!(again.taken.values().sum::<u64>(), rest as u64);
    // The first match is made with the corrections in hand.
    new.publish(None, &directory(old.folder.path())).await;
    new.run().await;
    for (seat, username) in &old.sellers {
        new.authorize(Grantee::Seat(*seat), username).await.unwrap();
    }
    new.run().await;

    same_after_the_move(&old, &new).await;
    let before = new.item_keys().await;
    for lines in [of_tenant.clone(), batch(&of_org)] {
        assert_eq!(import(&new, &lines).await.unwrap().taken, BTreeMap::new());
    }
    assert_eq!(new.item_keys().await, before, "a second import changes nothing");
    let (seat, person) = (old.sellers[0].0, logged_person(&old).await);
    let repeated = activity(seat, "logged", ActivityKind::Message, &person);
    let repeated = new.functions.activities.post(new.at(), repeated).await.unwrap();
    assert_eq!(repeated.id, old.activities[0], "what is posted again is known");
    new.run().await;
    assert!(rows_by_marker(&new).values().all(|rows| *rows == 1));
}

async fn rules_of_matching_that_come_to_a_connected_home_decide_there(home: Home) {
    let old = Old::at(other(home)).await;
    let (of_tenant, _) = old.exported().await;
    let is_rules = |line: &&String| line.contains("\"match_rules\"");
    let (rules, others): (Vec<&String>, Vec<&String>) = of_tenant.iter().partition(is_rules);
    let new = old.new_home(home).await;
    import(&new, &others.into_iter().cloned().collect::<Vec<_>>()).await.unwrap();
    new.authorize(Grantee::Admin, ADMIN).await.unwrap();
    new.publish(None, &directory(old.folder.path())).await;
    new.run().await;
    let leads = async |world: &World| -> BTreeSet<String> {
        let found = lists(world, SObject::Lead).await.into_iter();
        found.filter(|list| list.matched.is_some()).map(|list| list.id.to_string()).collect()
    };
    let surer = leads(&old.world).await;
    assert_ne!(leads(&new).await, surer, "by the model alone more is matched");
    let lines = [of_tenant[0].clone(), rules[0].clone()];
    for taken in [1, 0] {
        let imported = import(&new, &lines).await.unwrap();
        assert_eq!(imported.taken.values().sum::<u64>(), taken);
        new.run().await;
        assert_eq!(leads(&new).await, surer);
    }
}

async fn logged_person(old: &Old) -> String {
    let id = old.activities[0];
    let activity = old.world.functions.activities.get(old.world.at(), id).await.unwrap().unwrap();
    activity.entity.to_string()
}

async fn same_after_the_move(old: &Old, new: &World) {
    let (at, was) = (new.at(), &old.world);
    let read = async |world: &World| {
        let store = Store::new(world.ports());
        let settings = store.read(&settings::keys::settings(at)).await.unwrap().unwrap();
        let slot = importing::keys::import_settings(at);
        let imports: ImportSettings = store.read(&slot).await.unwrap().unwrap();
        let seats = store.all(&seats::keys::seats(world.tenant)).await.unwrap();
        (settings, imports, seats.into_iter().map(Stored::into_inner).collect::<Vec<Seat>>())
    };
    assert_eq!(read(new).await, read(was).await);
    let corrections = documents::<Correction>(was, Kind::Correction, "").await;
    assert_eq!(corrections.len(), 2);
    assert_eq!(documents::<Correction>(new, Kind::Correction, "").await, corrections);
    // Each home has its own names in the keys.
    let saved_at = async |world: &World| -> BTreeSet<String> {
        let saved = documents::<Saved>(world, Kind::Saved, "").await;
        saved.into_values().map(|saved| format!("{saved:?}")).collect()
    };
    let saved = saved_at(was).await;
    assert!(saved.len() > 5, "{}", saved.len());
    assert_eq!(saved_at(new).await, saved, "with their reasons");
    assert_eq!(links(new).await, links(was).await, "by the same rules");
    let lists_at = async |world: &World| -> BTreeSet<String> {
        let lists = documents::<List>(world, Kind::List, "LIST#").await;
        let entries = documents::<ListEntry>(world, Kind::List, "ENTRY#").await;
        let lists = lists.into_values().map(|list| format!("{list:?}"));
        lists.chain(entries.into_values().map(|entry| format!("{entry:?}"))).collect()
    };
    let lists = lists_at(was).await;
    assert_eq!(lists.len(), 1 + 3, "{lists:?}");
    assert_eq!(lists_at(new).await, lists, "with what they count");

    let (before, after) = (old.states(was).await, old.states(new).await);
    assert_eq!(after[0], before[0], "it is never logged again");
    let logged = |state: &ActivityState| matches!(state, ActivityState::Logged { .. });
    assert!(after.iter().all(logged), "{after:?}");
    let rows = rows_by_marker(new);
    assert_eq!((rows.len(), rows.values().max()), (4, Some(&1)), "each has one row: {rows:?}");
    let (was, is): (BTreeMap<_, Activity>, BTreeMap<_, Activity>) = (
        documents(was, Kind::Activity, "ACT#").await,
        documents(new, Kind::Activity, "ACT#").await,
    );
    assert_eq!(was.keys().collect::<Vec<_>>(), is.keys().collect::<Vec<_>>());
    for (before, after) in was.values().zip(is.values()) {
        let same = |of: &Activity| (of.seat, of.kind, of.entity.clone(), of.occurred_at);
        assert_eq!(same(before), same(after));
        assert_eq!(before.digest, after.digest);
    }
}

async fn what_belongs_to_another_org_or_to_none_is_refused(home: Home) {
    let old = Old::at(other(home)).await;
    let moving = &old.world.functions.moving;
    let early = moving.export(old.world.tenant, None).await.unwrap_err();
    assert!(matches!(early, MovingError::NotHandedOver), "{early}");
    let (of_tenant, of_org) = old.exported().await;
    let back = import(&old.world, &of_tenant).await.unwrap_err();
    assert!(matches!(back, MovingError::HandedOver), "{back}");

    let new = old.new_home(home).await;
    new.authorize(Grantee::Admin, ADMIN).await.unwrap();
    new.run().await;
    let head = of_tenant[0].clone();
    let place = of_org.iter().position(|line| line.contains("\"connection\"")).unwrap();
    let mut connection: Value = serde_json::from_str(&of_org[place]).unwrap();
    connection["org_id"] = json!("00D000000000009EAA");
    let others = [head.clone(), connection.to_string(), of_org[place + 1].clone()];
    let before = new.item_keys().await;
    let refused = import(&new, &others).await.unwrap_err();
    assert!(matches!(refused, MovingError::OtherOrg { .. }), "{refused}");
    let of_none = import(&new, &[head.clone(), of_org[place + 1].clone()]).await.unwrap_err();
    let misplaced = LineError::Misplaced;
    assert!(matches!(of_none, MovingError::Line { number: 2, source } if source == misplaced));
    let later = head.replace("\"format\":4", "\"format\":5");
    let later = import(&new, &[later]).await.unwrap_err();
    let form = LineError::LaterForm(5);
    assert!(matches!(later, MovingError::Line { number: 1, source } if source == form), "{later}");
    assert_eq!(new.item_keys().await, before, "nothing was taken in");
}

/// A new lead of a seller.
fn lead(seat: SeatId, name: &str) -> NewChange {
    let fields = json!({ "LastName": name, "Company": format!("{name} Ltd") });
    NewChange {
        seat,
        idempotency_key: name.to_owned(),
        what: ChangeKind::Create { object: SObject::Lead },
        entity: None,
        to: serde_json::from_value(fields).unwrap(),
        from: Values::new(),
        role: None,
        create_anyway: false,
    }
}

/// The leads of a name that the org has.
fn leads(world: &World, name: &str) -> usize {
    let leads = world.control().records(&world.org, "Lead", 0, 10_000).unwrap();
    let is_there = |lead: &&Value| lead["LastName"] == name && lead["IsDeleted"] != true;
    leads.iter().filter(is_there).count()
}

async fn changes_move_with_their_tenant_and_are_made_by_one_home(home: Home) {
    let old = Old::at(other(home)).await;
    let [(noor, _), (another, username)] = &old.sellers;
    old.world.set(&json!({ "create_leads": true, "bulk_changes": true })).await;
    let changes = &old.world.functions.changes;
    let many = vec![lead(*noor, "Aurelian")];
    let (bulk, _) = changes.post_bulk(old.world.at(), *noor, "1", many).await.unwrap();
    let waits = changes.post(old.world.at(), lead(*another, "Boreal")).await.unwrap();
    old.world.run().await;
    assert_eq!((leads(&old.world, "Aurelian"), leads(&old.world, "Boreal")), (1, 0));

    let (of_tenant, of_org) = old.exported().await;
    let new = old.new_home(home).await;
    import(&new, &of_tenant).await.unwrap();
    new.authorize(Grantee::Admin, ADMIN).await.unwrap();
    new.run().await;
    let lines = [&of_tenant[..1], &of_org].concat();
    let taken = import(&new, &lines).await.unwrap().taken;
    assert_eq!((taken["change"], taken["bulk"]), (2, 1));
    assert_eq!(import(&new, &lines).await.unwrap().taken, BTreeMap::new());

    new.authorize(Grantee::Seat(*another), username).await.unwrap();
    new.authorize(Grantee::Seat(*noor), NOOR).await.unwrap();
    for message in old.world.memory.receive() {
        old.world.deliver(&message.body).await;
    }
    new.run().await;
    let (changes, at) = (&new.functions.changes, new.at());
    let (_, made, _) = changes.get(at, *another, waits.id).await.unwrap();
    assert_eq!(made.state, ChangeState::Made);
    assert_eq!((leads(&new, "Aurelian"), leads(&new, "Boreal")), (1, 1));
    // What the old home made is undone here.
    let undone = changes.undo_bulk(at, *noor, bulk.id).await.unwrap();
    assert!(undone.iter().all(Result::is_ok), "{undone:?}");
    new.run().await;
    let (_, page) = changes.page(at, *noor, None).await.unwrap();
    let states: Vec<_> =
        page.items.iter().map(|(change, _)| (change.what, &change.state)).collect();
    assert_eq!(leads(&new, "Aurelian"), 0, "{states:?}");
    assert_eq!(states.len(), 2, "the creation and its undoing");
}

#[tokio::test]
async fn a_hand_over_that_is_taken_back_has_lost_nothing() {
    let old = Old::at(Home::Memory).await;
    let world = &old.world;
    world.functions.moving.hand_over(world.tenant).await.unwrap();
    for _ in 0..3 {
        for message in world.memory.receive() {
            world.deliver(&message.body).await;
        }
        world.memory.clock.advance(SignedDuration::from_mins(5));
    }
    world.functions.moving.take_back(world.tenant).await.unwrap();
    world.run().await;
    let (seat, username) = &old.sellers[1];
    world.authorize(Grantee::Seat(*seat), username).await.unwrap();
    world.run().await;
    let states = old.states(world).await;
    assert!(states.iter().all(|s| matches!(s, ActivityState::Logged { .. })), "{states:?}");
    let rows = rows_by_marker(world);
    assert_eq!((rows.len(), rows.values().max()), (4, Some(&1)), "{rows:?}");
}

/// The narrowest moment: the seller's record is being read, and the claim is the next step.
#[tokio::test]
async fn an_activity_that_is_about_to_be_claimed_when_the_tenant_is_handed_over_is_not() {
    let folder = tiny();
    let world = imported_at(Home::Memory, folder.path(), Delivery::Plain).await;
    let noor = SeatId::derived(NOOR);
    world.authorize(Grantee::Seat(noor), NOOR).await.unwrap();
    world.run().await;
    let person = lists(&world, SObject::Contact).await.into_iter().find_map(|list| list.matched);
    let new = activity(noor, "narrow", ActivityKind::Message, person.unwrap().as_str());
    let posted = world.functions.activities.post(world.at(), new).await.unwrap();
    world.control().add_fault(Fault {
        method: Some("GET".to_owned()),
        times: 1,
        ..Fault::at("/sobjects/Contact", FaultKind::Delay { ms: 2_000 })
    });
    let messages = world.memory.receive();
    let deliver = async {
        for message in &messages {
            world.deliver(&message.body).await;
        }
    };
    let hand_over = async {
        while world.control().faults().iter().all(|fault| fault.hits == 0) {
            tokio::task::yield_now().await;
        }
        world.functions.moving.hand_over(world.tenant).await.unwrap();
    };
    tokio::join!(deliver, hand_over);
    assert_eq!(state(&world, posted.id).await, ActivityState::Queued);
    assert_eq!(rows_by_marker(&world), BTreeMap::new());

    world.functions.moving.take_back(world.tenant).await.unwrap();
    world.run().await;
    assert_eq!(rows_by_marker(&world).into_values().collect::<Vec<_>>(), [1]);
}
