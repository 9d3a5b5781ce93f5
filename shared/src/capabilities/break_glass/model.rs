//! An operator's leave to look at records. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

pub use crate::kernel::GlassId;

/// The longest that glass stays broken, in minutes.
pub const MOST_MINUTES: u32 = 60;

/// The longest ticket.
const LONGEST_TICKET: usize = 64;

/// Why an operator must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum GlassReason {
    /// The customer asked for help.
    Support,
    /// Something is broken, or was broken into.
    Incident,
    /// The law demands it.
    Legal,
}

/// A ticket of the operator's own system, which says more: an id, so that no person's data comes
/// into the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(String);

impl Ticket {
    /// The ticket of a text; none when that is no id: letters, digits, `-`, `_`, `.`, `/` and `#`,
    /// with a digit among them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_of_id = |c: char| c.is_ascii_alphanumeric() || "-_./#".contains(c);
        let is_id = (1..=LONGEST_TICKET).contains(&text.len()) && text.chars().all(is_of_id);
        let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
        (is_id && has_digit).then(|| Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Broken glass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glass {
    /// Its id.
    pub id: GlassId,
    /// The operator who broke it, as their token names them. Nobody else may look through it.
    pub operator: String,
    /// Why.
    pub reason: GlassReason,
    /// Where more is said.
    pub ticket: Ticket,
    /// Until when.
    pub until: Timestamp,
}

impl Glass {
    /// True if this operator may look through it at `now`.
    #[must_use]
    pub fn is_open_to(&self, operator: &str, now: Timestamp) -> bool {
        self.operator == operator && now < self.until
    }
}

/// When glass that is broken at `now` for so many minutes is whole again; none when that is no time
/// or too long.
#[must_use]
pub fn until(now: Timestamp, minutes: u32) -> Option<Timestamp> {
    let minutes = (1..=MOST_MINUTES).contains(&minutes).then_some(minutes)?;
    Some(now + SignedDuration::from_mins(minutes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_an_id_and_no_sentence() {
        for ticket in ["SUP-1234", "acme/crm#77", "7"] {
            assert_eq!(Ticket::parse(ticket).unwrap().as_str(), ticket);
        }
        let long = "1".repeat(65);
        for wrong in ["", "jane asked", "jane", "jane@acme.example", "SUP-1 ", &long] {
            assert_eq!(Ticket::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn glass_is_open_to_who_broke_it_and_until_its_time() {
        let now = Timestamp::UNIX_EPOCH;
        let glass = Glass {
            id: GlassId::derived("glass"),
            operator: "otto".to_owned(),
            reason: GlassReason::Support,
            ticket: Ticket::parse("SUP-1").unwrap(),
            until: until(now, 30).unwrap(),
        };
        assert!(glass.is_open_to("otto", now) && !glass.is_open_to("oscar", now));
        let later = |minutes| now + SignedDuration::from_mins(minutes);
        assert!(glass.is_open_to("otto", later(29)) && !glass.is_open_to("otto", later(30)));
        assert_eq!((until(now, 0), until(now, 61)), (None, None));
    }
}
