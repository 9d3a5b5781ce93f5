//! What the commands for a deployment share.

use anyhow::{Context, ensure};
use secrecy::SecretString;
use std::path::Path;

/// The variable that holds a token: other people's programs see the command line, not this.
const TOKEN: &str = "CRM_SYNC_TOKEN";

/// The token of a file, or of the environment.
pub(super) fn token(file: Option<&Path>) -> anyhow::Result<SecretString> {
    let token = match file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the token in {}", path.display()))?,
        None => std::env::var_os(TOKEN)
            .and_then(|token| token.into_string().ok())
            .with_context(|| format!("no token: give --token-file, or set {TOKEN}"))?,
    };
    let token = token.trim();
    ensure!(!token.is_empty(), "the token is empty");
    Ok(SecretString::from(token.to_owned()))
}
