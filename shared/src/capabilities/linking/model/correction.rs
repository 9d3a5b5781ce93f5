//! People's corrections of a record's match: it is this entity, it is not that one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::capabilities::linking::MatchSource;
use crate::kernel::{EntityId, SObject, SeatId};
use crate::salesforce::SalesforceId;

/// A person's word about a record. It goes before everything that the engine finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// The entity that the record is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<EntityId>,
    /// The entities that it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<EntityId>,
    /// The source of the link: a person, or the record's creation from the entity.
    pub source: MatchSource,
    /// When it was linked. Of two records that are linked to one entity the later word holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Default for Ruling {
    fn default() -> Self {
        Self { always: None, never: Vec::new(), source: MatchSource::Manual, since: None }
    }
}

/// A correction that a person makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Correcting {
    /// The record is this entity.
    Match {
        /// The entity.
        entity_id: EntityId,
    },
    /// The record is not this entity.
    Unmatch {
        /// The entity; the one that it is matched to when none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entity_id: Option<EntityId>,
    },
    /// The record is not what it is matched to, but this entity.
    WrongMatch {
        /// The right entity.
        entity_id: EntityId,
    },
    /// No earlier correction holds any more: the engine decides again.
    Reset,
}

/// A correction that a person made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The correction.
    #[serde(flatten)]
    pub what: Correcting,
    /// The seat that made it; none for the product's back end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<SeatId>,
    /// When.
    pub at: Timestamp,
    /// The record that was corrected, if it was merged or converted into this one; as in
    /// `Lead/00Q…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// How much of a record's history is kept.
const HISTORY: usize = 20;

/// The corrections of one record. They hold for the whole contract, and the last word wins: one
/// seller's correction is right for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The record's object.
    pub object: SObject,
    /// The record's id.
    pub id: SalesforceId,
    /// The ruling that they come to.
    pub ruling: Ruling,
    /// The latest corrections, the last one last.
    pub history: Vec<Said>,
}

impl Correction {
    /// A record that nobody corrected.
    #[must_use]
    pub fn none(object: SObject, id: SalesforceId) -> Self {
        Self { object, id, ruling: Ruling::default(), history: Vec::new() }
    }

    /// Adds a correction of a record that is matched to `matched` now.
    pub fn say(&mut self, said: Said, matched: Option<&EntityId>) {
        match &said.what {
            Correcting::Match { entity_id } => self.always(entity_id, said.at),
            Correcting::Unmatch { entity_id } => {
                if let Some(entity) = entity_id.as_ref().or(matched) {
                    self.never(entity);
                }
            }
            Correcting::WrongMatch { entity_id } => {
                if let Some(wrong) = matched {
                    self.never(wrong);
                }
                self.always(entity_id, said.at);
            }
            Correcting::Reset => self.ruling = Ruling::default(),
        }
        self.history.push(said);
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
    }

    /// The correction of the record as which this one goes on from `at`: a link that a person made
    /// stays. Unlinks do not go along: of two duplicates one is often unlinked before they are
    /// merged, and the other is right.
    #[must_use]
    pub fn pass_on(&self, object: SObject, id: SalesforceId, at: Timestamp) -> Option<Self> {
        let entity_id = self.ruling.always.clone()?;
        let linked = self.history.iter().rev().find(|said| said.by.is_some());
        let by = linked.and_then(|said| said.by);
        let of = Some(format!("{}/{}", self.object, self.id));
        let mut heir = Self::none(object, id);
        heir.say(Said { what: Correcting::Match { entity_id }, by, at, of }, None);
        (heir.ruling.source, heir.ruling.since) = (self.ruling.source, self.ruling.since);
        Some(heir)
    }

    /// These corrections and those that another home of the product has of the same record. Who
    /// spoke last knew best; what the others said holds where the last ones did not speak of it.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let goes_on_from = |one: &Self, another: &Self| {
            another.history.last().is_none_or(|said| one.history.contains(said))
        };
        let (longer, shorter) =
            if other.history.len() > self.history.len() { (other, self) } else { (self, other) };
        for (one, another) in [(longer, shorter), (shorter, longer)] {
            if goes_on_from(one, another) {
                return one.clone();
            }
        }
        let last = |correction: &Self| correction.history.last().map(|said| said.at);
        let (earlier, later) = if last(other) < last(self) { (other, self) } else { (self, other) };
        let mut joined = earlier.clone();
        let new: Vec<Said> =
            later.history.iter().filter(|said| !earlier.history.contains(said)).cloned().collect();
        if new.iter().any(|said| said.what == Correcting::Reset) {
            joined.ruling = Ruling::default();
        }
        for entity in &later.ruling.never {
            joined.never(entity);
        }
        if let Some(entity) = &later.ruling.always {
            joined.ruling.never.retain(|never| never != entity);
            let Ruling { always, source, since, .. } = later.ruling.clone();
            joined.ruling = Ruling { always, source, since, ..joined.ruling };
        }
        joined.history.extend(new);
        joined.history.sort_by_key(|said| said.at);
        let surplus = joined.history.len().saturating_sub(HISTORY);
        joined.history.drain(..surplus);
        joined
    }

    fn always(&mut self, entity: &EntityId, since: Timestamp) {
        self.ruling.never.retain(|never| never != entity);
        self.ruling.always = Some(entity.clone());
        self.ruling.source = MatchSource::Manual;
        self.ruling.since = Some(since);
    }

    fn never(&mut self, entity: &EntityId) {
        if self.ruling.always.as_ref() == Some(entity) {
            (self.ruling.always, self.ruling.since) = (None, None);
        }
        if !self.ruling.never.contains(entity) {
            self.ruling.never.push(entity.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entity_id, record_id};

    fn correction(said: &[Correcting], matched: Option<&str>) -> Ruling {
        let matched = matched.map(entity_id);
        let mut correction = Correction::none(SObject::Lead, record_id("00Q", 1));
        for what in said {
            let at = Timestamp::UNIX_EPOCH;
            let said = Said { what: what.clone(), by: None, at, of: None };
            correction.say(said, matched.as_ref());
        }
        assert_eq!(correction.history.len(), said.len().min(HISTORY));
        correction.ruling
    }

    /// A ruling for `a` that holds since `second`.
    fn always_a(second: i64) -> Ruling {
        let since = Some(Timestamp::from_second(second).unwrap());
        Ruling { always: Some(entity_id("a")), since, ..Ruling::default() }
    }

    fn is(entity: &str) -> Correcting {
        Correcting::Match { entity_id: entity_id(entity) }
    }

    fn is_not(entity: &str) -> Correcting {
        Correcting::Unmatch { entity_id: Some(entity_id(entity)) }
    }

    #[test]
    fn the_last_word_wins() {
        let ruling = correction(&[is("a"), is_not("a"), is("b"), is_not("c")], None);
        assert_eq!(ruling.always, Some(entity_id("b")));
        assert_eq!(ruling.never, ["a", "c"].map(entity_id));
        let ruling = correction(&[is_not("a"), is("a")], None);
        assert_eq!(ruling, always_a(0));
        assert_eq!(correction(&[is("a"), is_not("b"), Correcting::Reset], None), Ruling::default());
    }

    #[test]
    fn a_wrong_match_is_refused_and_the_right_one_made() {
        let wrong = Correcting::WrongMatch { entity_id: entity_id("b") };
        let ruling = correction(&[wrong], Some("a"));
        assert_eq!(ruling.always, Some(entity_id("b")));
        assert_eq!(ruling.never, [entity_id("a")]);
    }

    #[test]
    fn an_unmatch_without_a_name_means_the_match_there_is() {
        let unmatch = Correcting::Unmatch { entity_id: None };
        assert_eq!(correction(std::slice::from_ref(&unmatch), Some("a")).never, [entity_id("a")]);
        assert!(correction(&[unmatch], None).never.is_empty());
    }

    #[test]
    fn a_link_goes_on_with_the_record_and_an_unlink_does_not() {
        let at = Timestamp::UNIX_EPOCH;
        let mut lead = Correction::none(SObject::Lead, record_id("00Q", 1));
        lead.say(Said { what: is_not("b"), by: None, at, of: None }, None);
        assert_eq!(lead.pass_on(SObject::Contact, record_id("003", 1), at), None);
        let by = Some(SeatId::derived("jane"));
        lead.say(Said { what: is("a"), by, at, of: None }, None);
        let at = Timestamp::from_second(9).unwrap();
        let contact = lead.pass_on(SObject::Contact, record_id("003", 1), at).unwrap();
        assert_eq!(contact.ruling, always_a(0), "as old as the word");
        let of = Some(format!("Lead/{}", lead.id));
        assert_eq!(contact.history, [Said { what: is("a"), by, at, of }]);
    }

    /// A lead's corrections, each by the second in which it was said.
    fn said(words: &[(i64, Correcting)]) -> Correction {
        let mut correction = Correction::none(SObject::Lead, record_id("00Q", 1));
        for (second, what) in words {
            let at = Timestamp::from_second(*second).unwrap();
            correction.say(Said { what: what.clone(), by: None, at, of: None }, None);
        }
        correction
    }

    #[test]
    fn corrections_of_two_homes_are_joined_whichever_is_asked() {
        let old = said(&[(1, is("a")), (2, is_not("b"))]);
        let newer = said(&[(1, is("a")), (2, is_not("b")), (3, is("c"))]);
        assert_eq!(old.joined(&newer), newer, "one goes on from the other");
        assert_eq!(newer.joined(&old), newer);
        assert_eq!(old.joined(&old), old);

        let apart = said(&[(5, is_not("d"))]);
        let joined = old.joined(&apart);
        assert_eq!(joined.ruling, said(&[(1, is("a")), (2, is_not("b")), (5, is_not("d"))]).ruling);
        assert_eq!(joined.history.len(), 3);
        assert_eq!(apart.joined(&old), joined);
        assert_eq!(joined.joined(&old), joined, "joined once is joined for good");
        assert_eq!(joined.joined(&apart), joined);

        let none = Correction::none(SObject::Lead, record_id("00Q", 1));
        assert_eq!((none.joined(&old), old.joined(&none)), (old.clone(), old));
    }

    #[test]
    fn the_last_word_wins_whichever_home_it_was_said_in() {
        let old = said(&[(1, is("a"))]);
        let joined = |last| old.joined(&said(&[(5, last)])).ruling;
        assert_eq!(joined(is_not("a")), said(&[(5, is_not("a"))]).ruling);
        assert_eq!(joined(is("b")), said(&[(5, is("b"))]).ruling);
        assert_eq!(joined(Correcting::Reset), Ruling::default());
    }

    #[test]
    fn the_history_is_bounded() {
        let said: Vec<Correcting> = (0..50).map(|n| is(&n.to_string())).collect();
        assert_eq!(correction(&said, None).always, Some(entity_id("49")));
    }
}
