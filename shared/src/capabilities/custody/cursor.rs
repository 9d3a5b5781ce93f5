//! Cursors: where a list goes on, in a form that a caller hands back and cannot make.
//!
//! A cursor is signed under its generation's key of records, with the list that gave it and the
//! time. It leads nowhere in another tenant, generation or list, and nowhere after a day.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::OpenGeneration;
use crate::ports::PortError;
use crate::store::{Series, Stored};

/// A cursor may be handed back for this long.
const VALID: SignedDuration = SignedDuration::from_hours(24);

/// The longest cursor, in characters: the longest position in it is an entity's id.
const LONGEST: usize = 1024;

/// The length of the signature, and of the time before the position, in bytes.
const SIGNATURE: usize = 16;
const TIME: usize = 8;

/// The cursor is made up, another list's, or too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor is not one that this list gave within the last day; begin the list anew")]
pub struct CursorError;

impl OpenGeneration {
    /// The cursor that leads `list` to a position.
    pub(crate) fn cursor(&self, list: &str, position: &str, now: Timestamp) -> String {
        let time = now.as_second().to_be_bytes();
        let signature = self.signature(list, time, position);
        let bytes = [&signature[..], &time[..], position.as_bytes()].concat();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position that a cursor leads `list` to.
    pub(crate) fn position(
        &self,
        list: &str,
        cursor: &str,
        now: Timestamp,
    ) -> Result<String, CursorError> {
        if cursor.len() > LONGEST {
            return Err(CursorError);
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| CursorError)?;
        let (signature, rest) = bytes.split_first_chunk::<SIGNATURE>().ok_or(CursorError)?;
        let (time, position) = rest.split_first_chunk::<TIME>().ok_or(CursorError)?;
        let position = std::str::from_utf8(position).map_err(|_| CursorError)?;
        // The hashes' own comparison takes the same time wherever they differ.
        let hash = |signature: &[u8; SIGNATURE]| blake3::hash(signature);
        if hash(signature) != hash(&self.signature(list, *time, position)) {
            return Err(CursorError);
        }
        let age = now.as_second().saturating_sub(i64::from_be_bytes(*time));
        if age >= VALID.as_secs() { Err(CursorError) } else { Ok(position.to_owned()) }
    }

    /// A page of the list that shows a series: at most so many documents, from where a cursor of
    /// the list leads on, and the cursor of the next page; none after the last.
    pub(crate) async fn listed<T, E>(
        &self,
        series: &Series<T>,
        list: &str,
        (cursor, most): (Option<&str>, usize),
        now: Timestamp,
    ) -> Result<(Vec<Stored<T>>, Option<String>), E>
    where
        T: DeserializeOwned,
        E: From<CursorError> + From<PortError>,
    {
        let name = cursor.map(|cursor| self.position(list, cursor, now)).transpose()?;
        let after = name.map(|name| series.place(&name));
        let page = self.store.page(series, after.as_deref(), most).await?;
        let end = page.next.and(page.documents.last());
        let next = end.map(|last| self.cursor(list, series.name(last), now));
        Ok((page.documents, next))
    }

    fn signature(&self, list: &str, time: [u8; TIME], position: &str) -> [u8; SIGNATURE] {
        let of = format!("{}|{list}|{}|{position}", self.keys.scope(), i64::from_be_bytes(time));
        self.sealer.sign(&of)
    }
}
