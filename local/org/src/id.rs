//! Salesforce record ids: 15 case-sensitive characters and a checksum of three.

/// Key prefixes of the objects that the generator mints ids for.
pub(crate) mod prefix {
    pub(crate) const ACCOUNT_TEAM_MEMBER: &str = "01M";
    pub(crate) const EVENT: &str = "00U";
    pub(crate) const NOTE: &str = "002";
    pub(crate) const OPPORTUNITY: &str = "006";
    pub(crate) const OPPORTUNITY_CONTACT_ROLE: &str = "00K";
    pub(crate) const OPPORTUNITY_STAGE: &str = "01J";
    pub(crate) const ORGANIZATION: &str = "00D";
    pub(crate) const PROFILE: &str = "00e";
    pub(crate) const QUEUE: &str = "00G";
    pub(crate) const TASK: &str = "00T";
    pub(crate) const USER: &str = "005";
    pub(crate) const USER_ROLE: &str = "00E";
}

const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// The instance and reserved part, the same as in the base data, so that all ids look like one
/// org's.
const INSTANCE: &str = "Dn0000";

/// The three characters that make an id of 15 characters safe to compare without case.
///
/// Each block of five characters gives one: bit `k` of its index is set when character `k` is one
/// of `A`–`Z`. Characters after the fifteenth are not looked at.
#[must_use]
pub fn checksum(id: &str) -> String {
    id.as_bytes()[..id.len().min(15)]
        .chunks(5)
        .map(|block| {
            let index = block
                .iter()
                .enumerate()
                .filter(|(_, character)| character.is_ascii_uppercase())
                .fold(0_usize, |index, (place, _)| index | (1 << place));
            char::from(CHECKSUM[index])
        })
        .collect()
}

/// True if this is an id of 18 characters with the right checksum.
#[must_use]
pub fn is_valid(id: &str) -> bool {
    id.len() == 18
        && id.bytes().all(|character| character.is_ascii_alphanumeric())
        && id[15..] == checksum(id)
}

/// Hands out the ids of one object, ascending as a real org's are.
#[derive(Debug)]
pub(crate) struct IdMint {
    prefix: &'static str,
    minted: u64,
}

impl IdMint {
    pub(crate) fn new(prefix: &'static str) -> Self {
        Self { prefix, minted: 0 }
    }

    pub(crate) fn mint(&mut self) -> String {
        self.minted += 1;
        // A prime step mixes upper and lower case, which is what readers of ids get wrong.
        let mut number = self.minted * 4_099 + 700_001;
        let mut digits = [b'0'; 6];
        for digit in digits.iter_mut().rev() {
            *digit = BASE_62[usize::try_from(number % 62).unwrap_or_default()];
            number /= 62;
        }
        let digits: String = digits.iter().copied().map(char::from).collect();
        let id = format!("{}{INSTANCE}{digits}", self.prefix);
        let checksum = checksum(&id);
        id + &checksum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_character_holds_the_upper_case_places_of_its_block() {
        assert_eq!(checksum("001000000000000"), "AAA");
        assert_eq!(checksum("A01A00000A00000"), "JQA");
        assert_eq!(checksum("ABCDEabcde01234"), "5AA");
        assert!(is_valid("001Dn000000rlh6IAA"));
        assert!(!is_valid("001Dn000000rlh6IAB"));
        assert!(!is_valid("001Dn000000rlh6"));
    }

    #[test]
    fn minted_ids_are_valid_ascending_and_carry_their_prefix() {
        let mut mint = IdMint::new(prefix::TASK);
        let ids: Vec<String> = (0..5_000).map(|_| mint.mint()).collect();
        assert!(ids.iter().all(|id| is_valid(id) && id.starts_with("00T")));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
