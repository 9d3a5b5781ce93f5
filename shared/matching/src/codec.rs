//! Little-endian values and length-prefixed bytes, written to a buffer and read back with every
//! bound checked.
#![allow(clippy::cast_possible_truncation, reason = "lengths are bounded by the normal forms")]

/// Appends values to a buffer.
pub(crate) trait Put {
    fn put_varint(&mut self, value: u64);
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    fn put_bytes(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.push(value as u8);
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_varint(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

/// Reads what [`Put`] wrote. Past the end and on malformed bytes it gives zeros and empty values,
/// never a panic: a shard's checksum, not its reader, refuses damaged bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Take<'a>(pub(crate) &'a [u8]);

impl<'a> Take<'a> {
    pub(crate) fn varint(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let Some((&byte, rest)) = self.0.split_first() else { return 0 };
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
        }
        0
    }

    /// A count, no larger than the bytes that are left.
    pub(crate) fn count(&mut self) -> usize {
        (self.varint() as usize).min(self.0.len())
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.split_first().map_or(0, |(&byte, rest)| {
            self.0 = rest;
            byte
        })
    }

    pub(crate) fn u32(&mut self) -> u32 {
        self.0.split_first_chunk::<4>().map_or(0, |(bytes, rest)| {
            self.0 = rest;
            u32::from_le_bytes(*bytes)
        })
    }

    pub(crate) fn u64(&mut self) -> u64 {
        self.0.split_first_chunk::<8>().map_or(0, |(bytes, rest)| {
            self.0 = rest;
            u64::from_le_bytes(*bytes)
        })
    }

    /// A dictionary id.
    pub(crate) fn id(&mut self) -> u32 {
        u32::try_from(self.varint()).unwrap_or_default()
    }

    pub(crate) fn country(&mut self) -> [u8; 2] {
        self.0.split_first_chunk::<2>().map_or([0, 0], |(code, rest)| {
            self.0 = rest;
            *code
        })
    }

    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = self.count();
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    pub(crate) fn text(&mut self) -> &'a str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }
}

/// A column of little-endian `u32`.
pub(crate) fn column(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The `index`th value of a column of little-endian `u32`.
pub(crate) fn u32_at(column: &[u8], index: usize) -> Option<u32> {
    let at = index.checked_mul(4)?;
    Some(u32::from_le_bytes(column.get(at..at.checked_add(4)?)?.try_into().ok()?))
}
