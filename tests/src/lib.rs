//! What the integration tests share.

#![expect(clippy::missing_panics_doc, reason = "a test's harness panics where a test fails")]
#![expect(clippy::expect_used, reason = "a test's harness panics where a test fails")]

pub mod world;
