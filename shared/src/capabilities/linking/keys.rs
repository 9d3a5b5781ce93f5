//! The keys of linking: of its items, and of its objects in the bucket.

use matching::EntityKind;

use super::lease::SettleLease;
use super::{
    Awaited, Batch, CandidateList, Correction, DecisionCounts, EntityLink, EntityMatches,
    KeptMatchRules, MatchRun, ModelChoice, RulesTrial, TunedModel, UnfinishedRun,
};
use crate::kernel::{
    Asked, EntityId, MatchRunId, ModelId, SObject, Scope, TenantEnvironment, entity_kind_name,
};
use crate::ports::Key;
use crate::salesforce::SalesforceId;
use crate::store::keys::{GenerationKeys, Kind, environment_partition};
use crate::store::{Marker, Series, Slot};

/// An environment's rules of matching.
#[must_use]
pub fn match_rules(at: TenantEnvironment) -> Slot<KeptMatchRules> {
    Slot::at(Key::new(environment_partition(at), "MATCHRULES".to_owned()))
}

impl GenerationKeys {
    /// The lease that lets one settlement at a time work on a generation's matches.
    #[must_use]
    pub fn settle_lease(&self) -> Slot<SettleLease> {
        Slot::at(self.single(Kind::MatchRun, "LEASE".to_owned()))
    }

    /// A record's candidates and match.
    #[must_use]
    pub fn candidates(&self, object: SObject, id: SalesforceId) -> Slot<CandidateList> {
        Slot::at(self.by(Kind::Candidates, id.as_str(), format!("{object}#{id}")))
    }

    /// A bucket's candidates of one object.
    #[must_use]
    pub fn all_candidates(&self, object: SObject, bucket: u32) -> Series<CandidateList> {
        Series::under(self.partition(Kind::Candidates, bucket), format!("{object}#"))
    }

    /// How many records of an object were decided how.
    #[must_use]
    pub fn decision_counts(&self, object: SObject) -> Slot<DecisionCounts> {
        Slot::at(self.single(Kind::MatchRun, format!("COUNTS#{object}")))
    }

    /// An entity's bidders and match, whatever object they are of.
    #[must_use]
    pub fn entity(&self, kind: EntityKind, entity: &EntityId) -> Slot<EntityMatches> {
        let sk = format!("{}#{entity}", entity_kind_name(kind));
        Slot::at(self.by(Kind::Entity, entity.as_str(), sk))
    }

    /// A bucket's entities of one kind, and their links.
    #[must_use]
    pub fn entities(&self, kind: EntityKind, bucket: u32) -> Series<EntityLink> {
        let prefix = format!("{}#", entity_kind_name(kind));
        Series::under(self.partition(Kind::Entity, bucket), prefix)
    }

    /// The mark that somebody waits, or once waited, for the record of an entity, which has this
    /// name under the data key.
    #[must_use]
    pub fn awaited(&self, kind: EntityKind, name: &str) -> Slot<Awaited> {
        let sk = format!("AWAITED#{}#{name}", entity_kind_name(kind));
        Slot::at(self.by(Kind::Activity, name, sk))
    }

    /// People's corrections of a record's match.
    #[must_use]
    pub fn correction(&self, object: SObject, id: SalesforceId) -> Slot<Correction> {
        Slot::at(self.by(Kind::Correction, id.as_str(), format!("{object}#{id}")))
    }

    /// A bucket's corrections of one object.
    #[must_use]
    pub fn corrections(&self, object: SObject, bucket: u32) -> Series<Correction> {
        Series::under(self.partition(Kind::Correction, bucket), format!("{object}#"))
    }

    /// A model of the tenant's own.
    #[must_use]
    pub fn model(&self, model: ModelId) -> Slot<TunedModel> {
        Slot::at(self.single(Kind::Model, format!("MODEL#{model}")))
    }

    /// The models.
    #[must_use]
    pub fn models(&self) -> Series<TunedModel> {
        Series::under(self.partition(Kind::Model, 0), "MODEL#".to_owned())
    }

    /// The model that was asked for last.
    #[must_use]
    pub fn asked_model(&self) -> Slot<Asked<ModelId>> {
        Slot::at(self.single(Kind::Model, "ASKED".to_owned()))
    }

    /// The choice of a model.
    #[must_use]
    pub fn model_choice(&self) -> Slot<ModelChoice> {
        Slot::at(self.single(Kind::Model, "CHOICE".to_owned()))
    }

    /// The latest trial of rules of matching.
    #[must_use]
    pub fn rules_trial(&self) -> Slot<RulesTrial> {
        Slot::at(self.single(Kind::MatchRun, "TRIAL".to_owned()))
    }

    /// A match run.
    #[must_use]
    pub fn match_run(&self, run: MatchRunId) -> Slot<MatchRun> {
        Slot::at(self.single(Kind::MatchRun, format!("RUN#{run}")))
    }

    /// The match runs.
    #[must_use]
    pub fn match_runs(&self) -> Series<MatchRun> {
        Series::under(self.partition(Kind::MatchRun, 0), "RUN#".to_owned())
    }

    /// The directory version that a match run needs until its end.
    #[must_use]
    pub fn unfinished_run(&self, run: MatchRunId) -> Slot<UnfinishedRun> {
        Slot::at(self.single(Kind::MatchRun, format!("UNFINISHED#{run}")))
    }

    /// The match runs that have not come to their end.
    #[must_use]
    pub fn unfinished_runs(&self) -> Series<UnfinishedRun> {
        Series::under(self.partition(Kind::MatchRun, 0), "UNFINISHED#".to_owned())
    }

    /// The re-match that was asked for last.
    #[must_use]
    pub fn asked_rematch(&self) -> Slot<Asked<MatchRunId>> {
        Slot::at(self.single(Kind::MatchRun, "ASKED".to_owned()))
    }

    /// A batch of a match run.
    #[must_use]
    pub fn batch(&self, run: MatchRunId, batch: u32) -> Slot<Batch> {
        Slot::at(self.single(Kind::MatchRun, format!("BATCH#{run}#{batch:08}")))
    }

    /// The marker that a batch was scored against a shard.
    #[must_use]
    pub fn scored(&self, run: MatchRunId, batch: u32, shard: u32) -> Slot<Marker> {
        Slot::at(self.single(Kind::MatchRun, format!("SCORED#{run}#{batch:08}#{shard:05}")))
    }
}

/// The folder of an object's probes of one bucket.
pub(crate) fn probe_folder(scope: Scope, object: SObject, bucket: u32) -> String {
    format!("{}probes/{object}/{bucket:05}/", scope.object_prefix())
}

/// The folder of all objects of a run.
pub(crate) fn run_folder(scope: Scope, run: MatchRunId) -> String {
    format!("{}match/{run}/", scope.run_prefix())
}

/// The object of a batch's probes.
pub(crate) fn batch_object(scope: Scope, run: MatchRunId, batch: u32) -> String {
    format!("{}batches/{batch:08}", run_folder(scope, run))
}

/// The object of the candidates that a shard has for a batch.
pub(crate) fn scored_object(scope: Scope, run: MatchRunId, batch: u32, shard: u32) -> String {
    format!("{}scored/{batch:08}/{shard:05}", run_folder(scope, run))
}

/// The object of a tuned model.
pub(crate) fn model_object(scope: Scope, model: ModelId) -> String {
    format!("{}models/{model}", scope.object_prefix())
}
