//! The keys of what belongs to one generation of a connection, and goes with it.

use jiff::civil::Date;

use super::spread;
use crate::kernel::{Connection, RecordHead, SObject, Scope};
use crate::ports::Key;
use crate::salesforce::SalesforceId;
use crate::store::{Marker, Series, Slot};

/// The kind of documents in a partition. A new kind is purged because it is in [`Kind::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Import runs, the lease on them, each object's progress and watermark, the slots, the
    /// pipeline's stages, how far the passes of auto-save are, how much each list holds: bucket 0
    /// only.
    Run,
    /// CRM records, by record id: `object#id`.
    Record,
    /// From a parent record to its children, by parent id: `parent#relation#child`.
    Edge,
    /// A record's candidates and its match, by record id: `object#id`.
    Candidates,
    /// An entity's bidders and its match, by entity id: `kind#entity`.
    Entity,
    /// Match runs, their batches, the lease of settling: bucket 0 only.
    MatchRun,
    /// The items saved for a seat, by seat: `seat#list#entity`.
    Saved,
    /// Activities, by activity id; lanes, by record id; lists and conversations, by seat; calls
    /// under their keys with their answers, by their names.
    Activity,
    /// The states of grants, seats' grants sealed, and what inspections of the org found: bucket 0
    /// only.
    Grant,
    /// People's corrections of a record's match, by record id: `object#id`.
    Correction,
    /// Models of the tenant's own, and which one is taken: bucket 0 only.
    Model,
    /// Exports: what was asked for, and how far it is: bucket 0 only.
    Export,
    /// Lists that sellers keep, with what is in them, by list id; whose they are, by seat.
    List,
}

impl Kind {
    /// Every kind; purge walks them all.
    pub const ALL: [Self; 13] = [
        Self::Run,
        Self::Record,
        Self::Edge,
        Self::Candidates,
        Self::Entity,
        Self::MatchRun,
        Self::Saved,
        Self::Activity,
        Self::Grant,
        Self::Correction,
        Self::Model,
        Self::Export,
        Self::List,
    ];

    /// True for a kind that is few documents, all of them in bucket 0.
    fn is_in_one_bucket(self) -> bool {
        match self {
            Self::Run | Self::MatchRun | Self::Grant | Self::Model | Self::Export => true,
            Self::Record
            | Self::Edge
            | Self::Candidates
            | Self::Entity
            | Self::Saved
            | Self::Activity
            | Self::Correction
            | Self::List => false,
        }
    }

    /// The kind of a partition of some generation; none of another partition.
    pub(crate) fn of_partition(pk: &str) -> Option<Self> {
        let name = pk.strip_prefix("GEN#")?.split('#').nth(3)?;
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name in keys and in a purge certificate.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "RUN",
            Self::Record => "REC",
            Self::Edge => "EDGE",
            Self::Candidates => "CAND",
            Self::Entity => "ENT",
            Self::MatchRun => "MRUN",
            Self::Saved => "SAVE",
            Self::Activity => "ACT",
            Self::Grant => "GRANT",
            Self::Correction => "CORR",
            Self::Model => "MODEL",
            Self::Export => "EXPORT",
            Self::List => "LIST",
        }
    }
}

/// A relation that edges follow from parent to child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// Account → its contacts.
    AccountContact,
    /// Account → its opportunities.
    AccountOpportunity,
    /// Account → its team members.
    AccountTeamMember,
    /// Opportunity → its contact roles.
    OpportunityRole,
    /// Contact → its contact roles.
    ContactRole,
    /// CRM user → the opportunities they own.
    OwnerOpportunity,
    /// CRM user → the accounts they own.
    OwnerAccount,
    /// CRM user → the contacts they own.
    OwnerContact,
    /// CRM user → the leads they own.
    OwnerLead,
    /// The name of a directory company → the leads whose person works there. Matching draws these.
    EmployerLead,
    /// CRM user → their memberships of accounts' teams.
    UserTeamMember,
    /// The name of an e-mail address or federation id → the CRM users who have it, or once had it.
    EmailUser,
    /// CRM user → the names of the e-mail addresses and federation ids that they have, or once had.
    UserEmail,
    /// Contact or lead → the tasks about them, by day.
    RecordTask,
    /// Contact or lead → the events about them.
    RecordEvent,
    /// Record → the notes about it.
    RecordNote,
}

impl Relation {
    /// True if an edge stays when its record changes: whoever shared an address with a user is
    /// concerned when that user gets another one.
    #[must_use]
    pub fn stays(self) -> bool {
        matches!(self, Self::EmailUser | Self::UserEmail)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::AccountContact => "contact",
            Self::AccountOpportunity => "opportunity",
            Self::AccountTeamMember => "team",
            Self::OpportunityRole => "role",
            Self::ContactRole => "contact-role",
            Self::OwnerOpportunity => "owned-opportunity",
            Self::OwnerAccount => "owned-account",
            Self::OwnerContact => "owned-contact",
            Self::OwnerLead => "owned-lead",
            Self::EmployerLead => "employee-lead",
            Self::UserTeamMember => "membership",
            Self::EmailUser => "user",
            Self::UserEmail => "email",
            Self::RecordTask => "task",
            Self::RecordEvent => "event",
            Self::RecordNote => "note",
        }
    }
}

/// The keys of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerationKeys {
    scope: Scope,
    buckets: u32,
}

impl GenerationKeys {
    /// Keys for a generation whose connection item fixed `buckets`.
    #[must_use]
    pub fn new(scope: Scope, buckets: u32) -> Self {
        Self { scope, buckets: buckets.max(1) }
    }

    /// The keys of a connection's present generation.
    #[must_use]
    pub fn of(connection: &Connection) -> Self {
        Self::new(connection.scope(), connection.buckets)
    }

    /// Whose keys these are.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// How many buckets each kind has that has more than one.
    #[must_use]
    pub fn buckets(&self) -> u32 {
        self.buckets
    }

    /// The bucket of an id: a hash, since ids of one kind are close to each other.
    #[must_use]
    pub fn bucket(&self, id: &str) -> u32 {
        spread(id, self.buckets)
    }

    /// The partition of a kind's bucket.
    #[must_use]
    pub fn partition(&self, kind: Kind, bucket: u32) -> String {
        let Scope { tenant, environment, generation } = self.scope;
        format!("GEN#{tenant}#{environment}#{generation}#{}#{bucket}", kind.as_str())
    }

    /// Every partition of the generation.
    pub fn partitions(self) -> impl Iterator<Item = (Kind, String)> {
        Kind::ALL.into_iter().flat_map(move |kind| {
            let buckets = if kind.is_in_one_bucket() { 1 } else { self.buckets };
            (0..buckets).map(move |bucket| (kind, self.partition(kind, bucket)))
        })
    }

    /// A key of a kind in the bucket of an id, or in the only one that the kind has.
    pub(crate) fn by(&self, kind: Kind, id: &str, sk: String) -> Key {
        let bucket = if kind.is_in_one_bucket() { 0 } else { self.bucket(id) };
        Key::new(self.partition(kind, bucket), sk)
    }

    /// A key of a kind that has one bucket.
    pub(crate) fn single(&self, kind: Kind, sk: String) -> Key {
        debug_assert!(kind.is_in_one_bucket(), "{kind:?} has a bucket for each id");
        Key::new(self.partition(kind, 0), sk)
    }

    /// A CRM record.
    #[must_use]
    pub fn record(&self, object: SObject, id: SalesforceId) -> Slot<RecordHead> {
        Slot::at(self.by(Kind::Record, id.as_str(), format!("{object}#{id}")))
    }

    /// A bucket's records of one object: partition and prefix.
    #[must_use]
    pub fn records(&self, object: SObject, bucket: u32) -> Series<RecordHead> {
        Series::under(self.partition(Kind::Record, bucket), format!("{object}#"))
    }

    /// An edge.
    #[must_use]
    pub fn edge(&self, parent: &str, relation: Relation, child: &str) -> Slot<Marker> {
        let sk = format!("{parent}#{}#{child}", relation.as_str());
        Slot::at(self.by(Kind::Edge, parent, sk))
    }

    /// A parent's edges of one relation: partition and prefix.
    #[must_use]
    pub fn edges(&self, parent: &str, relation: Relation) -> Series<Marker> {
        Series::under(
            self.partition(Kind::Edge, self.bucket(parent)),
            format!("{parent}#{}#", relation.as_str()),
        )
    }

    /// The tasks about a record of one day.
    #[must_use]
    pub fn tasks_of(&self, record: SalesforceId, day: Date) -> Series<Marker> {
        let beginning = format!("{record}#{}#{day}#", Relation::RecordTask.as_str());
        Series::under(self.partition(Kind::Edge, self.bucket(record.as_str())), beginning)
    }
}
