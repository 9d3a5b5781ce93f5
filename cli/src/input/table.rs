//! Small CSV files read whole, by column.

use super::{CsvRows, FileProblems, Header, InputError, Layout, Reason, RowProblem, open};
use std::path::Path;

/// A column asked for.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// The file must have it.
    Required(&'static str),
    /// Its fields are empty when the file has it not.
    Optional(&'static str),
}

/// Hands every record's fields of `columns`, in that order, to `row`, which may refuse it with a
/// reason. An empty file has no rows and no faults.
pub fn read_columns<const N: usize>(
    path: &Path,
    columns: [Column; N],
    mut row: impl FnMut([&str; N]) -> Result<(), Reason>,
) -> Result<FileProblems, InputError> {
    let mut file = open(path)?;
    let mut found = FileProblems::new(&file.name);
    let Layout::Csv { delimiter } = file.layout else {
        return Err(InputError::Format { path: file.name, format: "JSON" });
    };
    let header = file.chunks.header();
    if header.is_empty() {
        return Ok(found);
    }
    let header = Header::parse(&file.name, &header, delimiter)?;
    let mut positions = [None; N];
    for (position, column) in positions.iter_mut().zip(columns) {
        *position = match column {
            Column::Required(name) => Some(header.required(&file.name, name)?),
            Column::Optional(name) => header.position(name),
        };
    }
    let required = positions.iter().zip(columns);
    let needed = required.filter(|(_, column)| matches!(column, Column::Required(_)));
    let needed = needed.filter_map(|(at, _)| *at).max().map_or(0, |last| last + 1);
    for chunk in file.chunks {
        let chunk = chunk?;
        let mut problems = Vec::new();
        let mut records = CsvRows::new(&chunk, &header, needed);
        while let Some((line, record)) = records.next(&mut problems) {
            let fields = positions.map(|at| at.and_then(|at| record.get(at)).unwrap_or_default());
            if let Err(reason) = row(fields) {
                problems.push(RowProblem::skipped(line, reason));
            }
        }
        problems.into_iter().chain(chunk.problems).for_each(|problem| found.add(problem));
    }
    Ok(found)
}
