//! Keys and secrets under one master key.
//!
//! The master key is the operator's and is stored nowhere here. Whoever has it can open the file
//! of secrets; without it that file and every generation's data are noise. Each purpose has a key
//! of its own, derived from it.
//!
//! **Rotation.** [`SealedSecrets::rotate`] takes the old key and the new one. In one transaction it
//! seals every secret under the new key, keeps the old key itself sealed under the new one, and
//! writes the new check value: a kill leaves either all of it or none. A wrapped data key names the
//! master key that wrapped it, so that those of earlier master keys still open, by the retired keys
//! that the file keeps. [`SealedSecrets::rotate_open`] does the same for a file that is in use.
//! From then on the old key opens nothing that the file holds; only a copy from before the rotation
//! still opens under it.

mod data_keys;
mod master;
mod rotation;
mod secrets;
#[cfg(test)]
mod tests;

pub use data_keys::LocalDataKeys;
pub use master::{KeyId, MasterKey, MasterKeyError};
pub use rotation::Rotation;
pub use secrets::{OpenSecretsError, SealedSecrets};
