//! A memory of normal forms, for texts that come again and again, as company names and titles do.
//!
//! Invariant: a remembered form is the one that parsing would give, so no result depends on the
//! memory. It holds at most [`KEPT`] texts.

use std::cell::RefCell;
use std::thread::LocalKey;

use rustc_hash::FxHashMap;

/// The most texts remembered in one thread and kind: a few megabytes.
const KEPT: usize = 1 << 15;

/// Texts and their forms.
pub(crate) type Memo<T> = RefCell<FxHashMap<Box<str>, T>>;

/// The form of a text: remembered, or parsed and remembered.
pub(crate) fn remembered<T: Clone>(
    memo: &'static LocalKey<Memo<T>>,
    text: &str,
    parse: impl FnOnce(&str) -> T,
) -> T {
    memo.with_borrow_mut(|forms| {
        if let Some(form) = forms.get(text) {
            return form.clone();
        }
        let form = parse(text);
        // Starting over is simpler than choosing whom to forget, and as good for texts that come
        // again soon.
        if forms.len() >= KEPT {
            forms.clear();
        }
        forms.insert(text.into(), form.clone());
        form
    })
}
