//! Sets of who is in the CRM, read by a second decoder that knows nothing but the published format
//! (<https://github.com/RoaringBitmap/RoaringFormatSpec>).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use matching::{EntityKind, shard_of};

use super::sets::serialized;
use super::tests::Home;
use super::{ExportFormat, ExportJob, ExportKind};
use crate::capabilities::directory::keys::{directory_current, directory_version};
use crate::capabilities::directory::{CurrentDirectory, DirectoryVersion, Entities};
use crate::capabilities::linking::EntityMatches;
use crate::kernel::{EntityId, RecordRef, SObject};
use crate::testing::{entity_id, record_id};

/// Reads little-endian numbers one after another.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk::<N>().expect("more bytes");
        self.0 = rest;
        *head
    }

    fn two(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes())
    }

    fn four(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes())
    }
}

/// The numbers of a bitmap, and how many containers of each form it has: runs, arrays, bits.
fn decoded(bytes: &[u8]) -> (Vec<u32>, [usize; 3]) {
    let mut reader = Reader(bytes);
    let cookie = reader.four();
    let has_runs = cookie & 0xffff == 12_347;
    assert!(has_runs || cookie == 12_346, "{cookie}");
    let size = if has_runs { (cookie >> 16) + 1 } else { reader.four() } as usize;
    let flags: Vec<u8> =
        (0..if has_runs { size.div_ceil(8) } else { 0 }).map(|_| reader.bytes::<1>()[0]).collect();
    let heads: Vec<(u16, u32)> =
        (0..size).map(|_| (reader.two(), u32::from(reader.two()) + 1)).collect();
    let offsets: Vec<u32> = if !has_runs || size >= 4 {
        (0..size).map(|_| reader.four()).collect()
    } else {
        Vec::new()
    };
    let (mut numbers, mut forms) = (Vec::new(), [0; 3]);
    for (place, (key, count)) in heads.into_iter().enumerate() {
        if let Some(offset) = offsets.get(place) {
            assert_eq!(*offset as usize, bytes.len() - reader.0.len(), "container {place}");
        }
        let before = numbers.len();
        let mut take = |low: u16| numbers.push(u32::from(key) << 16 | u32::from(low));
        if flags.get(place / 8).is_some_and(|flags| flags >> (place % 8) & 1 == 1) {
            forms[0] += 1;
            for _ in 0..reader.two() {
                let (first, more) = (reader.two(), reader.two());
                (first..=first + more).for_each(&mut take);
            }
        } else if count <= 4_096 {
            forms[1] += 1;
            (0..count).for_each(|_| take(reader.two()));
        } else {
            forms[2] += 1;
            for byte in 0..8_192_u16 {
                let [bits] = reader.bytes::<1>();
                (0..8).filter(|bit| bits >> bit & 1 == 1).for_each(|bit| take(byte * 8 + bit));
            }
        }
        assert_eq!(numbers.len() - before, count as usize, "container {place}");
    }
    assert!(reader.0.is_empty(), "nothing follows");
    (numbers, forms)
}

#[test]
fn a_second_decoder_reads_runs_arrays_and_bits_from_the_published_form() {
    let runs = 100..60_000;
    let arrays = (1 << 16..2 << 16).step_by(1_000);
    let bits = (2 << 16..3 << 16).step_by(3);
    let far = [u32::MAX - 1, u32::MAX];
    let numbers: Vec<u32> = runs.chain(arrays).chain(bits).chain(far).collect();
    let (read, forms) = decoded(&serialized(numbers.clone()).unwrap());
    assert_eq!(read, numbers);
    assert!(forms.iter().all(|form| *form > 0), "{forms:?}");
    for few in [vec![], vec![0], vec![65_535, 65_536], (0..10).collect()] {
        assert_eq!(decoded(&serialized(few.clone()).unwrap()).0, few);
    }
    let sparse: Vec<u32> = (0..4_000_000).step_by(17).collect();
    assert_eq!(decoded(&serialized(sparse.clone()).unwrap()).0, sparse);
}

/// A current version of these people in so many shards, with one who was merged.
async fn directory(home: &Home, people: &[EntityId], shards: u32) -> DirectoryVersion {
    let ports = home.memory.ports();
    let entities = Entities::new(ports);
    let version = DirectoryVersion { people_shards: shards, ..DirectoryVersion::sample() };
    let mut hashes: BTreeMap<u32, Vec<u64>> = (0..shards).map(|n| (n, Vec::new())).collect();
    for id in people {
        hashes.entry(shard_of(id.as_str(), shards)).or_default().push(hash(id));
    }
    for (shard, hashes) in hashes {
        entities.keep_ids(&version, EntityKind::Person, shard, hashes).await.unwrap();
    }
    let merges = BTreeMap::from([(entity_id("merged"), people[0].clone())]);
    entities.keep_merges(&version, &merges).await.unwrap();
    let store = &home.opened.store;
    store.put(&directory_version(version.id), &version).await.unwrap();
    store.put(&directory_current(), &CurrentDirectory { version: version.id }).await.unwrap();
    version
}

/// The first eight bytes of a BLAKE3 hash, as the page on filters has it.
fn hash(id: &EntityId) -> u64 {
    u64::from_le_bytes(*blake3::hash(id.as_str().as_bytes()).as_bytes().first_chunk().unwrap())
}

async fn link(home: &Home, id: &EntityId, is_linked: bool) {
    let record = RecordRef { object: SObject::Contact, id: record_id("003", 1) };
    let matches = EntityMatches {
        matched: is_linked.then_some(record),
        ..EntityMatches::empty(EntityKind::Person, id.clone())
    };
    let slot = home.opened.keys.entity(EntityKind::Person, id);
    home.opened.store.put(&slot, &matches).await.unwrap();
}

/// The file of a set, as whoever has its address gets it.
async fn file(home: &Home, job: &ExportJob) -> Vec<u8> {
    let (_, addresses) = home.exports.get(home.at(), job.id).await.unwrap();
    assert_eq!(addresses.len(), 1, "a set is one file");
    let key = addresses[0].url.strip_prefix("memory:").unwrap().to_owned();
    home.memory.ports().objects.get(&key).await.unwrap().unwrap().to_vec()
}

#[tokio::test]
async fn a_set_holds_the_ordinals_of_exactly_the_people_who_are_in_the_crm() {
    let home = Home::with(0).await;
    let people: Vec<EntityId> = (0..900).map(|n| entity_id(&format!("pe_{n}"))).collect();
    let version = directory(&home, &people, 3).await;
    for (n, id) in people.iter().enumerate().skip(1) {
        if n % 4 != 1 {
            link(&home, id, n % 4 == 0).await; // others have bids and no link
        }
    }
    link(&home, &entity_id("merged"), true).await;
    link(&home, &entity_id("gone from the directory"), true).await;
    let asked = home.ask(ExportKind::InCrmPeople, ExportFormat::Roaring).await;
    let job = home.run(asked.id, 2).await;
    let mut sorted = people.clone();
    sorted.sort_by_key(|id| (shard_of(id.as_str(), 3), hash(id)));
    let is_in = |id: &EntityId| people.iter().position(|other| other == id).unwrap() % 4 == 0;
    let expected = sorted.iter().zip(0..).filter(|(id, _)| is_in(id)).map(|(_, n)| n);
    let expected: Vec<u32> = expected.collect();
    assert_eq!(expected.len(), 225);
    assert_eq!(decoded(&file(&home, &job).await).0, expected);
    assert_eq!((job.directory, job.rows()), (Some(version.id), 225));
    assert_eq!(job.files[0].name, "in_crm_people-1.roaring");
}

#[tokio::test]
async fn without_a_directory_or_without_companies_a_set_is_empty() {
    let home = Home::with(0).await;
    for kind in [ExportKind::InCrmPeople, ExportKind::InCrmCompanies] {
        let asked = home.ask(kind, ExportFormat::Roaring).await;
        let job = home.run(asked.id, 1).await;
        assert_eq!(decoded(&file(&home, &job).await).0, Vec::<u32>::new());
        assert_eq!(job.directory, None);
    }
}

/// `cargo test --release -p shared --all-features one_million -- --ignored`
#[tokio::test]
#[ignore = "a bench of the release build"]
async fn one_million_matched_people_are_a_set_of_two_megabytes_within_five_seconds() {
    let home = Home::with(0).await.in_full_size();
    let people: Vec<EntityId> = (0..3_000_000).map(|n| entity_id(&format!("pe_{n}"))).collect();
    directory(&home, &people, 24).await;
    for id in people.iter().step_by(3) {
        link(&home, id, true).await;
    }
    let asked = home.ask(ExportKind::InCrmPeople, ExportFormat::Roaring).await;
    let begin = Instant::now();
    let job = home.run(asked.id, 1).await;
    let took = begin.elapsed();
    let bytes = file(&home, &job).await;
    println!("{} bytes in {took:?}", bytes.len());
    let read: BTreeSet<u32> = decoded(&bytes).0.into_iter().collect();
    assert_eq!((read.len(), job.rows()), (1_000_000, 1_000_000));
    assert!(bytes.len() <= 2_000_000, "{} bytes", bytes.len());
    assert!(took <= Duration::from_secs(5), "{took:?}");
}
