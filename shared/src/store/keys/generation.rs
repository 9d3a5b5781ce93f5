//! The keys of what belongs to one generation of a connection, and goes with it.

use super::spread;
use crate::kernel::{
    ActivityId, Connection, ImportRunId, MatchRunId, ModelId, SObject, Scope, SeatId,
};
use crate::ports::Key;

/// What a partition of a generation holds. A new kind is purged because it is in [`Kind::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Runs, each object's progress, its pages, the leases: bucket 0 only.
    Run,
    /// CRM records, by record id: `object#id`.
    Record,
    /// From a parent record to its children, by parent id: `parent#relation#child`.
    Edge,
    /// A record's candidates and its match, by record id: `object#id`.
    Candidates,
    /// An entity's bidders and its match, by entity id: `object#entity`.
    Entity,
    /// Match runs and their batches: bucket 0 only.
    MatchRun,
    /// What was saved for a seat, by seat: `seat#list#entity`.
    Saved,
    /// Activities, by activity id; lanes, by record id.
    Activity,
    /// Grants: `admin`, and one per seat, sealed.
    Grant,
    /// What people said about a record's match, by record id: `object#id`.
    Correction,
    /// Models of the tenant's own, and which one is taken: bucket 0 only.
    Model,
}

impl Kind {
    /// Every kind; purge walks them all.
    pub const ALL: [Self; 11] = [
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
    ];

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
}

impl Relation {
    fn as_str(self) -> &'static str {
        match self {
            Self::AccountContact => "contact",
            Self::AccountOpportunity => "opportunity",
            Self::AccountTeamMember => "team",
            Self::OpportunityRole => "role",
            Self::ContactRole => "contact-role",
            Self::OwnerOpportunity => "owned-opportunity",
            Self::OwnerAccount => "owned-account",
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

    /// How many buckets each kind has.
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
        Kind::ALL
            .into_iter()
            .flat_map(move |kind| (0..self.buckets).map(move |b| (kind, self.partition(kind, b))))
    }

    fn by(&self, kind: Kind, id: &str, sk: String) -> Key {
        Key::new(self.partition(kind, self.bucket(id)), sk)
    }

    fn single(&self, kind: Kind, sk: String) -> Key {
        Key::new(self.partition(kind, 0), sk)
    }

    /// The run under way, and the lease on it.
    #[must_use]
    pub fn active_run(&self) -> Key {
        self.single(Kind::Run, "ACTIVE".to_owned())
    }

    /// The marker that a scheduled slot's run was started once, and the next slot planned.
    #[must_use]
    pub fn slot(&self, run: ImportRunId) -> Key {
        self.single(Kind::Run, format!("SLOT#{run}"))
    }

    /// An object's watermark.
    #[must_use]
    pub fn watermark(&self, object: SObject) -> Key {
        self.single(Kind::Run, format!("WATERMARK#{object}"))
    }

    /// The org's pipeline stages.
    #[must_use]
    pub fn pipeline(&self) -> Key {
        self.single(Kind::Run, "PIPELINE".to_owned())
    }

    /// An import run.
    #[must_use]
    pub fn run(&self, run: ImportRunId) -> Key {
        self.single(Kind::Run, format!("RUN#{run}"))
    }

    /// The import runs, newest last: partition and prefix.
    #[must_use]
    pub fn runs(&self) -> (String, String) {
        (self.partition(Kind::Run, 0), "RUN#".to_owned())
    }

    /// One object's progress in a run.
    #[must_use]
    pub fn object_import(&self, run: ImportRunId, object: SObject) -> Key {
        self.single(Kind::Run, format!("OBJECT#{run}#{object}"))
    }

    /// The progress of every object of a run: partition and prefix.
    #[must_use]
    pub fn object_imports(&self, run: ImportRunId) -> (String, String) {
        (self.partition(Kind::Run, 0), format!("OBJECT#{run}#"))
    }

    /// The lease that lets one settlement at a time work on a generation's matches.
    #[must_use]
    pub fn settle_lease(&self) -> Key {
        self.single(Kind::MatchRun, "LEASE".to_owned())
    }

    /// A CRM record.
    #[must_use]
    pub fn record(&self, object: SObject, id: &str) -> Key {
        self.by(Kind::Record, id, format!("{object}#{id}"))
    }

    /// A bucket's records of one object: partition and prefix.
    #[must_use]
    pub fn records(&self, object: SObject, bucket: u32) -> (String, String) {
        (self.partition(Kind::Record, bucket), format!("{object}#"))
    }

    /// An edge.
    #[must_use]
    pub fn edge(&self, parent: &str, relation: Relation, child: &str) -> Key {
        self.by(Kind::Edge, parent, format!("{parent}#{}#{child}", relation.as_str()))
    }

    /// A parent's edges of one relation: partition and prefix.
    #[must_use]
    pub fn edges(&self, parent: &str, relation: Relation) -> (String, String) {
        (
            self.partition(Kind::Edge, self.bucket(parent)),
            format!("{parent}#{}#", relation.as_str()),
        )
    }

    /// A record's candidates and match.
    #[must_use]
    pub fn candidates(&self, object: SObject, id: &str) -> Key {
        self.by(Kind::Candidates, id, format!("{object}#{id}"))
    }

    /// A bucket's candidates of one object: partition and prefix.
    #[must_use]
    pub fn all_candidates(&self, object: SObject, bucket: u32) -> (String, String) {
        (self.partition(Kind::Candidates, bucket), format!("{object}#"))
    }

    /// An entity's bidders and match among the records of one object.
    #[must_use]
    pub fn entity(&self, object: SObject, entity: &str) -> Key {
        self.by(Kind::Entity, entity, format!("{object}#{entity}"))
    }

    /// What people said about a record's match.
    #[must_use]
    pub fn correction(&self, object: SObject, id: &str) -> Key {
        self.by(Kind::Correction, id, format!("{object}#{id}"))
    }

    /// A bucket's corrections of one object: partition and prefix.
    #[must_use]
    pub fn corrections(&self, object: SObject, bucket: u32) -> (String, String) {
        (self.partition(Kind::Correction, bucket), format!("{object}#"))
    }

    /// A model of the tenant's own.
    #[must_use]
    pub fn model(&self, model: ModelId) -> Key {
        self.single(Kind::Model, format!("MODEL#{model}"))
    }

    /// The models: partition and prefix.
    #[must_use]
    pub fn models(&self) -> (String, String) {
        (self.partition(Kind::Model, 0), "MODEL#".to_owned())
    }

    /// Which model is taken.
    #[must_use]
    pub fn model_choice(&self) -> Key {
        self.single(Kind::Model, "CHOICE".to_owned())
    }

    /// A match run.
    #[must_use]
    pub fn match_run(&self, run: MatchRunId) -> Key {
        self.single(Kind::MatchRun, format!("RUN#{run}"))
    }

    /// The match runs: partition and prefix.
    #[must_use]
    pub fn match_runs(&self) -> (String, String) {
        (self.partition(Kind::MatchRun, 0), "RUN#".to_owned())
    }

    /// A batch of a match run.
    #[must_use]
    pub fn batch(&self, run: MatchRunId, batch: u32) -> Key {
        self.single(Kind::MatchRun, format!("BATCH#{run}#{batch:08}"))
    }

    /// The marker that a batch was scored against a shard.
    #[must_use]
    pub fn scored(&self, run: MatchRunId, batch: u32, shard: u32) -> Key {
        self.single(Kind::MatchRun, format!("SCORED#{run}#{batch:08}#{shard:05}"))
    }

    /// What was saved for a seat.
    #[must_use]
    pub fn saved(&self, seat: SeatId, list: &str, entity: &str) -> Key {
        self.by(Kind::Saved, &seat.to_string(), format!("{seat}#{list}#{entity}"))
    }

    /// A seat's list: partition and prefix.
    #[must_use]
    pub fn saved_list(&self, seat: SeatId, list: &str) -> (String, String) {
        let id = seat.to_string();
        (self.partition(Kind::Saved, self.bucket(&id)), format!("{seat}#{list}#"))
    }

    /// An activity.
    #[must_use]
    pub fn activity(&self, activity: ActivityId) -> Key {
        self.by(Kind::Activity, &activity.to_string(), format!("ACT#{activity}"))
    }

    /// The lane that keeps the order of the activities about one record.
    #[must_use]
    pub fn lane(&self, record: &str) -> Key {
        self.by(Kind::Activity, record, format!("LANE#{record}"))
    }

    /// The state of the connection's own grant.
    #[must_use]
    pub fn admin_grant(&self) -> Key {
        self.single(Kind::Grant, "ADMIN".to_owned())
    }

    /// How far the upkeep of the connection is.
    #[must_use]
    pub fn upkeep(&self) -> Key {
        self.single(Kind::Grant, "UPKEEP".to_owned())
    }

    /// What the org said of its integration user and their permissions.
    #[must_use]
    pub fn inspection(&self) -> Key {
        self.single(Kind::Grant, "INSPECTION".to_owned())
    }

    /// The fields of an object that the org shows its integration user.
    #[must_use]
    pub fn org_fields(&self, object: SObject) -> Key {
        self.single(Kind::Grant, format!("FIELDS#{object}"))
    }

    /// A look at one record through a mapping that is not made yet.
    #[must_use]
    pub fn mapping_preview(&self) -> Key {
        self.single(Kind::Grant, "PREVIEW".to_owned())
    }

    /// A seat's grant.
    #[must_use]
    pub fn seat_grant(&self, seat: SeatId) -> Key {
        self.single(Kind::Grant, format!("SEAT#{seat}"))
    }

    /// The connection's own grant that the one with this number replaced, until it is revoked.
    #[must_use]
    pub fn replaced_grant(&self, number: u64) -> Key {
        self.single(Kind::Grant, format!("REPLACED#{number:020}"))
    }

    /// All replaced grants that are to be revoked: partition and prefix.
    #[must_use]
    pub fn replaced_grants(&self) -> (String, String) {
        (self.partition(Kind::Grant, 0), "REPLACED#".to_owned())
    }

    /// All seats' grants: partition and prefix.
    #[must_use]
    pub fn seat_grants(&self) -> (String, String) {
        (self.partition(Kind::Grant, 0), "SEAT#".to_owned())
    }
}
