//! Large answers as files: what was asked for is written step by step, and kept for a day.
//!
//! Whoever asks for what is being written already is told of that. The files lie in the bucket in
//! the clear, as whoever gets them needs them; an address leads to one of them for a quarter of an
//! hour. They go after a day, and with their generation.

mod ask;
mod csv;
pub mod keys;
mod matches;
mod model;
mod sets;
#[cfg(test)]
mod sets_tests;
mod steps;
#[cfg(test)]
mod tests;

pub use ask::{ExportAddress, Exports};
pub use model::*;
pub use steps::ExportSteps;
