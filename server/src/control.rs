//! A socket in the data folder, by which the owner's commands ask the running process.
//!
//! The secrets are open in one process at a time, so that a command asks that process. Who can
//! reach the socket can read the folder, and is its owner: the socket lies in a folder of mode 0700
//! and has mode 0600 itself.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use shared::capabilities::seats::Role;
use shared::host::SystemClock;
use shared::kernel::{SeatId, TenantId};
use shared::work::chain;
use tokio::net::UnixListener;

use crate::issuer::{Bearer, BuiltInIssuer};

/// A token that is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenRequest {
    /// The roles.
    pub roles: BTreeSet<Role>,
    /// The tenant that the caller belongs to; none for the product's own services.
    pub tenant: Option<TenantId>,
    /// The seat, for a seller.
    pub seat: Option<SeatId>,
    /// How long it is valid, in seconds.
    pub seconds: u64,
}

/// The socket's place in a data folder.
#[must_use]
pub fn socket(data: &Path) -> PathBuf {
    data.join("control.sock")
}

/// Listens on the socket; a socket of a process that is gone is replaced. Whoever calls has the
/// folder alone.
///
/// # Errors
/// The system's: a path that is too long for a socket among others.
pub fn listen(data: &Path) -> io::Result<UnixListener> {
    let path = socket(data);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers commands until it is dropped.
pub async fn serve(listener: UnixListener, issuer: Option<Arc<BuiltInIssuer>>) {
    let router = Router::new().route("/token", post(token)).with_state(issuer);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(error = chain(&error), "commands are not answered any more");
    }
}

async fn token(
    State(issuer): State<Option<Arc<BuiltInIssuer>>>,
    Json(asked): Json<TokenRequest>,
) -> (StatusCode, String) {
    let Some(issuer) = issuer else {
        let text = "the process takes the tokens of another issuer: ask that one";
        return (StatusCode::CONFLICT, text.to_owned());
    };
    match sign(&issuer, asked) {
        Ok(token) => (StatusCode::OK, token),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, chain(&error)),
    }
}

/// The token that was asked for.
pub(crate) fn sign(
    issuer: &BuiltInIssuer,
    asked: TokenRequest,
) -> Result<String, crate::issuer::IssuerError> {
    let TokenRequest { roles, tenant, seat, seconds } = asked;
    let bearer = Bearer { roles, tenant, seat, subject: None };
    issuer.token(&bearer, Duration::from_secs(seconds), &SystemClock)
}
