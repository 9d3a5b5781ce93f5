//! Checking a chain that was read or exported. Pure.

use jiff::{SignedDuration, Timestamp};

use super::{AuditEntry, BEGIN, HeadMark};
use crate::kernel::TenantId;

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is not as it was written.
    #[error("entry {0} was edited: its hash is not that of its content")]
    Edited(u64),
    /// Entries are missing.
    #[error("entries are missing: {found} follows {after}")]
    Missing {
        /// The last number before the gap.
        after: u64,
        /// The number behind it.
        found: u64,
    },
    /// Entries are out of their order, or one stands twice.
    #[error("entry {found} stands behind {after}: entries were swapped or doubled")]
    Swapped {
        /// The number before.
        after: u64,
        /// The number behind it.
        found: u64,
    },
    /// An entry does not follow the one before it.
    #[error("entry {0} does not follow the entry before it, which was replaced")]
    Unlinked(u64),
    /// The beginning is missing, and is not so old that it was dropped.
    #[error(
        "the log begins with entry {0}, and the entries before it are not old enough to be gone"
    )]
    Beheaded(u64),
    /// The tail is missing.
    #[error("the log ends with entry {found}, and it had {kept} entries: its tail was cut off")]
    CutOff {
        /// The last entry.
        found: u64,
        /// The number of the head that was kept elsewhere.
        kept: u64,
    },
    /// The entry of the head has another hash.
    #[error("entry {0} is not the one whose hash was kept elsewhere: the log was written anew")]
    OtherHead(u64),
    /// The entry of the head is not in the part that was given.
    #[error("entry {0}, whose hash was kept elsewhere, is older than this part of the log")]
    HeadBefore(u64),
    /// An entry is of another tenant.
    #[error("entry {0} is of another tenant")]
    Stranger(u64),
}

/// What was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The first entry's number; none of an empty log.
    pub first: Option<u64>,
    /// The last entry.
    pub head: HeadMark,
    /// How many entries there are.
    pub entries: u64,
}

/// Checks a chain against itself and against `heads` that were kept elsewhere: each must be in it,
/// with its hash. Entries are dropped once they are `kept` old at `now`; a log may begin behind
/// those.
pub fn check(
    tenant: TenantId,
    entries: impl IntoIterator<Item = AuditEntry>,
    heads: &[HeadMark],
    (now, kept): (Timestamp, SignedDuration),
) -> Result<Checked, Broken> {
    let begin = HeadMark { number: 0, hash: BEGIN.to_owned() };
    let mut done = Checked { first: None, head: begin, entries: 0 };
    let mut met = vec![false; heads.len()];
    for entry in entries {
        check_one(tenant, &entry, &done, (now, kept))?;
        for (met, head) in met.iter_mut().zip(heads) {
            if head.number == entry.number {
                if head.hash != entry.hash {
                    return Err(Broken::OtherHead(entry.number));
                }
                *met = true;
            }
        }
        done.first.get_or_insert(entry.number);
        done.head = HeadMark { number: entry.number, hash: entry.hash };
        done.entries += 1;
    }
    for (met, head) in met.into_iter().zip(heads) {
        if head.number > done.head.number {
            return Err(Broken::CutOff { found: done.head.number, kept: head.number });
        }
        if head.number > 0 && !met {
            return Err(Broken::HeadBefore(head.number));
        }
    }
    Ok(done)
}

/// Checks one entry against those before it.
fn check_one(
    tenant: TenantId,
    entry: &AuditEntry,
    before: &Checked,
    (now, kept): (Timestamp, SignedDuration),
) -> Result<(), Broken> {
    let number = entry.number;
    if entry.tenant != tenant {
        return Err(Broken::Stranger(number));
    }
    if entry.digest() != entry.hash {
        return Err(Broken::Edited(number));
    }
    let after = before.head.number;
    if before.first.is_none() && number != 1 {
        let may_be_gone = entry.before.at + kept <= now;
        return if may_be_gone { Ok(()) } else { Err(Broken::Beheaded(number)) };
    }
    if number <= after {
        return Err(Broken::Swapped { after, found: number });
    }
    if number > after + 1 {
        return Err(Broken::Missing { after, found: number });
    }
    if entry.before.hash != before.head.hash {
        return Err(Broken::Unlinked(number));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::audit::{Action, Actor, AuditHead, Deed};

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn tenant() -> TenantId {
        TenantId::derived("acme")
    }

    fn at(day: i64) -> Timestamp {
        "2026-11-28T09:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * day)
    }

    /// A chain of five entries, one a day, whose last one tells of `last`.
    fn chain_to(last: Action) -> Vec<AuditEntry> {
        let mut head = AuditHead::begin("salt".to_owned());
        let actions = [Action::TenantCreated, Action::SeatAdded, Action::Connected];
        let actions = actions.into_iter().chain([Action::Disconnected, last]);
        let entries = actions.zip(0..).map(|(action, day)| {
            let made = head.followed_by(tenant(), at(day), Actor::Service, Deed::new(action));
            head = made.1;
            made.0
        });
        entries.collect()
    }

    fn chain() -> Vec<AuditEntry> {
        chain_to(Action::Purged)
    }

    fn head_of(entry: &AuditEntry) -> HeadMark {
        HeadMark { number: entry.number, hash: entry.hash.clone() }
    }

    fn checked(entries: Vec<AuditEntry>, heads: &[HeadMark]) -> Result<Checked, Broken> {
        check(tenant(), entries, heads, (at(5), DAY * 3))
    }

    #[test]
    fn an_intact_chain_checks_with_any_head_that_was_kept() {
        let all = chain();
        for n in 0..all.len() {
            let checked = checked(all.clone(), &[head_of(&all[n]), head_of(&all[4])]).unwrap();
            assert_eq!((checked.first, checked.entries), (Some(1), 5));
            assert_eq!(checked.head, head_of(&all[4]));
        }
        let none = checked(Vec::new(), &[]).unwrap();
        assert_eq!((none.first, none.head.number), (None, 0));
    }

    #[test]
    fn an_edited_entry_is_found_wherever_it_stands() {
        for n in 0..5 {
            let mut all = chain();
            all[n].deed.action = Action::Exported;
            assert_eq!(checked(all, &[]), Err(Broken::Edited(n as u64 + 1)));
        }
    }

    #[test]
    fn an_edited_entry_with_a_new_hash_is_found_by_the_one_behind_it() {
        let mut all = chain();
        all[2].by = Actor::Product;
        all[2].hash = all[2].digest();
        assert_eq!(checked(all, &[]), Err(Broken::Unlinked(4)));
    }

    #[test]
    fn a_removed_entry_is_found_wherever_it_stood() {
        let head = head_of(&chain()[4]);
        for n in 0..5 {
            let mut all = chain();
            all.remove(n);
            let number = n as u64 + 1;
            let broken = match n {
                0 => Broken::Missing { after: 0, found: 2 },
                4 => Broken::CutOff { found: 4, kept: 5 },
                _ => Broken::Missing { after: number - 1, found: number + 1 },
            };
            // The first may be old enough to be gone; on the same day it is not.
            let young = (at(0), DAY * 3);
            let found = check(tenant(), all, std::slice::from_ref(&head), young);
            let broken = if n == 0 { Broken::Beheaded(2) } else { broken };
            assert_eq!(found, Err(broken));
        }
    }

    #[test]
    fn swapped_and_doubled_entries_are_found() {
        let mut all = chain();
        all.swap(1, 2);
        assert_eq!(checked(all, &[]), Err(Broken::Missing { after: 1, found: 3 }));
        let mut all = chain();
        all.insert(2, all[1].clone());
        assert_eq!(checked(all, &[]), Err(Broken::Swapped { after: 2, found: 2 }));
        // Numbers and hashes made to fit the new order: the links do not.
        let mut all = chain();
        all.swap(1, 2);
        for n in [1, 2] {
            all[n].number = n as u64 + 1;
            all[n].hash = all[n].digest();
        }
        assert_eq!(checked(all, &[]), Err(Broken::Unlinked(2)));
    }

    #[test]
    fn a_cut_off_tail_is_found_by_a_head_that_was_kept_elsewhere() {
        let (all, mut short) = (chain(), chain());
        short.truncate(4);
        assert!(checked(short.clone(), &[]).is_ok(), "the rest hangs together");
        let cut = Err(Broken::CutOff { found: 4, kept: 5 });
        assert_eq!(checked(short, &[head_of(&all[4])]), cut);
        assert_eq!(
            checked(Vec::new(), &[head_of(&all[0])]),
            Err(Broken::CutOff { found: 0, kept: 1 })
        );
    }

    #[test]
    fn a_chain_that_was_written_anew_is_found_by_a_head_that_was_kept_elsewhere() {
        let kept = head_of(&chain()[4]);
        let other = chain_to(Action::Exported);
        assert!(checked(other.clone(), &[]).is_ok());
        assert_eq!(checked(other, &[kept]), Err(Broken::OtherHead(5)));
    }

    #[test]
    fn a_log_may_begin_behind_entries_that_were_kept_for_their_time() {
        let all = chain();
        let rest = || all[3..].to_vec();
        let checked_at = |now, heads: &[HeadMark]| check(tenant(), rest(), heads, (now, DAY * 3));
        assert_eq!(checked_at(at(5), &[]).unwrap().first, Some(4));
        assert_eq!(checked_at(at(4), &[]), Err(Broken::Beheaded(4)));
        let head = head_of(&all[0]);
        assert_eq!(checked_at(at(5), &[head]), Err(Broken::HeadBefore(1)), "nobody can tell");
    }

    #[test]
    fn another_tenants_entry_is_found() {
        let elsewhere = TenantId::derived("another");
        let found = check(elsewhere, chain(), &[], (at(5), DAY));
        assert_eq!(found, Err(Broken::Stranger(1)));
    }
}
