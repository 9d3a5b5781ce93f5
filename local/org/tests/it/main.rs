//! Reads generated orgs back from their files, with no help from the generator's own types.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

mod bad_input;
mod folder;
mod integrity;
mod script;
mod shows;
