#![doc = include_str!("../README.md")]

mod adapt;
mod assign;
mod blocking;
mod codec;
mod compare;
mod component;
mod count;
mod decide;
mod decoy;
mod entity;
mod evidence;
mod explain;
mod form;
mod freshness;
mod keys;
mod lists;
mod memo;
mod model;
pub mod normalize;
mod parallel;
mod partial_date;
mod posterior;
pub mod read;
mod score;
mod shard;
mod similarity;
mod statistics;
pub mod text;
mod train;

pub use adapt::{Estimate, Sample};
pub use assign::{Assigned, AssignedBy, Assignment, Bid, Duplicate, Ruling, assign};
pub use blocking::BLOCK_CAP;
pub use compare::{EmployerEvidence, Levels};
pub use component::{ComponentWalk, Load};
pub use count::{RefinementBuilder, StatisticsBuilder};
pub use decide::{MatchDecision, Thresholds};
pub use entity::{
    Company, CrmAccount, CrmPerson, DirectoryLine, Employer, EntityKind, Person, Position, is_link,
};
pub use evidence::{Evidence, ParseEvidenceError, exact_comparisons};
pub use explain::{ExplainedComparison, Explanation, comparison_names, explain};
pub use form::{CompanyForm, Employment, PersonForm, Probe, ProbeError};
pub use freshness::{Fact, Freshness};
pub use keys::{BlockKey, block_keys};
pub use model::{ComparisonModel, InvalidModel, KindModel, LevelModel, MatchModel, Provenance};
pub use normalize::Street;
pub use partial_date::{ParsePartialDateError, PartialDate};
pub use posterior::{Scored, posterior, probabilities};
pub use score::{Candidate, MatchWeight, RawCandidate, Scorer};
pub use shard::{Shard, ShardBuilder, ShardError, shard_of};
pub use statistics::{Statistics, StatisticsError};
pub use train::{Refinement, ShadowDifference, TrainingSet, shadow};
