//! The files of directory versions in a sandbox: fetched once, memory-mapped, the least recently
//! used ones given up when space runs out.
//!
//! A file has no name: nothing else can open or change it, and its space is free again as soon as
//! its last reader is done or the process ends, however it ends.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::lock::Mutex;
use futures::stream::{self, StreamExt, TryStreamExt};
use mapped_file::MappedFile;

use super::emf;
use crate::capabilities::directory::{DirectoryFile, HeldFile, ShardFiles};
use crate::metrics::{MetricLine, Unit};
use crate::ports::{Clock, ObjectStore, Ports};
use crate::work::WorkError;

/// The size of one ranged read: large enough that the request itself costs little.
const CHUNK: u64 = 16 << 20;

/// How many ranged reads are under way at once: a sandbox's network is saturated by fewer than
/// these, and their bytes fit into its memory.
const CONCURRENT_READS: usize = 8;

const ACTION: &str = "fetch a directory file";

/// A file that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum FileError {
    #[error("there is no such object")]
    Missing,
    #[error("the file has {size} bytes, and there is room for {room}")]
    TooLarge { size: u64, room: u64 },
}

/// The files of a sandbox. Files never change: one that was fetched stays as it is.
pub struct MappedFiles {
    objects: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
    room: u64,
    chunk: u64,
    /// Least recently used first. Also keeps two messages from fetching the same file.
    held: Mutex<Vec<Held>>,
}

struct Held {
    key: String,
    size: u64,
    file: Arc<DirectoryFile>,
}

impl MappedFiles {
    /// Files on the disk of `folder`, of at most `room` bytes together.
    #[must_use]
    pub fn new(ports: &Ports, folder: PathBuf, room: u64) -> Self {
        let (objects, clock) = (ports.objects.clone(), ports.clock.clone());
        Self { objects, clock, folder, room, chunk: CHUNK, held: Mutex::default() }
    }

    async fn size(&self, key: &str) -> Result<u64, WorkError> {
        let listed = self.objects.list(key).await?;
        let object = listed.into_iter().find(|object| object.key == key);
        object
            .map(|object| object.size)
            .ok_or_else(|| WorkError::reject(ACTION, FileError::Missing))
    }

    async fn fetch(&self, key: &str, size: u64) -> Result<DirectoryFile, WorkError> {
        let disk = |error: std::io::Error| WorkError::retry("write a directory file", error);
        let begun = self.clock.now();
        let file = tempfile::tempfile_in(&self.folder).map_err(disk)?;
        file.set_len(size).map_err(disk)?;
        let starts = (0..size).step_by(usize::try_from(self.chunk).unwrap_or(usize::MAX));
        stream::iter(starts)
            .map(|start| {
                let file = &file;
                async move {
                    let end = size.min(start + self.chunk);
                    let bytes = self.objects.get_range(key, start..end).await?;
                    file.write_all_at(&bytes, start).map_err(disk)
                }
            })
            .buffer_unordered(CONCURRENT_READS)
            .try_collect::<()>()
            .await?;
        let ended = self.clock.now();
        let taken = (ended.as_millisecond() - begun.as_millisecond()).try_into().unwrap_or(0);
        let line = MetricLine::of("match-shard")
            .metric("DirectoryBytesFetched", Unit::Bytes, size)
            .metric("DirectoryFetchDuration", Unit::Milliseconds, taken);
        emf::emit(&line, ended);
        Ok(DirectoryFile::new(MappedFile::of(&file).map_err(disk)?))
    }
}

/// Gives up the least recently used files until `size` bytes fit.
fn make_room(held: &mut Vec<Held>, size: u64, room: u64) -> Result<(), FileError> {
    if size > room {
        return Err(FileError::TooLarge { size, room });
    }
    while held.iter().map(|file| file.size).sum::<u64>() + size > room {
        held.remove(0);
    }
    Ok(())
}

#[async_trait]
impl ShardFiles for MappedFiles {
    async fn file(&self, key: &str) -> Result<HeldFile, WorkError> {
        let mut held = self.held.lock().await;
        if let Some(found) = held.iter().position(|held| held.key == key) {
            let used = held.remove(found);
            let file = used.file.clone();
            held.push(used);
            return Ok(HeldFile { file, fetched: 0 });
        }
        let size = self.size(key).await?;
        make_room(&mut held, size, self.room).map_err(|error| WorkError::reject(ACTION, error))?;
        let file = Arc::new(self.fetch(key, size).await?);
        held.push(Held { key: key.to_owned(), size, file: file.clone() });
        Ok(HeldFile { file, fetched: size })
    }

    async fn forget(&self, key: &str) {
        self.held.lock().await.retain(|held| held.key != key);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ports::Ports;
    use crate::testing::{Fuse, Memory};

    fn files(ports: &Ports, room: u64) -> MappedFiles {
        let mut files = MappedFiles::new(ports, std::env::temp_dir(), room);
        files.chunk = 10;
        files
    }

    async fn stored(sizes: &[usize]) -> (Memory, Fuse, Ports) {
        let memory = Memory::new(Timestamp::UNIX_EPOCH, 1);
        for (i, size) in sizes.iter().enumerate() {
            let body: Vec<u8> = (0..*size).map(|at| (at * 7 + i).to_le_bytes()[0]).collect();
            memory.ports().objects.put(&format!("shards/{i}"), body.into()).await.unwrap();
        }
        let fuse = Fuse::default();
        let ports = fuse.guard(&memory.ports());
        (memory, fuse, ports)
    }

    #[tokio::test]
    async fn a_file_is_the_object_whatever_its_size() {
        let sizes = [0, 1, 9, 10, 11, 123];
        let (memory, _, ports) = stored(&sizes).await;
        let files = files(&ports, 1_000);
        for (i, size) in sizes.into_iter().enumerate() {
            let key = format!("shards/{i}");
            let expected = memory.ports().objects.get(&key).await.unwrap().unwrap();
            let held = files.file(&key).await.unwrap();
            assert_eq!(held.file.bytes(), &expected[..], "{key}");
            assert_eq!(held.fetched, size as u64);
        }
    }

    #[tokio::test]
    async fn a_file_is_fetched_once_while_there_is_room() {
        let (_, fuse, ports) = stored(&[30, 30, 30]).await;
        let files = files(&ports, 60);
        let calls_of = async |key: &str| {
            let before = fuse.calls();
            files.file(key).await.unwrap();
            fuse.calls() - before
        };
        assert_eq!(calls_of("shards/0").await, 4, "a listing and three parts");
        assert_eq!(calls_of("shards/1").await, 4);
        assert_eq!(calls_of("shards/0").await, 0, "held");
        assert_eq!(calls_of("shards/2").await, 4);
        assert_eq!(calls_of("shards/0").await, 0, "used more recently than the one given up");
        assert_eq!(calls_of("shards/1").await, 4, "given up");
        files.forget("shards/1").await;
        assert_eq!(calls_of("shards/1").await, 4, "found damaged");
    }

    /// The shard and the statistics of a directory of `n` people.
    fn directory(n: usize) -> [(&'static str, Vec<u8>); 2] {
        let form = |n: usize| {
            let line = serde_json::json!({
                "id": format!("p{n}"),
                "first_name": format!("Given{}", n % 977),
                "last_name": format!("Family{}", n % 4_999),
                "company": { "name": format!("Company {} Ltd", n % 313) },
                "city": "Berlin",
                "country": "Germany",
            });
            let person: matching::Person = serde_json::from_value(line).unwrap();
            matching::PersonForm::from(&person)
        };
        let mut shard = matching::ShardBuilder::new(matching::EntityKind::Person, 0, 1);
        (0..n).for_each(|n| shard.add_person(&form(n)));
        let mut counts = matching::StatisticsBuilder::sized_for(n as u64);
        counts.add(&shard);
        let mut refinements = counts.refine();
        refinements.add(&shard);
        let statistics = refinements.finish();
        [
            ("shards/statistics", statistics.to_bytes().unwrap()),
            ("shards/0", shard.finish(&statistics)),
        ]
    }

    #[tokio::test]
    async fn a_warm_sandbox_fetches_and_checks_nothing() {
        let memory = Memory::new(Timestamp::UNIX_EPOCH, 1);
        for (key, bytes) in directory(20_000) {
            memory.ports().objects.put(key, bytes.into()).await.unwrap();
        }
        let files = MappedFiles::new(&memory.ports(), std::env::temp_dir(), 1 << 30);
        let open = async || {
            let begun = std::time::Instant::now();
            let statistics = files.file("shards/statistics").await.unwrap();
            let shard = files.file("shards/0").await.unwrap();
            assert_eq!(
                statistics.file.statistics().unwrap().entities(matching::EntityKind::Person),
                20_000
            );
            assert_eq!(shard.file.shard().unwrap().len(), 20_000);
            (statistics.fetched + shard.fetched, begun.elapsed())
        };
        let ((fetched, cold), (nothing, warm)) = (open().await, open().await);
        println!(
            "20,000 people: cold {fetched} bytes in {cold:?}, warm {nothing} bytes in {warm:?}"
        );
        assert!(fetched > 1_000_000, "{fetched}");
        assert_eq!(nothing, 0);
    }

    #[tokio::test]
    async fn a_file_that_was_given_up_can_still_be_read() {
        let (_, _, ports) = stored(&[30, 30]).await;
        let files = files(&ports, 30);
        let first = files.file("shards/0").await.unwrap();
        files.file("shards/1").await.unwrap();
        assert_eq!(first.file.bytes()[29], (29 * 7_usize).to_le_bytes()[0]);
    }

    #[tokio::test]
    async fn a_file_that_is_missing_or_too_large_is_refused() {
        let (_, _, ports) = stored(&[30]).await;
        assert!(files(&ports, 60).file("shards/").await.is_err());
        assert!(files(&ports, 60).file("shards/9").await.is_err());
        assert!(files(&ports, 29).file("shards/0").await.is_err());
    }
}
