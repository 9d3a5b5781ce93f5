//! Events as lines of JSON: on a stream, or at the end of a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use shared::kernel::Event;
use shared::ports::PortError;

use super::{ACTION, Sink};

/// A stream, as standard output is.
pub(super) struct EventStream(Arc<Mutex<dyn Write + Send>>);

impl EventStream {
    pub(super) fn new(stream: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }
}

#[async_trait]
impl Sink for EventStream {
    async fn tell(&self, _: &Event, told: &Value) -> Result<(), PortError> {
        let (stream, line) = (self.0.clone(), format!("{told}\n"));
        blocking(move || {
            let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
            stream.write_all(line.as_bytes())?;
            stream.flush()
        })
        .await
        .map_err(|error| PortError::retry(ACTION, error))
    }
}

/// A file, opened anew for each event: whoever rotates it moves it away, and the next event is in a
/// new one.
pub(super) struct EventFile {
    path: PathBuf,
    /// Held by who writes.
    writing: Arc<Mutex<()>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the file {} cannot be written", .path.display())]
struct FileError {
    path: PathBuf,
    source: io::Error,
}

impl EventFile {
    /// The file at `path`, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        open(&path)?;
        Ok(Self { path, writing: Arc::default() })
    }
}

#[async_trait]
impl Sink for EventFile {
    async fn tell(&self, _: &Event, told: &Value) -> Result<(), PortError> {
        let (path, writing, line) = (self.path.clone(), self.writing.clone(), format!("{told}\n"));
        let written = blocking(move || {
            let _writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
            append(&path, &line)
        });
        written.await.map_err(|source| {
            PortError::retry(ACTION, FileError { path: self.path.clone(), source })
        })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Appends a line. What a kill or a full disk left of an earlier one becomes a line of its own.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = open(path)?;
    let text = if ends_within_a_line(&mut file)? { format!("\n{line}") } else { line.to_owned() };
    file.write_all(text.as_bytes())?;
    file.sync_data()
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    let about = file.metadata()?;
    if !about.is_file() || about.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Writes away from the threads of async code.
async fn blocking(write: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
}
