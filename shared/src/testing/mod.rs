//! The ports in memory, a clock and a source of randomness that repeat, and a fuse that kills.

mod clock;
pub mod contracts;
mod fuse;
mod ids;
mod memory;
mod product;

pub use clock::{ManualClock, SeededEntropy};
pub use fuse::{Fuse, Gate, Killed};
pub use ids::{entity_id, record_id};
pub use memory::{Memory, ParkedMessage};
pub use product::product;
