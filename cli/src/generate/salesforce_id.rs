//! Record ids of the form Salesforce gives.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The 18-character id of record `number` with an object's key prefix: 15 characters that tell
/// upper and lower case apart, and three that say which letters are upper case.
pub(super) fn salesforce_id(prefix: &str, number: u64) -> String {
    let mut id = format!("{prefix}gn00000000000").into_bytes();
    id.truncate(15);
    let mut left = number;
    for place in id[6..].iter_mut().rev() {
        *place = DIGITS[usize::try_from(left % 62).unwrap_or(0)];
        left /= 62;
    }
    for at in 0..3 {
        let five = &id[at * 5..at * 5 + 5];
        let upper =
            five.iter().rev().fold(0, |bits, c| bits << 1 | usize::from(c.is_ascii_uppercase()));
        id.push(CHECKSUM[upper]);
    }
    id.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_salesforces() {
        // Worked by hand: the third letter of the last five is upper case, 0b00100 is E.
        assert_eq!(salesforce_id("001", 0), "001gn0000000000AAA");
        assert_eq!(salesforce_id("003", 10 * 62 * 62), "003gn0000000A00AAE");
    }
}
