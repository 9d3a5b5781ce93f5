//! The changes of one call, so that they can be undone.
//!
//! A call is answered on one thread from its begin to its end, so the journal belongs to the
//! thread, and what other callers write meanwhile is not in it.

use std::cell::RefCell;

use super::Row;
use crate::ids::RecordId;

thread_local! {
    static JOURNAL: RefCell<Option<Vec<Entry>>> = const { RefCell::new(None) };
}

/// A record and its row before a change; `None` when it was new.
pub(crate) type Entry = (RecordId, Option<Row>);

/// Starts to keep a journal.
pub(crate) fn begin() {
    JOURNAL.set(Some(Vec::new()));
}

/// Ends the journal and gives it, oldest entry first.
pub(crate) fn end() -> Vec<Entry> {
    JOURNAL.take().unwrap_or_default()
}

/// How many entries the journal has.
pub(crate) fn len() -> usize {
    JOURNAL.with_borrow(|journal| journal.as_ref().map_or(0, Vec::len))
}

/// True while a journal is kept.
pub(crate) fn is_kept() -> bool {
    JOURNAL.with_borrow(Option::is_some)
}

/// Takes the entries from `from` on out of the journal.
pub(crate) fn split_off(from: usize) -> Vec<Entry> {
    JOURNAL.with_borrow_mut(|journal| {
        journal.as_mut().map_or_else(Vec::new, |all| all.split_off(from.min(all.len())))
    })
}

pub(super) fn record(id: RecordId, before: Option<&Row>) {
    JOURNAL.with_borrow_mut(|journal| {
        if let Some(all) = journal {
            all.push((id, before.cloned()));
        }
    });
}
