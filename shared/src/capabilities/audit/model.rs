//! An entry of an audit log, and how it hangs on the one before. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kernel::{
    Author, Environment, Generation, SObject, Scope, SeatId, TenantEnvironment, TenantId,
};

/// The hash that the first entry of a chain follows.
pub const BEGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The derivation of an entry's hash.
const ENTRY: &str = "crm-sync 2026-11-28 audit entry";

/// The derivation of the name of somebody whose id may say who that is.
const SUBJECT: &str = "crm-sync 2026-11-28 audit subject";

/// The longest id of a subject that is kept as it is.
const LONGEST_SUBJECT: usize = 128;

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// The product by itself: a buffer ran out, a purge came to its end.
    Product,
    /// The product's own back end.
    Service,
    /// Somebody with a seat.
    Seat {
        /// The seat.
        seat: SeatId,
    },
    /// An admin without a seat.
    Admin {
        /// The subject of the token; none for a token without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
    },
    /// Somebody who runs the product.
    Operator {
        /// The subject of the token.
        subject: String,
    },
}

impl From<&Author> for Actor {
    fn from(author: &Author) -> Self {
        match author {
            Author::Service => Self::Service,
            Author::Seat { seat } => Self::Seat { seat: *seat },
            Author::Admin { subject } => Self::Admin { subject: subject.clone() },
        }
    }
}

impl Actor {
    /// The same, with an id in the place of a subject that may say who somebody is.
    #[must_use]
    pub(super) fn without_names(self, salt: &str) -> Self {
        match self {
            Self::Admin { subject } => {
                Self::Admin { subject: subject.map(|subject| subject_id(&subject, salt)) }
            }
            Self::Operator { subject } => Self::Operator { subject: subject_id(&subject, salt) },
            Self::Product | Self::Service | Self::Seat { .. } => self,
        }
    }
}

/// A subject that an issuer made as an id, as it is; any other one by a name that tells nothing
/// without the chain's salt.
fn subject_id(subject: &str, salt: &str) -> String {
    let is_of_id = |c: char| c.is_ascii_alphanumeric() || "-_:|".contains(c);
    if subject.len() <= LONGEST_SUBJECT && subject.chars().all(is_of_id) {
        return subject.to_owned();
    }
    let key = blake3::derive_key(SUBJECT, salt.as_bytes());
    format!("name:{}", &blake3::keyed_hash(&key, subject.as_bytes()).to_hex()[..32])
}

/// The kind of a deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A tenant was made.
    TenantCreated,
    /// A tenant was removed.
    TenantRemoved,
    /// A seat was added, with its roles.
    SeatAdded,
    /// A seat was removed.
    SeatRemoved,
    /// A seat's address, aliases, name or time zone were changed.
    SeatChanged,
    /// What a contract includes was changed.
    ContractChanged,
    /// A seat was made another CRM user by hand.
    CrmUserChosen,
    /// A seat's CRM user was left to the addresses again.
    CrmUserForgotten,
    /// An org was connected.
    Connected,
    /// A connection's grant was given anew.
    Reconnected,
    /// A seat gave its grant.
    SeatAuthorized,
    /// A seat's grant was ended.
    AuthorizationEnded,
    /// An org was disconnected.
    Disconnected,
    /// Nothing of a generation is left.
    Purged,
    /// Settings were changed.
    SettingsChanged,
    /// What auto-save saved under a revision of the settings was asked to leave the lists.
    SavingUndone,
    /// How imports are set up was changed.
    ImportSettingsChanged,
    /// What is imported was changed.
    SelectionChanged,
    /// A match was corrected.
    MatchCorrected,
    /// The rules of matching were changed.
    MatchRulesChanged,
    /// Another model was taken.
    ModelChosen,
    /// A tenant was handed over to another home.
    HandedOver,
    /// A hand-over was taken back.
    TakenBack,
    /// A tenant was exported.
    Exported,
    /// Lines of an export were taken in.
    Imported,
    /// A large answer was asked for as files.
    Export,
    /// An operator was let in to look at records.
    GlassBroken,
    /// An operator looked at a record.
    RecordRead,
}

/// What was done: which things it was about, by their ids. A thing that is a customer's is named by
/// a name that only the data key of its generation gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// The kind of the deed.
    pub action: Action,
    /// The environment that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The generation that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The seat that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<SeatId>,
    /// The object of the record that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<SObject>,
    /// The name of that record, or of the grant by which it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What else tells of it, in words of ours and numbers: the settings changed, a ticket.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

impl Deed {
    /// A deed that is about the tenant as a whole.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            action,
            environment: None,
            generation: None,
            seat: None,
            object: None,
            name: None,
            details: BTreeMap::new(),
        }
    }

    /// A deed in an environment.
    #[must_use]
    pub fn at(action: Action, at: TenantEnvironment) -> Self {
        Self { environment: Some(at.environment), ..Self::new(action) }
    }

    /// A deed in a generation.
    #[must_use]
    pub fn of(action: Action, scope: Scope) -> Self {
        Self { generation: Some(scope.generation), ..Self::at(action, scope.tenant_environment()) }
    }

    /// About this seat.
    #[must_use]
    pub fn seat(self, seat: SeatId) -> Self {
        Self { seat: Some(seat), ..self }
    }

    /// About a record of this object, by a name that tells nothing of it.
    #[must_use]
    pub fn record(self, object: SObject, name: String) -> Self {
        Self { object: Some(object), name: Some(name), ..self }
    }

    /// Under this name.
    #[must_use]
    pub fn named(self, name: String) -> Self {
        Self { name: Some(name), ..self }
    }

    /// With a word or a number that tells of it.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a word or a number, whichever is at hand")]
    pub fn detail(mut self, name: &str, value: impl ToString) -> Self {
        self.details.insert(name.to_owned(), value.to_string());
        self
    }
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The number of the last entry.
    pub number: u64,
    /// Its hash.
    pub hash: String,
    /// Its time.
    pub at: Timestamp,
    /// What the names of subjects depend on.
    pub salt: String,
}

impl AuditHead {
    /// The head of a chain without entries.
    #[must_use]
    pub fn begin(salt: String) -> Self {
        Self { number: 0, hash: BEGIN.to_owned(), at: Timestamp::UNIX_EPOCH, salt }
    }

    /// The entry that follows, and the head that it makes.
    #[must_use]
    pub fn followed_by(
        &self,
        tenant: TenantId,
        now: Timestamp,
        by: Actor,
        deed: Deed,
    ) -> (AuditEntry, Self) {
        let mut entry = AuditEntry {
            tenant,
            number: self.number + 1,
            // Clocks differ: a chain's times never go back.
            at: now.max(self.at),
            by: by.without_names(&self.salt),
            deed,
            before: Link { hash: self.hash.clone(), at: self.at },
            hash: String::new(),
        };
        entry.hash = entry.digest();
        let head = Self {
            number: entry.number,
            hash: entry.hash.clone(),
            at: entry.at,
            salt: self.salt.clone(),
        };
        (entry, head)
    }

    /// The head as people keep it.
    #[must_use]
    pub fn mark(&self) -> HeadMark {
        HeadMark { number: self.number, hash: self.hash.clone() }
    }
}

/// A chain's last entry, by number and hash. Who keeps one elsewhere finds that a tail was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadMark {
    /// The number of the last entry; 0 for a chain without any.
    pub number: u64,
    /// Its hash.
    pub hash: String,
}

/// What an entry hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The hash of the entry before.
    pub hash: String,
    /// The time of the entry before; the epoch for the first.
    pub at: Timestamp,
}

/// One entry of a tenant's audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Whose log it is in.
    pub tenant: TenantId,
    /// Counts the tenant's entries, from 1.
    pub number: u64,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub by: Actor,
    /// What was done.
    pub deed: Deed,
    /// The entry before.
    pub before: Link,
    /// The hash of all that.
    pub hash: String,
}

impl AuditEntry {
    /// The hash that the entry should have: of its JSON without the hash, whose names are sorted.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Value::Object(fields) = &mut value {
            fields.remove("hash");
        }
        let mut text = String::new();
        write_sorted(&value, &mut text);
        let key = blake3::derive_key(ENTRY, b"");
        blake3::keyed_hash(&key, text.as_bytes()).to_hex().to_string()
    }
}

/// Writes a value with the names of each object sorted, whatever order a map keeps.
fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (place, (name, value)) in sorted.into_iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_sorted(value, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> AuditHead {
        AuditHead::begin("salt".to_owned())
    }

    fn now() -> Timestamp {
        "2026-11-28T09:00:00Z".parse().unwrap()
    }

    fn entry_by(by: Actor) -> AuditEntry {
        head().followed_by(TenantId::derived("acme"), now(), by, Deed::new(Action::Exported)).0
    }

    #[test]
    fn an_entry_reads_back_with_the_hash_that_it_has() {
        let seat = SeatId::derived("jane");
        let deed = Deed::new(Action::SeatAdded).seat(seat).detail("roles", "admin");
        let tenant = TenantId::derived("acme");
        let (entry, after) = head().followed_by(tenant, now(), Actor::Service, deed);
        let text = serde_json::to_string(&entry).unwrap();
        let back: AuditEntry = serde_json::from_str(&text).unwrap();
        assert_eq!((back.digest(), &back.hash), (entry.hash.clone(), &entry.hash));
        assert_eq!((after.number, &after.hash), (1, &entry.hash));
        assert_eq!(entry.before, Link { hash: BEGIN.to_owned(), at: Timestamp::UNIX_EPOCH });
    }

    #[test]
    fn every_field_counts_for_the_hash() {
        let entry = entry_by(Actor::Service);
        let mut others = Vec::new();
        let mut other = |edit: &dyn Fn(&mut AuditEntry)| {
            let mut edited = entry.clone();
            edit(&mut edited);
            others.push(edited.digest());
        };
        other(&|e| e.tenant = TenantId::derived("another"));
        other(&|e| e.number = 2);
        other(&|e| e.at += jiff::SignedDuration::from_nanos(1));
        other(&|e| e.by = Actor::Product);
        other(&|e| e.deed.action = Action::Imported);
        other(&|e| e.deed.seat = Some(SeatId::derived("jane")));
        other(&|e| e.deed = e.deed.clone().detail("ticket", "1"));
        other(&|e| e.before.at = now());
        other(&|e| e.before.hash = "00".to_owned());
        others.push(entry.digest());
        others.sort_unstable();
        others.dedup();
        assert_eq!(others.len(), 10);
    }

    #[test]
    fn a_subject_that_may_name_somebody_is_kept_as_a_name_that_tells_nothing() {
        let subject = |text: &str, salt: &str| subject_id(text, salt);
        assert_eq!(
            subject("auth0|5f7c8ec7c33c6c004bbafe82", "s"),
            "auth0|5f7c8ec7c33c6c004bbafe82"
        );
        for text in ["jane@acme.example", "Jane Doe", "jane.doe", &"x".repeat(200)] {
            let name = subject(text, "s");
            assert!(name.starts_with("name:") && !name.contains("jane"), "{name}");
            assert_eq!(name, subject(text, "s"), "one subject has one name in a chain");
            assert_ne!(name, subject(text, "t"), "and another one elsewhere");
        }
        let admin = Actor::Admin { subject: Some("jane@acme.example".to_owned()) };
        assert!(!serde_json::to_string(&entry_by(admin)).unwrap().contains("jane"));
    }

    #[test]
    fn times_never_go_back() {
        let tenant = TenantId::derived("acme");
        let deed = || Deed::new(Action::Exported);
        let (first, after) = head().followed_by(tenant, now(), Actor::Service, deed());
        let earlier = now() - jiff::SignedDuration::from_secs(9);
        let (second, _) = after.followed_by(tenant, earlier, Actor::Service, deed());
        assert_eq!((second.at, second.before.at, second.before.hash), (now(), now(), first.hash));
    }
}
