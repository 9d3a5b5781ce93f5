//! The demo org's generator.
