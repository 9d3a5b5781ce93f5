//! The lists of a seat's activities: what is pending, and what failed with which code.

use super::{Activity, ActivityState, SEAT_REMOVED};
use crate::kernel::ActivityId;
use crate::ports::PortError;
use crate::store::keys::GenerationKeys;
use crate::store::{Commit, Marker};

/// A list of a seat's activities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatList {
    /// What came to no end yet.
    Pending,
    /// What cannot be logged, whatever the code.
    Failed,
    /// What cannot be logged, with one code.
    FailedWith(String),
}

impl SeatList {
    /// The list in which an activity of this state is, if it is in one.
    #[must_use]
    pub fn of(state: &ActivityState) -> Option<Self> {
        match state {
            // Nobody of a seat that was removed looks at a list.
            ActivityState::Failed { code, .. } if code == SEAT_REMOVED => None,
            ActivityState::Failed { code, .. } => Some(Self::FailedWith(code.clone())),
            state if state.is_open() => Some(Self::Pending),
            _ => None,
        }
    }

    /// The list's name in keys and cursors.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Pending => "pending#".to_owned(),
            Self::Failed => "failed#".to_owned(),
            Self::FailedWith(code) => format!("failed#{code}#"),
        }
    }
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatEntry {
    /// The activity.
    pub activity: ActivityId,
    /// With which code it failed, if it did.
    pub code: Option<String>,
}

impl SeatEntry {
    /// The entry of a marker's name within [`SeatList::Pending`] or [`SeatList::Failed`].
    #[must_use]
    pub fn parse(list: &SeatList, name: &str) -> Option<Self> {
        let mut parts = name.rsplit('#');
        let activity = parts.next()?.parse().ok()?;
        let code = match list {
            SeatList::Pending => None,
            SeatList::FailedWith(code) => Some(code.clone()),
            SeatList::Failed => {
                let _time = parts.next()?;
                Some(parts.next()?.to_owned())
            }
        };
        Some(Self { activity, code })
    }
}

/// Adds to a commit that an activity is in the list of its new state, and in no other.
pub(super) fn enlist(
    commit: &mut Commit,
    keys: &GenerationKeys,
    before: Option<&Activity>,
    after: &Activity,
) -> Result<(), PortError> {
    let entry = |activity: &Activity| {
        let list = SeatList::of(&activity.state)?;
        Some(keys.seat_entry(activity.seat, &list, activity.occurred_at, activity.id))
    };
    let (before, after) = (before.and_then(entry), entry(after));
    if before == after {
        return Ok(());
    }
    if let Some(before) = before {
        commit.delete(&before);
    }
    if let Some(after) = after {
        commit.put(&after, &Marker {})?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::capabilities::activities::{HoldReason, NotLogged};
    use crate::kernel::{Environment, Generation, Scope, SeatId, TenantId};

    #[test]
    fn what_is_open_is_pending_what_failed_is_listed_by_code_and_the_rest_is_in_no_list() {
        let failed = |code: &str| ActivityState::Failed { code: code.into(), message: "m".into() };
        assert_eq!(SeatList::of(&ActivityState::Queued), Some(SeatList::Pending));
        let held = ActivityState::Held { reason: HoldReason::NoCrmRecord };
        assert_eq!(SeatList::of(&held), Some(SeatList::Pending));
        let list = SeatList::FailedWith("REFUSED".to_owned());
        assert_eq!(SeatList::of(&failed("REFUSED")), Some(list));
        assert_eq!(SeatList::of(&ActivityState::Withdrawn), None);
        let kept = ActivityState::NotLogged { reason: NotLogged::PrivateNote };
        assert_eq!(SeatList::of(&kept), None);
    }

    #[test]
    fn an_entry_is_read_back_from_its_name_in_every_list_that_has_it() {
        let (tenant, environment) = (TenantId::derived("acme"), Environment::Production);
        let scope = Scope { tenant, environment, generation: Generation(1) };
        let keys = GenerationKeys::new(scope, 4);
        let (seat, id) = (SeatId::derived("s"), ActivityId::derived("a"));
        let list = SeatList::FailedWith("REFUSED".to_owned());
        let slot = keys.seat_entry(seat, &list, Timestamp::UNIX_EPOCH, id);
        let read = |list: &SeatList| {
            let prefix = format!("SEAT#{seat}#{}", list.name());
            SeatEntry::parse(list, slot.key().sk().strip_prefix(&prefix)?)
        };
        let entry = SeatEntry { activity: id, code: Some("REFUSED".to_owned()) };
        assert_eq!(read(&list), Some(entry.clone()));
        assert_eq!(read(&SeatList::Failed), Some(entry));
        assert_eq!(read(&SeatList::Pending), None);
        assert_eq!(read(&SeatList::FailedWith("REFUSE".to_owned())), None, "another code");
    }
}
