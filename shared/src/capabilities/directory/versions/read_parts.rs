//! Reading a version's parts: JSON lines, plain or gzip.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Cursor, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use matching::read::{DirectoryReader, Identified};
use matching::{DirectoryLine, EntityKind};
use serde::Deserialize;

use super::Directory;
use crate::capabilities::directory::DirectoryVersion;
use crate::capabilities::directory::entities::identity;
use crate::kernel::EntityId;
use crate::work::WorkError;

const ACTION: &str = "read a directory part";

/// Why a line is skipped whose ids no key can hold.
const NO_IDS: &str = "the row has an id that is empty or longer than 512 bytes";

impl Directory {
    /// Hands the last line about every entity of a kind to `take`: its upsert, its retirement or
    /// its merge into another. `skip` gets the reason of each line that cannot be read.
    ///
    /// Parts are read from the last to the first. So only the ids met so far are remembered.
    pub(super) async fn each<T>(
        &self,
        version: &DirectoryVersion,
        kind: EntityKind,
        skip: &mut impl FnMut(&'static str),
        mut take: impl FnMut(DirectoryLine<T>),
    ) -> Result<(), WorkError>
    where
        T: Identified + for<'de> Deserialize<'de>,
    {
        let mut met: HashSet<u64> = HashSet::new();
        for part in version.parts.iter().rev().filter(|part| part.entity_kind == kind) {
            let Some(bytes) = self.ports.objects.get(&part.key).await? else {
                return Err(WorkError::reject(ACTION, "the part is gone"));
            };
            let last = if has_repeats(&bytes)? { Some(last_lines::<T>(&bytes)?) } else { None };
            let mut reader = DirectoryReader::<_, T>::new(lines(&bytes));
            for (line, read) in (1..).zip(reader.by_ref()) {
                let entry = match read {
                    Ok(entry) => entry,
                    Err(skipped) => {
                        skip(skipped.reason.as_str());
                        continue;
                    }
                };
                if !has_ids(&entry) {
                    skip(NO_IDS);
                    continue;
                }
                let id = identity(entity_id(&entry));
                let is_last = last.as_ref().is_none_or(|last| last.get(&id) == Some(&line));
                if is_last && met.insert(id) {
                    take(entry);
                }
            }
            check_end(&reader)?;
        }
        Ok(())
    }
}

/// An entity of which only the id is read, which is much quicker.
#[derive(Deserialize)]
struct IdOnly {
    id: String,
}

impl Identified for IdOnly {
    fn id(&self) -> &str {
        &self.id
    }
}

/// True if two lines of a part may be about one entity, which is rare: a full export has a line
/// each. A line that cannot be read is taken for one that can, if it has an id.
fn has_repeats(bytes: &Bytes) -> Result<bool, WorkError> {
    let mut met = HashSet::new();
    let mut reader = DirectoryReader::<_, IdOnly>::new(lines(bytes));
    let is_new = |read: Result<DirectoryLine<IdOnly>, _>| {
        read.map_or(true, |line| met.insert(identity(entity_id(&line))))
    };
    let repeats = !reader.by_ref().all(is_new);
    check_end(&reader)?;
    Ok(repeats)
}

/// The last entry about each entity of a part, by position among the entries.
fn last_lines<T>(bytes: &Bytes) -> Result<HashMap<u64, u64>, WorkError>
where
    T: Identified + for<'de> Deserialize<'de>,
{
    let mut last = HashMap::new();
    let mut reader = DirectoryReader::<_, T>::new(lines(bytes));
    let mut line = 0_u64;
    for read in reader.by_ref() {
        line += 1;
        if let Ok(entry) = read {
            last.insert(identity(entity_id(&entry)), line);
        }
    }
    check_end(&reader)?;
    Ok(last)
}

/// Fails if the reader stopped before the end of the part.
fn check_end<R: BufRead, T>(reader: &DirectoryReader<R, T>) -> Result<(), WorkError> {
    match reader.failure() {
        Some((line, error)) => Err(WorkError::reject(ACTION, format!("line {line}: {error}"))),
        None => Ok(()),
    }
}

fn entity_id<T: Identified>(line: &DirectoryLine<T>) -> &str {
    match line {
        DirectoryLine::Upsert(entity) => entity.id(),
        DirectoryLine::Delete { id } | DirectoryLine::Merge { id, .. } => id,
    }
}

/// True if the ids of a line are ones that a key can hold.
fn has_ids<T: Identified>(line: &DirectoryLine<T>) -> bool {
    let into = match line {
        DirectoryLine::Merge { into, .. } => Some(into.as_str()),
        DirectoryLine::Upsert(_) | DirectoryLine::Delete { .. } => None,
    };
    std::iter::once(entity_id(line)).chain(into).all(|id| EntityId::check(id).is_ok())
}

/// A part's lines, unpacked when it is gzip.
fn lines(bytes: &Bytes) -> Box<dyn BufRead + Send> {
    let source = Cursor::new(bytes.clone());
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let unpacked: Box<dyn Read + Send> = Box::new(MultiGzDecoder::new(source));
        Box::new(BufReader::with_capacity(1 << 16, unpacked))
    } else {
        Box::new(source)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use matching::Person;

    use super::*;

    const PART: &str = concat!(
        "{\"id\":\"a\",\"title\":\"first\"}\n",
        "{\"id\":\"b\"}\n",
        "not a line\n",
        "{\"id\":\"a\",\"title\":\"last\"}\n",
        "{\"id\":\"b\",\"op\":\"merge\",\"into\":\"a\"}\n",
    );

    fn gzip(text: &str) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn the_last_line_about_an_entity_counts_in_plain_parts_and_in_gzip() {
        let expected = HashMap::from([(identity("a"), 4), (identity("b"), 5)]);
        assert_eq!(last_lines::<Person>(&Bytes::from_static(PART.as_bytes())).unwrap(), expected);
        assert_eq!(last_lines::<Person>(&gzip(PART)).unwrap(), expected);
    }

    #[test]
    fn only_a_part_with_two_lines_about_one_entity_has_repeats() {
        let repeats = |text: &str| has_repeats(&Bytes::copy_from_slice(text.as_bytes())).unwrap();
        assert!(repeats(PART));
        assert!(!repeats("{\"id\":\"a\"}\n{\"id\":\"b\"}\nnot a line\n"));
        assert!(repeats("{\"id\":\"a\"}\n{\"id\":\"a\",\"op\":\"delete\"}\n"));
        assert!(repeats("{\"id\":\"a\"}\n{\"id\":\"a\",\"title\":7}\n"), "read or not");
    }

    #[test]
    fn a_part_that_breaks_off_is_an_error_and_not_a_shorter_part() {
        let whole = gzip(&PART.repeat(2_000));
        assert!(last_lines::<Person>(&whole.slice(..whole.len() - 12)).is_err());
    }

    #[test]
    fn a_line_is_about_an_entity_only_if_its_ids_fit_into_keys() {
        let merge = |id: &str, into: &str| DirectoryLine::<Person>::Merge {
            id: id.to_owned(),
            into: into.to_owned(),
        };
        let long = "x".repeat(EntityId::LONGEST + 1);
        assert!(has_ids(&merge("a", "b")));
        assert!(!has_ids(&merge("a", " ")));
        assert!(!has_ids(&merge("a", &long)));
        assert!(!has_ids(&DirectoryLine::<Person>::Delete { id: long.clone() }));
        assert!(!has_ids(&DirectoryLine::Upsert(Person { id: long, ..Person::default() })));
    }
}
