//! The rows of a directory file as the JSON lines that a deployment reads.

use super::{
    Chunk, Content, DirectoryLine, Reader, RowProblem, Rows, company, directory_line, each_line,
    each_record, person,
};
use matching::read::Identified;
use matching::{Company, Person};
use serde::{Deserialize, Serialize};

impl Rows {
    /// Hands the usable rows of a directory file's chunk to `each`, in order: the entity's id and
    /// its JSON line. A line of JSON stays as it is, so that nothing that it holds is lost; faults
    /// go to `problems`.
    pub fn read_entities(
        &self,
        chunk: &Chunk,
        problems: &mut Vec<RowProblem>,
        mut each: impl FnMut(&str, &[u8]),
    ) {
        match &self.reader {
            Reader::Json => each_line(chunk, problems, |line, bytes, problems| {
                let id = match self.content {
                    Content::Companies => id_of::<Company>(bytes),
                    _ => id_of::<Person>(bytes),
                };
                match id {
                    Ok(id) => each(&id, bytes),
                    Err(reason) => problems.push(RowProblem::skipped(line, reason)),
                }
            }),
            Reader::Person(header, columns) => {
                each_record(chunk, header, columns, problems, |_, values| {
                    hand_over(&person(values), values[0], &mut each);
                });
            }
            Reader::Company(header, columns) => {
                each_record(chunk, header, columns, problems, |_, values| {
                    hand_over(&company(values), values[0], &mut each);
                });
            }
            Reader::Lead(..) | Reader::Contact(..) | Reader::Account(..) => {}
        }
    }
}

/// The id of the entity in a line, or why it is none: a full file holds entities alone.
fn id_of<T: Identified + for<'de> Deserialize<'de>>(line: &[u8]) -> Result<String, &'static str> {
    match directory_line::<T>(line)? {
        DirectoryLine::Upsert(entity) if entity.id().trim().is_empty() => Err("no-id"),
        DirectoryLine::Upsert(entity) => Ok(entity.id().to_owned()),
        DirectoryLine::Delete { .. } | DirectoryLine::Merge { .. } => Err("deletion-or-merge"),
    }
}

fn hand_over<T: Serialize>(entity: &T, id: &str, each: &mut impl FnMut(&str, &[u8])) {
    // Texts and numbers always have a JSON form.
    if let Ok(json) = serde_json::to_vec(entity) {
        each(id, &json);
    }
}
