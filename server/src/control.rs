//! A socket in the data folder, by which the owner's commands ask the running process.
//!
//! The secrets are open in one process at a time, so that a command asks that process. Who can
//! reach the socket can read the folder, and is its owner: the socket lies in a folder of mode 0700
//! and has mode 0600 itself.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::future::pending;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::StreamExt;
use futures::stream;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use shared::capabilities::seats::Role;
use shared::capabilities::sessions::{SessionError, Sessions, Visitor};
use shared::host::SystemClock;
use shared::kernel::{SeatId, TenantId};
use shared::work::chain;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Semaphore};

use crate::backup::Live;
use crate::config::Config;
use crate::dead_letters::{self, Chosen, Listed};
use crate::folder::SOCKET;
use crate::issuer::{Bearer, BuiltInIssuer};
use crate::keys;

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

/// Why a running process does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The process said no.
    #[error("crm-sync serve refused: {0}")]
    Refused(String),
    /// The process does not answer.
    #[error("crm-sync serve does not answer at its socket")]
    Socket(#[from] reqwest::Error),
    /// The socket cannot be reached.
    #[error("the socket of the data folder cannot be reached")]
    Reach(#[source] io::Error),
}

/// The process that has a data folder, as its commands reach it.
pub(crate) struct Process(Client);

/// The process that works on the folder `data`; none when no process does.
pub(crate) async fn reach(data: &Path) -> Result<Option<Process>, AskError> {
    let socket = socket(data);
    match UnixStream::connect(&socket).await {
        Ok(_) => Ok(Some(Process(Client::builder().unix_socket(socket).build()?))),
        Err(error) if nobody_listens(&error) => Ok(None),
        Err(error) => Err(AskError::Reach(error)),
    }
}

/// There is no socket, or its process is gone.
fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

impl Process {
    /// Has the process do something, however long it takes.
    pub(crate) async fn post(
        &self,
        path: &str,
        asked: &impl Serialize,
    ) -> Result<reqwest::Response, AskError> {
        let answer = self.0.post(format!("http://crm-sync{path}")).json(asked).send().await?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        Err(AskError::Refused(answer.text().await?))
    }
}

/// The socket's place in a data folder.
#[must_use]
pub fn socket(data: &Path) -> PathBuf {
    data.join(SOCKET)
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

/// What commands act on.
pub(crate) struct Commands {
    /// Issues tokens, if the process does.
    pub issuer: Option<Arc<BuiltInIssuer>>,
    /// The sessions of the console.
    pub sessions: Sessions,
    /// The stores.
    pub stores: Live,
    /// Where browsers reach the process.
    pub public_base: String,
    /// Says where the master key comes from.
    pub config: Config,
    /// One backup at a time.
    pub backups: Arc<Semaphore>,
    /// One rotation at a time.
    pub rotations: Mutex<()>,
}

/// Answers commands until it is dropped.
pub(crate) async fn serve(listener: UnixListener, commands: Commands) {
    let router = Router::new()
        .route("/token", post(token))
        .route("/console-link", post(console_link))
        .route("/backup", post(backup))
        .route("/keys/rotate", post(rotate))
        .route("/dead-letters", post(dead_letters))
        .route("/dead-letters/redrive", post(redrive))
        .with_state(Arc::new(commands));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(error = chain(&error), "commands are not answered any more");
    }
}

async fn token(
    State(commands): State<Arc<Commands>>,
    Json(asked): Json<TokenRequest>,
) -> (StatusCode, String) {
    let Some(issuer) = &commands.issuer else {
        let text = "the process takes the tokens of another issuer: ask that one";
        return (StatusCode::CONFLICT, text.to_owned());
    };
    match sign(issuer, asked) {
        Ok(token) => (StatusCode::OK, token),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, chain(&error)),
    }
}

async fn console_link(
    State(commands): State<Arc<Commands>>,
    Json(visitor): Json<Visitor>,
) -> (StatusCode, String) {
    match commands.sessions.invite(visitor).await {
        Ok((link, _)) => {
            let (base, text) = (&commands.public_base, link.expose());
            (StatusCode::OK, format!("{base}/console/login?link={text}"))
        }
        Err(error @ SessionError::Port(_)) => (StatusCode::INTERNAL_SERVER_ERROR, chain(&error)),
        Err(error) => (StatusCode::CONFLICT, error.to_string()),
    }
}

/// Stages a backup. The answer is a line that says where, and has no end: when the command closes
/// it, or dies, what was staged is removed.
async fn backup(State(commands): State<Arc<Commands>>) -> Response {
    let Ok(turn) = commands.backups.clone().try_acquire_owned() else {
        return (StatusCode::CONFLICT, "another backup is under way").into_response();
    };
    let stores = commands.stores.clone();
    // A task of its own: what blocks goes on writing when the command is gone, and is then removed.
    let staged = tokio::spawn(async move { (stores.stage().await, turn) }).await;
    let told = match staged {
        Ok((Ok(staged), turn)) => match staged.line() {
            Ok(line) => {
                let line = stream::iter([Ok::<_, io::Error>(Bytes::from(line))]);
                let held = stream::once(async move {
                    let _held = (staged, turn);
                    pending().await
                });
                return Body::from_stream(line.chain(held)).into_response();
            }
            Err(error) => chain(&error),
        },
        Ok((Err(error), _)) => chain(&error),
        Err(error) => chain(&error),
    };
    tracing::error!(error = told, "a backup failed");
    (StatusCode::INTERNAL_SERVER_ERROR, told).into_response()
}

/// Rotates the master key. A command that dies meanwhile changes nothing about it.
async fn rotate(State(commands): State<Arc<Commands>>, Json(asked): Json<keys::Asked>) -> Response {
    let rotated = tokio::spawn(async move {
        let _turn = commands.rotations.lock().await;
        keys::rotate_open(&commands.config, &commands.stores.secrets, asked).await
    });
    let told = match rotated.await {
        Ok(Ok(rotated)) => {
            tracing::info!(key.id = rotated.to, "the master key was rotated");
            return Json(rotated).into_response();
        }
        Ok(Err(error)) => chain(&error),
        Err(error) => chain(&error),
    };
    tracing::error!(error = told, "the master key was not rotated");
    (StatusCode::INTERNAL_SERVER_ERROR, told).into_response()
}

async fn dead_letters(State(commands): State<Arc<Commands>>) -> Json<Vec<Listed>> {
    Json(dead_letters::of(&commands.stores.queues))
}

async fn redrive(State(commands): State<Arc<Commands>>, Json(chosen): Json<Chosen>) -> Response {
    match dead_letters::send_again(&commands.stores.queues, &chosen) {
        Ok(sent) => {
            tracing::info!(messages.count = sent, "dead letters were sent again");
            Json(sent).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
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
