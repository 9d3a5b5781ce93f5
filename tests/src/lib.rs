//! What the tests of the whole need: the AWS emulator, and the repository as files.

mod emulator;
mod repository;

pub use emulator::{Cloud, Emulator};
pub use repository::{SourceFile, read, root, rust_files};
