//! The matching engine.
