//! The faulty rows of a file, by reason.

use std::collections::BTreeMap;
use std::fmt;

/// The outcome for a faulty row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The row takes no part in the run.
    Skipped,
    /// The row takes part, without the faulty piece.
    Repaired,
    /// The row takes part as it is: a person named `.`, a role, a row whose last cells were left
    /// out.
    Kept,
    /// All rows were read in the encoding that the reason names.
    ReadAs,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skipped => "skipped",
            Self::Repaired => "repaired",
            Self::Kept => "kept",
            Self::ReadAs => "read as",
        })
    }
}

/// A fault's name, as the reports count it.
pub type Reason = &'static str;

/// One faulty row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowProblem {
    /// The line it begins on, from 1.
    pub line: u64,
    /// The fault.
    pub reason: Reason,
    /// The outcome for the row.
    pub fate: Fate,
}

impl RowProblem {
    /// A row left out.
    #[must_use]
    pub fn skipped(line: u64, reason: Reason) -> Self {
        Self { line, reason, fate: Fate::Skipped }
    }

    /// The encoding of all rows, from this line on.
    #[must_use]
    pub fn read_as(line: u64, encoding: Reason) -> Self {
        Self { line, reason: encoding, fate: Fate::ReadAs }
    }

    /// A row that takes part as it is.
    #[must_use]
    pub fn kept(line: u64, reason: Reason) -> Self {
        Self { line, reason, fate: Fate::Kept }
    }

    /// A row kept without its faulty piece.
    #[must_use]
    pub fn repaired(line: u64, reason: Reason) -> Self {
        Self { line, reason, fate: Fate::Repaired }
    }
}

/// How many line numbers of each fault a message names.
const LINES_NAMED: usize = 5;

#[derive(Debug, Clone)]
struct Tally {
    fate: Fate,
    rows: u64,
    first_lines: Vec<u64>,
}

/// The faults of one file, counted by reason.
#[derive(Debug, Clone)]
pub struct FileProblems {
    file: String,
    tallies: BTreeMap<Reason, Tally>,
}

impl FileProblems {
    /// No faults yet in the file of this name.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), tallies: BTreeMap::new() }
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Counts one fault. Call in the file's order: the first lines seen are the lines named.
    pub fn add(&mut self, problem: RowProblem) {
        let tally = self.tallies.entry(problem.reason).or_insert_with(|| Tally {
            fate: problem.fate,
            rows: 0,
            first_lines: Vec::new(),
        });
        tally.rows += 1;
        if tally.first_lines.len() < LINES_NAMED {
            tally.first_lines.push(problem.line);
        }
    }

    /// True when no row was faulty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tallies.is_empty()
    }

    /// True when a row was left out or changed, which `--strict` does not forgive.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        self.tallies.values().any(|tally| matches!(tally.fate, Fate::Skipped | Fate::Repaired))
    }

    /// Rows left out, of every reason.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.tallies.values().filter(|t| t.fate == Fate::Skipped).map(|t| t.rows).sum()
    }

    /// Rows by reason, with what became of them and the first lines.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, Fate, u64, &[u64])> {
        self.tallies.iter().map(|(reason, t)| (*reason, t.fate, t.rows, t.first_lines.as_slice()))
    }
}

impl fmt::Display for FileProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (reason, fate, rows, lines)) in self.reasons().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            if fate == Fate::ReadAs {
                write!(f, "{}: {fate} {reason}", self.file)?;
                continue;
            }
            let lines_named: Vec<String> = lines.iter().map(u64::to_string).collect();
            let more = if rows > lines.len() as u64 { ", …" } else { "" };
            write!(
                f,
                "{}: {fate} {rows} {}: {reason} (line {}{more})",
                self.file,
                if rows == 1 { "row" } else { "rows" },
                lines_named.join(", ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_file_the_reason_and_the_first_lines() {
        let mut problems = FileProblems::new("Lead.csv");
        for line in 2..9 {
            problems.add(RowProblem::skipped(line, "no-id"));
        }
        problems.add(RowProblem::repaired(12, "invalid-utf8"));
        problems.add(RowProblem::read_as(1, "windows-1252"));
        insta::assert_snapshot!(problems, @r"
        Lead.csv: repaired 1 row: invalid-utf8 (line 12)
        Lead.csv: skipped 7 rows: no-id (line 2, 3, 4, 5, 6, …)
        Lead.csv: read as windows-1252
        ");
        assert_eq!(problems.skipped(), 7);
    }
}
