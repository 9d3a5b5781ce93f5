//! Linking records to the directory: match runs, scores, settling, corrections and models.

mod corrections;
pub mod keys;
mod known_pairs;
pub(crate) mod match_runs;
mod match_steps;
mod model;
pub(crate) mod models;
mod rematch;
mod report;
mod score;
pub(crate) mod settle;

#[cfg(test)]
mod histories_tests;

pub use corrections::{CorrectionError, Corrections};
pub use known_pairs::{KnownPair, RefusedPair, TakenPairs};
pub(crate) use match_runs::{MOVED, MatchRuns};
pub use match_steps::MatchSteps;
pub use model::*;
pub use models::{ExplainedCandidate, ModelError, Models, WeighedComparison};
pub use rematch::Rematch;
pub use report::{DecisionCounts, EntityReport, ExplainedMatch, MatchPage, Matches, ReportError};
