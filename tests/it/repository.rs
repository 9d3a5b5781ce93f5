//! Where things are in the repository and its build.

use std::path::{Path, PathBuf};

use stack::StackOptions;

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A stack in a folder of its own, with the binaries that were built beside this test's.
pub(crate) fn stack(name: &str) -> StackOptions {
    let mut options = StackOptions::new(root());
    options.state = root().join(".local").join(format!("test-{name}"));
    let test = std::env::current_exe().unwrap();
    // The test is target/debug/deps/it-…
    options.binaries = test.ancestors().nth(2).unwrap().to_owned();
    options
}
