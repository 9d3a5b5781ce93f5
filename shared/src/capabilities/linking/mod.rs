//! Linking records to the directory: match runs, scores, settling, corrections and models.

mod corrections;
pub mod keys;
pub(crate) mod match_runs;
mod match_steps;
mod model;
pub(crate) mod models;
mod score;
pub(crate) mod settle;

#[cfg(test)]
mod histories_tests;

pub use corrections::{CorrectionError, Corrections};
pub(crate) use match_runs::{MOVED, MatchRuns};
pub use match_steps::MatchSteps;
pub use model::*;
pub use models::{ExplainedCandidate, ModelError, Models, WeighedComparison};
