//! Salesforce record ids: 15 characters that tell upper and lower case apart, and in the long form
//! three more that say which letters are upper case.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The three characters that make a short id a long one.
fn checksum(short: &[u8]) -> [u8; 3] {
    let mut out = [0; 3];
    for (out, five) in out.iter_mut().zip(short.chunks(5)) {
        let upper = |bits, c: &u8| bits << 1 | usize::from(c.is_ascii_uppercase());
        *out = CHECKSUM[five.iter().rev().fold(0, upper)];
    }
    out
}

/// The 18-character id of record `number` with an object's key prefix.
pub(crate) fn make(prefix: &str, number: u64) -> String {
    let mut id = format!("{prefix}gn00000000000").into_bytes();
    id.truncate(15);
    let mut left = number;
    for place in id[6..].iter_mut().rev() {
        *place = DIGITS[usize::try_from(left % 62).unwrap_or(0)];
        left /= 62;
    }
    id.extend(checksum(&id));
    id.into_iter().map(char::from).collect()
}

/// The form in which two spellings of one id are equal: the first 15 characters of a long id whose
/// checksum is right, and anything else as it is, since the ids of other systems are welcome too.
pub(crate) fn canonical(id: &str) -> &str {
    let bytes = id.as_bytes();
    let long = bytes.len() == 18 && bytes.iter().all(u8::is_ascii_alphanumeric);
    if long && checksum(&bytes[..15]) == bytes[15..] { &id[..15] } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_salesforces() {
        // Worked by hand: the third letter of the last five is upper case, 0b00100 is E.
        assert_eq!(make("001", 0), "001gn0000000000AAA");
        assert_eq!(make("003", 10 * 62 * 62), "003gn0000000A00AAE");
    }

    #[test]
    fn short_and_long_spellings_are_one_and_foreign_ids_stay() {
        assert_eq!(canonical("003gn0000000A00AAE"), "003gn0000000A00");
        assert_eq!(canonical("003gn0000000A00"), "003gn0000000A00");
        // A checksum that is wrong, and ids of another system.
        for id in ["003gn0000000A00AAA", "account00000000123", "é03gn0000000A00AE", "7"] {
            assert_eq!(canonical(id), id);
        }
    }
}
