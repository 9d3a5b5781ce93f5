//! Bodies: what is found, by how many reads, and which files are refused.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::file::MAGIC;
use super::*;
use crate::capabilities::directory::{Directory, DirectoryState, VersionUse};
use crate::kernel::{DirectoryMessage, DirectoryVersionId, Envelope, Message};
use crate::store::Outbox;
use crate::store::keys::GenerationKeys;
use crate::testing::{Fuse, Memory, entity_id};

const KIND: EntityKind = EntityKind::Person;

fn person(n: usize) -> Person {
    let name = format!("Lovell{n}");
    Person { id: format!("p{n}"), last_name: name, ..Person::default() }
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<EntityId> {
    numbers.into_iter().map(|n| entity_id(&format!("p{n}"))).collect()
}

/// The file of shard `number` of `count`, of those of these people that belong there.
fn file(people: impl Iterator<Item = Person>, number: u32, count: u32) -> Vec<u8> {
    let mut builder = BodiesBuilder::new(KIND, number, count);
    for person in people.filter(|person| shard_of(&person.id, count) == number) {
        builder.add(&person.id, &serde_json::to_vec(&person).unwrap());
    }
    builder.finish().unwrap()
}

fn version() -> DirectoryVersion {
    DirectoryVersion { people_shards: 1, company_shards: 0, ..DirectoryVersion::sample() }
}

/// A version of one shard whose file has these bytes.
async fn stored(bytes: Vec<u8>) -> (Memory, Fuse, Bodies) {
    let (memory, fuse) = (Memory::new(Timestamp::UNIX_EPOCH, 1), Fuse::default());
    memory.put(&version().bodies_key(KIND, 0), bytes.into()).await.unwrap();
    let bodies = Bodies::new(fuse.guard(&memory.ports()).objects);
    (memory, fuse, bodies)
}

async fn refusal(bytes: Vec<u8>) -> String {
    let (_, _, bodies) = stored(bytes).await;
    let read = bodies.get_many::<Person>(&version(), &ids([3])).await;
    read.expect_err("a file that is refused").source.to_string()
}

#[tokio::test]
async fn an_entity_costs_one_ranged_read_once_the_index_is_at_hand() {
    let (_, fuse, bodies) = stored(file((0..5_000).map(person), 0, 1)).await;
    let reads = async |numbers: Vec<usize>| {
        let before = fuse.calls();
        let found = bodies.get_many::<Person>(&version(), &ids(numbers)).await.unwrap();
        (found.len(), fuse.calls() - before)
    };
    assert_eq!(reads(vec![17]).await, (1, 3), "the file's size, its head, a block");
    assert_eq!(reads(vec![17]).await, (1, 1));
    assert_eq!(reads(vec![4_711]).await, (1, 1));
    assert_eq!(reads(vec![9_999]).await, (0, 1), "a stranger");
    let (found, of_hundred) = reads((0..100).collect()).await;
    assert_eq!(found, 100);
    assert!((2..=100).contains(&of_hundred), "at most one for each: {of_hundred}");
    assert_eq!(reads(vec![]).await, (0, 0));
}

#[tokio::test]
async fn an_index_that_is_longer_than_the_head_is_read_whole() {
    let (_, _, mut bodies) = stored(file((0..3_000).map(person), 0, 1)).await;
    for head in [HEADER as u64, 100, 1 << 10] {
        bodies = Bodies { head, ..Bodies::new(bodies.objects) };
        let found = bodies.get_many::<Person>(&version(), &ids(0..3_000)).await.unwrap();
        let expected = ids(0..3_000).into_iter().zip((0..3_000).map(person));
        assert!(found == expected.collect(), "{head}");
    }
}

#[tokio::test]
async fn a_file_of_another_format_is_refused_and_the_reason_says_what_to_do() {
    let publish = "not a file of bodies of this format version: publish the directory anew";
    let whole = file((0..100).map(person), 0, 1);
    let of_format = |version| {
        let mut bytes = whole.clone();
        bytes[7] = version;
        bytes
    };
    assert_eq!(MAGIC[7], 1);
    for bytes in [of_format(0), of_format(2), b"CRMSHRD\x02".repeat(9), whole[..20].to_vec()] {
        assert_eq!(refusal(bytes).await, publish);
    }
    assert_eq!(refusal(Vec::new()).await, publish);
    let (memory, _, bodies) = stored(whole).await;
    memory.delete_folder("directory/").await.unwrap();
    let error = bodies.get_many::<Person>(&version(), &ids([3])).await.unwrap_err();
    assert_eq!(
        error.source.to_string(),
        "the version keeps no bodies of its entities: publish the directory anew"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_file_of_another_shard_or_length_is_refused() {
    let misplaced = "the file of bodies is not what it should be: publish the directory anew";
    assert_eq!(refusal(file((0..100).map(person), 1, 2)).await, misplaced);
    let whole = file((0..100).map(person), 0, 1);
    assert_eq!(refusal(whole[..whole.len() - 1].to_vec()).await, misplaced);
    assert_eq!(refusal([&whole[..], b"x"].concat()).await, misplaced);
}

#[tokio::test]
async fn whichever_byte_is_changed_no_wrong_body_is_given() {
    let whole = file((0..40).map(person), 0, 1);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let (_, _, bodies) = stored(bytes).await;
        let read = bodies.get_many::<Person>(&version(), &ids([3, 4])).await;
        assert!(read.is_err(), "byte {at} of {}", whole.len());
    }
}

#[tokio::test]
async fn a_file_that_was_built_again_is_read_with_its_new_index() {
    let (memory, _, bodies) = stored(file((0..500).map(person), 0, 1)).await;
    let read = async |n| bodies.get_many::<Person>(&version(), &ids([n])).await.unwrap().len();
    assert_eq!(read(3).await, 1);
    let again = file((0..700).map(person), 0, 1);
    memory.put(&version().bodies_key(KIND, 0), again.into()).await.unwrap();
    assert_eq!((read(3).await, read(650).await), (1, 1));
}

#[test]
fn a_file_is_the_same_whatever_the_order_of_its_entities() {
    let forward = file((0..2_000).map(person), 0, 1);
    assert!(forward == file((0..2_000).rev().map(person), 0, 1));
    let none = file(std::iter::empty(), 0, 1);
    assert_eq!(none.len(), HEADER);
}

#[test]
fn what_waits_to_be_written_takes_little_more_than_the_file() {
    let about = |n: usize| (0..12).map(move |at| format!("word{} ", n * 31 % (97 + at)));
    let heavy = |n| Person { headline: about(n).collect(), ..person(n) };
    let (mut builder, mut plain, mut most) = (BodiesBuilder::new(KIND, 0, 1), 0, 0);
    for n in 0..120_000 {
        let json = serde_json::to_vec(&heavy(n)).unwrap();
        plain += json.len();
        builder.add(&format!("p{n}"), &json);
        if n % 1_000 == 0 {
            most = most.max(builder.held());
        }
    }
    let file = builder.finish().unwrap().len();
    println!("{plain} bytes of JSON; held at most {most}; the file has {file}");
    let open = 2 * 256 * (32 << 10);
    assert!(most < file * 3 / 2 + open, "held {most}, the file has {file}");
    assert!(most < plain / 2, "held {most} of {plain}");
}

/// Nobody uses a version for long.
struct Nobody;

#[async_trait]
impl VersionUse for Nobody {
    async fn is_in_use(
        &self,
        _: &GenerationKeys,
        _: DirectoryVersionId,
    ) -> Result<bool, WorkError> {
        Ok(false)
    }
}

struct World {
    memory: Memory,
    directory: Directory,
    bodies: Bodies,
}

impl World {
    fn new() -> Self {
        let memory = Memory::new(Timestamp::UNIX_EPOCH, 1);
        // A shard for each few lines.
        let directory = Directory::new(memory.ports(), Arc::new(Nobody)).with_shards_of(300);
        let bodies = Bodies::new(memory.ports().objects);
        Self { memory, directory, bodies }
    }

    /// Uploads lines about people, and does all that follows.
    async fn publish(
        &self,
        base: Option<DirectoryVersionId>,
        lines: &[serde_json::Value],
    ) -> DirectoryVersion {
        self.memory.clock.advance(SignedDuration::from_secs(1));
        let (version, _) = self.directory.begin(base, &[KIND]).await.unwrap();
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        let body = lines.join("\n");
        let part = version.parts.last().unwrap();
        self.memory.put(&part.key, Bytes::from(body)).await.unwrap();
        self.directory.publish(version.id).await.unwrap();
        self.work().await;
        let version = self.directory.get(version.id).await.unwrap().unwrap();
        assert_eq!(version.state, DirectoryState::Published);
        version
    }

    async fn work(&self) {
        let outbox = Outbox::new(self.memory.ports());
        loop {
            let waiting = self.memory.receive();
            if waiting.is_empty() {
                return;
            }
            for message in waiting {
                let envelope = Envelope::<Message>::parse(&message.body).unwrap();
                let Message::Directory(message) = envelope.message.clone() else {
                    panic!("the directory sends nobody else a message")
                };
                let _ = self.directory.handle(message).await.unwrap();
                outbox.finish(&envelope).await.unwrap();
            }
        }
    }

    /// The last names of people in a version, by number.
    async fn names(&self, version: &DirectoryVersion, numbers: &[usize]) -> Vec<Option<String>> {
        let wanted = ids(numbers.iter().copied());
        let found = self.bodies.get_many::<Person>(version, &wanted).await.unwrap();
        wanted.iter().map(|id| found.get(id).map(|person| person.last_name.clone())).collect()
    }
}

#[tokio::test]
async fn a_version_from_a_delta_has_all_bodies_and_the_one_before_keeps_its_own() {
    let world = World::new();
    let line = |n: usize, name: &str| {
        json!({ "id": format!("p{n}"), "last_name": name,
            "profile_url": format!("https://people.example/in/{n}"),
            "company": { "name": "Acme", "company_id": "c1", "start_date": "2021-03" } })
    };
    let full: Vec<_> = (0..20).map(|n| line(n, "Old")).collect();
    let before = world.publish(None, &full).await;
    assert!(before.people_shards > 3, "{}", before.people_shards);
    let delta = [
        line(2, "New"),
        json!({ "id": "p3", "op": "delete" }),
        json!({ "id": "p4", "op": "merge", "into": "p5" }),
        line(30, "Added"),
    ];
    let after = world.publish(Some(before.id), &delta).await;
    let some = |name: &str| Some(name.to_owned());
    let numbers = [1, 2, 3, 4, 5, 30];
    assert_eq!(
        world.names(&after, &numbers).await,
        [some("Old"), some("New"), None, None, some("Old"), some("Added")]
    );
    let old = some("Old");
    let all_old = [&old, &old, &old, &old, &old, &None].map(Clone::clone);
    assert_eq!(world.names(&before, &numbers).await, all_old);
    let read = world.bodies.get_many::<Person>(&after, &ids([1])).await.unwrap();
    let expected: Person = serde_json::from_value(line(1, "Old")).unwrap();
    assert_eq!(read.values().collect::<Vec<_>>(), [&expected], "all that its line said");
}

#[tokio::test]
async fn bodies_go_with_their_version() {
    let world = World::new();
    let line = |n: usize| json!({ "id": format!("p{n}"), "last_name": "Lovell" });
    let lines: Vec<_> = (0..9).map(line).collect();
    let before = world.publish(None, &lines).await;
    let after = world.publish(Some(before.id), &[line(9)]).await;
    let of = |version: &DirectoryVersion| {
        let folder = format!("{}bodies/", version.prefix());
        world.memory.object_keys().into_iter().filter(|key| key.starts_with(&folder)).count()
    };
    assert_eq!(of(&before), before.people_shards as usize);
    world.memory.clock.advance(SignedDuration::from_hours(25));
    let retire = DirectoryMessage::Retire { version: before.id, after: None };
    let _ = world.directory.handle(retire).await.unwrap();
    assert_eq!((of(&before), of(&after)), (0, after.people_shards as usize));
}
