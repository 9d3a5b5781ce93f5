//! The mapped fields of a CRM record.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use rustc_hash::FxHashSet;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kernel::SObject;
use crate::salesforce::SalesforceId;

/// A field's API name. Those that we ask for are not allocated.
type FieldName = Cow<'static, str>;

/// The mapped fields of a record, by API name. A null field is absent: Salesforce does not tell
/// null from empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(
    /// Ascending by name. A record has some twenty: a list of them is made and read in a fraction
    /// of a tree's time.
    Vec<(FieldName, String)>,
);

impl Fields {
    /// A field's value; none when it is null or was not read.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let place = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(&self.0[place].1)
    }

    /// Names and values, ascending by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// The record that a lookup names; none when the field is null or holds no id.
    #[must_use]
    pub fn reference(&self, name: &str) -> Option<SalesforceId> {
        self.get(name)?.parse().ok()
    }

    /// True if a checkbox is ticked.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| v.eq_ignore_ascii_case("true"))
    }

    /// The fields as one text, which differs when any field does. A digest of it is made under a
    /// key: one that anybody can make tells who guesses the fields that they are right.
    #[must_use]
    pub fn to_digest(&self) -> Vec<u8> {
        let parts = || self.iter().flat_map(|(name, value)| [name, value]);
        // Hashed in one piece: a hasher is several times slower at many small ones.
        let mut whole = Vec::with_capacity(parts().map(|part| part.len() + 8).sum());
        for part in parts() {
            // Lengths keep `ab` + `c` apart from `a` + `bc`.
            whole.extend_from_slice(&(part.len() as u64).to_le_bytes());
            whole.extend_from_slice(part.as_bytes());
        }
        whole
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fields({})", self.0.len())
    }
}

impl<N: Into<FieldName>> FromIterator<(N, String)> for Fields {
    /// Of a name that comes twice, the last value counts.
    fn from_iter<I: IntoIterator<Item = (N, String)>>(iter: I) -> Self {
        let filled = iter.into_iter().filter(|(_, value)| !value.is_empty());
        let mut fields: Vec<_> = filled.map(|(name, value)| (name.into(), value)).collect();
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        fields.dedup_by(|later, kept| {
            let again = later.0 == kept.0;
            if again {
                std::mem::swap(later, kept);
            }
            again
        });
        Self(fields)
    }
}

impl IntoIterator for Fields {
    type Item = (FieldName, String);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(24).min(256));
        while let Some((StoredName(name), value)) = map.next_entry::<_, String>()? {
            fields.push((name, value));
        }
        Ok(fields.into_iter().collect())
    }
}

/// A name as it was stored.
struct StoredName(FieldName);

impl<'de> Deserialize<'de> for StoredName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = StoredName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<StoredName, E> {
        let known = known(name);
        Ok(StoredName(known.map_or_else(|| name.to_owned().into(), FieldName::from)))
    }
}

/// The name among those that we ask for; none when it is not one of them.
fn known(name: &str) -> Option<&'static str> {
    static KNOWN: LazyLock<FxHashSet<&'static str>> =
        LazyLock::new(|| SObject::ALL.into_iter().flat_map(SObject::fields).copied().collect());
    KNOWN.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn the_text_to_digest_tells_where_one_value_ends() {
        assert_ne!(
            fields(&[("A", "xB")]).to_digest(),
            fields(&[("A", "x"), ("B", "")]).to_digest()
        );
        assert_ne!(
            fields(&[("A", "xy"), ("B", "z")]).to_digest(),
            fields(&[("A", "x"), ("B", "yz")]).to_digest()
        );
    }

    #[test]
    fn an_empty_value_is_null() {
        assert_eq!(fields(&[("A", "")]), Fields::default());
    }

    #[test]
    fn fields_are_stored_as_a_map_by_name_and_read_as_they_were() {
        let some = fields(&[("Title", "Poet"), ("Own__c", "1"), ("Email", "a"), ("Title", "Peer")]);
        let text = r#"{"Email":"a","Own__c":"1","Title":"Peer"}"#;
        assert_eq!(serde_json::to_string(&some).unwrap(), text);
        let read: Fields = serde_json::from_str(text).unwrap();
        assert_eq!(read, some);
        assert!(matches!(read.0[2].0, Cow::Borrowed("Title")), "a name that we know is not made");
        assert_eq!(
            ["Email", "Own__c", "Title", "Phone"].map(|name| read.get(name)),
            [Some("a"), Some("1"), Some("Peer"), None]
        );
    }
}
