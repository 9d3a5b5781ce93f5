//! What is remembered of a directory: for each entity, 16 bytes.

use std::io;

/// An entity as its id and content, both hashed. A change goes unseen once in 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// The id's hash.
    pub id: u64,
    /// The hash of its line.
    pub content: u64,
}

impl Fingerprint {
    /// Bytes of one.
    pub const BYTES: usize = 16;

    /// The fingerprint of an entity.
    #[must_use]
    pub fn of(id: &str, line: &[u8]) -> Self {
        Self { id: hash(id.as_bytes()), content: hash(line) }
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        (u128::from(self.id) << 64 | u128::from(self.content)).to_be_bytes()
    }

    /// As it was stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let both = u128::from_be_bytes(bytes);
        let low = |both: u128| u64::try_from(both & u128::from(u64::MAX)).unwrap_or_default();
        Self { id: low(both >> 64), content: low(both) }
    }
}

/// 64 bits of a hash: among a hundred million ids a clash has a chance of 1 in 4,000, which is what
/// a deployment risks with the same ids.
#[must_use]
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    u64::from_le_bytes(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// Orders fingerprints by id. Of those of one id the last stays, as in a deployment; the number of
/// the others is returned.
pub(super) fn settle(all: &mut Vec<Fingerprint>) -> u64 {
    let before = all.len();
    all.sort_by_key(|one| one.id);
    let mut kept = 0;
    for at in 0..before {
        if all.get(at + 1).is_none_or(|next| next.id != all[at].id) {
            all[kept] = all[at];
            kept += 1;
        }
    }
    all.truncate(kept);
    (before - kept) as u64
}

/// What became of a directory's entities of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Entities that were not there.
    pub new: u64,
    /// Entities that are other than before.
    pub changed: u64,
    /// Entities that are as before.
    pub unchanged: u64,
    /// The hashed ids of the new and the changed, in order.
    pub upserts: Vec<u64>,
    /// The hashed ids of those that are there no more, in order.
    pub gone: Vec<u64>,
}

impl Difference {
    /// Compares two orders of fingerprints.
    ///
    /// # Errors
    /// When `before` cannot be read.
    pub fn between(
        before: impl IntoIterator<Item = io::Result<Fingerprint>>,
        now: &[Fingerprint],
    ) -> io::Result<Self> {
        let mut difference = Self::default();
        let mut rest = now.iter().peekable();
        for old in before {
            let old = old?;
            while let Some(new) = rest.next_if(|new| new.id < old.id) {
                difference.add(*new);
            }
            match rest.next_if(|new| new.id == old.id) {
                None => difference.gone.push(old.id),
                Some(new) if new.content == old.content => difference.unchanged += 1,
                Some(new) => {
                    difference.changed += 1;
                    difference.upserts.push(new.id);
                }
            }
        }
        rest.for_each(|new| difference.add(*new));
        Ok(difference)
    }

    fn add(&mut self, one: Fingerprint) {
        self.new += 1;
        self.upserts.push(one.id);
    }

    /// Lines that a delta takes.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.upserts.len() + self.gone.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: u64, content: u64) -> Fingerprint {
        Fingerprint { id, content }
    }

    #[test]
    fn of_two_rows_with_one_id_the_last_counts() {
        let mut all = vec![one(5, 1), one(2, 1), one(5, 2), one(9, 1), one(5, 3)];
        assert_eq!(settle(&mut all), 2);
        assert_eq!(all, [one(2, 1), one(5, 3), one(9, 1)]);
    }

    #[test]
    fn new_changed_and_gone_are_told_apart() {
        let before = [one(1, 1), one(3, 1), one(5, 1), one(8, 1)].map(Ok);
        let now = [one(2, 1), one(3, 1), one(5, 2), one(9, 1)];
        let difference = Difference::between(before, &now).unwrap();
        let expected = Difference {
            new: 2,
            changed: 1,
            unchanged: 1,
            upserts: vec![2, 5, 9],
            gone: vec![1, 8],
        };
        assert_eq!(difference, expected);
        assert_eq!(difference.lines(), 5);
    }

    #[test]
    fn a_fingerprint_is_stored_in_sixteen_bytes_and_read_again() {
        let fingerprint = Fingerprint::of("p-1", b"{}");
        assert_eq!(Fingerprint::from_bytes(fingerprint.to_bytes()), fingerprint);
        assert_ne!(fingerprint, Fingerprint::of("p-1", b"{ }"));
    }
}
