//! The ports in memory, a clock and a source of randomness that repeat, and a fuse that kills.

pub mod contracts;
mod fuse;
mod memory;

pub use fuse::{Fuse, Gate, Killed};
pub use memory::{ManualClock, Memory, SeededEntropy, SentMessage};
