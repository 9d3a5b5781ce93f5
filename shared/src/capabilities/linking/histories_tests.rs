//! Matching over histories: whatever happened, in whatever order it became known, the matches are
//! those of one run over what is true in the end.

mod world;

use matching::{EntityKind, MatchModel};
use proptest::prelude::*;
use serde_json::{Value, json};

use self::world::{Random, World, id, record};
use crate::capabilities::audit::Actor;
use crate::capabilities::linking::{
    Correcting, MATCHED_OBJECTS, MatchSource, ModelState, RecordDecision,
};
use crate::kernel::{Record, SObject};
use crate::ports::{Key, Ports};
use crate::salesforce::SalesforceId;
use crate::testing::entity_id;

const GIVEN: [&str; 3] = ["Anna", "Hanna", "Thaddeus"];
const FAMILY: [&str; 3] = ["Berg", "Bergmann", "Quillfeather"];
const COMPANIES: [(&str, &str); 4] = [
    ("Acme Rockets Ltd", "acme-rockets.com"),
    ("Globex Corporation", "globex.com"),
    ("Initech GmbH", "initech.de"),
    ("Acme Rockets Inc", "acme-rockets.us"),
];
const CITIES: [(&str, &str); 2] = [("Berlin", "Germany"), ("Leeds", "United Kingdom")];

/// How many of each the histories are about: few, so that they meet.
const PEOPLE: usize = 14;
const RECORDS: usize = 6;

/// A person in one of the states that they go through.
fn person(n: usize, state: usize) -> Value {
    let (given, family) = (GIVEN[n % 3], FAMILY[(n / 3) % 3]);
    let (company, domain) = COMPANIES[state % 4];
    let (city, country) = CITIES[n % 2];
    let mail = format!("{given}.{family}@{domain}").to_lowercase();
    json!({
        "id": format!("p{n}"),
        "first_name": given,
        "last_name": family,
        "title": "Head of Sales",
        "company": { "name": company },
        "emails": if state.is_multiple_of(2) { vec![mail] } else { vec![] },
        "city": city,
        "country": country,
    })
}

fn company(n: usize, state: usize) -> Value {
    let (name, domain) = COMPANIES[n % 4];
    let (city, country) = CITIES[state % 2];
    json!({
        "id": format!("c{n}"),
        "name": name,
        "domain": domain,
        "city": city,
        "country": country,
    })
}

/// A lead or a contact that is a person in a state, told more or less fully; or an account.
fn row(random: &mut Random, ports: &Ports, object: SObject, n: usize) -> Record {
    let stamp = ports.clock.now();
    let (of, state) = (random.below(PEOPLE), random.below(4));
    let (given, family) = (GIVEN[of % 3], FAMILY[(of / 3) % 3]);
    let (company, domain) = COMPANIES[state];
    let (city, country) = CITIES[of % 2];
    let mail = format!("{given}.{family}@{domain}").to_lowercase();
    let mail = if random.once_in(2) { "" } else { &mail };
    let account = id(SObject::Account, random.below(3));
    let deleted = if random.once_in(6) { "true" } else { "false" };
    let mut fields: Vec<(&str, &str)> = match object {
        SObject::Account => vec![("Name", company), ("Website", domain), ("BillingCity", city)],
        SObject::Contact => vec![
            ("FirstName", given),
            ("LastName", family),
            ("AccountId", account.as_str()),
            ("Email", mail),
            ("MailingCity", city),
            ("MailingCountry", country),
        ],
        _ => vec![
            ("FirstName", given),
            ("LastName", family),
            ("Company", company),
            ("Email", mail),
            ("City", city),
            ("Country", country),
            ("IsConverted", if random.once_in(10) { "true" } else { "false" }),
        ],
    };
    fields.push(("IsDeleted", deleted));
    record(object, n, stamp, &fields)
}

/// A line of a delta: somebody is new, has another job, is retired, or was somebody else all along.
fn line(random: &mut Random) -> (EntityKind, Value) {
    let (n, other, state) = (random.below(PEOPLE), random.below(PEOPLE), random.below(4));
    if random.once_in(4) {
        let n = n % 4;
        return match random.below(4) {
            0 => (EntityKind::Company, json!({ "id": format!("c{n}"), "op": "delete" })),
            1 => {
                let into = format!("c{}", other % 4);
                (EntityKind::Company, json!({ "id": format!("c{n}"), "op": "merge", "into": into }))
            }
            _ => (EntityKind::Company, company(n, state)),
        };
    }
    match random.below(6) {
        0 => (EntityKind::Person, json!({ "id": format!("p{n}"), "op": "delete" })),
        1 if n != other => {
            let into = format!("p{other}");
            (EntityKind::Person, json!({ "id": format!("p{n}"), "op": "merge", "into": into }))
        }
        _ => (EntityKind::Person, person(n, state)),
    }
}

/// A correction that somebody might make.
fn word(random: &mut Random, object: SObject) -> Correcting {
    let n = random.below(PEOPLE);
    let entity_id = if object == SObject::Account {
        entity_id(&format!("c{}", n % 4))
    } else {
        entity_id(&format!("p{n}"))
    };
    match random.below(4) {
        0 => Correcting::Match { entity_id },
        1 => Correcting::Unmatch { entity_id: random.once_in(2).then_some(entity_id) },
        2 => Correcting::WrongMatch { entity_id },
        _ => Correcting::Reset,
    }
}

/// The shipped model with other opinions.
fn other_model(random: &mut Random) -> MatchModel {
    let mut model = MatchModel::shipped().unwrap().clone();
    model.version = format!("other {}", random.below(1_000_000));
    for comparison in model.person.comparisons.iter_mut().chain(&mut model.company.comparisons) {
        for level in comparison.levels.iter_mut().skip(1) {
            level.weight += f64::from(u8::try_from(random.below(40)).unwrap()) / 10.0 - 2.0;
        }
    }
    model
}

/// A full version to begin with.
fn everybody() -> Vec<(EntityKind, Value)> {
    let people = (0..PEOPLE).map(|n| (EntityKind::Person, person(n, n)));
    people.chain((0..4).map(|n| (EntityKind::Company, company(n, 0)))).collect()
}

async fn one_event(world: &mut World, random: &mut Random) {
    let object = MATCHED_OBJECTS[random.below(3)];
    match random.below(10) {
        0..4 => {
            let mut rows = Vec::new();
            for _ in 0..=random.below(4) {
                let object = MATCHED_OBJECTS[random.below(3)];
                let n = random.below(RECORDS);
                rows.push(row(random, &world.ports, object, n));
            }
            rows.sort_by_key(|row| row.id);
            rows.dedup_by(|a, b| a.id == b.id);
            world.import(rows, 1 + random.below(3)).await;
        }
        4..6 => {
            let lines: Vec<_> = (0..=random.below(3)).map(|_| line(random)).collect();
            world.publish(&lines).await;
        }
        6..8 => {
            let record = id(object, random.below(RECORDS));
            let what = word(random, object);
            world.say(object, record, what).await;
        }
        8 => world.rematch().await,
        _ => {
            let model = (!random.once_in(3)).then(|| other_model(random));
            world.take(model.as_ref()).await;
        }
    }
}

/// Lives through a history and compares its end with the same end made at once.
async fn live(seed: u64, shards: u64, events: usize) -> Result<(), TestCaseError> {
    let mut random = Random::new(seed);
    let mut world = Box::pin(World::new(shards)).await;
    world.publish(&everybody()).await;
    for _ in 0..events {
        one_event(&mut world, &mut random).await;
        let most = random.below(12);
        world.deliver_some(&mut random, most).await;
    }
    world.settle_down(&mut random).await;
    let [kept, counted] = world.counts().await;
    prop_assert_eq!(kept, counted, "counts with seed {}, {} shards", seed, shards);
    prop_assert_eq!(world.unfinished_runs().await, 0, "every run came to its end");
    let fresh = Box::pin(world.made_at_once(&mut random)).await;
    let (found, expected) = (world.seen().await, fresh.seen().await);
    for id in found.keys().chain(expected.keys()) {
        prop_assert_eq!(
            found.get(id),
            expected.get(id),
            "{} with seed {}, {} shards, {} events",
            id,
            seed,
            shards,
            events
        );
    }
    Ok(())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A few histories each time, or as many as `PROPTEST_CASES` asks for.
fn histories() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if asked.cases == 256 { 24 } else { asked.cases };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn incremental_matching_equals_matching_from_scratch(
        seed in any::<u64>(),
        shards in prop_oneof![Just(1_u64), Just(2), Just(5)],
        events in 1..25_usize,
    ) {
        block_on(live(seed, shards, events))?;
    }
}

/// Names of which no two are alike.
fn rare_name(n: usize) -> (String, String) {
    const SYLLABLES: [&str; 8] = ["kar", "lom", "mix", "rav", "sut", "tep", "vod", "zug"];
    let word = |n: usize| format!("{}{}", SYLLABLES[n % 8], SYLLABLES[(n / 8 + n) % 8]);
    (word(n), format!("{}son", word(n * 3 + 1)))
}

fn rare_person(n: usize, company: &str) -> (EntityKind, Value) {
    let (given, family) = rare_name(n);
    let line = json!({
        "id": format!("p{n}"),
        "first_name": given,
        "last_name": family,
        "company": { "name": company },
        "city": "Berlin",
        "country": "Germany",
    });
    (EntityKind::Person, line)
}

/// A lead that is the nth person, who works at `company` as far as the CRM knows.
fn rare_lead(world: &World, n: usize, of: usize, company: &str) -> Record {
    let (given, family) = rare_name(of);
    let fields = [
        ("FirstName", given.as_str()),
        ("LastName", family.as_str()),
        ("Company", company),
        ("City", "Berlin"),
        ("Country", "Germany"),
    ];
    record(SObject::Lead, n, world.ports.clock.now(), &fields)
}

/// A world of `n` people, and of a lead for each of them who is at `company`.
async fn rare_world(shards: u64, n: usize, company: &str) -> (World, Random) {
    let (mut world, mut random) = (Box::pin(World::new(shards)).await, Random::new(7));
    let people: Vec<_> = (0..n).map(|n| rare_person(n, "Globex Corporation")).collect();
    world.publish(&people).await;
    let leads = (0..n).map(|at| rare_lead(&world, at, at, company)).collect();
    world.import(leads, 10).await;
    world.settle_down(&mut random).await;
    (world, random)
}

fn is(entity: &str) -> Correcting {
    Correcting::Match { entity_id: entity_id(entity) }
}

fn merge(id: &str, into: &str) -> (EntityKind, Value) {
    (EntityKind::Person, json!({ "id": id, "op": "merge", "into": into }))
}

fn retire(id: &str) -> (EntityKind, Value) {
    (EntityKind::Person, json!({ "id": id, "op": "delete" }))
}

#[tokio::test]
async fn what_a_person_said_outlives_rematches_and_follows_the_directory() {
    let (mut world, mut random) = Box::pin(rare_world(2, 4, "Globex Corporation")).await;
    // A second lead of the same person is a duplicate, with the candidates it would have had.
    let twin = id(SObject::Lead, 9);
    let row = rare_lead(&world, 9, 0, "Globex Corporation");
    world.import(vec![row], 10).await;
    world.settle_down(&mut random).await;
    let first = id(SObject::Lead, 0);
    assert_eq!(world.list(first).await.matched, Some(entity_id("p0")));
    assert_eq!(world.list(twin).await.decision, RecordDecision::Duplicate);

    // A person's word takes the entity from the one that had it.
    assert!(world.say(SObject::Lead, twin, is("p0")).await);
    world.settle_down(&mut random).await;
    let (list, loser) = (world.list(twin).await, world.list(first).await);
    assert_eq!(
        (list.matched.as_ref(), list.source),
        (Some(&entity_id("p0")), Some(MatchSource::Manual))
    );
    assert_eq!((loser.matched, loser.decision), (None, RecordDecision::Duplicate));
    assert_eq!(loser.candidates[0].entity, entity_id("p0"));
    let why = world.models.explain(world.scope, &list).await.unwrap();
    assert!(why[0].words.contains("same surname"), "{}", why[0].words);
    assert!(why[0].comparisons.iter().any(|c| c.name == "family_name" && c.exact));

    // It outlives a re-match, follows a merge, sleeps while nobody is there, and wakes.
    world.rematch().await;
    for (lines, expected) in [
        (vec![rare_person(3, "Initech GmbH")], Some("p0")),
        (vec![merge("p0", "p2")], Some("p2")),
        (vec![retire("p2")], None),
        (vec![rare_person(2, "Globex Corporation")], Some("p2")),
    ] {
        world.publish(&lines).await;
        world.settle_down(&mut random).await;
        assert_eq!(world.list(twin).await.matched, expected.map(entity_id), "{lines:?}");
    }

    // Whose lead this was is none the wiser, until everything said is taken back.
    let third = id(SObject::Lead, 2);
    assert_eq!(world.list(third).await.decision, RecordDecision::Duplicate);
    assert!(world.say(SObject::Lead, twin, Correcting::Reset).await);
    world.settle_down(&mut random).await;
    assert_eq!(world.list(third).await.source, Some(MatchSource::Auto));
    assert_eq!(world.list(twin).await.matched, None);
    let said = world.corrections.get(world.scope, SObject::Lead, twin).await.unwrap();
    assert_eq!(said.history.len(), 2);
}

#[tokio::test]
async fn an_unmatch_holds_and_a_wrong_match_is_put_right() {
    let (mut world, mut random) = Box::pin(rare_world(1, 3, "Globex Corporation")).await;
    let lead = id(SObject::Lead, 0);
    assert!(world.say(SObject::Lead, lead, Correcting::Unmatch { entity_id: None }).await);
    world.settle_down(&mut random).await;
    world.rematch().await;
    world.settle_down(&mut random).await;
    assert_eq!(world.list(lead).await.matched, None);
    // Nothing is matched any more: what would be unmatched must be named.
    assert!(!world.say(SObject::Lead, lead, Correcting::Unmatch { entity_id: None }).await);
    let other = id(SObject::Lead, 1);
    let wrong = Correcting::WrongMatch { entity_id: entity_id("p2") };
    assert!(world.say(SObject::Lead, other, wrong).await);
    world.settle_down(&mut random).await;
    let list = world.list(other).await;
    assert_eq!((list.matched, list.never), (Some(entity_id("p2")), vec![entity_id("p1")]));
    // Nobody is matched to somebody who is not there, and nothing is said of a stranger.
    assert!(!world.say(SObject::Lead, lead, is("p77")).await);
    assert!(!world.say(SObject::Lead, id(SObject::Lead, 77), is("p2")).await);
    assert!(!world.say(SObject::Opportunity, lead, is("p2")).await);
}

#[tokio::test]
async fn a_new_job_a_merge_and_a_retirement_show_without_any_change_in_the_crm() {
    let (mut world, mut random) = Box::pin(rare_world(2, 4, "Globex Corporation")).await;
    let employer = |list: &crate::capabilities::linking::CandidateList| list.candidates[0].employer;
    let lead = id(SObject::Lead, 1);
    assert_eq!(employer(&world.list(lead).await), matching::EmployerEvidence::Current);
    world.publish(&[rare_person(1, "Initech GmbH")]).await;
    world.settle_down(&mut random).await;
    assert_eq!(employer(&world.list(lead).await), matching::EmployerEvidence::Conflict);
    world.publish(&[retire("p2"), merge("p3", "p0")]).await;
    world.settle_down(&mut random).await;
    for n in [2, 3] {
        let list = world.list(id(SObject::Lead, n)).await;
        assert!(list.matched.is_none(), "{list:?}");
        assert!(list.candidates.iter().all(|c| !["p2", "p3"].contains(&c.entity.as_str())));
    }
}

#[tokio::test]
async fn a_replaced_version_is_deleted_when_no_run_is_made_with_it() {
    let (mut world, mut random) = Box::pin(rare_world(2, 3, "Globex Corporation")).await;
    let first = world.runs.current_directory().await.unwrap().unwrap().id;
    // A run begins, and is not over when the next version comes.
    let row = rare_lead(&world, 7, 1, "Globex Corporation");
    world.import(vec![row], 10).await;
    let second = world.publish(&[rare_person(1, "Initech GmbH")]).await;
    let of = |world: &World, id| {
        let folder = crate::capabilities::directory::directory_prefix(id);
        world.memory.object_keys().into_iter().filter(|key| key.starts_with(&folder)).count()
    };
    let files = of(&world, first);
    world.tick_after(25 * 3600).await;
    world.deliver_only("directory_retire").await;
    assert_eq!(of(&world, first), files, "a run is made with it");
    world.settle_down(&mut random).await;
    world.tick_after(2 * 3600).await;
    world.settle_down(&mut random).await;
    // Its parts are the next version's, too.
    assert_eq!(of(&world, first), 1);
    assert!(of(&world, second) > 1);
    world.publish(&[rare_person(2, "Initech GmbH")]).await;
    world.settle_down(&mut random).await;
    let seen = world.seen().await;
    let fresh = Box::pin(world.made_at_once(&mut random)).await;
    assert_eq!(seen, fresh.seen().await);
}

#[tokio::test]
async fn a_settlement_takes_along_the_batches_behind_it_that_are_scored() {
    let (mut world, _) = Box::pin(rare_world(1, 5, "Globex Corporation")).await;
    world.publish(&[rare_person(1, "Initech")]).await;
    let leads = (0..5).map(|at| rare_lead(&world, at, at, "Initech")).collect();
    world.import(leads, 1).await;
    world.receive();
    world.deliver_only("\"match_batch\"").await;
    world.receive();
    world.deliver_first("\"settle\"").await;
    assert_eq!(world.unfinished_runs().await, 0, "one message settled all five");
    assert_eq!(world.list(id(SObject::Lead, 1)).await.matched, Some(entity_id("p1")));
    // The others' own messages find nothing left to do.
    let seen = world.seen().await;
    world.deliver_only("\"settle\"").await;
    assert_eq!(world.seen().await, seen);
}

/// A directory of a hundred million people has more shards than a transaction has items. Building
/// it, matching what an import changed, and matching everything anew come to the same end.
#[tokio::test]
async fn no_number_of_shards_meets_the_limit_of_a_transaction() {
    let (mut world, mut random) = (Box::pin(World::new(120)).await, Random::new(7));
    let people: Vec<_> = (0..150).map(|n| rare_person(n, "Globex Corporation")).collect();
    let version = world.publish(&people).await;
    let shards = world.version(version).await.people_shards;
    assert!(shards > 100, "{shards} shards");
    let leads = (0..5).map(|at| rare_lead(&world, at, at, "Globex Corporation")).collect();
    world.import(leads, 10).await;
    world.settle_down(&mut random).await;
    world.rematch().await;
    world.settle_down(&mut random).await;
    assert_eq!(world.unfinished_runs().await, 0);
    let fresh = Box::pin(world.made_at_once(&mut random)).await;
    assert_eq!(world.seen().await, fresh.seen().await);
    let list = world.list(id(SObject::Lead, 1)).await;
    assert!(list.candidates.iter().any(|candidate| candidate.entity == entity_id("p1")));
}

#[tokio::test]
async fn corrections_make_a_model_that_is_tried_before_it_is_taken_and_gone_with_the_rest() {
    let (mut world, mut random) = Box::pin(rare_world(2, 60, "Initech GmbH")).await;
    let unmatch = |n: usize| Correcting::Unmatch { entity_id: Some(entity_id(&format!("p{n}"))) };
    for n in 0..10 {
        assert!(world.say(SObject::Lead, id(SObject::Lead, n), unmatch(n)).await);
    }
    world.settle_down(&mut random).await;
    let few = world.models.tune(world.scope).await.unwrap().id;
    world.settle_down(&mut random).await;
    let few = world.models.get(world.scope, few).await.unwrap();
    assert_eq!((few.state, few.labels[&SObject::Lead]), (ModelState::TooFewLabels, 10));
    assert!(world.models.choose(world.scope, Some(few.id), &Actor::Service).await.is_err());

    for n in 10..30 {
        assert!(world.say(SObject::Lead, id(SObject::Lead, n), unmatch(n)).await);
    }
    world.settle_down(&mut random).await;
    let tuned = world.models.tune(world.scope).await.unwrap().id;
    assert!(
        world.models.choose(world.scope, Some(tuned), &Actor::Service).await.is_err(),
        "not tried yet"
    );
    world.settle_down(&mut random).await;
    let tuned = world.models.get(world.scope, tuned).await.unwrap();
    assert_eq!((tuned.state, tuned.labels[&SObject::Lead]), (ModelState::Ready, 30));
    let shadow = &tuned.shadow[&SObject::Lead];
    let before = world.lists().await;
    let differ = shadow.newly_matched + shadow.no_longer_matched + shadow.other_entity;
    assert_eq!(shadow.same + differ, before.len() as u64);
    assert!(shadow.no_longer_matched > 0, "{shadow:?}");
    assert_eq!(world.models.choice(world.scope).await.unwrap().model, None);

    // What the shadow said is what comes, once it is taken; and it can be taken back.
    world.models.choose(world.scope, Some(tuned.id), &Actor::Service).await.unwrap();
    world.settle_down(&mut random).await;
    let after = world.lists().await;
    let changed: Vec<&SalesforceId> =
        before.keys().filter(|id| before[*id].matched != after[*id].matched).collect();
    assert_eq!(changed.len() as u64, differ);
    assert!(changed.iter().all(|id| shadow.examples.contains(id)));
    assert!(after.values().all(|list| list.model.model == Some(tuned.id)));
    world.models.choose(world.scope, None, &Actor::Service).await.unwrap();
    world.settle_down(&mut random).await;
    let back = world.lists().await;
    assert!(before.keys().all(|id| before[id].matched == back[id].matched));

    // The model is sealed, and lies where a purge sweeps.
    let key = format!("{}models/{}", world.scope.object_prefix(), tuned.id);
    let sealed = world.ports.objects.get(&key).await.unwrap().unwrap();
    assert!(serde_json::from_slice::<Value>(&sealed).is_err());
    let keys = world.opened().await.keys;
    let places: Vec<String> = keys.partitions().map(|(_, pk)| pk).collect();
    let keys: [Key; 3] = [
        keys.model(tuned.id).into(),
        keys.model_choice().into(),
        keys.correction(SObject::Lead, id(SObject::Lead, 0)).into(),
    ];
    for key in keys {
        assert!(places.iter().any(|pk| pk == key.pk()), "{}", key.pk());
    }
}
