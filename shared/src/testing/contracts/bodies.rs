//! The contract of the bodies of a directory version, which lie in an [`ObjectStore`].

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use matching::{Company, EntityKind, Person, shard_of};

use crate::capabilities::directory::{Bodies, BodiesBuilder, DirectoryState, DirectoryVersion};
use crate::kernel::DirectoryVersionId;
use crate::ports::ObjectStore;
use crate::testing::entity_id;

const PEOPLE: usize = 700;
const SHARDS: u32 = 3;

/// Every entity of a version is found as it is, by its id, in one call; strangers are left out.
pub async fn bodies(store: Arc<dyn ObjectStore>, place: &str) {
    let version = DirectoryVersion {
        id: DirectoryVersionId::derived(place),
        base: None,
        state: DirectoryState::Published,
        parts: Vec::new(),
        people_shards: SHARDS,
        company_shards: 1,
        people: 0,
        companies: 0,
        skipped: BTreeMap::new(),
        shards_left: 0,
        reason: None,
        created_at: Timestamp::UNIX_EPOCH,
        published_at: None,
    };
    for shard in 0..SHARDS {
        let mut builder = BodiesBuilder::new(EntityKind::Person, shard, SHARDS);
        for person in (0..PEOPLE).map(person).filter(|p| shard_of(&p.id, SHARDS) == shard) {
            builder.add(&person.id, &serde_json::to_vec(&person).unwrap());
        }
        let key = version.bodies_key(EntityKind::Person, shard);
        store.put(&key, builder.finish().unwrap().into()).await.unwrap();
    }
    let company = Company { id: "p7".into(), name: "Acme".into(), ..Company::default() };
    let mut builder = BodiesBuilder::new(EntityKind::Company, 0, 1);
    builder.add(&company.id, &serde_json::to_vec(&company).unwrap());
    let key = version.bodies_key(EntityKind::Company, 0);
    store.put(&key, builder.finish().unwrap().into()).await.unwrap();

    let bodies = Bodies::new(store.clone());
    let ids: Vec<_> = (0..PEOPLE + 50).map(|n| entity_id(&format!("p{n}"))).collect();
    for ids in ids.chunks(100) {
        let found = bodies.get_many::<Person>(&version, ids).await.unwrap();
        let expected = ids.iter().filter_map(|id| {
            let number = id.as_str().strip_prefix('p')?.parse().ok()?;
            (number < PEOPLE).then(|| (id.clone(), person(number)))
        });
        assert_eq!(found, expected.collect());
    }
    let found = bodies.get_many::<Company>(&version, &ids[..10]).await.unwrap();
    assert_eq!(found, BTreeMap::from([(ids[7].clone(), company)]), "a person is no company");
    store.delete_folder(&version.prefix()).await.unwrap();
    assert!(Bodies::new(store).get_many::<Person>(&version, &ids[..1]).await.is_err(), "removed");
}

fn person(number: usize) -> Person {
    Person {
        id: format!("p{number}"),
        last_name: format!("Lovell{number}"),
        title: "Head of Sales, Żółw & Partners".repeat(number % 9),
        profile_url: format!("https://people.example/in/{number}"),
        ..Person::default()
    }
}
