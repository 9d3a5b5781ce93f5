//! The means that the integration tests share: the whole product in one process, the AWS emulator,
//! and the repository as files.

#![expect(clippy::missing_panics_doc, reason = "a test's harness panics where a test fails")]
#![expect(clippy::expect_used, reason = "a test's harness panics where a test fails")]

pub mod canary;
mod emulator;
mod function_role;
mod home;
pub mod meter;
pub mod permissions;
mod repository;
pub mod template;
pub mod world;

pub use emulator::{Cloud, Emulator};
pub use home::Home;
pub use repository::{SourceFile, read, root, rust_files};
