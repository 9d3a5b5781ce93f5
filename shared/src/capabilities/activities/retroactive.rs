//! Logging what was done in the past: many activities at once, and none that the CRM has already.
//!
//! What people logged by hand, or what was logged before the org was connected anew, came in by
//! imports: the rows about the same record tell which of them may be the activity. Their texts are
//! not imported. So a dry run names the rows that look like it, and whoever logs it asks the CRM
//! for the texts of these few and knows.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::row::{day, subject_begins};
use super::take_in::Prepared;
use super::{Activities, Activity, ActivityError, ActivityKind, NewActivity};
use crate::capabilities::custody::OpenGeneration;
use crate::capabilities::seats;
use crate::kernel::{Record, RecordRef, SObject, TenantEnvironment};
use crate::ports::PortError;
use crate::salesforce::SalesforceId;
use crate::store::keys::Relation;
use crate::work::boxed;

/// How many activities one call takes.
pub const MOST_RETROACTIVE: usize = 100;

/// How many events or notes about a record are looked at: they are not kept by day.
const MOST_LOOKED_AT: usize = 200;

/// How many rows a dry run names for one activity.
const MOST_NAMED: usize = 10;

/// What becomes of one activity of many.
#[derive(Debug)]
pub enum Retroactive {
    /// It is taken in: now, or by an earlier call.
    TakenIn(Activity),
    /// It would be, and would stand so. The CRM has rows that look like it; if one of them says the
    /// same, nothing will be written.
    WouldBe {
        /// As it would be taken in.
        activity: Activity,
        /// The rows, at most ten.
        alike: Vec<AlikeRow>,
    },
    /// It cannot be taken in.
    Refused(ActivityError),
}

/// A row of the CRM that looks like an activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlikeRow {
    /// The row.
    pub row: RecordRef,
    /// Where people look at it.
    pub url: String,
}

impl Activities {
    /// Takes in what was done in the past, the earliest activity first, whatever the order here.
    /// What one activity is refused for stops no other. The answers are in the order of the
    /// activities given.
    ///
    /// # Errors
    /// Those of the ports, and a connection that is not there: the call may be repeated as it is.
    #[must_use]
    #[boxed]
    pub async fn post_retroactively(
        &self,
        at: TenantEnvironment,
        past: Vec<NewActivity>,
    ) -> Result<Vec<Retroactive>, ActivityError> {
        let mut order: Vec<usize> = (0..past.len()).collect();
        order.sort_by_key(|&place| past[place].occurred_at);
        let mut answers: Vec<Option<Retroactive>> = past.iter().map(|_| None).collect();
        let mut past: Vec<Option<NewActivity>> = past.into_iter().map(Some).collect();
        for place in order {
            if let Some(new) = past[place].take() {
                let taken = self.post(at, new).await;
                answers[place] = Some(told(taken.map(Retroactive::TakenIn))?);
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// Tells what [`Activities::post_retroactively`] would do with each activity, and does nothing.
    ///
    /// # Errors
    /// As there.
    #[must_use]
    #[boxed]
    pub async fn dry_run(
        &self,
        at: TenantEnvironment,
        past: &[NewActivity],
    ) -> Result<Vec<Retroactive>, ActivityError> {
        let opened = self.open_to_take_in(at).await?;
        let mut answers = Vec::with_capacity(past.len());
        for new in past {
            answers.push(told(self.try_one(&opened, new).await)?);
        }
        Ok(answers)
    }

    async fn try_one(
        &self,
        opened: &OpenGeneration,
        new: &NewActivity,
    ) -> Result<Retroactive, ActivityError> {
        let scope = opened.keys.scope();
        self.admit(scope.tenant_environment(), new).await?;
        let activity = match self.prepared(opened, new).await? {
            Prepared::Earlier(activity) => return Ok(Retroactive::TakenIn(activity)),
            Prepared::New(activity, _) => activity,
        };
        let slot = opened.keys.seat_grant(new.seat);
        let (Some(target), Some(grant)) = (&activity.target, self.store.read(&slot).await?) else {
            return Ok(Retroactive::WouldBe { activity, alike: Vec::new() });
        };
        let seat = self.store.read(&seats::keys::seat(scope.tenant, new.seat)).await?;
        let zone = seat.and_then(|seat| TimeZone::get(&seat.time_zone).ok());
        let day = day(new.occurred_at, &zone.unwrap_or(TimeZone::UTC));
        let mut rows = rows_like(opened, new.kind, target.record(), grant.user_id, day).await?;
        rows.retain(|row| begins_like(row, new.kind));
        let alike = rows.into_iter().take(MOST_NAMED);
        let alike = alike.map(|Record { object, id, .. }| AlikeRow {
            row: RecordRef { object, id },
            url: opened.connection.record_url(id),
        });
        Ok(Retroactive::WouldBe { activity, alike: alike.collect() })
    }
}

/// What one activity is refused for is its own; what fails otherwise fails the call.
fn told(outcome: Result<Retroactive, ActivityError>) -> Result<Retroactive, ActivityError> {
    match outcome {
        Ok(told) => Ok(told),
        Err(
            error @ (ActivityError::Work(_) | ActivityError::NotConnected | ActivityError::NoSeat),
        ) => Err(error),
        Err(refused) => Ok(Retroactive::Refused(refused)),
    }
}

/// The imported rows about a record that a CRM user owns, and that may be an activity of theirs:
/// the tasks of its day, and events, whose days are not imported; for a note the notes.
pub(super) async fn rows_like(
    opened: &OpenGeneration,
    kind: ActivityKind,
    record: RecordRef,
    owner: SalesforceId,
    day: Date,
) -> Result<Vec<Record>, PortError> {
    let records = &opened.records;
    let is_theirs = |row: &Record| row.fields.reference("OwnerId") == Some(owner);
    let mut rows = if kind == ActivityKind::Note {
        let notes = records.some_children(record.id, Relation::RecordNote, MOST_LOOKED_AT);
        let (notes, _) = notes.await?;
        records.get(SObject::Note, &notes).await?
    } else {
        let mut tasks =
            records.get(SObject::Task, &records.tasks_of(record.id, day).await?).await?;
        let on_day = |row: &Record| row.fields.get("ActivityDate") == Some(&day.to_string());
        tasks.retain(on_day);
        let events = records.some_children(record.id, Relation::RecordEvent, MOST_LOOKED_AT);
        let (events, _) = events.await?;
        tasks.extend(records.get(SObject::Event, &events).await?);
        tasks
    };
    rows.retain(|row| is_theirs(row) && is_about(row, record.id));
    Ok(rows)
}

/// True if an activity's row is about a record, as it was imported last.
fn is_about(row: &Record, record: SalesforceId) -> bool {
    let field = if row.object == SObject::Note { "ParentId" } else { "WhoId" };
    row.fields.reference(field) == Some(record)
}

/// True if a row's subject begins as those of a kind do.
fn begins_like(row: &Record, kind: ActivityKind) -> bool {
    let subject = row.fields.get("Subject").or_else(|| row.fields.get("Title"));
    subject.is_some_and(|subject| subject.starts_with(subject_begins(kind)))
}
