//! The demo's findings, each with its verdict.

use std::fmt::{self, Display, Write as _};

/// One thing that must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    what: String,
    expected: String,
    found: String,
}

/// The short report at the end of a demo.
#[derive(Debug, Clone, Default)]
pub struct Report {
    sections: Vec<(String, Vec<String>)>,
    failures: Vec<Check>,
    checks: usize,
}

impl Report {
    /// Begins a part of the report.
    pub(super) fn section(&mut self, title: impl Into<String>) {
        self.sections.push((title.into(), Vec::new()));
    }

    /// Adds a line to the part begun last.
    pub(super) fn line(&mut self, line: impl Into<String>) {
        if self.sections.is_empty() {
            self.section("");
        }
        if let Some((_, lines)) = self.sections.last_mut() {
            lines.push(line.into());
        }
    }

    /// Requires that two values are the same; says whether they are.
    pub(super) fn check<T: PartialEq + Display + ?Sized>(
        &mut self,
        what: impl Into<String>,
        expected: &T,
        found: &T,
    ) -> bool {
        self.checks += 1;
        let same = expected == found;
        if !same {
            self.failures.push(Check {
                what: what.into(),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
        same
    }

    /// Requires that something is so.
    pub(super) fn require(&mut self, what: impl Into<String>, so: bool) -> bool {
        self.check(what, &true, &so)
    }

    /// True if everything is as it must be.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.failures.is_empty()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (title, lines) in &self.sections {
            writeln!(text, "\n{title}")?;
            for line in lines {
                writeln!(text, "  {line}")?;
            }
        }
        if self.failures.is_empty() {
            writeln!(text, "\nAll {} checks hold.", self.checks)?;
        } else {
            writeln!(text, "\n{} of {} checks fail:", self.failures.len(), self.checks)?;
            for check in &self.failures {
                writeln!(
                    text,
                    "  {}: {} expected, {} found",
                    check.what, check.expected, check.found
                )?;
            }
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_is_wrong() {
        let mut report = Report::default();
        report.section("Import");
        report.line("Account 5");
        assert!(report.check("Account rows", &5, &5));
        assert!(report.is_right());
        assert!(!report.check("Lead rows", &5, &4));
        assert!(!report.is_right());
        let text = report.to_string();
        assert!(text.contains("Account 5"), "{text}");
        assert!(text.contains("1 of 2 checks fail:\n  Lead rows: 5 expected, 4 found"), "{text}");
    }
}
