//! Record ids: 15 case-sensitive characters, and the 18-character form with its checksum.

use std::fmt;

/// The alphabet of the checksum: bit `k` of a block says that character `k` is upper case.
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// Salesforce counts records in base 62, digits first, then upper, then lower case.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A record's id in its 15-character form, which alone tells two records apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RecordId([u8; 15]);

impl RecordId {
    /// Reads a 15- or 18-character id; the checksum of the latter must be right.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !(bytes.len() == 15 || bytes.len() == 18) || !bytes.iter().all(u8::is_ascii_alphanumeric)
        {
            return None;
        }
        let id = Self(bytes[..15].try_into().ok()?);
        (bytes.len() == 15 || bytes[15..] == id.checksum()).then_some(id)
    }

    /// Rebuilds an id from the bytes stored in a row.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The id number `n` of an object, in the instance `0sim`'s part of the id space.
    pub(crate) fn numbered(prefix: &str, n: u64) -> Self {
        let mut bytes = *b"000Si000000000x";
        bytes[..3].copy_from_slice(&prefix.as_bytes()[..3]);
        let mut rest = n;
        for slot in bytes[5..15].iter_mut().rev() {
            *slot = BASE62[usize::try_from(rest % 62).unwrap_or(0)];
            rest /= 62;
        }
        Self(bytes)
    }

    /// The bytes of the 15-character form.
    pub(crate) fn bytes(&self) -> &[u8; 15] {
        &self.0
    }

    /// The first three characters, which name the object.
    pub(crate) fn prefix(&self) -> &str {
        std::str::from_utf8(&self.0[..3]).unwrap_or_default()
    }

    /// The 15-character form.
    pub(crate) fn short(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The 18-character form as bytes.
    pub(crate) fn long(&self) -> [u8; 18] {
        let mut out = [0; 18];
        out[..15].copy_from_slice(&self.0);
        out[15..].copy_from_slice(&self.checksum());
        out
    }

    fn checksum(&self) -> [u8; 3] {
        let mut out = [0; 3];
        for (slot, block) in out.iter_mut().zip(self.0.chunks(5)) {
            let bits = block
                .iter()
                .enumerate()
                .filter(|(_, c)| c.is_ascii_uppercase())
                .fold(0, |bits, (k, _)| bits | 1 << k);
            *slot = CHECKSUM[bits];
        }
        out
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.long()).unwrap_or_default())
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_salesforces() {
        // The pair every Salesforce guide shows for the algorithm's form: 15 characters and their
        // 18.
        let id = RecordId::parse("001Dn000000rlh6").unwrap();
        assert_eq!(id.to_string(), "001Dn000000rlh6IAA");
        assert_eq!(RecordId::parse("001Dn000000rlh6IAA"), Some(id));
        assert_eq!(RecordId::parse("001Dn000000rlh6IAB"), None);
        assert_eq!(RecordId::parse("001Dn"), None);
    }

    #[test]
    fn numbered_ids_sort_as_their_numbers() {
        let ids: Vec<_> = (0..5000).map(|n| RecordId::numbered("003", n)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ids[0].prefix(), "003");
    }
}
