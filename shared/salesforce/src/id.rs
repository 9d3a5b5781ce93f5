//! Salesforce record ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The letters of the checksum, by the 5-bit number of a block's upper-case letters.
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// Why a text is not a Salesforce id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// Neither 15 nor 18 characters.
    #[error("a Salesforce id has 15 or 18 characters, this has {0}")]
    Length(usize),
    /// A character outside letters and digits.
    #[error("a Salesforce id holds letters and digits only")]
    Character,
    /// The last three characters do not belong to the first fifteen: the id was mistyped, or its
    /// case was changed.
    #[error("the last three characters of this Salesforce id do not fit the first fifteen")]
    Checksum,
}

/// A record id in its 18-character form, which is safe to compare and to sort without regard to
/// case.
///
/// Both forms are read; the 15-character one is case-sensitive and is completed with its checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SalesforceId([u8; 18]);

impl SalesforceId {
    /// The 18 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII letters and digits are ever stored.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The three characters that name the kind of record.
    #[must_use]
    pub fn key_prefix(&self) -> &str {
        &self.as_str()[..3]
    }

    /// The standard object of this id, or none for a custom object or one this project does not
    /// read.
    #[must_use]
    pub fn object(&self) -> Option<&'static str> {
        Some(match self.key_prefix() {
            "001" => "Account",
            "002" => "Note",
            "003" => "Contact",
            "005" => "User",
            "006" => "Opportunity",
            "00D" => "Organization",
            "00E" => "UserRole",
            "00G" => "Group",
            "00K" => "OpportunityContactRole",
            "00P" => "Attachment",
            "00Q" => "Lead",
            "00T" => "Task",
            "00U" => "Event",
            "00e" => "Profile",
            "012" => "RecordType",
            "01M" => "AccountTeamMember",
            "068" => "ContentVersion",
            "069" => "ContentDocument",
            "06A" => "ContentDocumentLink",
            _ => return None,
        })
    }
}

impl FromStr for SalesforceId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) {
            return Err(ParseIdError::Length(text.chars().count()));
        }
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(ParseIdError::Character);
        }
        let mut id = [0; 18];
        id[..15].copy_from_slice(&bytes[..15]);
        for block in 0..3 {
            id[15 + block] = checksum(&bytes[block * 5..block * 5 + 5]);
        }
        if bytes.len() == 18 && bytes != id {
            return Err(ParseIdError::Checksum);
        }
        Ok(Self(id))
    }
}

/// Bit k of the number is set when character k of the block is an upper-case letter.
fn checksum(block: &[u8]) -> u8 {
    let bits = block
        .iter()
        .enumerate()
        .fold(0, |bits, (k, b)| bits | (usize::from(b.is_ascii_uppercase()) << k));
    CHECKSUM[bits]
}

impl fmt::Display for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for SalesforceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for SalesforceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(IdText)
    }
}

/// Reads an id from borrowed text, so that a list of ids costs no allocation per id.
struct IdText;

impl serde::de::Visitor<'_> for IdText {
    type Value = SalesforceId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Salesforce id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SalesforceId, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_ids_have_their_known_checksums() {
        for id in ["00Dxx0000001gPLEAY", "005xx000001SwiUAAS", "003D000000QTYgNIAX"] {
            assert_eq!(id[..15].parse::<SalesforceId>().unwrap().as_str(), id);
            assert_eq!(id.parse::<SalesforceId>().unwrap().as_str(), id);
        }
    }

    #[test]
    fn what_is_not_an_id_is_refused_for_its_reason() {
        for (text, error) in [
            ("", ParseIdError::Length(0)),
            ("001", ParseIdError::Length(3)),
            ("0012v00002kmXYZA", ParseIdError::Length(16)),
            ("001-v00002kmXYZ", ParseIdError::Character),
            ("003D000000QTYgNIAY", ParseIdError::Checksum),
            ("003d000000qtygniax", ParseIdError::Checksum),
            ("003D000000QTYGNIAX", ParseIdError::Checksum),
        ] {
            assert_eq!(text.parse::<SalesforceId>(), Err(error), "{text}");
        }
    }

    #[test]
    fn the_prefix_names_the_object_and_its_case_matters() {
        let object = |id: &str| id.parse::<SalesforceId>().unwrap().object();
        assert_eq!(object("00E000000000001"), Some("UserRole"));
        assert_eq!(object("00e000000000001"), Some("Profile"));
        assert_eq!(object("a0B000000000001"), None);
    }

    proptest! {
        #[test]
        fn both_forms_are_the_same_id(short in "[0-9A-Za-z]{15}") {
            let id: SalesforceId = short.parse().unwrap();
            prop_assert_eq!(id.as_str().parse::<SalesforceId>().unwrap(), id);
            prop_assert!(id.as_str().starts_with(&short));
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<SalesforceId>(&json).unwrap(), id);
        }

        #[test]
        fn changing_the_case_of_a_letter_is_noticed(short in "[0-9A-Za-z]{15}", at in 0..15_usize) {
            let mut long = short.parse::<SalesforceId>().unwrap().as_str().as_bytes().to_vec();
            if !long[at].is_ascii_alphabetic() {
                return Ok(());
            }
            long[at] ^= 0x20;
            let long = String::from_utf8(long).unwrap();
            prop_assert_eq!(long.parse::<SalesforceId>(), Err(ParseIdError::Checksum));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,20}") {
            let _ = text.parse::<SalesforceId>();
        }
    }
}
