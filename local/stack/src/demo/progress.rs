//! The demo's output while it runs: one line per step, and a bar for the step under way.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Prints the steps of a run.
#[derive(Debug)]
pub(super) struct Progress {
    terminal: bool,
}

/// A step that is under way.
#[derive(Debug)]
pub(super) struct Step {
    bar: ProgressBar,
    name: &'static str,
    began: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal() }
    }

    /// Begins a step; its line is printed when it is done.
    pub(super) fn step(&self, name: &'static str) -> Step {
        let target =
            if self.terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target).with_message("");
        // The templates are ours and fixed; a wrong one would only lose the bar.
        if let Ok(style) =
            ProgressStyle::with_template("  {spinner} {prefix:<18} {wide_msg} {elapsed}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(name);
        bar.enable_steady_tick(Duration::from_millis(120));
        Step { bar, name, began: Instant::now() }
    }
}

impl Step {
    /// Says what the step is at.
    pub(super) fn at(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// Shows how much of a known amount is done.
    pub(super) fn of(&self, done: u64, all: u64, what: &str) {
        if self.bar.length() != Some(all) {
            let template = "  {spinner} {prefix:<18} [{bar:24}] {pos}/{len} {wide_msg} {elapsed}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.bar.set_style(style.progress_chars("=> "));
            }
            self.bar.set_length(all);
        }
        self.bar.set_position(done);
        self.bar.set_message(what.to_owned());
    }

    /// Ends the step with its one line.
    pub(super) fn done(self, what: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.bar.finish_and_clear();
        say(&format!("  {:<18} {what}  ({seconds:.1} s)", self.name));
    }
}

/// Prints a line.
pub fn say(line: &str) {
    // Nobody reads a closed standard output.
    let _ = writeln!(std::io::stdout(), "{line}");
}
