//! Typed identifiers. An id of ours names its kind by a prefix, sorts by time of creation and never
//! holds a character that has a meaning in a key or a path.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// Why a text is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form {prefix}_ and 26 characters")]
pub struct ParseIdError {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// The prefix that every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// An id made at `millis` (Unix time, milliseconds) from 80 random bits.
            #[must_use]
            pub fn new(millis: u64, random: u128) -> Self {
                Self(Ulid::from_parts(millis, random))
            }

            /// The id that belongs to a business identity: the same text gives the same id.
            #[must_use]
            pub fn derived(identity: &str) -> Self {
                let mut bytes = [0_u8; 16];
                blake3::Hasher::new_derive_key(concat!("crm-sync id ", $prefix))
                    .update(identity.as_bytes())
                    .finalize_xof()
                    .fill(&mut bytes);
                Self(Ulid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let wrong = ParseIdError { prefix: $prefix };
                let body = text.strip_prefix(concat!($prefix, "_")).ok_or(wrong.clone())?;
                // One spelling only: a second one would be a second key.
                if body.len() != 26 || body.bytes().any(|b| b.is_ascii_lowercase()) {
                    return Err(wrong);
                }
                Ulid::from_string(body).map(Self).map_err(|_| wrong)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

typed_id!(
    /// A customer contract.
    TenantId,
    "ten"
);
typed_id!(
    /// A licensed user of the product within a tenant.
    SeatId,
    "seat"
);
typed_id!(
    /// One import of an org.
    ImportRunId,
    "run"
);
typed_id!(
    /// One matching of records against a directory version.
    MatchRunId,
    "mrun"
);
typed_id!(
    /// Something a seller did that is to be logged in the CRM.
    ActivityId,
    "act"
);
typed_id!(
    /// A lead or contact that a seller has created or updated in the CRM.
    ChangeId,
    "chg"
);
typed_id!(
    /// Changes that a seller approved together.
    BulkId,
    "bulk"
);
typed_id!(
    /// A published state of the directory.
    DirectoryVersionId,
    "dir"
);
typed_id!(
    /// A model tuned by a tenant's corrections.
    ModelId,
    "mod"
);
typed_id!(
    /// A large answer that is written as files.
    ExportId,
    "exp"
);
typed_id!(
    /// A list that a seller keeps.
    ListId,
    "lst"
);
typed_id!(
    /// An event for other systems.
    EventId,
    "evt"
);
typed_id!(
    /// An operator's leave to look at records.
    GlassId,
    "glass"
);
typed_id!(
    /// The holder of a lease: one attempt at one piece of work.
    LeaseToken,
    "lease"
);

/// Why a text is not the id of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseEntityIdError {
    /// Nothing, or white space alone.
    #[error("an entity's id is not empty")]
    Empty,
    /// More bytes than a key has room for.
    #[error("an entity's id has at most {max} bytes, this has {0}", max = EntityId::LONGEST)]
    Length(usize),
}

/// A person or a company by the directory's own id: the product's, not ours, so that its form is
/// free but for its length. A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(Arc<str>);

impl EntityId {
    /// The longest id, in bytes. The table's sort keys hold 1,024, and the longest key with an
    /// entity in it has a seat and a list besides.
    pub const LONGEST: usize = 512;

    /// Tells why a text is not an id, without keeping it.
    ///
    /// # Errors
    /// When the text is none.
    pub fn check(text: &str) -> Result<(), ParseEntityIdError> {
        if text.trim().is_empty() {
            return Err(ParseEntityIdError::Empty);
        }
        if text.len() > Self::LONGEST {
            return Err(ParseEntityIdError::Length(text.len()));
        }
        Ok(())
    }

    /// The id as the directory writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntityId {
    type Err = ParseEntityIdError;

    fn from_str(text: &str) -> Result<Self, ParseEntityIdError> {
        Self::check(text).map(|()| Self(text.into()))
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EntityId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EntityId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entitys_id_is_free_but_neither_empty_nor_too_long_for_a_key() {
        let parsed = |text: &str| text.parse::<EntityId>().map(|id| id.to_string());
        for text in ["pr_1", "a#b/c", " 7 ", "ü", &"x".repeat(EntityId::LONGEST)] {
            assert_eq!(parsed(text), Ok(text.to_owned()));
            let json = serde_json::to_string(text).unwrap();
            let id: EntityId = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), json);
        }
        assert_eq!(parsed(""), Err(ParseEntityIdError::Empty));
        assert_eq!(parsed(" \t"), Err(ParseEntityIdError::Empty));
        assert_eq!(parsed(&"ü".repeat(257)), Err(ParseEntityIdError::Length(514)));
        assert!(serde_json::from_str::<EntityId>("\"\"").is_err());
    }

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = TenantId::new(1_795_288_123_604, 42);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let seat = SeatId::new(1, 1).to_string();
        assert_eq!(seat.parse::<TenantId>(), Err(ParseIdError { prefix: "ten" }));
    }

    #[test]
    fn a_second_spelling_of_an_id_is_refused() {
        let id = TenantId::new(1_795_288_123_604, 42).to_string();
        let lower = format!("ten_{}", id[4..].to_lowercase());
        assert!(lower.parse::<TenantId>().is_err());
        assert!("ten_".parse::<TenantId>().is_err());
        assert!(format!("{id}#x").parse::<TenantId>().is_err());
    }

    #[test]
    fn a_derived_id_depends_on_its_identity_and_kind() {
        assert_eq!(ActivityId::derived("a"), ActivityId::derived("a"));
        assert_ne!(ActivityId::derived("a"), ActivityId::derived("b"));
        assert_ne!(
            ActivityId::derived("a").to_string()[4..],
            SeatId::derived("a").to_string()[5..]
        );
    }
}
