//! A note that is written, read back and removed: whoever turns logging on for a team sees first
//! that it works.
//!
//! It is claimed like every write. What a broken call left in the CRM is removed by the next one.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ask::Question;
use super::{AskError, Asking};
use crate::capabilities::activities::{
    ActivityKind, CrmObject, NEVER_COMES_AFTER, create_row, note_row,
};
use crate::capabilities::custody::LookupError;
use crate::capabilities::settings::{self, Settings};
use crate::kernel::{ActivityId, RecordRef, SObject, SeatId, TenantEnvironment};
use crate::salesforce::{Condition, FieldValues, QueryScope, SalesforceId, Select};
use crate::store::{Commit, Store, Stored, field};
use crate::work::{WorkError, boxed};

const BODY: &str = "This note shows that notes can be written here. It is removed at once.";

/// A test note that is under way: it may be in the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestNote {
    /// What it is: a classic or an enhanced note.
    pub object: CrmObject,
    /// Its title, which no other note has.
    pub title: String,
    /// When it was claimed.
    pub at: Timestamp,
}

/// A test note as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteReadBack {
    /// What it was: a classic or an enhanced note.
    pub object: CrmObject,
    /// Its title.
    pub title: String,
    /// Its text; HTML in an enhanced one.
    pub body: String,
    /// The note's id.
    pub id: SalesforceId,
    /// Where a browser shows the record that it was written on.
    pub record_url: String,
    /// Why it is still there, in Salesforce's words; none once it is removed.
    pub left: Option<String>,
}

impl Asking {
    /// Writes a note on a lead or contact as the seller, reads it back, and removes it.
    ///
    /// # Errors
    /// When the seller must log in first, Salesforce refuses, or does not answer. Then the note may
    /// be in the CRM: the next call removes it first.
    #[must_use]
    #[boxed]
    pub async fn test_note(
        &self,
        at: TenantEnvironment,
        seat: SeatId,
        record: RecordRef,
    ) -> Result<NoteReadBack, AskError> {
        if !matches!(record.object, SObject::Lead | SObject::Contact) {
            return Err(AskError::Invalid("a test note is written on a lead or a contact"));
        }
        let question = self.question(at, seat).await?;
        let owner = question.user().await?;
        let earlier = question.opened.store.load(&question.opened.keys.test_note(seat)).await?;
        if let Some(earlier) = &earlier {
            self.remove_left(&question, earlier).await?;
        }
        let kept = Store::new(self.ports.clone()).read(&settings::keys::settings(at)).await?;
        let settings: Settings = kept.map(|kept| kept.settings).unwrap_or_default();
        let note = self.claim(&question, earlier.as_ref(), ActivityKind::Note.object(&settings));
        let note = note.await?;

        let is_enhanced = note.object == CrmObject::ContentNote;
        let row = &note_row(&note.title, BODY, record.id, owner, is_enhanced);
        let client = question.client();
        let made =
            question.ask(|session| async move { create_row(client, &session, row).await }).await;
        let id = match made {
            Ok(made) => made.value,
            Err(error) => {
                let is_unknown =
                    matches!(error, AskError::Later(_) | AskError::Lookup(LookupError::Work(_)));
                if !is_unknown {
                    self.forget(&question, &note).await?; // Salesforce did not take it
                }
                return Err(error);
            }
        };
        let (title, body) = question.read_back(note.object, id).await?;
        let left = match question.remove(note.object, id).await {
            Err(AskError::Refused { message, .. }) => Some(message),
            removed => {
                removed?;
                None
            }
        };
        self.forget(&question, &note).await?;
        let record_url = question.opened.connection.record_url(record.id);
        Ok(NoteReadBack { object: note.object, title, body, id, record_url, left })
    }

    /// Claims a note, in the place of an earlier one that is gone.
    async fn claim(
        &self,
        question: &Question<'_>,
        earlier: Option<&Stored<TestNote>>,
        object: CrmObject,
    ) -> Result<TestNote, AskError> {
        let at = self.ports.clock.now();
        let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
        let id = ActivityId::new(millis, self.ports.entropy.bits()).to_string();
        let title = format!("Test note {}", id.trim_start_matches("act_"));
        let note = TestNote { object, title, at };
        let mut commit = Commit::new();
        question.opened.check_at_home(&mut commit)?;
        commit.save(&question.opened.keys.test_note(question.seat), earlier, &note)?;
        if question.opened.store.commit(commit).await?.is_done() {
            return Ok(note);
        }
        Err(AskError::Later(Duration::from_secs(5))) // another call of the same seat's
    }

    /// Removes what an earlier call may have left in the CRM.
    async fn remove_left(
        &self,
        question: &Question<'_>,
        earlier: &TestNote,
    ) -> Result<(), AskError> {
        let object = earlier.object;
        let select = Select::from(object.name()).fields(["Id"]);
        let soql = select.filter(Condition::eq("Title", earlier.title.as_str())).build();
        let soql = &soql.map_err(|error| WorkError::reject("look for a test note", error))?;
        let client = question.client();
        let query = |session| async move { client.query(&session, QueryScope::Live, soql).await };
        let found = question.ask(query).await?.value;
        let Some(id) = found.records.first().and_then(FieldValues::id) else {
            let left = (earlier.at + NEVER_COMES_AFTER).duration_since(self.ports.clock.now());
            return match Duration::try_from(left) {
                Ok(left) if !left.is_zero() => Err(AskError::Later(left)),
                _ => Ok(()),
            };
        };
        match question.remove(object, id).await {
            // It stays, as whoever wrote it was told.
            Err(AskError::Refused { .. }) => Ok(()),
            removed => removed,
        }
    }

    /// Forgets a claim: its note is not in the CRM, or is known to be.
    async fn forget(&self, question: &Question<'_>, note: &TestNote) -> Result<(), AskError> {
        let title = &note.title;
        let mut commit = Commit::new();
        let is_it = field!(TestNote, title).is(title)?;
        commit.delete_when(&question.opened.keys.test_note(question.seat), is_it);
        let winner = "another test of the same seat's, which removed the note";
        question.opened.store.commit(commit).await?.may_lose_to(winner);
        Ok(())
    }
}

impl Question<'_> {
    async fn read_back(
        &self,
        object: CrmObject,
        id: SalesforceId,
    ) -> Result<(String, String), AskError> {
        let client = self.client();
        let is_enhanced = object == CrmObject::ContentNote;
        let fields: &[&str] = if is_enhanced { &["Title"] } else { &["Title", "Body"] };
        let read = |session| async move { client.read(&session, object.name(), id, fields).await };
        let row = self.ask(read).await?.value;
        let text = |field: &str| row.text(field).unwrap_or_default().into_owned();
        if !is_enhanced {
            return Ok((text("Title"), text("Body")));
        }
        let content = |session| async move {
            client.read_content(&session, object.name(), id, "Content").await
        };
        let content = self.ask(content).await?.value;
        Ok((text("Title"), String::from_utf8_lossy(&content).into_owned()))
    }

    /// Removes a note; one that is gone already is removed.
    async fn remove(&self, object: CrmObject, id: SalesforceId) -> Result<(), AskError> {
        let client = self.client();
        let delete = |session| async move { client.delete(&session, object.name(), id).await };
        match self.ask(delete).await {
            Ok(_) | Err(AskError::Lookup(LookupError::NotFound(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
