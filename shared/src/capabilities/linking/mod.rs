//! Linking records to the directory: match runs, scores, settling, corrections and models.
//!
//! A match run takes batches of probes, has each scored against every shard of one directory
//! version, and settles the scores into matches. The result depends neither on the order of the
//! steps nor on the number of shards. A person's word about a record goes before everything that
//! the engine finds. A record is linked to one entity at most, and an entity to one record at most:
//! a person to a lead or to a contact, never to both.

mod batches;
mod corrections;
mod decision_counts;
pub mod keys;
mod known_pairs;
pub(crate) mod lease;
mod match_runs;
mod match_steps;
mod model;
mod models;
mod probes;
mod rematch;
mod report;
mod rules;
mod runs;
mod score;
mod settle;
mod sides;
mod unfinished_runs;

#[cfg(test)]
mod histories_tests;

pub(crate) use batches::PROBES_PER_STEP;
pub use corrections::{CorrectionError, Corrections};
pub use decision_counts::{DecisionCounts, Scores};
pub use known_pairs::{KnownPair, RefusedPair, TakenPairs};
pub use lease::SETTLE_LEASE;
pub(crate) use match_runs::MatchRuns;
pub use match_steps::MatchSteps;
pub use model::*;
pub use models::{ExplainedCandidate, ModelError, Models, WeighedComparison};
pub use report::{EntityReport, ExplainedMatch, MatchPage, Matches, ReportError};
pub use rules::{ChangeMatchRules, RulesError};
pub use runs::Rematch;
pub use sides::{Side, SideBySide};
pub use unfinished_runs::UnfinishedRuns;
