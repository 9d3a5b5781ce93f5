//! Recognising what the CRM has already, before something done days ago is logged.
//!
//! The imported rows about the record say which may be it. The CRM is asked for the texts of these
//! alone.

use jiff::SignedDuration;

use super::{Logging, NOT_YET, WriteBack, built, replace};
use crate::capabilities::activities::retroactive::rows_like;
use crate::capabilities::activities::row::day;
use crate::capabilities::activities::same::PastActivity;
use crate::capabilities::activities::{Activity, ActivityState, TakenRow, lanes};
use crate::capabilities::custody::{GrantError, OpenGeneration};
use crate::kernel::{RecordRef, SObject};
use crate::salesforce::{Condition, FieldValues, SalesforceId, Select};
use crate::store::{Commit, Stored};
use crate::work::{Done, WorkError};

/// What is logged within this time of being done is no retroactive log: nobody had the time to log
/// it by hand, and no import saw it.
const RETROACTIVE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How many rows one query names: it travels in a URL.
const ROWS_AT_ONCE: usize = 200;

impl WriteBack {
    /// The row of the CRM that says the same as an activity of the past, if there is one.
    pub(super) async fn logged_before(
        &self,
        logging: &Logging<'_>,
        record: RecordRef,
        owner: SalesforceId,
    ) -> Result<Option<SalesforceId>, GrantError> {
        let Logging { opened, activity, .. } = logging;
        if self.ports.clock.now() < activity.occurred_at + RETROACTIVE_AFTER {
            return Ok(None);
        }
        let on = day(activity.occurred_at, &logging.time_zone());
        let rows = rows_like(opened, activity.kind, record, owner, on).await;
        let rows = rows.map_err(WorkError::from)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let text = &logging.text()?;
        let past = PastActivity { activity, text, day: on };
        for object in SObject::ACTIVITIES {
            let ids = rows.iter().filter(|row| row.object == object).map(|row| row.id);
            let ids: Vec<SalesforceId> = ids.collect();
            for ids in ids.chunks(ROWS_AT_ONCE) {
                let fields = PastActivity::fields_to_compare(object);
                let select = Select::from(object.name()).fields(fields.iter().copied());
                let same = select.filter(Condition::is_in("Id", ids.iter().copied()));
                let live = self.rows(logging, &built(&same)?).await?;
                let same = live.iter().filter(|row| past.is_said_by(object, *row));
                for id in same.filter_map(FieldValues::id) {
                    let taken = opened.store.read(&opened.keys.taken_row(id)).await;
                    if taken.map_err(WorkError::from)?.is_none() {
                        return Ok(Some(id));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Takes a row of the CRM for an activity. A row stands for one: who did the same twice and
    /// logged it once by hand has the other one logged here.
    pub(super) async fn take_row(
        &self,
        opened: &OpenGeneration,
        activity: &Stored<Activity>,
        row: SalesforceId,
    ) -> Result<Done, WorkError> {
        let mut commit = Commit::new();
        let known = ActivityState::LoggedBefore { salesforce_id: row };
        commit.create(&opened.keys.taken_row(row), &TakenRow { activity: activity.id })?;
        replace(&mut commit, opened, activity, &activity.moved_to(known))?;
        lanes::leave(&self.store, opened, activity, &mut commit).await?;
        let is_done = opened.store.commit(commit).await?.is_done();
        // Another one took the row, or the activity or its lane moved.
        Ok(if is_done { Done::Finished } else { Done::Later(NOT_YET) })
    }
}
