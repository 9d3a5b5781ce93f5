//! Progress of long work, on stderr, shown only where a person looks: never into a file or a pipe.

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

fn styled(bar: ProgressBar, template: &str, label: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_prefix(label)
}
