//! Progress of long work, on stderr. Bars are shown only where a person looks: never into a file or
//! a pipe.

use std::io::Write;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for work of known length.
#[must_use]
pub fn counted(label: &'static str, total: u64) -> ProgressBar {
    styled(ProgressBar::new(total), "{prefix:>20} {wide_bar} {human_pos}/{human_len} {eta}", label)
}

/// A line for work whose length is not known before its end.
#[must_use]
pub fn open_ended(label: &'static str) -> ProgressBar {
    styled(ProgressBar::no_length(), "{prefix:>20} {spinner} {human_pos} rows {per_sec}", label)
}

/// A bar for bytes on their way.
#[must_use]
pub fn transfer(label: &'static str, total: u64) -> ProgressBar {
    let template = "{prefix:>20} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}";
    styled(ProgressBar::new(total), template, label)
}

/// A line for a wait that says what is waited for.
#[must_use]
pub fn waiting(label: &'static str) -> ProgressBar {
    styled(ProgressBar::no_length(), "{prefix:>20} {spinner} {msg} {elapsed}", label)
}

/// Says what was done, in a line that stays, also where nobody looks on: for work that takes
/// minutes and may be read in a log.
pub fn tell(line: &str) {
    // Nobody is left to hear of a closed stderr.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn styled(bar: ProgressBar, template: &str, label: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_prefix(label)
}
